"""Features carried to another data set, and a linear classifier on them, from weights to a record (Appendix B)."""

import numpy as np
import pandas as pd

from verydeep import files, progress, runs
from verydeep.assembly import device
from verydeep.data.examples import Split, own_split, random_split, read_examples
from verydeep.data.fingerprint import fingerprint
from verydeep.data.sources import source
from verydeep.data.store import open_store
from verydeep.evaluation.classifiers import best_cost, scores
from verydeep.evaluation.features import Descriptors, unit
from verydeep.evaluation.measure import Begun, require_trained, write_answers
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.runs import transfers
from verydeep.runs.parts import TransferScore
from verydeep.runs.records import KINDS, OtherDataRecord
from verydeep.studies import Features, Transfer, Tuning


def carry(
    transfer: Transfer, *, pixels_per_batch: int = PIXELS_PER_BATCH, report=progress.line
) -> dict[str, TransferScore]:
    """Describe the images of another data set by networks, and train and test a linear classifier on them.

    Every way of describing them that is asked for rests on the same passes, which are kept in the networks' workspaces,
    so an interrupted transfer goes on with the next pass. Does nothing when that is done already for the same weights.
    Leaves ``transfer.parquet``, ``resampled.parquet`` and ``transfer.json`` in the transfer's folder.

    Parameters
    ----------
    pixels_per_batch
        Pixels that go through a network at once; bounds the memory.
    report
        Receives a line for every way of describing images.

    Returns
    -------
    dict
        What each is worth, by its name.

    Raises
    ------
    VerydeepError
        When a network is not trained, or the data set is not there.
    """
    for run in transfer.members:
        require_trained(run)
    record = runs.finished_target(transfer)
    if record is None:
        with runs.working_on(transfer):
            record = runs.finished_target(transfer)
            record = record or _Carrying(transfer, pixels_per_batch, report).finish()
    return record.measurements


class Material:
    """The images of a transfer's data set, what is true of them, their splits, and the networks that describe them.

    Parameters
    ----------
    fresh
        Whether what was kept of earlier passes is left alone: for a look at whether they come out the same.
    """

    def __init__(self, transfer: Transfer, pixels_per_batch: int, fresh: bool = False):
        self.transfer, self.device = transfer, device()
        origin = source(transfer.source)
        self.store = open_store(origin)
        self.examples = read_examples(origin, self.store)
        self.splits = self._splits()
        recorded, part = frozenset(self._recorded()), np.arange(len(self.examples.names)) if fresh else None
        self.networks = [
            Descriptors(transfer, run, self.store, self.examples, recorded=recorded, pixels_per_batch=pixels_per_batch,
                        part=part)
            for run in transfer.members
        ]  # fmt: skip

    def _splits(self) -> list[Split]:
        target = self.transfer.target
        if target.train is None:
            return [own_split(self.store, self.examples)]
        numbers = range(self.transfer.study.transfer.splits)
        return [random_split(self.examples, number, target.train, target.test) for number in numbers]

    def _recorded(self):
        """Hashes of the passes that this transfer's record names, or those of its networks alone."""
        for transfer in (self.transfer, *(Transfer((run,), self.transfer.source) for run in self.transfer.members)):
            if record := runs.read_record(transfer):
                yield from (made.posteriors_sha256 for made in record.passes.values())

    def describe(self, features: Features) -> np.ndarray:
        """The examples by one way of describing them: unit vectors, those of several networks one behind another."""
        return unit(np.concatenate([network.joined(features) for network in self.networks], 1))

    def said(self, features: Features, costs: list[float] | None = None) -> tuple[pd.DataFrame, list[float]]:
        """What a classifier says of the images tested in every split, and its C: chosen, or as given by split."""
        described, labels, names = self.describe(features), self.examples.labels, self.examples.names
        metric, tables, chosen = self.transfer.target.metric, [], []
        for number, split in enumerate(self.splits):
            given, cost = self.classified(described, split, costs[number] if costs else None)
            tables.append(transfers.table(features.name, number, names[split.test], labels[split.test], given, metric))
            chosen.append(cost)
        return pd.concat(tables, ignore_index=True), chosen

    def classified(self, described: np.ndarray, split: Split, cost: float | None = None) -> tuple[np.ndarray, float]:
        """Scores (images tested, classes) of a linear classifier on the examples' unit vectors, and its C.

        The C is chosen on a share of the training images where none is given.
        """
        keys, (train, test) = self.transfer.study.transfer, split
        labels, names = self.examples.labels, self.examples.names
        cost = cost or best_cost(
            described[train], labels[train], names[train], keys.costs, keys.aside, self.transfer.target.metric,
            self.transfer.average_precision,
        )  # fmt: skip
        return scores(described[train], labels[train], described[test], cost), cost


class OnOtherData:
    """What is made of networks and another data set, from its start to its record: a transfer, or a tuning.

    Parameters
    ----------
    transfer
        By whose descriptors the images are described: the one that is made, or that of the network that is tuned.
    """

    def __init__(self, made: Transfer | Tuning, transfer: Transfer, pixels_per_batch: int, report):
        self.begun = Begun()
        self.made, self.report, self.pixels_per_batch = made, report, pixels_per_batch
        self.material = Material(transfer, pixels_per_batch)

    def leave(self, tables: list[pd.DataFrame], resampled: dict, splits: list[Split], **stated) -> OtherDataRecord:
        """Write what was answered and the record, with all that is ``stated`` of it, and seal them."""
        made, material, written = self.made, self.material, [transfers.FILE, transfers.RESAMPLED]
        every = pd.concat(tables, ignore_index=True).astype({"measurement": "category"})
        with runs.rewriting(made.folder, [*written, runs.record_path(made).name]):
            for name, frame in zip(written, (every, pd.DataFrame(resampled)), strict=True):
                write_answers(made.folder / name, frame)
            record = KINDS[made.kind](
                study=made.study.name,
                members={network.run.name: network.weights_sha256 for network in material.networks},
                data=fingerprint(material.store, None),
                labels_sha256=material.examples.sha256(),
                splits=[
                    {"train": len(split.train), "test": len(split.test), "sha256": split.sha256(material.examples)}
                    for split in splits
                ],
                artefacts={name: files.sha256(made.folder / name) for name in written},
                **self.begun.stated(material.device, self.pixels_per_batch),
                **stated,
            )
            runs.write_record(made, record)
        return record


class _Carrying(OnOtherData):
    """One transfer from its first pass, or what an interrupted one left, to its record."""

    def __init__(self, transfer: Transfer, pixels_per_batch: int, report):
        super().__init__(transfer, transfer, pixels_per_batch, report)

    def finish(self) -> runs.TransferRecord:
        """Train and test in every way of describing images; write the record ``transfer`` and return it."""
        transfer = self.made
        tables, resampled, measured = [], {}, {}
        for features in transfer.measured():
            table, costs = self.material.said(features)
            measured[features.name] = score = score_of(table, transfer, costs)
            resampled[features.name] = transfers.resampled(table, transfer.target.metric, transfer.average_precision)
            tables.append(table)
            self.report(f"{transfer.name}: {features.name:40} {transfer.target.metric} {score.value:.2f}  n {score.n}")
        return self.leave(
            tables,
            resampled,
            self.material.splits,
            protocol=transfer.protocol,
            passes={name: made for network in self.material.networks for name, made in network.made.items()},
            measurements=measured,
        )


def score_of(table: pd.DataFrame, transfer: Transfer, costs: list[float]) -> TransferScore:
    """What a record says of one way of describing images."""
    return TransferScore(**transfers.value(table, transfer.target.metric, transfer.average_precision), costs=costs)
