"""Every note of the study is checked, and a computation that contradicts its verdict fails."""

from types import SimpleNamespace

import pytest

from verydeep import results
from verydeep.chapters import study_notes
from verydeep.networks.configurations import all_configurations
from verydeep.networks.stacks import ways
from verydeep.results import claims
from verydeep.results.claims import Effect
from verydeep.statistics import Interval


def test_every_note_is_checked_and_every_check_is_used(checkout):
    found = study_notes.notes("quarter")
    assert [one.id for one in found] == [f"N{k}" for k in range(1, 23)]
    assert len({one["check"] for one in study_notes.statements()}) == 22 == len(study_notes.CHECKS)
    assert {one.verdict for one in found} == {"right", "wrong", "depends", "undecided"}
    assert all(one.computed for one in found)
    assert all(one.why for one in found if one.verdict != "right")


def test_a_note_that_the_computation_contradicts_fails_the_build(checkout, monkeypatch):
    stated = [dict(one) for one in study_notes.statements()]
    next(one for one in stated if one["id"] == "N10")["verdict"] = "right"
    monkeypatch.setattr(study_notes, "statements", lambda: stated)
    with pytest.raises(AssertionError, match="N10: stated right, computed: .*conv3_1 is 56x56x256 = 802,816"):
        study_notes.notes("quarter")


@pytest.mark.parametrize(("note", "function", "wrong"), [
    ("N7", "_last_map", lambda side: side // 16), ("N15", "ways", lambda layers: ways(layers[:-1])),
    ("N18", "all_configurations", lambda: all_configurations() | {"B": all_configurations()["A"]}),
])  # fmt: skip
def test_what_a_note_depends_on_is_computed_and_must_be_as_it_says(checkout, monkeypatch, note, function, wrong):
    assert next(one for one in study_notes.notes("quarter") if one.id == note).verdict == "depends"
    monkeypatch.setattr(study_notes, function, wrong)
    with pytest.raises(AssertionError, match=f"{note}: stated depends, computed: "):
        study_notes.notes("quarter")


def test_the_notes_page_has_an_anchor_and_a_link_for_each(checkout):
    text = study_notes.notes_markdown("quarter", root="/")
    for k in range(1, 23):
        assert f'<span id="N{k}"></span>[N{k}](/' in text


@pytest.mark.parametrize(("verdict", "said"), [
    (claims.REPRODUCED, "right"), (claims.NOT_REPRODUCED, "wrong"), (claims.UNDECIDED, "undecided"),
    (claims.UNFAIR, "undecided"), (claims.NOT_TESTED, "undecided"),
])  # fmt: skip
def test_a_note_that_runs_decide_has_their_verdict(monkeypatch, verdict, said):
    made_up = SimpleNamespace(number=1, verdict=verdict)
    effect = SimpleNamespace(value=None, missing=(), verdict=made_up)
    snapshot = SimpleNamespace(verdict=lambda number: made_up, effect=lambda name: effect)
    monkeypatch.setattr(study_notes.results, "read", lambda study: snapshot)
    note = next(one for one in study_notes.notes("quarter") if one.id == "N9")
    assert note.verdict == said
    assert "A 29.6, A-LRN 29.7" in note.computed and note.computed.endswith(
        f"in quarter: {verdict}; in narrow: {verdict}"
    )


def test_notes_about_training_name_the_run_that_is_missing_or_its_effect(checkout, monkeypatch):
    told = {note.id: note.computed for note in study_notes.notes("quarter")}
    # of an empty checkout, in which A itself is missing too
    assert "A with 3x3 in narrow: not run; run `verydeep run narrow A 256 --seed 0` (" in told["N5"]
    assert "verydeep run narrow A 256 --seed 0 --variant pool-3x3` (" in told["N5"]
    assert "verydeep run narrow A 256 --seed 0 --variant notes-weights` (" in told["N17"]
    ran = Effect(claims.ablations()["pool-3x3"], SimpleNamespace(ours=Interval(1.25, 0.5, 2.0), on_a_crop=False), ())
    assert ran.value == Interval(-1.25, -2.0, -0.5)  # the first row's error less the second's, which has the change
    monkeypatch.setattr(results.Snapshot, "effect", lambda self, name: ran)
    told = {note.id: note.computed for note in study_notes.notes("quarter")}
    assert told["N5"].endswith("A with 3x3 in narrow: -1.2 points, -2.0 to -0.5")
