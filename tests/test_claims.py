"""The rules of the claims, on made-up records that must yield each verdict."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from verydeep import claims, files, paper, predictions, results, runs, studies, tables
from verydeep.claims import NOT_REPRODUCED, NOT_TESTED, REPRODUCED, UNDECIDED
from verydeep.errors import UnknownName
from verydeep.statistics import Interval
from verydeep.studies.fusions import table6_fusions
from verydeep.studies.measurements import measured_by

N = 364


def invent(folder_of, wrong: dict[str, int], base):
    """A run with made-up predictions: for each measurement, that many of the images answered wrongly.

    Of two measurements the wrong images of the one are among those of the other, so every difference is as sure as it
    can be.
    """
    table = pd.read_parquet(base.folder / "predictions.parquet")
    one = table[table["measurement"] == "dense-256"].reset_index(drop=True)
    parts, measured = [], {}
    for name, count in wrong.items():
        part = one.copy()
        part["measurement"] = name
        shifted = (part["label"] + 1) % 10
        part["class_1"] = np.where(np.arange(N) < count, shifted, part["label"]).astype(np.int16)
        parts.append(part)
        measured[name] = predictions.errors(part)
    folder = folder_of.folder
    folder.mkdir(parents=True, exist_ok=True)
    with files.atomic(folder / "predictions.parquet") as path:
        pd.concat(parts).to_parquet(path, index=False)
    return measured


@pytest.fixture
def network(trained):
    """Writes the record of a network that answers so many images wrongly, by any measurement or as told."""
    base = studies.find_run("smoke", "A", 256)
    record = runs.read_record(base, "evaluate")

    def write(config, scale, wrong, variant=None, **others):
        run = studies.find_run("smoke", config, scale, variant=variant)
        counts = {one.name: others.get(one.method.replace("-", "_"), wrong) for one in measured_by(run)}
        measured = invent(run, counts, base)
        runs.unseal(run.folder, ["evaluate.json"])
        runs.write_record(
            run,
            record.model_copy(
                update={
                    "config": config,
                    "train_scale": run.train_scale,
                    "variant": variant,
                    "measurements": measured,
                }
            ),
        )
        return run

    return write


def fuse(name, wrong, trained):
    """The record of a row of Table 6 that answers so many images wrongly."""
    base = studies.find_run("smoke", "A", 256)
    record = runs.read_record(base, "evaluate")
    fusion = table6_fusions(studies.load("smoke"))[name]
    measured = invent(fusion, {fusion.method: wrong}, base)
    shared = record.model_dump(include={"sources", "environment", "device", "data", "started", "finished", "artefacts"})
    members = {run.name: {"weights_sha256": "0" * 64} for run in fusion.members}
    runs.write_record(
        fusion,
        runs.FuseRecord(
            study="smoke", method=fusion.method, members=members, protocol={}, cost={}, measurements=measured, **shared
        ),
    )


def verdict(number):
    return claims.verdict("smoke", number)


def test_every_claim_has_a_verdict_and_nothing_is_tested_before_it_ran(checkout):
    board = claims.board("quarter")
    assert [one.number for one in board] == [claim["number"] for claim in paper.claims()] == list(range(1, 33))
    assert {one.verdict for one in board} == {NOT_TESTED}
    assert all(one.ours is None for one in board)


def test_one_verdict_is_that_of_the_board(network):
    network("B", 256, 100)
    network("C", 256, 60)
    assert claims.verdict("smoke", 5) == claims.board("smoke")[4]
    table = tables.board("smoke", 8, 5)
    assert table.index.tolist() == [8, 5]
    assert table["verdict"].tolist() == [NOT_TESTED, REPRODUCED]
    with pytest.raises(UnknownName, match="unknown claim 33"):
        claims.verdict("smoke", 33)


def test_a_verdict_may_hang_on_the_way_of_testing(network):
    network("D", 256, 100, centre_crop=60)
    network("D", 384, 100, centre_crop=60)
    network("E", 256, 60, centre_crop=100)
    network("E", 384, 60, centre_crop=100)
    both = claims.on_one_crop("smoke")
    assert set(both) == {1, 3, 4, 5, 6, 8}  # of the others, no comparison is within Table 3
    dense, cropped = both[4]
    assert [pair.ours.value for pair in dense.compared[:2]] == pytest.approx([40 / N * 100] * 2)
    assert [pair.ours.value for pair in cropped.compared[:2]] == pytest.approx([-40 / N * 100] * 2)
    assert cropped.compared[0].second == "centre-crop.E-256"
    assert dense.paper == cropped.paper == claims.verdict("smoke", 4).paper
    table = tables.on_one_crop("smoke")
    assert table.loc[1, "paper's difference"] == "-0.10" and table.loc[1, "dense: verdict"] == NOT_TESTED


def test_on_one_crop_a_rule_keeps_its_comparisons_within_table_3(network):
    network("B", 256, 60, centre_crop=100)
    network("C", 256, 100, centre_crop=60)
    dense, cropped = claims.on_one_crop("smoke")[5]
    assert len(dense.compared) == len(cropped.compared) == 1
    assert (dense.verdict, cropped.verdict) == (NOT_REPRODUCED, REPRODUCED)


def test_on_one_crop_the_papers_rows_stay_beside_their_comparison(network, monkeypatch):
    """A rule that names the paper's rows, and has a comparison that is left out."""
    rule = replace(claims.rules()[5], compare=[["table4.B-256", "table4.C-256"], ["table3.B-256", "table3.C-256"]])
    rule = replace(rule, paper=[["table3.A-256", "table3.E-256"], ["table3.A-256", "table3.D-256"]])
    monkeypatch.setattr(claims, "rules", lambda: {5: rule})
    dense, cropped = claims.on_one_crop("smoke")[5]
    assert dense.paper == cropped.paper == pytest.approx(29.6 - 27.0)


