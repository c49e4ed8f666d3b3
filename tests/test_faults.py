"""Bad input, all of it, the harness of the faults, and the record that the book shows of them."""

import json
import subprocess
import sys

import pytest

from conftest import REPOSITORY
from faults import __main__ as harness
from faults import around, cases, inputs, kills, machine, workflow
from faults.world import World, ended
from verydeep.chapters import faults, figures
from verydeep.errors import VerydeepError
from verydeep.runs import provenance


@pytest.mark.parametrize("one", inputs.CASES, ids=lambda one: f"{one.group}: {one.name}")
def test_bad_input_gives_one_line_and_nothing_is_written(one, trained_checkout, tmp_path):
    world = World.copy(World(trained_checkout.parent), tmp_path / "w") if one.trained else World.new(tmp_path / "w")
    assert cases.attempt(one, world).faults == []


def test_the_table_of_bad_inputs_has_no_case_twice():
    names = [(one.group, one.name) for one in inputs.CASES]
    assert len(names) == len(set(names)) >= 60
    assert {one.group for one in inputs.CASES} == {
        "image", "data set", "archive", "weights", "study", "parameter", "record", "variable", "box",
    }  # fmt: skip


def test_a_case_that_is_let_through_is_noticed(tmp_path):
    """The harness itself: what ends well, says another line, or writes a file, is a fault."""
    good = cases.Case("x", "lets it through", lambda world: ["study", "list"], "error")
    assert any("ended well" in fault for fault in cases.attempt(good, World.new(tmp_path / "a")).faults)
    other = cases.Case("x", "another line", lambda world: ["study", "show", "nil"], "error: no such line")
    assert any("does not match" in fault for fault in cases.attempt(other, World.new(tmp_path / "b")).faults)

    def careless(world):
        def entry():
            (world.root / "left.txt").write_text("x")
            raise ValueError("boom")

        return entry

    faults = cases.attempt(cases.Case("x", "careless", careless, "boom"), World.new(tmp_path / "c")).faults
    assert any("a traceback" in fault for fault in faults) and any("left.txt" in fault for fault in faults)


def test_damage_under_runs_is_noticed_by_the_harness(trained_checkout, tmp_path):
    whole = World(trained_checkout.parent)
    world = World.copy(whole, tmp_path / "w")
    assert kills.broken(world) == [] and kills.differences(world, whole) == []
    run = world.runs / "smoke" / kills.RUN
    (run / "train.json").write_text('{"cut')
    assert any("train.json" in fault for fault in kills.broken(world))
    weights = bytearray((run / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (run / "weights.safetensors").write_bytes(weights)
    assert "weights.safetensors differs from that of an undisturbed run" in kills.differences(world, whole)


def test_a_fault_that_takes_too_long_is_not_survived_and_the_others_are_recorded(tmp_path, monkeypatch):
    """With the sources that were imported when all began."""
    begun = provenance.sources()

    def hangs(folder, whole):
        """Takes too long."""
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.PIPE)
        try:
            ended(process, timeout=0.1)
        finally:
            assert process.poll() is not None, "it is still at work"

    def passes(folder, whole):
        """Is survived."""
        monkeypatch.setattr(provenance, "sources", lambda: begun.model_copy(update={"sources_sha256": "changed"}))
        return "error: one line"

    def breaks(folder, whole):
        raise FileNotFoundError("weights.safetensors")

    monkeypatch.setattr(kills, "reference", World.new)
    monkeypatch.setattr(machine, "FAULTS", (hangs, passes))
    monkeypatch.setattr(around, "FAULTS", ())
    monkeypatch.setitem(harness.PARTS, "kills", breaks)
    record = tmp_path / "faults.json"
    record.write_text(json.dumps({"kills": ["as they were"], "made": {}}))
    assert harness.main(record, "kills", "faults") == 2
    written = json.loads(record.read_text())
    assert written["kills"] == ["as they were"]
    assert [(fault["name"], fault["survived"]) for fault in written["faults"]] == [("hangs", False), ("passes", True)]
    assert written["faults"][0]["said"].startswith("TimeoutExpired: ")
    assert written["made"]["faults"]["sources"] == begun.model_dump()


def test_the_record_is_shown_as_it_is(checkout):
    """The chapter's tables are those of the record: what was not survived would say so."""
    path = checkout / "benchmarks" / "faults.json"
    path.write_text(json.dumps({
        "kills": [{"aim": "any time", "hit": True, "seconds": 3.0, "survived": True},
                  {"aim": "train.json", "hit": False, "seconds": 9.0, "survived": False}],
        "workflow_kills": [{"aim": "Snakemake", "hit": True, "seconds": 3.0, "survived": True}],
        "faults": [{"name": "f", "what": "The disk fills up.", "said": "error: full", "survived": True}],
        "bad_inputs": [{"group": "image", "name": "empty", "said": "error: x", "survived": True}] * 2,
    }))  # fmt: skip
    assert faults.sums().to_dict("list") == {"tried": [2, 1, 1, 2], "survived": [1, 1, 1, 2]}
    assert faults.machine().loc["The disk fills up.", "what the user reads"] == "error: full"
    assert len(faults.bad_inputs()) == 2
    figure = figures.kills(faults.kills()).figure
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["any time", "train.json", "Snakemake"]
    path.unlink()
    with pytest.raises(VerydeepError, match="faults.json: no record; run: make faults"):
        faults.sums()


def test_the_recorded_faults_were_all_survived():
    """What the book shows is of the table as it now is; a case that was added since asks for another record."""
    record = json.loads((REPOSITORY / "benchmarks" / "faults.json").read_text())
    assert [one["name"] for one in record["faults"]] == [fault.__name__ for fault in (*machine.FAULTS, *around.FAULTS)]
    assert [(one["group"], one["name"]) for one in record["bad_inputs"]] == [
        (one.group, one.name) for one in inputs.CASES
    ]
    for part, aims, count in (("kills", {*kills.INSTANTS}, 30), ("workflow_kills", {*workflow.VICTIMS}, 20)):
        assert len(record[part]) >= count and {one["aim"] for one in record[part] if one["hit"]} == aims
    assert all(one["survived"] for part in faults.PARTS for one in record[part])
    assert all(record["made"][part]["sources"]["dirty"] is False for part in faults.PARTS)
