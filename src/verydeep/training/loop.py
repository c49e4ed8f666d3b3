"""The loop over epochs: from a run's start or its checkpoint to its record."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice

import torch

from verydeep import assembly, files, machine, paths, progress
from verydeep.data.views import Batch
from verydeep.errors import Interrupted, OutOfMemory, ProcessLost, TrainingDiverged, VerydeepError
from verydeep.runs import environment_variables, provenance
from verydeep.studies import Run
from verydeep.studies.localisation import Localisation
from verydeep.studies.parts import NetworkKeys, Recipe
from verydeep.training import checkpoints, record
from verydeep.training.accelerators import (
    accelerator,
    agreed,
    host_group,
    largest,
    leave_at_exit,
    others_are_lost,
    require_same_files,
)
from verydeep.training.images import TrainingImages
from verydeep.training.signals import StopRequest
from verydeep.training.steps import Step, Steps
from verydeep.training.updates import Updates
from verydeep.training.validation import held_out_errors

#: A checkpoint is written after an epoch, and within an epoch when this many seconds have passed.
CHECKPOINT_SECONDS = 300
#: After an epoch it is left out where writing takes long (a gigabyte for D of the paper) and more than this part of
#: the time.
CHECKPOINT_QUICK, CHECKPOINT_SHARE = 0.2, 0.05


@dataclass
class State:
    """The part of a training's state that is neither weights nor momentum."""

    epoch: int = 0
    step: int = 0  # within the epoch
    loss_sum: float = 0.0
    correct: int = 0
    seconds: float = 0.0  # spent in this epoch, over all sessions
    history: list[dict] = field(default_factory=list)
    sessions: list[dict] = field(default_factory=list)

    def next_epoch(self) -> None:
        """Begin another: what is counted within an epoch starts anew."""
        self.epoch, self.step, self.loss_sum, self.correct, self.seconds = self.epoch + 1, 0, 0.0, 0, 0.0


def fit(run: Run, micro_batch: int, report: Callable[[str], None]) -> None:
    """Train ``run``, whose parent is trained, from its start or its checkpoint to its record.

    Raises as :func:`verydeep.training.launch.train` does.
    """
    with environment_variables.undisturbed():
        Training(run, micro_batch, report).fit()