def test_the_tally_counts_the_claims_that_have_a_rule(network):
    total = len(claims.rules())
    assert claims.tally("smoke") == {REPRODUCED: 0, NOT_REPRODUCED: 0, UNDECIDED: 0, NOT_TESTED: total}
    network("B", 256, 100)
    for wrong, found in [(60, REPRODUCED), (140, NOT_REPRODUCED)]:
        network("C", 256, wrong)
        counted = claims.tally("smoke")
        assert {verdict: count for verdict, count in counted.items() if count} == {found: 1, NOT_TESTED: total - 1}


def test_every_rule_is_of_cells_that_the_recorded_study_has():
    known = {found.id for found in results.numbers("quarter")}
    for rule in claims.rules().values():
        assert rule.rule in ("lower", "not-lower") and rule.combine in ("mean", "each")
        assert rule.combine == "mean" or rule.rule == "lower"  # which comparison speaks least is told for these
        for pair in rule.compare:
            assert len(pair) == 2
            for reference in pair:
                assert any(f"quarter.{one.strip()}.top1" in known for one in reference.split("|")), reference


def test_the_papers_own_differences_stand_beside(checkout):
    board = claims.board("quarter")
    assert board[0].paper == pytest.approx(29.6 - 29.7)
    assert board[2].paper == pytest.approx(29.6 - (28.7 + 28.1 + 27.0 + 27.3) / 4)
    assert board[5].paper == pytest.approx((1.1 + 1.3 + 1.7) / 3)
    assert board[6].paper is None  # the paper prints no row of the 5x5 network
    assert board[14].paper == pytest.approx(24.7 - 24.0)
    # the paper's own numbers bear its claims out, except where our reading of them says otherwise
    for one in board:
        if one.rule and one.paper is not None and one.rule.rule == "lower":
            assert one.paper > 0


@pytest.mark.parametrize(("b", "c", "expected"), [
    (100, 60, REPRODUCED), (60, 100, NOT_REPRODUCED), (100, 99, UNDECIDED), (100, 100, NOT_REPRODUCED),
])  # fmt: skip
def test_a_claim_of_a_lower_error(network, b, c, expected):
    network("B", 256, b)
    assert verdict(5).verdict == NOT_TESTED
    network("C", 256, c)
    found = verdict(5)
    assert found.verdict == expected
    assert found.ours.value == pytest.approx(100 * (b - c) / N)
    assert found.n == N
    assert len(found.compared) == 2


