"""Testing of a network on the validation images in every way its study asks (Sect. 3.2, 4), from published weights.

Each pass over the images is made once and kept in the run's workspace, so an interrupted evaluation goes on with the
next pass, and a fusion of networks needs no network any more.
"""

import time
from pathlib import Path

import pandas as pd
import torch

from verydeep import files, progress, runs
from verydeep.assembly import device_record
from verydeep.data.fingerprint import fingerprint
from verydeep.errors import VerydeepError
from verydeep.evaluation.localisation import BoxPasses
from verydeep.evaluation.passes import Passes
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.runs import answers, provenance
from verydeep.studies import Run
from verydeep.studies.measurements import measured_by, protocol


def evaluate(run: Run, *, pixels_per_batch: int = PIXELS_PER_BATCH, report=progress.line) -> dict[str, runs.Errors]:
    """Test ``run`` in every way its study asks; do nothing for what is finished already.

    Leaves ``predictions.parquet``, or ``boxes.parquet`` of boxes, and ``evaluate.json`` in the run's folder.

    Parameters
    ----------
    pixels_per_batch
        Pixels that go through the network at once, flips not counted: bounds the memory. An image that is larger by
        itself is tested in strips, with the same posteriors up to the rounding of sums.
    report
        Receives a line for every measurement.

    Returns
    -------
    dict
        The errors in percent by the measurement's name.

    Raises
    ------
    VerydeepError
        When the run is not trained yet, or a pilot: those choose a recipe on held-out images.
    """
    if run.pilot:
        raise VerydeepError(f"{run.name}: a pilot is never tested on validation images; its training is its result")
    require_trained(run)
    record = _finished(run)
    if record is None:
        with runs.working_on(run):
            # made by the process that had the run until now, or to be made here
            record = _finished(run) or _Evaluation(run, pixels_per_batch, report).finish()
    return record.measurements


def _finished(run: Run) -> runs.EvaluateRecord | None:
    """The record of ``run`` if nothing is left to do.

    One that is not sealed, as after a kill, is made again from the passes that are kept.
    """
    record = runs.read_record(run, "evaluate")
    return record if record and is_current(run, record) and runs.is_complete(run, "evaluate") else None


def require_trained(run: Run) -> None:
    """Raise :class:`VerydeepError` with the command to run when ``run`` has no weights to test yet."""
    if run.study.train and runs.read_record(run, "train") is None:
        raise VerydeepError(f"{run.name} is not trained yet{how_to_make(run)}")


def how_to_make(run: Run) -> str:
    """What follows where a message says that a network is not trained, or not tested, yet."""
    network = runs.lacking(run)
    return f"; run: {run.command}" if network is None else f", and {runs.lacking_words(network)}"


def is_current(run: Run, record: runs.EvaluateRecord) -> bool:
    """Whether a record is of these weights and of everything that its study asks for now."""
    if not runs.covers(run, record):
        return False
    return not run.weights.exists() or record.weights_sha256 == files.sha256(run.weights)


class Begun:
    """A test that has begun: since when, and by which sources, for the head of its record."""

    def __init__(self):
        self.sources = provenance.sources()  # while they are what was imported
        self.started, self._clock = provenance.now(), time.monotonic()

    def stated(self, device: torch.device, pixels_per_batch: int) -> dict:
        """What every record of a test says of how it was made, now that it is over."""
        return {
            "sources": self.sources,
            "environment": provenance.environment(),
            "device": device_record(device),
            "started": self.started,
            "finished": provenance.now(),
            "cost": {
                "seconds": time.monotonic() - self._clock,
                "pixels_per_batch": pixels_per_batch,
                "load_average": provenance.load_average(),
            },
        }


class _Evaluation:
    """One evaluation from its first pass, or what an interrupted one left, to its record."""

    def __init__(self, run: Run, pixels_per_batch: int, report):
        self.begun = Begun()
        self.run, self.report = run, report
        self.passes = passes_of(run, pixels_per_batch)

    def finish(self) -> runs.EvaluateRecord:
        """Write what was answered and ``evaluate.json``, seal them, and return the record."""
        run, passes = self.run, self.passes
        parts, measured = [], {}
        for measurement in measured_by(run):
            part = passes.table(measurement)
            parts.append(part)
            measured[measurement.name] = errors = answers.KINDS[passes.file].errors(part)
            self.report(
                f"{run.name}: {measurement.name:24}  top-1 {errors['top1_error']:.2f}  "
                f"top-5 {errors['top5_error']:.2f}  n {errors['n']}"
            )
        table = pd.concat(parts, ignore_index=True)
        with runs.rewriting(run.folder, [passes.file, "evaluate.json"]):
            write_answers(run.folder / passes.file, table.astype({"measurement": "category"}))
            record = runs.EvaluateRecord(
                **runs.identity(run),
                parameters=passes.parameters(),
                protocol=protocol(run),
                data=fingerprint(passes.store, run.study.data.held_out_per_class, getattr(passes, "boxes", None)),
                passes=passes.made,
                weights_sha256=passes.weights_sha256,
                measurements=measured,
                artefacts={passes.file: files.sha256(run.folder / passes.file)},
                **self.begun.stated(passes.device, passes.pixels_per_batch),
            )
            runs.write_record(run, record)
        return record


def passes_of(run: Run, *arguments, **options) -> Passes:
    """The passes of a network, made as :class:`Passes` is: of one that gives boxes, its boxes."""
    return (BoxPasses if run.boxes else Passes)(run, *arguments, **options)


def write_answers(path: Path, table: pd.DataFrame) -> None:
    """Write the answers of a test to ``path`` in one piece."""
    with files.atomic(path) as part:
        table.to_parquet(part, index=False, compression="zstd")
