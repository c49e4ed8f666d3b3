"""Model cards: every published network has one, read by a model hub's own program, of the numbers of its record."""

import shutil

import pytest
from huggingface_hub import ModelCard

from conftest import REPOSITORY
from verydeep import results, runs, studies
from verydeep.book import pages
from verydeep.chapters import class_tables
from verydeep.errors import VerydeepError
from verydeep.results import cards


def published() -> list[studies.Run]:
    every = [run for name in ("narrow", "quarter") for run in runs.recorded_runs(studies.load(name))]
    return [run for run in every if cards.has_card(run)]


def test_every_network_whose_weights_are_in_a_clone_has_a_card(repository):
    folders = {path.parent for path in (REPOSITORY / "runs").glob("*/*/weights.safetensors")}
    tested = {folder for folder in folders if (folder / "predictions.parquet").exists()}  # the others give boxes
    assert {run.folder for run in published()} == tested and len(tested) > 10
    for run in published():
        text = cards.card(run)
        assert runs.read_record(run, "train").artefacts["weights.safetensors"] in text
        assert ModelCard(text).data.model_name == run.address


def test_its_numbers_are_those_of_the_records(repository):
    run = studies.find_run("narrow", "D", 256)
    card = ModelCard(cards.card(run))
    assert (card.data.license, card.data.library_name, card.data.datasets) == ("cc-by-4.0", "verydeep", ["imagenet20"])
    measured = runs.read_record(run, "evaluate").measurements
    assert len(card.data.eval_results) == 6
    for result in card.data.eval_results:
        number = results.number(result.metric_name.removesuffix(", percent"))
        error = measured[number.measurement].error(number.metric)
        assert result.metric_value == pytest.approx(error, abs=0.005)
        assert result.metric_args["low"] < error < result.metric_args["high"]
        assert f"| `{number.id}` | {number.measurement} | {number.value:.2f} %" in card.text
    for said in ("1/8 as wide", "of one seed", "tench", "17,494 training images", "| **0.3** |", "Apache-2.0"):
        assert said in card.text


def test_a_network_of_others_is_no_network_of_the_paper_and_drops_what_it_drops(repository):
    """The card of ResNet-18 named Simonyan and Zisserman, and a share of units of layers that it has not."""
    for config, of in (("ResNet-18", "He et al. 2016"), ("GoogLeNet", "Szegedy et al. 2015")):
        text = cards.card(studies.find_run("narrow", config, 256))
        assert f"Network {config} ({of}), beside those of *Very Deep" in text and "FC6" not in text
    assert "Network D of *Very Deep" in cards.card(studies.find_run("narrow", "D", 256))
    assert "| dropped share of FC6 and FC7 |" in cards.card(studies.find_run("narrow", "AlexNet", 256))


def test_it_is_on_the_page_of_its_run(repository):
    run = studies.find_run("narrow", "D", 256)
    page = pages.run_page(run)
    assert "## Model card" in page and "license: cc-by-4.0" in page
    assert page.count("\n`````{dropdown} The card\n") == page.count("\n`````\n") == 1
    pilot = studies.find_run("narrow", "A", 256, 0, "pilot-base")
    assert "## Model card" not in pages.run_page(pilot)


def test_a_network_whose_test_is_of_other_weights_has_no_card(checkout):
    """It was trained anew, and not tested since: the old errors are not its own."""
    run = studies.find_run("narrow", "B", 256)
    for name in ("B-256-s0", "A-256-s0"):
        shutil.copytree(REPOSITORY / "runs/narrow" / name, checkout / "runs/narrow" / name)
    assert cards.has_card(run) and len(class_tables.errors_by_class("narrow", run.row))
    record = runs.read_record(run, "evaluate")
    runs.write_record(run, record.model_copy(update={"weights_sha256": "0" * 64}))
    runs.seal(run.folder, ["evaluate.json"])
    assert not cards.has_card(run) and class_tables.errors_by_class("narrow", run.row).empty
    with pytest.raises(VerydeepError, match="so there is no card"):
        cards.card(run)


def test_what_has_no_published_weights_has_no_card(repository):
    for run in (studies.find_run("released", "D", "authors"), studies.find_run("wide", "A", 256)):
        with pytest.raises(VerydeepError, match="no published weights that were tested, so there is no card"):
            cards.card(run)