@pytest.mark.parametrize(("a", "lrn", "expected"), [
    (60, 60, REPRODUCED),  # no difference at all
    (60, 90, REPRODUCED),  # worse
    (90, 60, NOT_REPRODUCED),  # better by eight points
    (64, 60, UNDECIDED),  # better by about the margin
])  # fmt: skip
def test_a_claim_that_something_does_not_help(network, a, lrn, expected):
    network("A", 256, a)
    network("A-LRN", 256, lrn)
    assert verdict(1).verdict == expected


@pytest.mark.parametrize(("dense", "crops", "both", "expected"), [
    (100, 90, 60, REPRODUCED),  # better than each
    (100, 60, 60, NOT_REPRODUCED),  # better than one, no better than the other
    (100, 61, 60, UNDECIDED),  # surely better than the one only
])  # fmt: skip
def test_a_claim_that_every_comparison_must_bear_out(network, dense, crops, both, expected):
    for config in "DE":
        network(config, "jitter", dense, dense=dense, multi_crop=crops, both=both)
    found = verdict(13)
    assert found.verdict == expected
    assert [round(one.ours.value, 6) for one in found.compared] == [
        round(100 * (wrong - both) / N, 6) for wrong in (dense, crops, dense, crops)
    ]
    # what stands beside the verdict is what it rests on: here, what both ways gain over the better of them
    assert found.ours.value == pytest.approx(100 * (crops - both) / N)
    assert found.paper in [one.paper for one in found.compared]


def test_a_claim_of_fusions(network, trained):
    for config in "DE":
        network(config, "jitter", 90)
    fuse("2-dense", 60, trained)
    fuse("7-dense", 80, trained)
    assert verdict(15).verdict == REPRODUCED
    assert verdict(14).verdict == NOT_TESTED  # the fusion by both methods has not been run
    fuse("2-both", 60, trained)
    assert verdict(14).verdict == REPRODUCED


def test_depth_is_compared_at_equal_training_where_that_was_run():
    rule = claims.rules()[3]
    known = {found.id: found for found in results.numbers("quarter")}
    first = claims._resolve("quarter", rule.compare[0][0], known)
    assert first.id == "quarter.table3.A-256-longer.top1"
    smoke = {found.id: found for found in results.numbers("smoke")}
    assert claims._resolve("smoke", rule.compare[0][0], smoke).id == "smoke.table3.A-256.top1"


def test_a_verdict_changes_when_a_record_does(network):
    network("B", 256, 100)
    network("C", 256, 60)
    assert verdict(5).verdict == REPRODUCED
    network("C", 256, 140)
    assert verdict(5).verdict == NOT_REPRODUCED


def test_the_decision_alone():
    lower = claims.Rule(0, "", "lower", "mean", [], "")
    each = claims.Rule(0, "", "lower", "each", [], "")
    sure, open_, against = Interval(1, 0.5, 1.5), Interval(0.2, -0.3, 0.7), Interval(-1, -1.5, -0.5)
    assert claims.decide(lower, [against], sure) == REPRODUCED  # the average decides
    assert claims.decide(each, [sure, open_], sure) == UNDECIDED
    assert claims.decide(each, [sure, against], sure) == NOT_REPRODUCED
    assert claims.decide(claims.Rule(0, "", "not-lower", "mean", [], "", margin=1.0), [], open_) == REPRODUCED
    assert claims.decide(claims.Rule(0, "", "not-lower", "mean", [], "", margin=0.1), [], open_) == UNDECIDED


def test_no_damaged_run_passes_for_a_made_up_one(trained):
    shutil.rmtree(trained / "runs/smoke/A-256-s0")
    assert {one.verdict for one in claims.board("smoke")} == {NOT_TESTED}
