"""Whether published weights, tested anew, give the recorded predictions, and the numbers of features on other data."""

import numpy as np
import pandas as pd

from verydeep import runs
from verydeep.assembly import device_record, load_network, open_data
from verydeep.errors import VerydeepError
from verydeep.evaluation.measure import passes_of, require_trained
from verydeep.evaluation.transfer import Material, score_of
from verydeep.runs import answers, boxes, predictions, provenance, transfers
from verydeep.runs.provenance import machine_type
from verydeep.studies import Run, Transfer
from verydeep.studies.measurements import Measurement, protocol

#: Elsewhere sums are added up in another order: how far a re-made test may be from the record, on another machine type.
SAME_BEST_CLASS = 97.0  # percent of the images, at least
#: The same where the boxes of many windows are merged: which two merge next hangs on the last bit of half precision,
#: and what comes of it differs most where a network's boxes are poor.
SAME_MERGED = 75.0
PROBABILITY = 0.05  # largest difference of the best class's probability, half-precision convolutions
#: And how far a number of features on other data may be from the record, percentage points.
POINTS = 1.0


def spread(every: int, images: int | None) -> np.ndarray:
    """The places of so many of ``every`` images, evenly from the first to the last; by default all."""
    return np.unique(np.linspace(0, every - 1, images or every, dtype=int))


def require_verifiable(run: Run) -> runs.EvaluateRecord:
    """The record of a test that can be compared with a new one: told before images are read.

    Raises
    ------
    VerydeepError
        When the network is not trained or not tested, or by another protocol, or its weights are not here.
    """
    require_trained(run)
    record = runs.read_record(run, "evaluate")
    if record is None:
        raise VerydeepError(f"{run.name} has not been tested: there is nothing to compare with")
    if record.protocol != protocol(run):
        raise VerydeepError(f"{run.name} was tested by another protocol than its study has now; test it again")
    if not (run.published or run.weights.exists()):
        raise VerydeepError(f"testing {run.address} anew {runs.lacking_words(run)}")
    return record


def verify(run: Run, images: int | None = None) -> pd.DataFrame:
    """Test ``run`` anew from its published weights and the data, and compare with its recorded predictions.

    Nothing that an earlier evaluation kept is used, and nothing is written.

    Parameters
    ----------
    images
        How many validation images, spread evenly; all by default.

    Returns
    -------
    DataFrame
        A row a measurement: the recorded and the re-made top-1 error over these images in percent, the share of them
        with the same best class, the largest difference of its probability, and whether the predictions are the same.
        Of boxes, the share of images whose first box is right or wrong as before, and the largest difference of its
        intersection over union, which may be large where other boxes were merged.

    Raises
    ------
    VerydeepError
        When those of all images differ on the same machine type at all, or others by more than the tolerance.
    """
    record = require_verifiable(run)
    store = open_data(run)
    if store.manifest_sha256 != record.data.manifest_sha256:
        raise VerydeepError(f"{run.name} was tested on other images than those in {store.folder}")
    part = spread(len(store.rows("val")), images)
    passes = passes_of(run, record.cost.pixels_per_batch, part=part)
    if passes.weights_sha256 != record.weights_sha256:
        load_network(run)  # what is wrong with the file itself is told first
        raise VerydeepError(f"{run.name} was trained anew since it was tested; test it again")
    if other := [key for key, asked in passes.asked().items() if record.parameters.get(key) != asked]:
        raise VerydeepError(f"{run.name}: {' and '.join(other)} of its boxes are others by now; test it again")
    recorded = answers.read_table(run.folder / passes.file)
    compared = {}
    for measurement in map(Measurement.named, record.measurements):
        again = passes.table(measurement)
        before = recorded[recorded["measurement"] == measurement.name].set_index("image").loc[passes.names]
        compared[measurement.name] = _compare(before.reset_index(), again, passes.file)
    same = machine_type(provenance.environment(), device_record(passes.device)) == machine_type(
        record.environment, record.device
    )
    return _judge(run, pd.DataFrame(compared).T, same and images is None)


#: Of each kind of answers: the columns in which the same is said, that of the best one's number, and what is the same
#: of an image where one says so. Boxes are the same where the first of them fits a true box or does not, as before.
_COMPARED = {
    predictions.FILE: (("class_", "probability_", "label"), "probability_1", lambda table: table["class_1"].to_numpy()),
    boxes.FILE: (("class_", "iou_", "label"), "iou_1", lambda table: boxes.hits(table, 1)),
}


