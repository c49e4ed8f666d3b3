"""Ablations: their rules, their effects on made-up records, and that each is of networks that a study trains."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from verydeep import results, studies
from verydeep.chapters import ablation_tables, display, ladder_tables
from verydeep.errors import UnknownName
from verydeep.results import claims
from verydeep.results.claims import Effect, ablations, history
from verydeep.results.claims.rulebook import Rule
from verydeep.statistics import Interval


@pytest.mark.parametrize("name", ablations())
def test_every_ablation_is_of_networks_that_narrow_trains(name, checkout):
    ablation = ablations()[name]
    effect = results.read("narrow").effect(name)
    assert effect.value is None and effect.verdict.verdict == claims.NOT_TESTED
    assert ablation.changed in ("first", "second") and ablation.rule.combine == "mean"
    assert effect.missing and all(run.row not in ("", None) for run in effect.missing)
    if ablation.claim is None:
        compared = [reference for pair in ablation.rule.compare for reference in pair]
        added = {run.row for run in studies.planned_runs(studies.load("narrow"))} - {*results.printed_rows("table3")}
        halves = sorted(itertools.chain(*(ablations()[f"jitter-after-{scale}"].rule.compare for scale in (256, 384))))
        if ablation.rule.compare[0] in halves:  # of claim 8, whose rule asks for two changes at once
            assert halves == sorted(claims.rules()[8].compare)
        else:
            assert any(reference.partition(".")[2] in added for reference in compared)
        assert not any("|" in reference for reference in compared), "one pair of networks, and no other"


def test_every_single_change_of_narrow_is_judged_by_a_rule():
    compared = str([ablation.rule.compare for ablation in ablations().values()])
    for run in studies.planned_runs(studies.load("narrow")):
        judged_elsewhere = ("longer", "fc-only", *(rung.variant for rung in ladder_tables.rungs(run.study)[1:]))
        if run.variant and run.variant not in judged_elsewhere:
            assert run.row in compared, f"{run.row} has no rule in results/claims/ablations.yaml"


@pytest.mark.parametrize(("changed", "expected"), [
    ("first", Interval(1.0, 0.5, 2.0)), ("second", Interval(-1.0, -2.0, -0.5)),
])  # fmt: skip
def test_an_effect_is_the_error_with_the_change_less_that_without(changed, expected):
    rule = Rule(number="made-up", rule="lower", combine="mean", compare=[["table3.A-256", "table3.B-256"]], reads="")
    verdict = SimpleNamespace(ours=Interval(1.0, 0.5, 2.0))  # the first row's error less the second's
    assert Effect(claims.Ablation("made-up", "", changed, rule), verdict, ()).value == expected


@pytest.mark.parametrize(("claim", "said"), [
    (None, ("holds", "holds in part", "does not hold")),
    (7, (claims.REPRODUCED, claims.IN_PART, claims.NOT_REPRODUCED)),
])  # fmt: skip
def test_only_a_claim_of_the_paper_can_be_reproduced(claim, said):
    """Initial weights from which nothing learns were once called reproduced, since their rule says that they fail."""
    rule = Rule(number="made-up", rule="lower", combine="mean", compare=[["table3.A-256", "table3.B-256"]], reads="")
    ablation = claims.Ablation("made-up", "", "first", rule, claim)

    def words(verdict):
        return Effect(ablation, SimpleNamespace(verdict=verdict), ()).said

    assert tuple(map(words, (claims.REPRODUCED, claims.IN_PART, claims.NOT_REPRODUCED))) == said
    assert [words(verdict) for verdict in (claims.UNDECIDED, claims.UNFAIR)] == [claims.UNDECIDED, claims.UNFAIR]


def test_effects_are_recorded_differences_in_order_of_size():
    """Of the recorded study, in which some of the changes have been run."""
    snapshot = results.read("quarter")
    values = [effect.value for effect in snapshot.effects]
    sizes = [abs(value.value) for value in values if value]
    assert len(sizes) >= 4 and sizes == sorted(sizes, reverse=True)
    assert values[: len(sizes)].count(None) == 0, "what was not run comes last"
    jitter = snapshot.effect("jitter-after-384")
    assert jitter.value.value == pytest.approx(-np.mean([pair.ours.value for pair in jitter.verdict.compared]))
    assert not jitter.missing
    table = ablation_tables.what_matters("quarter")
    assert table.loc[jitter.ablation.change, "effect on top-1"].startswith(display.difference(jitter.value))
    assert table.loc[jitter.ablation.change, "compared"].startswith("C-jitter against C-384")


def test_what_was_not_run_has_its_command_and_its_time(checkout):
    table = ablation_tables.what_matters("narrow")
    shown = table.loc[ablations()["batch-norm"].change]
    assert shown["effect on top-1"] == "not run"
    assert shown["to run"].startswith("verydeep run narrow A 256 --seed 0 (56 min); ")  # 2.7e14 at 8e10 a second
    assert "verydeep run narrow E 256 --seed 0 --variant batch-norm (2.3 h)" in shown["to run"]
    assert shown["others report"] == "torchvision, over ImageNet: A -1.4, E -1.8 points"


def test_an_ablation_that_a_study_does_not_have_is_named_with_those_it_has():
    with pytest.raises(UnknownName, match="unknown ablation 'pool-3x3': choose one of jitter-after-256, "):
        results.read("quarter").effect("pool-3x3")
    assert results.read("released").effects == ()


def test_a_changed_rule_of_an_ablation_must_be_told(monkeypatch):
    rule = ablations()["no-flip"].rule
    changed = history.Version(Rule(**(vars(rule) | {"margin": 3.0})), "c" * 40, "2026-11-27T00:00:00+00:00")
    monkeypatch.setattr(history, "versions", lambda: [changed, history.Version(rule, "d" * 40, "2026-11-28")])
    (fault,) = history.undisclosed_changes()
    assert fault.startswith("results/claims/ablations.yaml: the rule of no-flip of 2026-11-27 (ccccccc) was changed")
