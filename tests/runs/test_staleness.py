"""Trainings and what is made of them, once their study says otherwise: on the records of this repository."""

from dataclasses import replace

import pytest

from verydeep import assembly, runs, studies
from verydeep.errors import VerydeepError

pytestmark = pytest.mark.usefixtures("repository")


def changed(run: studies.Run, part: str, **keys) -> studies.Run:
    """The run, of a study with other keys of one part."""
    settings = getattr(run.study, part).model_copy(update=keys)
    return replace(run, study=run.study.model_copy(update={part: settings}))


@pytest.fixture
def boxed():
    return studies.find_run("quarter", "D", "384", 0, "pcr-all")


@pytest.mark.parametrize(("key", "then", "now"), [
    ("units", "crop", "pixels"), ("loss", "squared", "distance"), ("cut", "whole", "clipped"),
    ("least_inside", 0.0, 0.5), ("several", "largest", "first"),
])  # fmt: skip
def test_a_network_that_learned_boxes_otherwise_is_stale(boxed, key, then, now):
    record = runs.read_record(boxed, "train")
    assert runs.trained_otherwise(boxed, record) == {}
    asked = changed(boxed, "localisation", **{key: now})
    assert runs.trained_otherwise(asked, record) == {f"localisation.{key}": (then, now)}


def test_how_boxes_are_merged_is_of_the_test_and_not_of_the_training(boxed):
    asked = changed(boxed, "localisation", threshold=0.3, mirror=True, rating="best")
    assert runs.trained_otherwise(asked, runs.read_record(boxed, "train")) == {}


def test_boxes_are_not_read_in_another_unit_than_they_were_learned_in(boxed):
    """A box of half the image would be one of half a pixel."""
    record = runs.read_record(boxed, "train")
    assembly.require_as_recorded(changed(boxed, "localisation", loss="distance"), record)
    with pytest.raises(VerydeepError, match=r"D-384-pcr-all-s0: was trained .*\(localisation.units: crop, now pixels"):
        assembly.require_as_recorded(changed(boxed, "localisation", units="pixels"), record)


def test_a_variant_that_gives_boxes_otherwise_is_stale(boxed):
    variant = boxed.study.variants["pcr-all"].model_copy(update={"boxes": "scr"})
    asked = replace(boxed, study=boxed.study.model_copy(update={"variants": {"pcr-all": variant}}))
    record = runs.read_record(boxed, "train")
    assert runs.trained_otherwise(asked, record) == {"boxes": ("pcr", "scr")}
    with pytest.raises(VerydeepError, match=r"\(boxes: pcr, now scr\)"):
        assembly.require_as_recorded(asked, record)


def test_a_network_from_which_other_images_were_held_out_is_stale():
    run = studies.find_run("narrow", "A", "256")
    record = runs.read_record(run, "train")
    asked = changed(run, "data", held_out_per_class=100)
    assert runs.trained_otherwise(asked, record) == {"data.held_out_per_class": (50, 100)}
    assert set(runs.trained_otherwise(changed(run, "data", source="digits"), record)) == {"data.source"}
