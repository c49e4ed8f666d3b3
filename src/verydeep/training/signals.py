"""SIGINT and SIGTERM, noted for the end of a step, so that the state saved is between two steps."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import torch

from verydeep.training.accelerators import Accelerator

STOPS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether this process, or another of the launch, was asked to stop, and by which signal."""

    def __init__(self, accelerator: Accelerator):
        self._accelerator = accelerator
        self._number: int | None = None

    @property
    def name(self) -> str:
        """The name of the signal."""
        return signal.Signals(self._number).name

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block signals are noted; a thread other than the main one hears none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in STOPS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number, frame) -> None:
        self._number = number

    def made(self) -> bool:
        """Whether any process was asked to stop; all of them must call this at the same step."""
        if self._accelerator.num_processes == 1:
            return self._number is not None
        asked = torch.tensor(self._number or 0, device=self._accelerator.device)
        agreed = int(self._accelerator.gather(asked).max())
        if agreed:  # a signal that came during the exchange is kept for the next step: no other process knows of it
            self._number = agreed
        return bool(agreed)


def ignore_stops(worker: int) -> None:
    """Ignore them, in a worker that prepares batches."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
