"""The rules about features on other data (claims 23 to 28), on made-up records of Table 11."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from verydeep import files, results, runs, studies
from verydeep.errors import RecordError
from verydeep.results.claims import NOT_REPRODUCED, NOT_TESTED, REPRODUCED, UNDECIDED, UNFAIR
from verydeep.runs import transfers
from verydeep.runs.parts import TransferScore

N = 400
#: The hash of the weights of every network.
WEIGHTS = "0" * 64


@pytest.fixture
def carry(trained):
    """Writes the record of a transfer: for each way of describing images so many of the images are right."""
    base = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate")

    def write(members, right: dict[str, int], other=100, source="caltech101"):
        study = studies.load("quarter")
        transfer = studies.find_transfer([f"quarter/{one}" for one in members], source)
        names, labels = [f"{k:04d}" for k in range(N)], np.arange(N) % 2
        truth = np.where(np.eye(2)[labels] == 1, 1, -1)
        tables, resampled, measured = [], {}, {}
        for way in transfer.measured():
            count = right.get("usual" if way == transfer.usual else way.name, other)
            said = np.where(np.arange(N) < count, labels, 1 - labels)
            table = transfers.table(way.name, 0, names, truth, np.eye(2)[said], "recall")
            tables.append(table)
            resampled[way.name] = transfers.resampled(table, "recall")
            measured[way.name] = TransferScore(**transfers.value(table, "recall"), costs=[1.0])
        transfer.folder.mkdir(parents=True, exist_ok=True)
        written = [transfers.FILE, transfers.RESAMPLED]
        for name, frame in zip(written, (pd.concat(tables), pd.DataFrame(resampled)), strict=True):
            with files.atomic(transfer.folder / name) as part:
                frame.to_parquet(part, index=False)
        record = runs.TransferRecord(
            study=study.name, members={run.name: WEIGHTS for run in transfer.members},
            protocol={"metric": "recall", "average_precision": "eleven"}, labels_sha256="", splits=[], passes={},
            measurements=measured, artefacts={}, data=base.data.model_copy(update={"source": source}),
            **{key: getattr(base, key) for key in ("sources", "environment", "device", "started", "finished", "cost")},
        )  # fmt: skip
        runs.write_record(transfer, record)

    return write


@pytest.fixture
def fit(trained):
    """Writes the record of a training of `quarter` that ended at a top-1 error on its training images, in percent."""
    base = runs.read_record(studies.find_run("smoke", "A", 256), "train")

    def write(config, error):
        run = studies.find_run("quarter", config, "jitter")
        metrics = base.metrics.model_copy(update={"train_top1_error": error})
        cost = base.cost.model_copy(update={"training_images": 10_000})
        named = {"study": "quarter", "config": config, "train_scale": "jitter", "parent": None}
        named["artefacts"] = base.artefacts | {"weights.safetensors": WEIGHTS}
        run.folder.mkdir(parents=True, exist_ok=True)
        runs.write_record(run, base.model_copy(update=named | {"metrics": metrics, "cost": cost}))

    return write


BELOW = {"untrained-average-256": 40, "pixels": 40, "average-256": 200}
STACKED = {"average-256+384+512": 240, "max-256+384+512": 240}


def verdict(number):
    return results.read("quarter").verdict(number)


def test_e_and_the_pair_on_caltech(carry, fit):
    fit("D", 30.0)
    fit("E", 30.0)
    carry(["D-jitter"], {"usual": 250} | BELOW | STACKED)
    carry(["E-jitter"], {"usual": 300} | BELOW | STACKED)
    assert verdict(28).verdict == NOT_TESTED
    carry(["D-jitter", "E-jitter"], {"usual": 350})
    found = verdict(28)
    assert found.verdict == REPRODUCED and found.ours.value == pytest.approx(12.5) and found.ours.low > 0
    assert found.compared[0].paper == pytest.approx(92.3 - 91.8) and found.compared[2].paper == pytest.approx(0.4)
    carry(["D-jitter", "E-jitter"], {"usual": 260})
    assert verdict(28).verdict == NOT_REPRODUCED
    carry(["D-jitter", "E-jitter"], {"usual": 300})
    assert verdict(28).verdict == UNDECIDED  # as good as E to the last image
    fit("E", 32.0)
    assert (
        verdict(28).verdict == UNFAIR and "E-jitter-on-caltech101 32.0 against 30.0" in verdict(28).conditions[0].detail
    )


def test_rows_of_other_images_are_not_compared(carry):
    """The resamples of one are no resamples of the other's images."""
    for members in (["D-jitter"], ["E-jitter"], ["D-jitter", "E-jitter"]):
        carry(members, {"usual": 300} | BELOW | STACKED)
    other = studies.find_transfer(["quarter/E-jitter"], "caltech101")
    runs.write_record(other, runs.read_record(other).model_copy(update={"labels_sha256": "other"}))
    with pytest.raises(RecordError, match=r"cannot be compared: runs/quarter/D-jit.* and .*/E-jit.* on other images"):
        verdict(28)


