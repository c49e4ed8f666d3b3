"""Trainings and what is made of them, once their study says otherwise: on the records of this repository."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from verydeep import assembly, cli, runs, studies
from verydeep.book import pages
from verydeep.errors import VerydeepError
from verydeep.results import status

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


def test_a_stale_training_is_not_called_done_and_no_notebook_is_run_on_it(monkeypatch):
    """What changed is said, and how to train it again; before, "verydeep run" said that it was done."""
    run = studies.find_run("narrow", "A", "256")
    asked = replace(run, study=run.study.model_copy(update={"recipe": run.study.recipe | {"epochs": 7}}))
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("executed"))
    monkeypatch.setattr(studies, "find_run", lambda *_: asked)
    for options in ([], ["--only", "train"], ["--only", "evaluate"]):
        told = CliRunner().invoke(cli.cli, ["run", *options, "narrow", "A", "256"])
        assert told.exit_code == 1 and "done" not in told.output
        assert str(told.exception).startswith(
            f"narrow/A-256-s0: was trained otherwise than its study says now (recipe.epochs: {run.recipe.epochs}, now 7"
            f"); put the study back, or remove {run.folder} and give the same command again"
        )
    assert status.state(asked) == "stale"


def test_an_outdated_test_is_stale_and_one_that_was_never_made_is_not():
    run = studies.find_run("narrow", "A", "256")
    assert status.state(run) == "done"
    assert status.state(changed(run, "testing", average="posteriors")) == "stale"
    untested = studies.find_run("narrow", "A", "256", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "record_path", lambda run, kind=None: run.folder / "none.json")
        assert status.state(untested) == "trained"


def test_the_plan_says_that_nothing_is_left_where_nothing_is(monkeypatch):
    """It counted records, and said so while every test was to be made again."""
    narrow = studies.load("narrow")
    spec = narrow.model_copy(update={"networks": {"256": ["A"]}, "variants": {}, "further_seeds": []})
    line = "study narrow: of 1 networks 1 trained and {} tested, of 0 fusions 0 made"
    assert status.plan(spec) == line.format(1) + "; none of them is left to run"
    tested = spec.model_copy(update={"testing": spec.testing.model_copy(update={"average": "posteriors"})})
    assert status.plan(tested) == line.format(0)
    trained = spec.model_copy(update={"recipe": spec.recipe | {"epochs": 7}})
    assert status.plan(trained).endswith("to run; 1 trained otherwise than the study says now: verydeep status narrow")


def test_the_page_of_what_is_stale_says_so_above_its_numbers(monkeypatch):
    """They stood there like any other, and "verydeep status" alone told that the study has changed since."""
    run, narrow = studies.find_run("narrow", "A", "256"), studies.load("narrow")
    assert "{warning}" not in pages.run_page(run)
    tested = pages.run_page(changed(run, "testing", average="posteriors"))
    assert 0 < tested.index("{warning}\nMade before the study's settings") < tested.index("## Measured")
    assert f"To make it again: `{run.command}`." in tested
    trained = pages.run_page(replace(run, study=narrow.model_copy(update={"recipe": narrow.recipe | {"epochs": 7}})))
    assert f"Trained otherwise than the study says now (recipe.epochs: {run.recipe.epochs}, now 7)" in trained
    assert f"To make it again: remove `runs/narrow/A-256-s0`, then `{run.command}`." in trained
    monkeypatch.setattr(runs, "is_complete", lambda *_: False)
    for recorded, page in (
        (runs.recorded_fusions, pages.fusion_page),
        (runs.recorded_transfers, pages.transfer_page),
        (runs.recorded_tunings, pages.tuning_page),
    ):
        of = next(iter(recorded(narrow)))
        assert f"To make it again: `{of.command}`." in page(of)
