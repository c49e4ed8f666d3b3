"""Trainings of the smoke study that take a second."""

import pytest

from verydeep import files, studies, training
from verydeep.training import loop
from verydeep.training.updates import Updates


def tiny_run(config="A", scale="256", **recipe) -> studies.Run:
    """A run of the smoke study with three epochs, or what ``recipe`` says."""
    smoke = studies.load("smoke")
    keys = {"epochs": 3, "warmup_epochs": 1} | recipe
    return studies.Run(smoke.model_copy(update={"recipe": smoke.recipe | keys}), config, scale, 0)


def silent(_):
    """Report nothing."""


def digest(run) -> str:
    """The hash of the weights that a run was trained to."""
    return files.sha256(run.weights)


def train_until(run, update: int, monkeypatch) -> None:
    """Train, interrupted in place of update number ``update``; a checkpoint is left of every update before."""
    original, calls = Updates.update, []

    def failing(self, *where):
        calls.append(1)
        if len(calls) == update:
            raise KeyboardInterrupt  # as good as a crash: nothing is saved on this way out
        return original(self, *where)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
        patch.setattr(Updates, "update", failing)
        with pytest.raises(KeyboardInterrupt):
            training.train(run, report=silent)
