"""Numbers on resampled images: by one rule for all that are compared, whatever a record's file of them has."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from conftest import REPOSITORY
from verydeep import results, runs, studies
from verydeep.data.examples import aside, images_of
from verydeep.errors import RecordError
from verydeep.runs import transfers

NAME = "D-jitter+E-jitter-on-caltech101-s0"


def copied(checkout, name: str):
    """A recorded transfer, alone in a checkout."""
    shutil.copytree(REPOSITORY / "runs" / "narrow" / name, checkout / "runs" / "narrow" / name)
    return studies.named_transfer(studies.load("narrow"), name)


@pytest.fixture
def carried(checkout):
    """A recorded transfer, alone in a checkout, with a file of resampled numbers that are all 0."""
    found = copied(checkout, NAME)
    names = [*runs.read_record(found).measurements]
    pd.DataFrame(dict.fromkeys(names, np.zeros(transfers.RESAMPLES))).to_parquet(found.folder / transfers.RESAMPLED)
    return found


def stated(carried, rule: dict) -> runs.TransferRecord:
    """The record, sealed with the file, when it says that images were resampled by ``rule``."""
    path = carried.folder / "transfer.json"
    record = json.loads(path.read_text())
    record["protocol"] = {key: said for key, said in record["protocol"].items() if key != "absent"} | rule
    record["artefacts"] = {}
    path.write_text(json.dumps(record))
    runs.seal(carried.folder, [path.name, transfers.RESAMPLED])
    return runs.read_record(carried)


def test_numbers_resampled_by_a_rule_of_before_are_not_shown(carried):
    """Their intervals would be of another rule than those beside them, and a difference of both of none."""
    record, name = stated(carried, {}), carried.usual.name
    found = results.transfers.resamples(carried.folder, record, name)
    again = transfers.resampled(transfers.read(carried.folder, name), "recall")
    assert (found == again).all() and abs(found.mean() - record.measurements[name].value) < 1
    assert runs.covers_target(carried, record), "no number is another by it"
    assert not any(transfers.RESAMPLED in fault for fault in runs.check_folder(carried.folder))


def test_intervals_are_read_from_the_very_numbers_that_were_sealed(carried):
    """Others gave another interval under this run's name, and a file cut short a traceback."""
    record, kept = stated(carried, {"absent": "left out"}), carried.folder / transfers.RESAMPLED
    table = pd.read_parquet(kept)
    (table - 20).to_parquet(kept)
    with pytest.raises(RecordError, match=f"{kept.name}: content differs from its sha256 in SHA256SUMS; restore it"):
        results.transfers.resamples(carried.folder, record, carried.usual.name)
    kept.write_bytes(kept.read_bytes()[:1000])
    runs.seal(carried.folder, [kept.name])
    said = f"{kept.name}: not a readable table"
    with pytest.raises(RecordError, match=said):
        results.transfers.resamples(carried.folder, record, carried.usual.name)
    assert any(said in fault for fault in runs.check_folder(carried.folder))
    pd.DataFrame({"other": [1]}).to_parquet(carried.folder / transfers.FILE)
    runs.seal(carried.folder, [transfers.FILE])
    assert any("has no column 'measurement'" in fault for fault in runs.check_folder(carried.folder))


@pytest.mark.parametrize(("rule", "missing"), [({"absent": "left out"}, "resampled.parquet"), ({}, "transfer.parquet")])
def test_a_file_that_is_missing_is_said_with_what_brings_it_back(carried, rule, missing):
    record = stated(carried, rule)
    (carried.folder / missing).unlink()
    with pytest.raises(RecordError, match=rf"{missing}: missing; restore it \(git checkout\), or delete the record"):
        results.transfers.resamples(carried.folder, record, carried.usual.name)


def test_resampled_numbers_that_the_answers_do_not_yield_are_found(carried):
    record, name = stated(carried, {"absent": "left out"}), carried.usual.name
    assert not results.transfers.resamples(carried.folder, record, name).any(), "this file is read"
    said = f"runs/narrow/{NAME}: {name}: resampled.parquet is not what transfer.parquet yields"
    assert said in runs.check_folder(carried.folder)


