"""The records of ``benchmarks/``: each names the sources that were imported when it began."""

import ast
import json

import pytest

import scripts
from conftest import REPOSITORY
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