def test_rows_that_were_described_otherwise_are_not_compared(carry):
    """A setting was changed for all, and one row made again since."""
    for members in (["D-jitter"], ["E-jitter"], ["D-jitter", "E-jitter"]):
        carry(members, {"usual": 300} | BELOW | STACKED)
    other = studies.find_transfer(["quarter/E-jitter"], "caltech101")
    record = runs.read_record(other)
    runs.write_record(other, record.model_copy(update={"protocol": record.protocol | {"hidden": "linear"}}))
    with pytest.raises(RecordError, match=r"D-jit.* and .*/E-jit.* were tested by another protocol \(hidden\); make"):
        verdict(28)


@pytest.mark.parametrize(("changed", "told"), [
    ({"protocol": {"hidden": "linear"}}, r"tested by another protocol \(.*hidden.*\): there is no mean over both"),
    ({"labels_sha256": "other"}, "tested on other images: there is no mean over both"),
])  # fmt: skip
def test_no_mean_is_taken_over_seeds_that_were_carried_otherwise(carry, changed, told):
    carry(["D-jitter"], {"usual": 300})
    transfer = studies.find_transfer(["quarter/D-jitter"], "caltech101")
    again = replace(transfer, members=tuple(replace(run, seed=1) for run in transfer.members))
    shutil.copytree(transfer.folder, again.folder)
    record = runs.read_record(transfer)
    own = {"members": {run.name: WEIGHTS for run in again.members}}
    runs.write_record(again, record.model_copy(update=own))
    assert results.number("quarter.table11.D-jitter-on-caltech101.recall").runs == (transfer.name, again.name)
    runs.write_record(again, record.model_copy(update=own | changed))
    with pytest.raises(RecordError, match=told):
        results.number("quarter.table11.D-jitter-on-caltech101.recall")


def test_features_that_pixels_beat_test_nothing(carry):
    for one in ("D-jitter", "E-jitter"):
        carry([one], {"usual": 300} | STACKED | BELOW | {"pixels": 250})
    found = verdict(27)
    assert found.verdict == UNFAIR and "over pixels" in found.conditions[0].detail
    for one in ("D-jitter", "E-jitter"):
        carry([one], {"usual": 300} | STACKED | BELOW | {"untrained-average-256": 250})
    assert "none trained" in verdict(27).conditions[0].detail


def test_features_that_beat_pixels_by_chance_test_nothing(carry):
    """One image of 400 gained over pixels is less than chance."""
    for one in ("D-jitter", "E-jitter"):
        carry([one], {"usual": 300} | STACKED | BELOW | {"pixels": 199})
    found = verdict(27)
    assert found.verdict == UNFAIR and "+0.2 over pixels" in found.conditions[0].detail


def test_stacking_against_averaging_and_the_maximum(carry):
    carry(["D-jitter"], {"usual": 300} | BELOW | STACKED)
    carry(["E-jitter"], {"usual": 300} | BELOW | STACKED)
    found = verdict(27)
    assert found.verdict == REPRODUCED and found.paper is None and found.seeds == 1 and found.n == N
    carry(["E-jitter"], {"usual": 300} | BELOW | STACKED | {"max-256+384+512": 330})
    assert verdict(27).verdict == NOT_REPRODUCED  # every comparison must hold


def test_joining_scales_on_voc_is_the_same_or_not(carry):
    ways = {"stack-256+384+512+640+768": 300, "average-256+384+512": 300}
    for one in ("D-jitter", "E-jitter"):
        carry([one], {"usual": 300} | BELOW | ways, source="voc2007-val")
    found = verdict(23)
    assert found.verdict == REPRODUCED and found.ours.value == 0
    carry(["E-jitter"], {"usual": 300} | BELOW | ways | {"average-256+384+512": 250}, source="voc2007-val")
    found = verdict(23)
    assert found.verdict == NOT_REPRODUCED and found.ours.value == pytest.approx(12.5)


def test_two_networks_are_equal_and_better_together(carry, fit):
    fit("D", 30.0)
    fit("E", 30.0)

    def found(d, e, both):
        for members, right in ((["D-jitter"], d), (["E-jitter"], e), (["D-jitter", "E-jitter"], both)):
            carry(members, {"usual": right} | BELOW, source="voc2007-val")
        return verdict(24)

    equal = found(300, 300, 330)
    assert equal.verdict == REPRODUCED and equal.compared[-1].ours.value == 0 and equal.compared[-1].paper == 0
    assert found(300, 340, 370).verdict == NOT_REPRODUCED, "together better than either, and not equal"
    assert found(300, 303, 330).verdict == UNDECIDED
    assert found(300, 300, 290).verdict == NOT_REPRODUCED


def test_the_shallow_network_stands_for_that_of_others(carry):
    carry(["B-5x5-256"], {"usual": 250} | BELOW, source="voc2007-val")
    carry(["D-256"], {"usual": 300} | BELOW, source="voc2007-val")
    found = verdict(25)
    assert (
        found.ours.value == pytest.approx(12.5) and found.paper is None
    )  # the paper's is beside another group's network
    assert found.direction == "agrees" and (found.conditions[0].name, found.conditions[0].holds) == ("fits", None)
