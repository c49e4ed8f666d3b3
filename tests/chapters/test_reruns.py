"""What can be rerun, what was tried, and what was measured beside it: tables by their values."""

import json
import re

import nbformat
import pytest

from conftest import REPOSITORY
from verydeep import results, runs, studies
from verydeep.chapters import benchmarks, localisation_tables, reruns, trials
from verydeep.errors import VerydeepError


@pytest.fixture
def record(checkout):
    """Write the record of a benchmark of the checkout at hand."""

    def write(name: str, **record) -> None:
        (checkout / "benchmarks" / f"{name}.json").write_text(json.dumps(record))

    return write


def test_the_parameters_of_a_chapter_are_the_variables_of_its_cell(repository):
    listed = reruns.parameters()["parameters"]
    for chapter, said in listed.items():
        notebook = nbformat.read(REPOSITORY / f"book/{chapter}.ipynb", as_version=4)
        (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        exec(cell.source, {}, defined := {})  # what papermill would let the notebook begin with
        assert re.findall(r"(?:^|; )(\w+) = ", said) == list(defined), chapter
    assert {"training/train", "evaluation/evaluate", "results/table3"} <= set(listed.index)


def test_the_networks_of_a_clone_have_their_weights_and_the_errors_of_table_3(repository):
    shown = reruns.networks()
    assert {"narrow/A-256", "narrow/D-256", "narrow/ResNet-18-256", "quarter/D-256"} <= set(shown.index)
    for name in shown.index:
        study, _, row = name.partition("/")
        (run,) = [run for run in runs.recorded_runs(studies.load(study)) if (run.row, run.seed) == (row, 0)]
        assert shown.loc[name, "size"] == pytest.approx(run.weights.stat().st_size / 2**20, abs=0.051)
        assert run.publishes_weights, name  # and so in git
    one = results.number("narrow.table3.D-256.top1")
    assert shown.loc["narrow/D-256", "top-1 error"] == float(f"{one.value:.1f}")
    assert shown.loc["narrow/D-256", ["data", "classes", "tested"]].tolist() == ["imagenet20", 20, "dense-256"]


def test_every_study_is_listed_with_its_size(repository):
    shown = reruns.studies()
    assert sorted(shown.index) == sorted(studies.names())
    assert shown["crop"].to_dict() == {
        "full": 224, "narrow": 224, "quarter": 56, "released": 224, "smoke": 32, "wide": 224,
    }  # fmt: skip
    assert shown.loc["narrow", "networks"] == "widths / 8, lengths / 1"
    assert shown.loc["full", "networks"] == shown.loc["wide", "networks"] == "the paper's"


def test_a_measurement_is_shown_row_by_row_and_an_absent_one_says_how_to_make_it(record):
    record(
        "manifest",
        rates={"hashing": {"images_per_second": 1234.5678, "seconds": 0.0123456}},
        device={"threads": 2},
        environment={"processor": "one of ours"},
    )
    shown = benchmarks.rates("manifest")
    assert shown.loc["hashing"].tolist() == [1235, 0.0123, 2, "one of ours"]
    assert shown.columns.tolist() == ["images per second", "seconds", "threads", "machine"]
    absent = benchmarks.rates("windows", "full")
    assert absent.empty and "python benchmarks/windows.py --study full" in absent.attrs["caption"]
    with pytest.raises(VerydeepError, match=r"benchmarks/nothing.json: no record; run: python benchmarks/nothing.py"):
        benchmarks.rates("nothing")


def test_the_rehearsal_says_what_each_step_took_and_whether_it_ended_alike(record):
    step = {"seconds": 12.6, "peak_memory_mib": 345.4, "said": "epoch 1"}
    common = {
        "environment": {"processor": "one of ours", "cores": 2},
        "date": "2026-11-27T10:00:00",
        "load_average": 0.25,
    }
    record("full", rates={"two steps": step}, same={"weights": True, "history": False}, **common)
    shown = trials.full()
    assert shown.loc["two steps"].tolist() == [13, 345, "epoch 1"]
    assert "history other than those of a run that nobody disturbed" in shown.attrs["caption"]
    record("full", rates={"two steps": step}, same={"weights": True, "history": True}, **common)
    assert "weights and history the same as those" in trials.full().attrs["caption"]


def test_what_appendix_a_leaves_open_is_settled_key_by_key(repository):
    shown = localisation_tables.keys("quarter")
    settled = studies.load("quarter").localisation
    assert {name: shown.loc[name, "here"].split(";")[0] for name in shown.index} == {
        name: str(value) for name, value in settled
    }
    assert shown["meaning"].str.len().min() > 10