class Training:
    """One training. What it is made of is there when it is made: its images, its updates, and where it stands."""

    def __init__(self, run: Run, micro_batch: int, report: Callable[[str], None]):
        machine.keep_memory()
        self.run, self.report = run, report
        self.started, self.made_by = provenance.now(), provenance.sources()  # while they are what was imported
        # One builds the store, the others wait for its lock: that may take an hour, and processes that are joined give
        # each other up sooner.
        self.images = TrainingImages.of(run)
        self.accelerator = accelerator(run)
        self.hosts = host_group(self.accelerator)
        require_same_files(self.accelerator, self.hosts, run.workspace)
        self.identity = self._identity()  # of the parent's weights as they are loaded now: they may change later
        self.updates = Updates(run, self.images, self.accelerator, micro_batch)
        self.steps = Steps(self.accelerator.device)
        self.stop = StopRequest()
        self.checkpoint = run.workspace / paths.CHECKPOINT
        self.state = self._resumed()
        device = assembly.device_record(self.accelerator.device, self.accelerator.num_processes)
        self.session = {
            "started": self.started,
            "seconds": 0.0,
            "images": 0,
            "sources_sha256": self.made_by.sources_sha256,
            "load_average": 0.0,
            "device": device.name,
            "processor": provenance.environment().processor,
            "processes": device.processes,
            "threads": device.threads,
            "micro_batch": self.updates.micro_batch,
        }
        self.state.sessions.append(self.session)
        self.begun = self.saved = time.monotonic()
        self.saving = 0.0  # seconds that writing the last checkpoint took

    def _identity(self) -> dict:
        """What must be the same for a checkpoint to be gone on with."""
        parent, boxes = self.run.parent, self.images.boxes
        of_boxes = {}
        if boxes:
            of_boxes = {
                "localisation": self.run.localisation.model_dump(mode="json") | {"boxes": self.run.boxes},
                "boxes": boxes.boxes.fingerprint(self.images.store)["sha256"],
            }
        return of_boxes | {
            "recipe": self.run.recipe.model_dump(mode="json"),
            "network": self.run.network.model_dump(mode="json") | {"config": self.run.config},
            "data": self.images.store.manifest_sha256,
            "held-out images": self.run.study.data.held_out_per_class,
            "parent": files.sha256(parent.weights) if parent else None,
            "seed": self.run.seed,
        }

    def _resumed(self) -> State:
        kept = checkpoints.load(self.checkpoint, self.identity, _unsaid(self.run))
        state = self._loaded(kept) if kept else State()
        made = state.epoch * self.images.steps + state.step
        most, least = largest(self.hosts, made, -made)
        if most != -least:
            raise VerydeepError(
                f"{self.run.name}: {self.checkpoint} is not the same for all processes: all hosts must see the same "
                f"files"
            )
        if kept and self.accelerator.is_main_process:
            self.report(f"{self.run.name}: goes on at epoch {state.epoch + 1}, step {state.step}")
        return state

    def _loaded(self, kept: dict) -> State:
        """Load a checkpoint; raises :class:`VerydeepError` where it has not what this training saves."""
        try:
            self.updates.load(kept)
            state = State(**kept["progress"])
            self.updates.schedule.errors = [row["held_out_top1_error"] for row in state.history]
        except torch.OutOfMemoryError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:  # torch's of other shapes, too
            raise checkpoints.unreadable(self.checkpoint, error) from None
        if not self.updates.is_finite():
            raise VerydeepError(f"{self.checkpoint}: has weights that are no numbers; delete it to start again")
        return state

    def save(self) -> None:
        """Write a checkpoint, from the first process; of a training that has diverged, none."""
        self._fetch()
        self._require_finite()
        begun = time.monotonic()
        self._count_session()
        if self.accelerator.is_main_process:
            saved = {"identity": self.identity, "progress": asdict(self.state)} | self.updates.state()
            checkpoints.save(self.checkpoint, saved)
        self.saved = time.monotonic()
        self.saving = self.saved - begun

    def _is_due(self) -> bool:
        """Whether a checkpoint is to be written now that an epoch is over."""
        affordable = max(CHECKPOINT_QUICK, CHECKPOINT_SHARE * (time.monotonic() - self.saved))
        return self.saving <= affordable or self.updates.schedule.finished

    def _is_overdue(self) -> bool:
        """Whether a checkpoint is to be written within an epoch, by the clock of the process that writes it."""
        return self.accelerator.is_main_process and time.monotonic() - self.saved > CHECKPOINT_SECONDS

    def _count_session(self) -> None:
        self.session["seconds"] = time.monotonic() - self.begun
        self.session["load_average"] = provenance.load_average()

    def fit(self) -> None:
        """Train from where it stands to the record; raises as :func:`fit` does."""
        recipe, state, accelerator = self.run.recipe, self.state, self.accelerator
        first = state.epoch * self.images.steps + state.step
        loader = self.images.loader(recipe.epochs, first, accelerator.process_index, accelerator.num_processes)
        listening = self.stop.listening(launched=accelerator.num_processes > 1)
        with listening, self._with_others(), loader.opened(self.run.name) as batches:
            while not self.updates.schedule.finished:
                self._epoch(batches)
            self._require_finite()
            if accelerator.is_main_process:
                self._count_session()
                record.write(
                    self.run, self.updates.result, self.images, state.history, state.sessions, self.made_by,
                    accelerator.device, accelerator.num_processes, self.identity["parent"],
                )  # fmt: skip
                self.checkpoint.unlink(missing_ok=True)
            accelerator.wait_for_everyone()
            (number,) = largest(self.hosts, self.stop.number)
            leave_at_exit()
            if number:  # it came in the last epoch's test, or later
                raise Interrupted(
                    f"{self.run.name}: trained, then stopped by {signal.Signals(number).name}; run it again to continue"
                )

    @contextlib.contextmanager
    def _with_others(self) -> Iterator[None]:
        """Within the block an error that comes of the loss of another process is :class:`ProcessLost`."""
        try:
            yield
        except RuntimeError as error:  # gloo has no other type; NCCL's is derived from it
            if not others_are_lost(self.hosts):
                raise
            here, parts = self.accelerator.process_index, self.accelerator.num_processes
            last = checkpoints.described(self.checkpoint)
            raise ProcessLost(
                f"{self.run.name}: rank {here} of {parts} processes lost another in epoch {self.state.epoch + 1}: it "
                f"ended or its host went away; {last}; run it again to continue"
            ) from error

    def _epoch(self, batches: Iterator[Batch]) -> None:
        state = self.state
        left = self.images.steps - state.step
        started, before = time.monotonic(), state.seconds
        title = f"{self.run.name} epoch {state.epoch + 1}/{self.run.recipe.epochs}"
        self.updates.learn()
        shown = self.accelerator.is_main_process
        for batch in progress.bar(islice(batches, left), title, left, unit="step", shown=shown):
            if self.steps.add(self._update(batch)):
                self._fetch()
            state.step += 1
            state.seconds = before + time.monotonic() - started
            self.session["images"] += self.run.recipe.batch
            number, overdue = largest(self.hosts, self.stop.number, self._is_overdue())
            if number or overdue:
                self.save()
            if number:
                self.accelerator.wait_for_everyone()  # whoever leaves first has the others ended
                raise Interrupted(
                    f"{self.run.name}: stopped by {signal.Signals(number).name} in epoch {state.epoch + 1}, state "
                    f"saved in {self.checkpoint}; run it again to continue"
                )
        self._fetch()
        state.seconds = before + time.monotonic() - started
        row = self._row()
        state.history.append(row)
        self.updates.schedule.errors.append(row["held_out_top1_error"])
        state.next_epoch()
        if self._is_due():
            self.save()
        if self.accelerator.is_main_process:
            self.report(_line(self.run, row))

    def _update(self, batch) -> Step:
        where = self.state.epoch, self.state.step
        with contextlib.suppress(torch.OutOfMemoryError):
            return self.updates.update(batch, *where)
        # only here, with the error gone, is what the update had allocated free
        tried, parts = min(self.updates.micro_batch, len(batch.labels)), self.accelerator.num_processes
        if self.run.normalises:
            raise OutOfMemory(
                f"{self.run.name}: the device has not the memory for {tried} images at once; batch normalisation takes "
                f"its means over them, so it takes a larger device"
            )
        # several processes cannot try by themselves: each waits for the others in every update
        fits = self.updates.largest_that_fits(batch, *where) if parts == 1 else tried // 2
        run_it = "run it" if parts == 1 else "try it"
        remedy = f"{run_it} with --micro-batch {fits}, which gives the same updates but for rounding"
        raise OutOfMemory(
            f"{self.run.name}: the device has not the memory for {tried} images at once; "
            f"{remedy if fits else 'nor for one: it takes a larger one'}"
        )

    def _fetch(self) -> None:
        """Count the steps that were made since the last time."""
        try:
            fetched = self.steps.fetch()
        except TrainingDiverged as error:
            raise self._diverged(str(error)) from None
        for loss, correct in fetched:
            self.state.loss_sum += loss
            self.state.correct += correct

    def _require_finite(self) -> None:
        """Raise :class:`TrainingDiverged` where the last update left weights that are no numbers."""
        if not self.updates.is_finite():
            raise self._diverged(
                f"weights are not finite in epoch {self.state.epoch + 1}, after step {self.state.step}"
            )

    def _diverged(self, why: str) -> TrainingDiverged:
        last = self.checkpoint if self.checkpoint.exists() else "the start: no checkpoint was written yet"
        return TrainingDiverged(
            f"{self.run.name}: {why}; the last good state is {last}. Lower learning_rate or set clip_norm"
        )

    def _row(self) -> dict:
        """The line of the history for the epoch that is over."""
        state, images, updates = self.state, self.images, self.updates
        seen = images.steps * self.run.recipe.batch
        updates.net.eval()
        held_out = held_out_errors(
            updates.result, images, updates.objective, updates.normalise, self.accelerator, updates.at_once
        )
        held_out = agreed(self.accelerator, held_out)  # by it the rate falls and training ends, in all or in none
        return {
            "epoch": state.epoch + 1,
            "learning_rate": updates.rate(state.epoch, images.steps - 1),
            "train_loss": state.loss_sum / images.steps,
            "train_top1_error": 100 * (1 - state.correct / seen),
            **held_out,
            "images_per_second": seen / state.seconds,
            "seconds": state.seconds,
        }


def _unsaid(run: Run) -> dict:
    """What a checkpoint was made with that is older than a key and does not say: its own seed, and the key as it is by
    default."""
    usual = {"recipe": Recipe(), "network": NetworkKeys()} | ({"localisation": Localisation()} if run.boxes else {})
    return {part: keys.model_dump(mode="json") for part, keys in usual.items()} | {"seed": run.seed}


def _line(run: Run, row: dict) -> str:
    held_out = f"{row['held_out_top1_error']:.1f}"
    held_out = f"boxes {held_out}" if run.boxes else f"top-1 {held_out} top-5 {row['held_out_top5_error']:.1f}"
    return (
        f"{run.name}: epoch {row['epoch']}/{run.recipe.epochs}  rate {row['learning_rate']:.2g}  "
        f"loss {row['train_loss']:.3f}  held-out {held_out}  {row['images_per_second']:.0f} images/s"
    )
