"""The rehearsal of the study `full`: its images, its study file, and what was recorded of it."""

import json
import sys
from unittest import mock

import pytest

from conftest import REPOSITORY
from verydeep import studies
from verydeep.data import sources
from verydeep.studies import schema

sys.path.append(str(REPOSITORY / "benchmarks"))
import full


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full") / "imagenet"
    full.lay_out(folder)
    return folder


def test_the_images_lie_as_those_of_ilsvrc(laid_out):
    every = list(full.LaidOut(laid_out).entries())
    assert {split: sum(entry.split == split for entry in every) for split in full.LaidOut.counts} == full.LaidOut.counts
    assert len({full.LaidOut(laid_out).read(entry) for entry in every}) == len(every)
    some = list(full.Rehearsal(laid_out).entries())
    assert [sum(entry.split == split for entry in some) for split in ("train", "val")] == [8, 50]
    assert full.Rehearsal.counts == {"train": 8, "val": 50} and set(some) < set(every)


def test_the_study_is_full_but_for_the_length_of_its_training():
    with mock.patch.dict(sources.SOURCES, {"rehearsal": full.Rehearsal}):
        mine = schema.parse((REPOSITORY / "benchmarks/rehearsal.yaml").read_text(), "rehearsal.yaml")
        papers = studies.load("full")
        assert (mine.size, mine.crop, mine.num_classes) == (papers.size, papers.crop, papers.num_classes)
        changed = {key for key, value in mine.resolve("256") if getattr(papers.resolve("256"), key) != value}
        assert changed == {"batch", "epochs", "schedule"}
        assert mine.resolve("256", "printed").initialisation == "paper" != papers.resolve("256").initialisation
        recipe = mine.resolve("256")
        images = full.Rehearsal.counts["train"] // 2 * (2 - mine.data.held_out_per_class)
        assert images // recipe.batch * recipe.epochs == 10


def test_what_was_recorded_is_as_it_should_be():
    record = json.loads((REPOSITORY / "benchmarks/full.json").read_text())
    assert record["same"] == {"weights": True, "history": True}
    said = {what: one["said"] for what, one in record["rates"].items()}
    unsorted = said["data verify, validation images not sorted"]
    assert "val: 0 class folders, 1000 expected; 1000 files lie there" in unsorted
    assert "every image matches manifest" in said["data verify"]
    assert "A-256-printed-s0: loss is " in said["A, initial weights as printed"]
    assert "D-256-s0: stopped by SIGTERM in epoch" in said["the same, told to stop after D's epoch 1 (SIGTERM)"]
    assert "D-256-s0: goes on at epoch" in said["D, resumed"]
    assert all(one["peak_memory_mib"] < 4096 for one in record["rates"].values())
