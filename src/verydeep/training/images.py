"""The training images of a run: which rows of the store are trained on, which are held out, and how they are cut."""

from dataclasses import dataclass

import numpy as np
from torch.utils.data import DataLoader, get_worker_info

from verydeep import assembly
from verydeep.data.boxes import BoxTargets
from verydeep.data.store import Store
from verydeep.data.views import Batch, CentreView, TrainingBatches, TrainingViews, draw_epoch
from verydeep.errors import VerydeepError
from verydeep.studies import Run
from verydeep.training import signals
from verydeep.training.loader import Loader, shared, workers


@dataclass(frozen=True)
class TrainingImages:
    """The store of a run's study, its rows for training and those held out; ``steps`` are full batches in an epoch.

    ``boxes`` says where in a crop the object lies, for a network that gives boxes; images without one are left out.
    """

    store: Store
    rows: np.ndarray
    held_out_rows: np.ndarray
    views: TrainingViews
    centre: CentreView
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
        centre = CentreView(run.study.crop, sum(run.scale_range) // 2)
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
                num_workers=workers(on_gpu),
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
            return batch if get_worker_info() is None else shared(batch)
        except VerydeepError as error:
            return error
