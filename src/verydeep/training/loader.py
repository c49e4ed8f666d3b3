"""Batches from worker processes: how many there are, what their deaths are told as, and the memory that is shared."""

import contextlib
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import torch
from torch.utils.data import DataLoader

from verydeep import machine
from verydeep.data.views import Batch
from verydeep.errors import VerydeepError, first_line
from verydeep.training import signals

#: What helps where there is no room for batches.
_ROOM = "free some, or give a container more (docker's --memory, --shm-size), then run it again to continue"

#: The seconds that a worker whose connections are closed has to be dead in.
_DYING = 5


class Loader(Iterator[Batch]):
    """Batches one after the other, from worker processes or from this one."""

    def __init__(self, loader: DataLoader):
        self._loader, self._batches, self._of = loader, None, ""

    def __next__(self) -> Batch:
        """The next batch; raises the :class:`VerydeepError` that the worker met in making it, or that it has died."""
        if self._batches is None:
            self._batches = iter(self._loader)
        try:
            batch = next(self._batches)
        except (RuntimeError, OSError, EOFError) as error:  # torch's of a dead worker, or that of a connection to it
            dead = self._dead()
            if dead is None:
                raise
            raise VerydeepError(
                f"{self._of}process {dead.pid}, one of {self._loader.num_workers} that prepare images, was ended by "
                f"{_end(dead.exitcode)}, as a rule for want of memory or of shared memory: {_ROOM}"
            ) from error
        if isinstance(batch, VerydeepError):
            raise batch
        return batch

    def _dead(self) -> BaseProcess | None:
        """A worker that has died; waited for, since what it held open is closed a moment before it counts as dead."""
        workers = getattr(self._batches, "_workers", [])
        if not workers:  # the batches are made in this process
            return None
        closed = wait([worker.sentinel for worker in workers], timeout=_DYING)
        for worker in workers:
            if worker.sentinel in closed:
                worker.join()  # a sentinel is something that it held open too
        return next((worker for worker in workers if worker.exitcode), None)

    @contextlib.contextmanager
    def opened(self, of: str) -> Iterator["Loader"]:
        """The loader, whose workers start here and end with the block; of a death's message ``of`` is the beginning.

        Within it the death of a worker is told by the next batch alone. torch would have its handler of SIGCHLD raise
        it wherever this process is, in the midst of handling what the death has brought about too.
        """
        self._of = f"{of}: "
        with signals.restored((signal.SIGCHLD,)) as handlers:
            self._batches = iter(self._loader)  # sets torch's handler
            for number in handlers:
                signal.signal(number, signal.SIG_DFL)
            try:
                yield self
            finally:  # not left to the last reference: an error holds some, and workers outlive what asks them to end
                batches, self._batches = self._batches, None
                getattr(batches, "_shutdown_workers", lambda: None)()


def _end(exitcode: int) -> str:
    return signal.Signals(-exitcode).name if exitcode < 0 else f"its own exit code {exitcode}"


def shared(batch: Batch) -> Batch:
    """The batch in memory that its worker's parent sees: where torch finds no room for it, it is never handed over.

    Raises
    ------
    VerydeepError
        When there is too little shared memory.
    """
    try:
        for tensor in filter(torch.is_tensor, vars(batch).values()):
            tensor.share_memory_()
    except RuntimeError as error:
        raise VerydeepError(
            f"there is too little shared memory for the images that other processes prepare ({first_line(error)}): "
            f"{_ROOM}"
        ) from error
    return batch


def workers(on_gpu: bool) -> int:
    """Processes that prepare views. On a CPU the network needs every core; a GPU waits for them, and has its share of
    the machine's cores."""
    sharing = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    return min(machine.WORKERS, max(1, machine.cores() // sharing)) if on_gpu else 0
