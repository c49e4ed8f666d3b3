"""How long the trainings of a study take, and took."""

from statistics import median
from types import SimpleNamespace

import pytest

from verydeep import runs, studies
from verydeep.results import status, training_cost


def test_times_are_told_apart_by_device():
    """A study is trained on whatever is at hand; a card's minutes say nothing of a processor's hours."""
    narrow = studies.load("narrow")
    recorded = [(run, record) for run in studies.planned_runs(narrow) if (record := runs.read_record(run, "train"))]
    pace = training_cost.pace(narrow)
    assert set(pace.rates) == {"on a CPU", "on a GPU"} and "measured" in pace.basis
    for kind, where in (("cpu", "on a CPU"), ("cuda", "on a GPU")):
        made = [one.cost.images_seen * run.training_multiply_adds / one.cost.seconds
                for run, one in recorded if one.device.type == kind]  # fmt: skip
        assert len(made) > 2 and pace.rates[where] == median(made)
    work = 60 * pace.rates["on a CPU"] * 60
    assert pace.time(work).startswith("60 min on a CPU, ") and pace.time(work).endswith("min on a GPU")


def test_a_device_without_a_word_for_it_is_named(monkeypatch):
    cost, device = SimpleNamespace(seconds=60), SimpleNamespace(type="mps")
    monkeypatch.setattr(training_cost, "done_multiply_adds", lambda *_: 6e12)
    monkeypatch.setattr(runs, "read_record", lambda *_: SimpleNamespace(cost=cost, device=device))
    assert training_cost.pace(studies.load("narrow")).time(6e12) == "60 s on mps"


def test_nothing_recorded_is_said_to_be_assumed(checkout):
    pace = training_cost.pace(studies.load("narrow"))
    assert pace.basis == "assumed" and pace.time(60 * 60 * next(iter(pace.rates.values()))) == "60 min"
    assert "assumed" in status.show_study("narrow")


@pytest.mark.parametrize("config", ["D", "E"])
def test_time_left_counts_what_a_run_starts_from(checkout, config):
    run = studies.find_run("narrow", config, "jitter")
    alone = training_cost.planned_multiply_adds(run)
    all_of_it = sum(map(training_cost.planned_multiply_adds, studies.lineage(run)))
    assert all_of_it > 2 * alone
    assert training_cost.time_left(run) == training_cost.pace(run.study).time(all_of_it)


def test_time_left_leaves_out_what_is_trained_already(trained):
    run = studies.find_run("smoke", "D", 256)
    alone = training_cost.planned_multiply_adds(run)
    assert run.parent is not None and training_cost.time_left(run) == training_cost.pace(run.study).time(alone)
    assert training_cost.time_left(run) != training_cost.pace(run.study).time(
        alone + training_cost.planned_multiply_adds(run.parent)
    )


def test_a_pace_is_told_however_small_or_large():
    shown = str(training_cost.Pace({"on a CPU": 5.73e9, "on a GPU": 2.04e13}, "assumed"))
    assert shown == "5.7 G multiply-adds/s on a CPU, 20,400 G multiply-adds/s on a GPU, assumed"
    assert training_cost.Pace({"": 4.6e7}, "assumed").time(4.6e8) == "10 s" and "0.046 G" in str(
        training_cost.Pace({"": 4.6e7}, "")
    )
