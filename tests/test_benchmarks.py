"""The records of ``benchmarks/``: each names the sources that were imported when it began."""

import ast
import json

import pytest
from click.testing import CliRunner

import scripts
from conftest import REPOSITORY
from verydeep import paper, runs, studies
from verydeep.chapters import testing_tables
from verydeep.runs import provenance

SCRIPTS = sorted(path for path in (REPOSITORY / "benchmarks").glob("*.py") if path.stem not in ("common", "loops"))
TAKES_TIME = (ast.For, ast.While, ast.With, ast.Try)


def test_a_checkout_that_changes_meanwhile_is_not_named(tmp_path, monkeypatch):
    begun = provenance.sources()
    record = scripts.load("common").Record(tmp_path / "speed.py", study="smoke")
    monkeypatch.setattr(provenance, "sources", lambda: begun.model_copy(update={"sources_sha256": "changed"}))
    record.write("speed", {"A": {"seconds": 1.0}}, {"type": "cpu"}, turns=2)
    written = json.loads((tmp_path / "speed-smoke.json").read_text())
    assert written["sources"] == begun.model_dump()
    assert (written["what"], written["study"], written["turns"]) == ("speed", "smoke", 2)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_begins_its_record_before_it_measures(path):
    body = next(node for node in ast.parse(path.read_text()).body if getattr(node, "name", None) == "main").body
    begins = [number for number, statement in enumerate(body) if "Record(" in ast.unparse(statement)]
    measures = [number for number, statement in enumerate(body) if isinstance(statement, TAKES_TIME)]
    assert len(begins) == 1 and begins[0] < measures[0]


def test_every_reading_of_a_gap_in_testing_is_measured_beside_the_studys_own(trained, monkeypatch):
    """All images of a network that was tested: what is measured as tested is what its record says."""
    readings = scripts.load("readings")
    monkeypatch.setattr(readings, "__file__", str(trained / "benchmarks" / "readings.py"))
    asked = ["--study", "smoke", "--network", "A-256", "--images", "364"]
    done = CliRunner().invoke(readings.main, asked, catch_exceptions=False)
    assert done.exit_code == 0
    rates = json.loads((trained / "benchmarks/readings-smoke.json").read_text())["rates"]
    measured = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate").measurements
    dense = "dense-224+256+288"
    assert rates[f"A-256, {dense}, as tested"]["top1_error"] == measured[dense].top1_error
    keys = {gap["key"] for gap in paper.gaps() if gap.get("key", "").startswith("testing.")}
    assert len(keys) == 6 and keys == {f"testing.{title.split(', ')[2].partition(':')[0]}" for title in rates} - {
        "testing.as tested"
    }
    for title, rate in rates.items():
        before = rates[f"{title.rpartition(', ')[0]}, as tested"]
        worse = rate["only_before"] - rate["only_here"]
        assert rate["top1_error"] - before["top1_error"] == pytest.approx(100 * worse / 364)
    table = testing_tables.readings("smoke")
    changed = table.loc["A-256", dense, "interpolation: bicubic"]
    difference = rates[f"A-256, {dense}, interpolation: bicubic"]["top1_error"] - measured[dense].top1_error
    assert float(changed["difference"].split()[0]) == pytest.approx(difference, abs=0.006)


def test_the_recorded_readings_are_as_their_chapter_says(repository):
    """ "Departures and gaps": below half a point in ``narrow``, above one where ``quarter`` rescales."""
    for study in ("narrow", "quarter"):
        table = testing_tables.readings(study).dropna(subset="difference").reset_index()
        points = table.set_index("reading")["difference"].str.split().str[0].astype(float)
        matters = points[points.abs() >= 0.5]
        assert len(points) == 7
        assert sorted(matters.index) == (
            [] if study == "narrow" else ["antialias: False", "grid: cells", "interpolation: bicubic"]
        )
    assert (matters[["antialias: False", "interpolation: bicubic"]] < -1).all() and matters["grid: cells"] > 0
