"""Testing of a network on the validation images in every way its study asks (Sect. 3.2, 4), from published weights.

Each pass over the images is made once and kept in the run's workspace, so an interrupted evaluation goes on with the
next pass, and a fusion of networks needs no network any more.
"""

import json
import time
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from verydeep import files, progress, runs
from verydeep.assembly import device, device_record, load_network, normaliser, open_data
from verydeep.data.fingerprint import fingerprint
from verydeep.data.store import Store
from verydeep.errors import VerydeepError
from verydeep.evaluation.tester import PIXELS_PER_BATCH, Pass, Tester
from verydeep.runs import predictions, provenance
from verydeep.studies import Measurement, Run
from verydeep.studies.measurements import measured_by, protocol


def evaluate(run: Run, *, pixels_per_batch: int = PIXELS_PER_BATCH, report=progress.line) -> dict[str, runs.Errors]:
    """Test ``run`` in every way its study asks; do nothing for what is finished already.

    Leaves ``predictions.parquet`` and ``evaluate.json`` in the run's folder.

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
        When the run is not trained yet.
    """
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
        raise VerydeepError(f"{run.name} is not trained yet; run: {run.command}")


def is_current(run: Run, record: runs.EvaluateRecord) -> bool:
    """Whether a record is of these weights and of everything that its study asks for now."""
    if not runs.covers(run, record):
        return False
    return not run.weights.exists() or record.weights_sha256 == files.sha256(run.weights)


class _Evaluation:
    """One evaluation from its first pass, or what an interrupted one left, to its record."""

    def __init__(self, run: Run, pixels_per_batch: int, report):
        self.started, self.clock, self.made_by = provenance.now(), time.monotonic(), provenance.sources()
        self.run, self.report = run, report
        self.passes = Passes(run, pixels_per_batch)

    def finish(self) -> runs.EvaluateRecord:
        run, passes = self.run, self.passes
        parts, measured = [], {}
        for measurement in measured_by(run):
            part = predictions.table(measurement.name, passes.names, passes.labels, passes.average(measurement))
            parts.append(part)
            measured[measurement.name] = errors = predictions.errors(part)
            self.report(
                f"{run.name}: {measurement.name:24}  top-1 {errors['top1_error']:.2f}  "
                f"top-5 {errors['top5_error']:.2f}  n {errors['n']}"
            )
        table = pd.concat(parts, ignore_index=True)
        runs.unseal(run.folder, ["predictions.parquet", "evaluate.json"])
        write_predictions(run.folder, table.astype({"measurement": "category"}))
        record = runs.EvaluateRecord(
            **runs.identity(run),
            parameters={"pixels": {name: passes.pixels(name) for name in passes.made}},
            protocol=protocol(run),
            sources=self.made_by,
            environment=provenance.environment(),
            device=device_record(passes.device),
            data=fingerprint(passes.store, run.study.data.held_out_per_class),
            started=self.started,
            finished=provenance.now(),
            cost={
                "seconds": time.monotonic() - self.clock,
                "pixels_per_batch": passes.pixels_per_batch,
                "load_average": provenance.load_average(),
            },
            passes=passes.made,
            weights_sha256=passes.weights_sha256,
            measurements=measured,
            artefacts={"predictions.parquet": files.sha256(run.folder / "predictions.parquet")},
        )
        runs.write_record(run, record)
        runs.seal(run.folder, ["predictions.parquet", "evaluate.json"])
        return record


def write_predictions(folder: Path, table: pd.DataFrame) -> None:
    """Write ``predictions.parquet`` in one piece."""
    with files.atomic(folder / "predictions.parquet") as part:
        table.to_parquet(part, index=False, compression="zstd")


class Passes:
    """The posteriors of one network, pass by pass; each is taken from the run's workspace or made.

    A file there counts only when it is of the same weights, images, protocol and sources, or the very one that an
    evaluation's record names.

    Parameters
    ----------
    record
        The record of a finished evaluation of ``run``.
    """

    def __init__(self, run: Run, pixels_per_batch: int = PIXELS_PER_BATCH, record: runs.EvaluateRecord | None = None):
        self.run, self.pixels_per_batch, self.record = run, pixels_per_batch, record
        self.device = device()
        self.store: Store = open_data(run)
        self.rows = self.store.rows("val")
        self.labels = self.store.manifest["label"].to_numpy()[self.rows]
        self.names = self.store.manifest["name"].iloc[self.rows].tolist()
        self.made: dict[str, dict] = {}
        self.net = load_network(run)  # fetches the weights where they are published by others
        self.weights_sha256 = files.sha256(run.weights)
        self.key = {
            "weights": self.weights_sha256,
            "data": self.store.manifest_sha256,
            "protocol": protocol(run),
            "sources": provenance.sources_sha256(),
        }

    @cached_property
    def tester(self) -> Tester:
        """Made when the first pass is: it moves the network to its device."""
        normalise = normaliser(self.run, self.store, self.device)
        return Tester(self.net, normalise, self.run.testing, self.run.recipe.flip, self.pixels_per_batch)

    def pixels(self, name: str) -> int:
        """Shorter side in this study's pixels of the pass called ``name``."""
        return self.run.study.pixels(Measurement.named(name).test_scales[0])

    def path(self, single: Measurement) -> Path:
        return self.run.workspace / "posteriors" / f"{single.name}.safetensors"

    def posteriors(self, single: Measurement) -> np.ndarray:
        """Posteriors of a single pass: float32 (images, classes)."""
        path, key = self.path(single), self.key | {"pass": single.name}
        kept = _read(path, None if self._is_recorded(path, single.name) else key)
        if kept is None:
            made = self.tester.make(single.method, self.store, self.rows, self.pixels(single.name))
            _write(path, key, made)
            kept = _read(path, key)
        posteriors, cost = kept
        self.made[single.name] = cost | {"posteriors_sha256": files.sha256(path)}
        return posteriors

    def _is_recorded(self, path: Path, name: str) -> bool:
        recorded = self.record.passes.get(name) if self.record else None
        return recorded is not None and path.exists() and files.sha256(path) == recorded.posteriors_sha256

    def average(self, measurement: Measurement) -> np.ndarray:
        """Posteriors of a measurement: the average of those of its passes, float32 (images, classes)."""
        return mean([self.posteriors(single) for single in measurement.passes])


def mean(posteriors: list[np.ndarray]) -> np.ndarray:
    """The average of several posteriors, each of equal weight, summed in double precision.

    Over scales, over dense and multi-crop testing, and over networks (Sect. 4.2-4.4).
    """
    total = np.zeros(posteriors[0].shape, np.float64)
    for part in posteriors:
        total += part
    return (total / len(posteriors)).astype(np.float32)


def _write(path: Path, key: dict, made: Pass) -> None:
    cost = {
        "seconds": made.seconds,
        "images": len(made.posteriors),
        "forward_passes": made.forward_passes,
        "multiply_adds": made.multiply_adds,
    }
    metadata = {"key": json.dumps(key, sort_keys=True), "cost": json.dumps(cost)}
    with files.atomic(path) as part:
        part.write_bytes(save({"posteriors": made.posteriors}, metadata))


def _read(path: Path, key: dict | None) -> tuple[np.ndarray, dict] | None:
    """Posteriors and cost of the pass in ``path``, or ``None`` where there is none made from the same ``key``.

    Without a key, whatever is there.
    """
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata()
            if key is not None and metadata["key"] != json.dumps(key, sort_keys=True):
                return None
            return file.get_tensor("posteriors"), json.loads(metadata["cost"])
    except (OSError, SafetensorError):
        return None
