"""The passes of one network over the validation images, each made once and kept in the run's workspace."""

import json
from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from verydeep import files, runs
from verydeep.assembly import (
    device,
    device_record,
    load_network,
    normaliser,
    open_data,
    weights_sha256,
)
from verydeep.data.store import Store
from verydeep.evaluation.tester import Pass, Tester
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.networks.network import Network
from verydeep.runs import predictions, provenance
from verydeep.studies import Measurement, Run
from verydeep.studies.measurements import protocol


class Passes:
    """What one network says of the images, pass by pass: its posteriors, taken from the run's workspace or made.

    A file there counts only when it is of the same weights, images and protocol and was made as it would be now
    (:func:`made_with`), or is the very one that an evaluation's record names.

    Parameters
    ----------
    record
        The record of a finished evaluation of ``run``.
    part
        Positions of the validation images to test, for a look at the network alone: nothing that was kept is then
        used, and nothing is kept. All of them, kept, by default.
    """

    #: The file that keeps its answers in the run's folder, and the folder of its passes in the workspace.
    file, kept_in = predictions.FILE, "posteriors"

    def __init__(
        self, run: Run, pixels_per_batch: int = PIXELS_PER_BATCH, record: runs.EvaluateRecord | None = None,
        part: np.ndarray | None = None,
    ):  # fmt: skip
        self.run, self.pixels_per_batch, self.record, self.part = run, pixels_per_batch, record, part
        self.device = device()
        runs.require_weights(run)  # before gigabytes of images are decoded
        self.store: Store = open_data(run)
        self.rows = self.store.rows("val") if part is None else self.store.rows("val")[part]
        self._in_memory: dict[str, dict[str, np.ndarray]] = {}
        self.labels = self.store.manifest["label"].to_numpy()[self.rows]
        self.names = self.store.manifest["name"].iloc[self.rows].tolist()
        self.made: dict[str, dict] = {}
        self.weights_sha256 = weights_sha256(run)
        self.key = {
            "weights": self.weights_sha256,
            "data": self.store.manifest_sha256,
            "protocol": protocol(run),
            MADE_WITH: made_with(self.device, pixels_per_batch),
        }

    @cached_property
    def net(self) -> Network:
        """Loaded when the first pass is made: passes that were kept need none."""
        return load_network(self.run)

    def release(self) -> None:
        """Let go of what passes are made with, for the network that comes next."""
        for name in ("net", "tester", "localiser"):
            self.__dict__.pop(name, None)

    @cached_property
    def tester(self) -> Tester:
        """Made when the first pass is: it moves the network to its device."""
        normalise = normaliser(self.run, self.device)
        return Tester(self.net, normalise, self.run.testing, self.run.recipe.flip, self.pixels_per_batch)

    def pixels(self, name: str) -> int:
        """Shorter side in this study's pixels of the pass called ``name``."""
        return self.run.study.pixels(Measurement.named(name).test_scales[0])

    def path(self, single: Measurement) -> Path:
        """Where a single pass is kept, in the run's workspace."""
        return self.run.workspace / self.kept_in / f"{single.name}.safetensors"

    def arrays(self, single: Measurement) -> dict[str, np.ndarray]:
        """What a single pass gave, by name."""
        if self.part is not None:
            if single.name not in self._in_memory:
                self._in_memory[single.name] = self.make(single).arrays
            return self._in_memory[single.name]
        recorded = self.record.passes.get(single.name) if self.record else None
        hashes = {recorded.posteriors_sha256} if recorded else set()
        key = self.key | {"pass": single.name}
        arrays, self.made[single.name] = kept_or_made(
            self.path(single), key, hashes, lambda: self.make(single).parted()
        )
        return arrays

    def make(self, single: Measurement) -> Pass:
        """Make a single pass."""
        return self.tester.make(single.method, self.store, self.rows, self.pixels(single.name))

    def posteriors(self, single: Measurement) -> np.ndarray:
        """Posteriors of a single pass: float32 (images, classes)."""
        return self.arrays(single)["posteriors"]

    def table(self, measurement: Measurement) -> pd.DataFrame:
        """The answers of a measurement, a row an image, as they are kept in the run's folder."""
        return predictions.table(measurement.name, self.names, self.labels, self.average(measurement))

    def parts(self, measurement: Measurement) -> list:
        """What a fusion takes of this network, for :meth:`together`: the average of a measurement's posteriors."""
        return [self.average(measurement)]

    def together(self, method: str, parts: list) -> pd.DataFrame:
        """The answers of several networks tested together, from the :meth:`parts` of all of them."""
        return predictions.table(method, self.names, self.labels, mean(parts))

    def asked(self) -> dict:
        """Which other networks the passes hang on, as a record states it: of posteriors none."""
        return {}

    def parameters(self) -> dict:
        """What a record says of how the passes were made."""
        return {"pixels": {name: self.pixels(name) for name in self.made}} | self.asked()

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


#: Under which a key has what :func:`made_with` says.
MADE_WITH = "made with"


def made_with(device: torch.device, pixels_per_batch: int) -> dict:
    """What the last bits of a pass hang on beside its network and images, and what a record says once of all passes."""
    return {
        "sources": provenance.sources_sha256(),
        "machine": provenance.machine_type(provenance.environment(), device_record(device)),
        "pixels_per_batch": pixels_per_batch,
    }


def kept_or_made(
    path: Path, key: dict, recorded: Collection[str], make: Callable[[], tuple[dict[str, np.ndarray], dict]]
) -> tuple[dict[str, np.ndarray], dict]:
    """What is kept in ``path``, or else is made and kept there: its arrays, and its cost with its hash.

    What is kept counts when it was made from the same ``key``, or otherwise (:func:`made_with`) where its hash is among
    those that records name, ``recorded``.
    """
    kept = _read(path, key, recorded=path.exists() and files.sha256(path) in recorded)
    if kept is None:
        _write(path, key, *make())
        kept = _read(path, key)
    arrays, cost = kept
    return arrays, cost | {"posteriors_sha256": files.sha256(path)}


def _write(path: Path, key: dict, arrays: dict[str, np.ndarray], cost: dict) -> None:
    """Keep arrays in ``path`` with the ``key`` that says of what they were made."""
    metadata = {"key": json.dumps(key, sort_keys=True), "cost": json.dumps(cost)}
    with files.atomic(path) as part:
        # of an array in another order safetensors would write the bytes as they lie
        part.write_bytes(save({name: np.asarray(array, order="C") for name, array in arrays.items()}, metadata))


def _read(path: Path, key: dict, recorded: bool = False) -> tuple[dict[str, np.ndarray], dict] | None:
    """Arrays and cost of what is in ``path``, or ``None`` where there is none made from the same ``key``.

    What is ``recorded`` may have been made otherwise: the record says how.
    """
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}  # of a file that another program wrote
            made, cost = (json.loads(metadata.get(name, "null")) for name in ("key", "cost"))
            if not (isinstance(made, dict) and isinstance(cost, dict)):
                return None
            asked = json.loads(json.dumps(key))
            counted = asked.keys() - ({MADE_WITH} if recorded else set())
            if {name: made.get(name) for name in counted} != {name: asked.get(name) for name in counted}:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}, cost  # noqa: SIM118
    except (OSError, SafetensorError, json.JSONDecodeError, RecursionError):
        return None
