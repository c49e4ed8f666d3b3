"""What is measured on held-out images after an epoch, and what of it moves the rate, resumed or not."""

import os
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tiny import silent, tiny_run

from verydeep import runs, training
from verydeep.errors import Interrupted
from verydeep.training import loop
from verydeep.training.accelerators import accelerator
from verydeep.training.images import TrainingImages
from verydeep.training.objectives import Classes
from verydeep.training.updates import Updates
from verydeep.training.validation import held_out_errors


def test_held_out_errors_are_those_of_the_centre_crops_at_the_middle_of_the_range(checkout):
    """Of a network that is one matrix: S from 256 to 512, so 384, of which a seventh is 55 pixels; crops of 32.

    No more of them at once than a micro-batch, whatever that leaves for the last.
    """
    run = tiny_run(scale="jitter")
    images = TrainingImages.of(run)
    matrix = torch.randn(10, 3 * 32 * 32, generator=torch.Generator().manual_seed(0)) / 55
    store, wrong, loss = images.store, {1: 0, 5: 0}, 0.0
    for row in images.held_out_rows:
        picture = Image.fromarray(store.image(row)).resize((55, 55), Image.Resampling.BILINEAR)
        crop = np.asarray(picture)[12:44, 12:44]  # of 23 pixels that are left a half is 11.5, rounded to even
        pixels = torch.from_numpy(crop.copy()).permute(2, 0, 1).flatten() / 255
        scores = (matrix @ pixels).double()
        label = int(store.manifest["label"].iat[row])
        better = int((scores > scores[label]).sum())
        wrong[1] += better >= 1
        wrong[5] += better >= 5
        loss -= float(scores.log_softmax(0)[label])

    at_once = []

    def net(x):
        at_once.append(len(x))
        return x.flatten(1) @ matrix.T

    def normalise(crops):
        return crops.permute(0, 3, 1, 2).float() / 255

    found = held_out_errors(net, images, Classes(0.1), normalise, accelerator(run), at_once=48)
    n = len(images.held_out_rows)
    assert at_once == [48, 48, 4]
    assert n == 100 and 0 < wrong[5] < wrong[1] < n
    assert found["held_out_top1_error"] == pytest.approx(100 * wrong[1] / n, abs=1.01)
    assert found["held_out_top5_error"] == pytest.approx(100 * wrong[5] / n, abs=1.01)
    assert found["held_out_loss"] == pytest.approx(loss / n, rel=1e-3)  # of the labels as they are, not smoothed

    def shared(rank, total):
        """What the process ``rank`` of three says where all have counted ``total``, and what it counted itself."""
        counted = []
        others = SimpleNamespace(
            process_index=rank, num_processes=3, device=torch.device("cpu"), autocast=nullcontext,
            reduce=lambda sums, how: counted.append((sums, how)) or total,
        )  # fmt: skip
        said = held_out_errors(net, images, Classes(0.1), normalise, others, at_once=48)
        (sums, how) = counted[0]
        assert how == "sum"
        return said, sums

    at_once.clear()
    total = sum(shared(rank, torch.zeros(3))[1] for rank in range(3))
    assert at_once == [34, 33, 33]
    assert all(shared(rank, total)[0] == pytest.approx(found) for rank in range(3))


@pytest.mark.parametrize("stopped", [False, True])
def test_the_rate_falls_by_held_out_top1_errors_and_a_resumed_training_knows_those_before(
    checkout, monkeypatch, stopped
):
    """By a patience of two epochs: twice no better than 40 after the third, and twice again after the fifth."""
    said, learning, measured, right, losses = iter([50, 40, 41, 40, 45, 44]), [], [], [], []
    update = Updates.update

    def noting(self, *where):
        step = update(self, *where)
        learning.append(self.net.training)
        right.append(int(step.correct))
        losses.append(float(step.loss))
        return step

    def made_up(net, images, *_):
        measured.append(net.training)
        error = next(said)
        return {"held_out_loss": 1.0, "held_out_top1_error": error, "held_out_top5_error": error / (1 + len(measured))}

    monkeypatch.setattr(Updates, "update", noting)
    monkeypatch.setattr(loop, "held_out_errors", made_up)
    run = tiny_run(schedule="plateau", plateau_patience=2, rate_drops=2, epochs=6, warmup_epochs=0, dropout=0.5)
    if stopped:
        with pytest.raises(Interrupted):
            training.train(run, report=lambda line: "epoch 3/" in line and os.kill(os.getpid(), signal.SIGTERM))
    training.train(run, report=silent)
    history = pd.read_csv(run.folder / "history.csv")
    assert history["learning_rate"].tolist() == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.005, 0.005])
    assert measured == [False] * 6 and all(learning), "units are dropped in training alone"
    by_epoch = np.array(right).reshape(6, 41).sum(1)
    assert history["train_top1_error"].tolist() == pytest.approx((100 - 100 * by_epoch / (41 * 32)).tolist())
    assert history["train_loss"].tolist() == pytest.approx(np.array(losses).reshape(6, 41).mean(1).tolist())
    assert runs.check_folder(run.folder) == []