def _compare(before: pd.DataFrame, again: pd.DataFrame, file: str) -> dict:
    beginnings, number, said = _COMPARED[file]
    columns = [column for column in again.columns if column.startswith(beginnings)]
    errors = answers.KINDS[file].errors
    return {
        "recorded": errors(before)["top1_error"],
        "again": errors(again)["top1_error"],
        "same best class (%)": 100 * float((said(before) == said(again)).mean()),
        "largest difference": float(np.abs(before[number] - again[number]).max()),
        "identical": bool((before[columns].to_numpy() == again[columns].to_numpy()).all()),
    }


def _judge(run: Run, frame: pd.DataFrame, exact: bool) -> pd.DataFrame:
    worst = frame["same best class (%)"].min(), frame["largest difference"].max()
    allowed = np.inf if run.boxes else PROBABILITY
    merged = [Measurement.named(name).merges_boxes for name in frame.index]
    least = np.where(merged, SAME_MERGED, SAME_BEST_CLASS)
    if exact and not frame["identical"].all():
        raise VerydeepError(
            f"{run.name}: this machine is of the recorded type, and its predictions differ: {worst[0]:.2f} % with the "
            f"same best class, probabilities by up to {worst[1]:.4f}"
        )
    if (frame["same best class (%)"] < least).any() or worst[1] > allowed:
        raise VerydeepError(
            f"{run.name}: predictions differ by more than the tolerance: {worst[0]:.2f} % with the same best class (at "
            f"least {SAME_BEST_CLASS} %, of merged boxes {SAME_MERGED} %), probabilities by up to {worst[1]:.4f} "
            f"(at most {PROBABILITY})"
        )
    return frame


def verify_transfer(transfer: Transfer, only: str | None = None) -> pd.DataFrame:
    """Make numbers of a transfer again from the published weights and the data, with the C that was recorded.

    Nothing that was kept is used, and nothing is written.

    Parameters
    ----------
    only
        The way of describing images, by its name; the paper's by default.

    Returns
    -------
    DataFrame
        The recorded and the re-made number in percent, their difference, and the share of images of which the same best
        class is said.

    Raises
    ------
    VerydeepError
        When there is no record, the protocol, images or splits are others, or the numbers differ by more than a point.
    """
    record = runs.read_record(transfer)
    if record is None:
        raise VerydeepError(
            f"{transfer.name} is not recorded: there is nothing to compare with; run: {transfer.command}"
        )
    ways = {features.name: features for features in transfer.measured() if features.name in record.measurements}
    asked = only or transfer.usual.name
    if asked not in ways:
        raise VerydeepError(f"{transfer.name} has no {asked!r}: choose one of {', '.join(ways)}")
    if not runs.is_by_protocol(record, transfer.protocol):
        raise VerydeepError(
            f"{transfer.name} was made by another protocol than its study has now; make it again: {transfer.command}"
        )
    material = Material(transfer, record.cost.pixels_per_batch, fresh=True)
    _require_same_images(record, material, transfer.name)
    before = record.measurements[asked]
    table, _ = material.said(ways[asked], before.costs)
    again = score_of(table, transfer, before.costs)
    kept = transfers.read(transfer.folder, asked)
    same = 100 * float((_best_class(kept) == _best_class(table)).mean())
    if abs(again.value - before.value) > POINTS:
        raise VerydeepError(
            f"{transfer.name}: {asked} is {again.value:.2f} % now, {before.value:.2f} % in the record; at most "
            f"{POINTS} points are allowed"
        )
    difference = again.value - before.value
    row = {"recorded": before.value, "again": again.value, "difference": difference, "same best class": same}
    return pd.DataFrame({asked: row}).T


def _require_same_images(record: runs.TransferRecord, material: Material, name: str) -> None:
    """Raise :class:`VerydeepError` where a record is of other images, splits or weights than are there."""
    if (
        material.store.manifest_sha256 != record.data.manifest_sha256
        or material.examples.sha256() != record.labels_sha256
    ):
        raise VerydeepError(f"{name} was tested on other images or labels than those in {material.store.folder}")
    splits = [split.sha256(material.examples) for split in material.splits]
    if splits != [split.sha256 for split in record.splits]:
        raise VerydeepError(f"{name}: the splits are others than those of the record")
    if weights := next((network.run.name for network in material.networks
                        if network.weights_sha256 != record.members[network.run.name]), None):  # fmt: skip
        raise VerydeepError(f"{name} was made from other weights of {weights} than are there")


def _best_class(table: pd.DataFrame) -> np.ndarray:
    """The class of the best score of every line of a table of answers."""
    if "class_1" in table:
        return table["class_1"].to_numpy()
    return table[[column for column in table if column.startswith("score_")]].to_numpy().argmax(1)
