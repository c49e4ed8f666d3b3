"""The rules of localisation (claims 18 to 22), on made-up records: Tables 8 and 9, and what makes a test a fair one."""

import numpy as np
import pandas as pd
import pytest

from verydeep import files, results, runs, studies
from verydeep.chapters import localisation_tables
from verydeep.errors import RecordError
from verydeep.results.claims import NOT_REPRODUCED, NOT_TESTED, REPRODUCED, UNFAIR
from verydeep.runs import boxes
from verydeep.studies.measurements import GIVEN, measured_by

N = 364


def table(name: str, given: bool, wrong: int, unnamed: int) -> pd.DataFrame:
    """Boxes of which so many are wrong, and the true class of so many images, the wrong ones first, is not named."""
    labels = np.zeros(N, int)
    classes = np.zeros((N, 1), int) if given else np.tile(np.arange(5), (N, 1))
    if not given:
        classes[:unnamed] += 1
    ious = np.where(np.arange(N) < wrong, 0.3, 0.8)[:, None] * np.ones(classes.shape)
    corners = np.tile([0.0, 0.0, 0.5, 1.0], (*classes.shape, 1))
    names = [f"{k:04d}.png" for k in range(N)]
    return boxes.table(name, names, labels, classes, corners, ious, [np.array([[0.0, 0.0, 0.5, 1.0]])] * N)


@pytest.fixture
def network(trained):
    """Writes the records of a network that gives boxes: so many wrong, so many unnamed, and the mean box's."""
    base = studies.find_run("smoke", "A", 256)
    tested, made = (runs.read_record(base, kind) for kind in ("evaluate", "train"))

    def write(scale, variant, wrong, fit=20.0, unnamed=0, baseline=200):
        run = studies.find_run("smoke", "D", scale, variant=variant)
        parts = []
        for measurement in measured_by(run):
            given = measurement.method.startswith(GIVEN) or measurement.method == "centre-boxes"
            count = wrong if measurement.test_scales else baseline
            parts.append(table(measurement.name, given, count, unnamed))
        run.folder.mkdir(parents=True, exist_ok=True)
        with files.atomic(run.folder / boxes.FILE) as path:
            pd.concat(parts).astype({"measurement": "category"}).to_parquet(path, index=False)
        of = {"config": "D", "train_scale": run.train_scale, "variant": variant}
        measured = {part["measurement"].iloc[0]: boxes.errors(part) for part in parts}
        measured = {name: runs.parts.BoxErrors(**errors) for name, errors in measured.items()}
        runs.write_record(run, tested.model_copy(update=of | {"measurements": measured}))
        metrics = made.metrics.model_copy(update={"train_top1_error": fit})
        runs.write_record(run, made.model_copy(update=of | {"metrics": metrics, "parent": None}))
        return run

    return write


def verdict(number):
    return results.read("smoke").verdict(number)


def test_a_box_per_class_against_one_for_all(network):
    network(384, "scr-fc", 150)
    assert verdict(18).verdict == NOT_TESTED
    network(384, "pcr-fc", 110)
    found = verdict(18)
    assert found.verdict == REPRODUCED and found.ours.value == pytest.approx(100 * 40 / N)
    assert found.paper == pytest.approx(36.4 - 34.3) and found.fair
    number = results.read("smoke").number("smoke.table8.D-384-pcr-fc.true_class")
    assert number.value == pytest.approx(100 * 110 / N) and number.paper == 34.3
    network(384, "pcr-fc", 150 + 30)
    assert verdict(18).verdict == NOT_REPRODUCED


def test_a_network_that_does_not_beat_the_mean_box_is_no_fair_test(network):
    network(384, "scr-fc", 150, baseline=150)
    network(384, "pcr-fc", 110, baseline=150)
    found = verdict(18)
    assert found.verdict == UNFAIR and found.direction == "agrees"
    (failed,) = [condition for condition in found.conditions if not condition.holds]
    assert failed.name == "placed" and "D-384-scr-fc +0.0" in failed.detail and "pcr" not in failed.detail


def test_a_network_that_beats_the_mean_box_by_chance_is_no_fair_test(network):
    """One image of 364 gained over the mean box is less than chance."""
    network(384, "scr-fc", 150, baseline=151)
    network(384, "pcr-fc", 110, baseline=151)
    (failed,) = [condition for condition in verdict(18).conditions if not condition.holds]
    assert verdict(18).verdict == UNFAIR and failed.detail.endswith("D-384-scr-fc +0.3")


def test_a_network_that_fits_its_crops_worse_is_no_fair_test(network):
    network(384, "pcr-fc", 150, fit=20.0)
    network(384, "pcr-all", 110, fit=40.0)
    found = verdict(19)
    assert found.verdict == UNFAIR and "40.0 against 20.0" in found.conditions[0].detail


def test_boxes_that_were_given_to_the_classes_of_two_systems_are_not_compared(network):
    """The system was made anew between the tests: what differs is not the networks alone."""
    pair = [network(384, "pcr-fc", 150), network(384, "pcr-all", 110)]
    for run, digest in zip(pair, "01", strict=True):
        record = runs.read_record(run, "evaluate")
        classes = {"run": "D-256-s0", "measurement": "dense-224+256+288", "predictions_sha256": digest * 64}
        runs.write_record(run, record.model_copy(update={"parameters": record.parameters | {"classes": classes}}))
    with pytest.raises(RecordError, match="D-384-pcr-fc-s0 and .*-s0 were tested with boxes of other classes; make"):
        verdict(19)


def test_classes_that_are_named_too_seldom_are_no_fair_test(network):
    """The centre crop is wrong on 110 images: with 100 classes unnamed there is room to be better, with 110 none."""
    network(384, "pcr-all", 110, unnamed=100)
    found = verdict(20)
    assert [condition.holds for condition in found.conditions] == [True, True]
    assert found.ours.value == pytest.approx(0)
    network(384, "pcr-all", 110, unnamed=110)
    found = verdict(20)
    assert found.verdict == UNFAIR
    assert found.conditions[1].detail.startswith("true class not among the five named: D-384-pcr-all-at-384 30.2 %")
    shown = localisation_tables.what_is_wrong("smoke").loc["D-384-pcr-all-at-384"]
    assert shown["class not named"] == pytest.approx(30.22) and shown["named, box wrong"] == 0


def test_what_is_gained_over_the_baselines_and_the_extremes(network):
    run = network(384, "pcr-all", 110)
    shown = localisation_tables.over_baselines("smoke")
    gain = shown.loc[("Table 8", "D-384-pcr-all"), "class-mean-box"]
    assert gain.startswith(f"{100 * 90 / N:+.2f} [")
    frame = localisation_tables.extremes("smoke", "D-384-pcr-all", 2)
    assert frame["iou"].tolist() == pytest.approx([0.8, 0.8, 0.3, 0.3])
    assert len(localisation_tables.extremes("smoke", "D-384-scr-fc")) == 0
    assert localisation_tables.without_boxes("smoke") == ""
    assert localisation_tables.without_boxes("narrow").startswith("The study narrow localises nothing")
    assert "verydeep localise quarter" in localisation_tables.without_boxes("quarter")
    assert run.folder.name == "D-384-pcr-all-s0"
