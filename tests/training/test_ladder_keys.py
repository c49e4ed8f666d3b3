"""Smoothed labels, stretched crops and averaged weights: what they are, and that a training with them resumes."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tiny import digest, silent, tiny_run, train_until

from verydeep import training
from verydeep.networks import weights
from verydeep.training.accelerators import accelerator
from verydeep.training.images import TrainingImages
from verydeep.training.objectives import Classes
from verydeep.training.updates import Updates

TODAY = {"crops": "resized", "label_smoothing": 0.1, "weight_average": 0.9}


def today(**recipe):
    """A tiny run with every key of the ladder."""
    run = tiny_run(**TODAY | {"epochs": 1, "warmup_epochs": 0} | recipe)
    network = run.study.network.model_copy(update={"batch_norm": True, "head": "average"})
    return replace(run, study=run.study.model_copy(update={"network": network}))


def test_smoothing_spreads_a_share_of_the_right_answer_and_is_not_measured():
    scores, targets = torch.randn(5, 7), torch.tensor([0, 3, 6, 1, 1])
    asked = torch.full((5, 7), 0.1 / 7)
    asked[torch.arange(5), targets] += 0.9
    expected = -(asked * scores.log_softmax(1)).sum()
    assert torch.allclose(Classes(0.1).loss(scores, targets), expected)
    plain = F.cross_entropy(scores, targets, reduction="sum")
    assert torch.equal(Classes(0.1).measured(scores, targets), plain) and torch.equal(
        Classes().loss(scores, targets), plain
    )


def test_the_average_follows_the_weights_after_every_update(checkout):
    run = today(weight_average=0.8)
    images = TrainingImages.of(run)
    updates = Updates(run, images, accelerator(run), 32)
    expected = {key: value.clone() for key, value in updates.plain.state_dict().items()}
    updates.learn()
    batches = iter(images.loader(1, 0, 0, 1))
    for step in range(40):
        updates.update(next(batches), 0, step)
        decay = min(0.8, (1 + step) / (10 + step))
        for key, now in updates.plain.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * now if now.is_floating_point() else now.clone()
    averaged = updates.result.state_dict()
    assert decay == 0.8 and updates.result is not updates.plain
    for key, value in expected.items():
        assert torch.allclose(averaged[key], value, atol=1e-5), key
    assert averaged["features.1.running_var"].ne(updates.plain.state_dict()["features.1.running_var"]).any()


def test_with_every_key_it_resumes_to_the_bit_and_the_average_is_published(checkout, monkeypatch):
    run = today(epochs=2)
    training.train(run, report=silent)
    reference = digest(run)
    for path in run.folder.iterdir():
        path.unlink()

    train_until(run, 60, monkeypatch)
    saved = torch.load(run.workspace / "checkpoint.pt", weights_only=True)
    assert any(not torch.equal(saved["net"][key], value) for key, value in saved["average"].items())
    written = {}
    publish = weights.publish
    monkeypatch.setattr(weights, "publish", lambda net, path: written.update(net=net) or publish(net, path))
    training.train(run, report=silent)
    assert digest(run) == reference
    assert all(torch.equal(value.to(load_file(run.weights)[key].dtype), load_file(run.weights)[key])
               for key, value in written["net"].state_dict().items())  # fmt: skip
