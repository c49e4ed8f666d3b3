"""Training of networks that give boxes: what they start from, what they are asked, and the same bits after a kill."""

import os
import signal

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from evaluation import localised
from verydeep import assembly, files, runs, training
from verydeep.data.views import Batch
from verydeep.errors import DataError, Interrupted, VerydeepError
from verydeep.networks.vgg import VGG
from verydeep.studies.localisation import Localisation
from verydeep.training.images import TrainingImages
from verydeep.training.objectives import BoxesOfTrueClass


def silent(_):
    pass


def kill_after_an_epoch(number):
    return lambda line: os.kill(os.getpid(), number) if "epoch 1/" in line else None


def started(run) -> tuple[VGG, VGG]:
    """A network before its first update, and its parent."""
    return assembly.starting_network(run, torch.Generator().manual_seed(1)), assembly.load_network(run.parent)


def test_all_layers_start_from_the_network_of_classes_but_the_last(trained):
    net, parent = started(localised.run())
    for name, layer in (net.convolutions() | net.fully_connected()).items():
        before = (parent.convolutions() | parent.fully_connected())[name]
        assert (name != "fc8") == (
            before.weight.shape == layer.weight.shape and torch.equal(before.weight, layer.weight)
        )
    assert net.fully_connected()["fc8"].weight.shape[0] == 40 and all(p.requires_grad for p in net.parameters())
    net, _ = started(localised.run("scr-fc"))
    assert net.fully_connected()["fc8"].weight.shape[0] == 4
    assert not any(p.requires_grad for p in net.features.parameters())
    assert all(p.requires_grad for p in net.classifier.parameters())


def test_the_loss_by_hand():
    """Two classes: of the second image, whose crop does not count, the box is judged but not learned from."""
    batch = Batch(torch.zeros(2, 1, 1, 3), torch.tensor([1, 0]), np.zeros((2, 3)),
                  torch.tensor([[1, 0.5, 0.5, 1.0, 1.0], [0, 0.5, 0.5, 1.0, 1.0]]))  # fmt: skip
    outputs = torch.tensor([[9, 9, 9, 9, 0.5, 0.5, 1.0, 0.4], [0.5, 0.5, 1.0, 0.8, 9, 9, 9, 9]])
    asked = BoxesOfTrueClass("pcr", Localisation(), 32)
    targets = asked.targets(batch, torch.device("cpu"))
    assert asked.loss(outputs, targets).item() == pytest.approx(0.6**2 / 2)
    assert asked.right(outputs, targets).tolist() == [False, True]  # they share 0.4 and 0.8 of the whole
    assert asked.right(outputs, targets, 5).tolist() == [False, True]
    by_distance = BoxesOfTrueClass("pcr", Localisation(loss="distance"), 32)
    assert by_distance.loss(outputs, targets).item() == pytest.approx(0.6)
    one = BoxesOfTrueClass("scr", Localisation(), 32)
    assert one.loss(outputs[:, 4:], targets).item() == pytest.approx(0.6**2 / 2)
    pixels = BoxesOfTrueClass("scr", Localisation(units="pixels"), 32)
    assert pixels.right(32 * outputs[:, 4:], targets * torch.tensor([1, 1, 32, 32, 32, 32])).tolist()[0] is False


def test_every_batch_says_where_the_digits_are(trained):
    """The ink of a crop lies in the box that is asked of it."""
    images = TrainingImages.of(localised.run())
    batch = next(iter(images.loader(1, 0, 0, 1)))
    assert batch.boxes.shape == (32, 5) and len(images.rows) == 1333
    for crop, (counts, x, y, width, height) in zip(batch.images.numpy(), batch.boxes.numpy(), strict=True):
        inked = crop[..., 0] > 150
        rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
        seen = torch.tensor([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]) / 32
        box = torch.tensor([[x - width / 2, y - height / 2, x + width / 2, y + height / 2]]).clip(0, 1)
        assert counts == 1 and box_iou(seen, box) > 0.5


@pytest.fixture
def reference(trained):
    run = localised.run()
    training.train(run, report=silent)
    found = files.sha256(run.weights)
    for path in run.folder.iterdir():
        path.unlink()
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_killed_and_resumed_training_ends_in_the_same_bits(reference, number):
    run = localised.run()
    with pytest.raises(Interrupted, match=f"{number.name} in epoch 2.*run it again to continue"):
        training.train(run, report=kill_after_an_epoch(number))
    training.train(run, report=silent)
    assert files.sha256(run.weights) == reference
    record = runs.read_record(run, "train")
    assert len(record.sessions) == 2 and record.parent.run == "A-256-s0"
    assert record.data.boxes.images == {"train": 1433, "val": 364}
    assert record.parameters["boxes"] == "pcr" and record.parameters["localisation"]["units"] == "crop"
    assert record.metrics.held_out_top1_error == record.metrics.held_out_top5_error
    assert runs.check_folder(run.folder) == []


def test_a_checkpoint_of_other_keys_is_refused(trained):
    with pytest.raises(Interrupted):
        training.train(localised.run(), report=kill_after_an_epoch(signal.SIGTERM))
    with pytest.raises(VerydeepError, match="was made with other localisation; delete it"):
        training.train(localised.run(cut="clipped"), report=silent)


def test_a_training_without_a_held_out_image_is_refused_before_its_first_epoch(trained, monkeypatch):
    """As where none of those has a box: it ended in a division by zero once an epoch was paid for."""
    rows = assembly.training_rows
    monkeypatch.setattr(assembly, "training_rows", lambda *given: (rows(*given)[0], np.array([], int)))
    with pytest.raises(VerydeepError, match="no image with a box is held out, on which it would be measured"):
        TrainingImages.of(localised.run())


def test_a_set_without_boxes_trains_no_boxes(trained, monkeypatch):
    from verydeep.data import sources

    monkeypatch.setattr(sources.Digits, "annotations", sources.Source.annotations)
    with pytest.raises(DataError, match="digits has no boxes"):
        training.train(localised.run(), report=silent)