def people(of: dict[str, int]) -> list[str]:
    """Names of so many people in each image."""
    return [f"{image}#{k + 1}" for image, count in of.items() for k in range(count)]


def test_people_of_one_image_are_drawn_together():
    """Each image with two people of whom the same is said is resampled as the image alone."""
    generator = np.random.default_rng(0)
    images = [f"JPEGImages/{k:03d}.jpg" for k in range(40)]
    labels, scores = np.where(generator.random((40, 2)) < 0.3, 1, -1), generator.random((40, 2))
    alone = transfers.table("x", 0, images, labels, scores, "map")
    twice = [np.repeat(part, 2, axis=0) for part in (labels, scores)]
    both = transfers.table("x", 0, people(dict.fromkeys(images, 2)), *twice, "map")
    assert np.allclose(transfers.resampled(both, "map"), transfers.resampled(alone, "map"), rtol=0, atol=1e-4)
    assert (transfers.value(alone, "map")["n"], transfers.value(both, "map")["n"]) == (40, 80)


def test_c_is_not_chosen_on_people_whose_image_is_trained_on():
    names = np.array(people({f"{k:03d}.jpg": 1 + k % 3 for k in range(100)}), object)
    for classes in (np.arange(len(names)) % 7, np.arange(len(names)) % 2):  # one class each too
        images = images_of(names)
        kept = aside(np.where(np.eye(7)[classes] == 1, 1, -1), names, 0.2, images)
        assert len(set(images[kept])) == 20 and not set(images[kept]) & set(images[~kept])


def test_a_number_sign_in_the_name_of_a_file_is_no_object():
    assert images_of(["a#2.jpg", "a#2.jpg#11", "b.jpg"]).tolist() == ["a#2.jpg", "a#2.jpg", "b.jpg"]


def test_a_class_without_an_image_has_no_precision():
    counts, scores = np.ones((4, 3)), np.array([3.0, 2.0, 1.0])
    for labels in ([-1, 0, -1], [0, 0, 0], [-1, -1, -1]):
        for precision in ("eleven", "area"):
            found = transfers.average_precision(np.array(labels), scores, precision, counts)
            assert found.tolist() == [0] * 4
    assert transfers.average_precision(np.array([], int), np.array([])).tolist() == [0]
    table = transfers.table("x", 0, ["a", "b"], np.array([[0, 1], [0, -1]]), np.array([[1.0, 2], [3, 1]]), "map")
    assert transfers.value(table, "map")["classes"] == [0, 100] and not transfers.resampled(table, "map").max() > 50


def test_a_score_that_is_no_number_ranks_no_image():
    labels = np.array([1, -1, 0])
    for scores in ([np.nan, 1, 2], [1, 2, np.nan]):
        with pytest.raises(RecordError, match=r"^average precision: a class score is no number \(NaN\), by which"):
            transfers.average_precision(labels, np.array(scores))
    assert transfers.average_precision(labels, np.array([np.inf, -np.inf, 0])).tolist() == [1]


def test_a_score_that_is_no_number_is_said_with_the_folder_that_has_it(checkout):
    """It was sealed with the rest, so that nothing else says where it lies."""
    carried = copied(checkout, "D-jitter-on-voc2007-val-s0")
    stated(carried, {})
    kept = carried.folder / transfers.FILE
    table = pd.read_parquet(kept)
    table.loc[table["measurement"] == carried.usual.name, "score_3"] = np.nan
    table.to_parquet(kept)
    runs.seal(carried.folder, [transfers.FILE])
    said = f"runs/narrow/{carried.name}/transfer.parquet: a class score is no number (NaN), by which images cannot be"
    assert any(fault.startswith(said) for fault in runs.check_folder(carried.folder))
    row = results.transfers.TransferRow(carried.row, carried, carried.usual)
    with pytest.raises(RecordError, match=f"^{re.escape(said)}"):
        results.transfers.other_precision(row)
