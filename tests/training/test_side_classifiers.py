"""GoogLeNet's side classifiers: their loss enters training, and nothing else of it changes."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tiny import digest, silent, tiny_run, train_until

from verydeep import assembly, runs, training
from verydeep.networks import anatomy
from verydeep.training import seeds
from verydeep.training.accelerators import accelerator
from verydeep.training.images import TrainingImages
from verydeep.training.updates import Updates


def googlenet(**recipe):
    return tiny_run("GoogLeNet", **{"clip_norm": None, "warmup_epochs": 0, "epochs": 1} | recipe)


def first_update(run, monkeypatch, micro_batch=32):
    """The gradients of the first update of a run, its batch, what it reported, and the network before it."""
    images = TrainingImages.of(run)
    updates = Updates(run, images, accelerator(run), micro_batch)
    before = {key: value.clone() for key, value in updates.plain.state_dict().items()}
    batch = next(iter(images.loader(1, 0, 0, 1)))
    gradients = {}

    def keep(*_, **__):
        learned = updates.plain.named_parameters()
        gradients.update({name: tensor.grad.clone() for name, tensor in learned if tensor.grad is not None})

    monkeypatch.setattr(updates.optimiser, "step", keep)
    updates.learn()
    return gradients, batch, updates.update(batch, 0, 0), before, updates


def test_the_gradient_is_of_the_loss_and_three_tenths_of_each_side_classifiers(checkout, monkeypatch):
    run = googlenet()
    gradients, batch, step, before, updates = first_update(run, monkeypatch)
    net = assembly.network(run).train()
    net.load_state_dict(before)
    torch.manual_seed(seeds.seed(run.seed, seeds.DROPOUT, 0))  # the same units are dropped
    made = net(updates._input(batch))
    losses = [F.cross_entropy(scores, batch.labels) for scores in made]
    assert len(losses) == 3
    (losses[0] + 0.3 * losses[1] + 0.3 * losses[2]).backward()
    for name, tensor in net.named_parameters():
        assert torch.allclose(gradients[name], tensor.grad, rtol=1e-4, atol=1e-6), name
        assert tensor.grad.abs().max() > 0 or "bias" in name or "conv" in name, name
    assert step.loss.item() == pytest.approx(losses[0].item(), rel=1e-6)  # of the network that is tested, alone
    assert step.correct.item() == (made[0].argmax(1) == batch.labels).sum()


def test_interrupted_it_ends_in_the_bits_of_an_uninterrupted_one(checkout, monkeypatch):
    run = googlenet()
    training.train(run, report=silent)
    reference = digest(run)
    for path in run.folder.iterdir():
        path.unlink()
    train_until(run, 25, monkeypatch)
    training.train(run, report=silent)
    assert digest(run) == reference


def test_a_further_scale_goes_on_with_them_and_their_work_is_counted(checkout):
    run, further = googlenet(precision="bfloat16"), tiny_run("GoogLeNet", "384")
    assert further.parent.name == run.name and run.parent is None
    training.train(run, report=silent)
    trained = load_file(run.weights)
    goes_on = assembly.starting_network(further, torch.Generator().manual_seed(1)).state_dict()
    assert len([name for name in trained if name.startswith("sides.")]) == 12
    assert all(torch.equal(goes_on[name], value.float()) for name, value in trained.items())
    cost = runs.read_record(run, "train").cost
    beside = sum(layer.multiply_adds for layer in anatomy.side_layers(run.configuration, run.size))
    assert beside > 0 and cost.multiply_adds == 3 * cost.images_seen * (run.multiply_adds + beside)


def test_only_the_classifiers_learn_where_the_recipe_says_so(checkout, monkeypatch):
    updates = first_update(googlenet(trained_layers="fc"), monkeypatch)[-1]
    learning = {name for name, tensor in updates.plain.named_parameters() if tensor.requires_grad}
    assert learning == {name for name in updates.plain.state_dict() if not name.startswith("features.")}
