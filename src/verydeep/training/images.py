"""The training images of a run: which rows of the store are trained on, which are held out, and how they are cut."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import numpy as np
import torch
from torch.utils.data import DataLoader, get_worker_info

from verydeep import assembly, machine
from verydeep.data.boxes import BoxTargets
from verydeep.data.store import Store
from verydeep.data.views import Batch, CentreCrop, TrainingBatches, TrainingViews, draw_epoch
from verydeep.errors import VerydeepError, first_line
from verydeep.studies import Run
from verydeep.training import signals

#: What helps where there is no room for batches.
_ROOM = "free some, or give a container more (docker's --memory, --shm-size), and the same command goes on"

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


@dataclass(frozen=True)
class TrainingImages:
    """The store of a run's study, its rows for training and those held out; ``steps`` are full batches in an epoch.

    ``boxes`` says where in a crop the object lies, for a network that gives boxes; images without one are left out.
    """

    store: Store
    rows: np.ndarray
    held_out_rows: np.ndarray
    views: TrainingViews
    centre: CentreCrop
    batch: int
    seed: int
    boxes: BoxTargets | None = None

    @classmethod
    def of(cls, run: Run) -> "TrainingImages":
        """Raises :class:`VerydeepError` when the images do not fill one batch, or have no boxes that are asked for."""
        store = assembly.open_data(run)
        boxes = assembly.box_targets(run, store) if run.boxes else None
        rows, aside = assembly.training_rows(run, store, boxes)
        if len(rows) < run.recipe.batch:
            raise VerydeepError(f"{run.name}: {len(rows)} images do not fill a batch of {run.recipe.batch}")
        if not len(aside):
            which = "image with a box" if run.boxes else "image"
            raise VerydeepError(f"{run.name}: no {which} is held out, on which it would be measured")
        centre = CentreCrop(run.study.crop, sum(run.scale_range) // 2)
        return cls(store, rows, aside, assembly.training_views(run), centre, run.recipe.batch, run.seed, boxes)

    @property
    def steps(self) -> int:
        """In an epoch: as many as whole batches."""
        return len(self.rows) // self.batch

    def loader(self, epochs: int, first: int, part: int, parts: int) -> Loader:
        """The batches of ``epochs`` epochs, as far as process ``part`` of ``parts`` has them, from step ``first`` on.

        One for the whole training: its workers prepare the next epoch while the held-out images are tested. They end
        when it is closed, and heed no signal: one that is sent to the whole group is for their parent to act on.
        """
        on_gpu = assembly.device().type == "cuda"
        return Loader(
            DataLoader(
                _AllBatches(self, part, parts),
                batch_size=None,
                sampler=range(first, epochs * self.steps),
                num_workers=_workers(on_gpu),
                pin_memory=on_gpu,
                worker_init_fn=signals.ignore_stops,
            )
        )


@dataclass
class _AllBatches:
    """The batches of every epoch: item ``k`` is that of step ``k``, counted from the start of the training.

    What is wrong with an image is an item too: torch would raise it with a worker's traceback for a message.
    """

    images: TrainingImages
    part: int
    parts: int
    epoch: int | None = None
    batches: TrainingBatches | None = None

    def __getitem__(self, k: int) -> Batch | VerydeepError:
        epoch, step = divmod(k, self.images.steps)
        if epoch != self.epoch:  # drawn once; a worker keeps its own
            of, self.epoch = self.images, epoch
            draws = draw_epoch(of.seed, epoch, len(of.rows))
            self.batches = TrainingBatches(
                of.store, of.rows, of.views, draws, of.batch, self.part, self.parts, of.boxes
            )
        try:
            batch = self.batches[step]
            return batch if get_worker_info() is None else _shared(batch)
        except VerydeepError as error:
            return error


def _shared(batch: Batch) -> Batch:
    """The batch in memory that its worker's parent sees: where torch finds no room for it, it is never handed over."""
    try:
        for tensor in filter(torch.is_tensor, vars(batch).values()):
            tensor.share_memory_()
    except RuntimeError as error:
        raise VerydeepError(
            f"there is too little shared memory for the images that other processes prepare ({first_line(error)}): "
            f"{_ROOM}"
        ) from error
    return batch


#: The most processes that prepare views for one GPU.
WORKERS = 8


def _workers(on_gpu: bool) -> int:
    """Processes that prepare views. On a CPU the network needs every core; a GPU waits for them, and has its share of
    the machine's cores."""
    sharing = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    return min(WORKERS, max(1, machine.cores() // sharing)) if on_gpu else 0
