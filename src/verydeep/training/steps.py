"""What the steps of an epoch gave, fetched from the device many steps at once."""

import math
from typing import NamedTuple

import torch

from verydeep.errors import TrainingDiverged

#: Steps whose losses a GPU keeps until they are fetched. To fetch one is to wait until the device has finished: done
#: after each step, the device would have nothing to do while the next one is prepared.
KEPT = 50


class Step(NamedTuple):
    """One update: the loss over its batch and how many images were right, still on the device, and where it was."""

    loss: torch.Tensor  # float32 scalar, the average over the batch
    correct: torch.Tensor  # scalar
    epoch: int  # from 0
    number: int  # within the epoch, from 0
    rate: float


class Steps:
    """The steps of a training that were not fetched yet. On a CPU, where there is nothing to wait for, none waits."""

    def __init__(self, device: torch.device):
        self.kept = 1 if device.type == "cpu" else KEPT
        self._waiting: list[Step] = []

    def add(self, step: Step) -> bool:
        """Keep a step; whether it is time to fetch."""
        self._waiting.append(step)
        return len(self._waiting) >= self.kept

    def fetch(self) -> list[tuple[float, int]]:
        """Loss and right answers of each step since the last time, in their order.

        Raises
        ------
        TrainingDiverged
            At the first step whose loss was not finite; the updates after it are worth nothing.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        losses = torch.stack([step.loss for step in waiting]).tolist()
        correct = torch.stack([step.correct for step in waiting]).tolist()
        for step, loss in zip(waiting, losses, strict=True):
            if not math.isfinite(loss):
                raise TrainingDiverged(
                    f"loss is {loss} in epoch {step.epoch + 1}, step {step.number}, at rate {step.rate:.3g}"
                )
        return [(loss, int(right)) for loss, right in zip(losses, correct, strict=True)]
