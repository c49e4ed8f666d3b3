"""The ladder: one change a rung, and the rule by which a rung is taken."""

import itertools

import pytest

from verydeep import results, studies
from verydeep.chapters import display, figures, ladder_tables
from verydeep.networks import anatomy


def test_each_rung_adds_one_change_to_the_one_before_it():
    steps = ladder_tables.rungs(studies.load("narrow"))
    assert [run.row for run in steps] == ["D-256-random", *(f"D-256-ladder-{k}" for k in range(1, 7))]
    told = [ladder_tables.changed(run, before) for before, run in itertools.pairwise(steps)]
    assert told == [{"batch_norm": True}, {"head": "average"}, {"crops": "resized"}, {"label_smoothing": 0.1},
                    {"weight_average": 0.999}, {"epochs": 80}]  # fmt: skip
    assert {run.parent for run in steps} == {None}
    assert {(run.seed, run.train_scale) for run in steps} == {(0, "256")}


def test_a_rung_is_told_apart_from_the_last_one_that_was_taken(repository, monkeypatch):
    monkeypatch.setattr(ladder_tables, "taken", lambda errors: [True, True, False, True, *[None] * (len(errors) - 4)])
    told = ladder_tables.ladder("narrow")["adds"]
    assert told["D-256-ladder-3"] == "head: average, crops: resized", "what was not taken out is told"
    assert told["D-256-ladder-4"] == "label_smoothing: 0.1"


def test_the_picture_says_what_each_rung_adds_and_whether_it_was_taken(repository, monkeypatch):
    monkeypatch.setattr(ladder_tables, "taken", lambda errors: [True, True, False, *[None] * (len(errors) - 3)])
    points = ladder_tables.points("narrow")
    assert points["row"].tolist()[:3] == [
        "the study's recipe", "+ batch normalisation", "+ averages of the last map (not taken)",
    ]  # fmt: skip
    for row, run in zip(points.itertuples(), ladder_tables.rungs(studies.load("narrow")), strict=True):
        number = results.number(f"narrow.table3.{run.row}.top1")
        assert row.status == number.status
        assert (row.error, row.low, row.high) == (number.value, number.low, number.high) or number.value is None


@pytest.mark.parametrize(("errors", "verdicts"), [
    ([30.0, 25.0, 26.0, 25.5, 25.0], [True, True, False, False, True]),
    ([30.0, 31.0, 30.0], [True, False, True]),
    ([30.0, None, 20.0], [True, None, None]),
    ([None, 20.0], [None, None]),
])  # fmt: skip
def test_a_rung_is_taken_where_the_last_taken_one_is_not_better(errors, verdicts):
    assert ladder_tables.taken(errors) == verdicts


def test_what_was_not_run_says_so_with_its_command(checkout):
    table = ladder_tables.ladder("narrow")
    assert (table["held-out top-1"] == display.NOT_RUN).all() and (table["top-1"] == display.NOT_RUN).all()
    assert table.loc["D-256-ladder-3", "to run"].startswith("verydeep run narrow D 256 --seed 0 --variant ladder-3 (")
    for run in ladder_tables.rungs(studies.load("narrow")):
        expected = anatomy.parameters(run.configuration, run.size) / 1e6
        assert table.loc[run.row, "parameters (millions)"] == pytest.approx(expected, abs=5e-4)
    assert ladder_tables.ladder("smoke").empty
    for none in ("smoke", "narrow"):
        points = ladder_tables.points(none)
        assert points.empty
        assert figures.errors_picture(points).figure.axes[0].texts[0].get_text() == display.NOT_RUN
