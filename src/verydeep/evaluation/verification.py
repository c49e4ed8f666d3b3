"""Whether a run's published weights, tested anew, give its recorded predictions."""

import numpy as np
import pandas as pd

from verydeep import runs
from verydeep.assembly import device, device_record, load_network, normaliser, open_data
from verydeep.errors import VerydeepError
from verydeep.evaluation.measure import mean, require_trained
from verydeep.evaluation.tester import Tester
from verydeep.runs import predictions, provenance
from verydeep.runs.parts import Device, Environment
from verydeep.studies import Run
from verydeep.studies.measurements import Measurement, protocol

#: Elsewhere sums are added up in another order: how far a re-made test may be from the record, on another machine type.
SAME_BEST_CLASS = 97.0  # percent of the images, at least
PROBABILITY = 0.05  # largest difference of the best class's probability, half-precision convolutions


def machine_type(environment: Environment, device: Device) -> tuple:
    """What must be the same for a test to give the same bits: processor or GPU, torch, and the number of threads."""
    return environment.processor, environment.packages["torch"], device.name, device.threads


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

    Raises
    ------
    VerydeepError
        When they differ on the same machine type at all, or elsewhere by more than the tolerance.
    """
    require_trained(run)
    record = runs.read_record(run, "evaluate")
    if record is None:
        raise VerydeepError(f"{run.name} has not been tested: there is nothing to compare with")
    if record.protocol != protocol(run):
        raise VerydeepError(f"{run.name} was tested by another protocol than its study has now; test it again")
    store = open_data(run)
    if store.manifest_sha256 != record.data.manifest_sha256:
        raise VerydeepError(f"{run.name} was tested on other images than those in {store.folder}")
    every = store.rows("val")
    chosen = np.unique(np.linspace(0, len(every) - 1, images or len(every), dtype=int))
    chosen_device = device()
    at_once = record.cost.pixels_per_batch
    tester = Tester(load_network(run), normaliser(run, store, chosen_device), run.testing, run.recipe.flip, at_once)
    made: dict[str, np.ndarray] = {}
    measured = [Measurement.named(name) for name in record.measurements]
    for single in {single for measurement in measured for single in measurement.passes}:
        shorter = run.study.pixels(single.test_scales[0])
        made[single.name] = tester.make(single.method, store, every[chosen], shorter).posteriors
    names = store.manifest["name"].iloc[every[chosen]].tolist()
    labels = store.manifest["label"].to_numpy()[every[chosen]]
    recorded = pd.read_parquet(run.folder / "predictions.parquet")
    compared = {}
    for measurement in measured:
        posteriors = mean([made[single.name] for single in measurement.passes])
        again = predictions.table(measurement.name, names, labels, posteriors)
        before = recorded[recorded["measurement"] == measurement.name].set_index("image").loc[names].reset_index()
        compared[measurement.name] = _compare(before, again)
    same = machine_type(provenance.environment(), device_record(chosen_device)) == machine_type(
        record.environment, record.device
    )
    return _judge(run, pd.DataFrame(compared).T, same and images is None)


def _compare(before: pd.DataFrame, again: pd.DataFrame) -> dict:
    columns = [column for column in again.columns if column.startswith(("class_", "probability_", "label"))]
    return {
        "recorded": predictions.errors(before)["top1_error"],
        "again": predictions.errors(again)["top1_error"],
        "same best class (%)": 100 * float((before["class_1"].to_numpy() == again["class_1"].to_numpy()).mean()),
        "largest difference": float(np.abs(before["probability_1"] - again["probability_1"]).max()),
        "identical": bool((before[columns].to_numpy() == again[columns].to_numpy()).all()),
    }


def _judge(run: Run, frame: pd.DataFrame, exact: bool) -> pd.DataFrame:
    worst = frame["same best class (%)"].min(), frame["largest difference"].max()
    if exact and not frame["identical"].all():
        raise VerydeepError(
            f"{run.name}: this machine is of the recorded type, and its predictions differ: {worst[0]:.2f} % with the "
            f"same best class, probabilities by up to {worst[1]:.4f}"
        )
    if worst[0] < SAME_BEST_CLASS or worst[1] > PROBABILITY:
        raise VerydeepError(
            f"{run.name}: predictions differ by more than the tolerance: {worst[0]:.2f} % with the same best class (at "
            f"least {SAME_BEST_CLASS} %), probabilities by up to {worst[1]:.4f} (at most {PROBABILITY})"
        )
    return frame
