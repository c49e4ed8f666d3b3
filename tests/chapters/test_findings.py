"""What is said first: of the studies that are recorded, by what their records say."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from conftest import REPOSITORY
from verydeep import paper, results
from verydeep.chapters import costs, depth_tables, error_tables, figures, findings, result_tables, training_tables
from verydeep.results import claims


def test_studies_that_were_trained_here_are_recorded_and_no_others():
    assert {"quarter", "narrow"} <= set(findings.recorded())
    assert not {"smoke", "released", "full"} & set(findings.recorded())


def test_beside_a_table_stand_the_studies_that_have_a_row_of_it():
    """Those of Table 7 are rows of other tables: of the paper's two networks, its single one, AlexNet and GoogLeNet."""
    assert [findings.others("quarter", table) for table in (3, 7, 9)] == [["narrow", "wide"], ["narrow"], []]
    assert findings.others("narrow", 11) == ["quarter"]  # whose precisions are no errors
    assert "narrow top-1 (%)" in result_tables.result_table(7, "quarter", *findings.others("quarter", 7)).head


def test_a_cell_of_the_table_is_the_verdict_and_its_difference():
    shown, verdict = findings.verdicts_table(), results.read("quarter").verdict(6)
    assert len(shown) == len(claims.rules())
    cell = shown.loc["3x3 beats 1x1 (D)", "quarter"]
    assert cell.startswith(f"{verdict.verdict}: ") and f"{verdict.ours.value:+.1f} points" in cell
    assert shown.loc["3x3 beats 1x1 (D)", "paper's difference"] == f"{verdict.paper:+.2f}"


def test_a_study_that_tests_none_of_the_claims_asked_for_has_no_column():
    assert not findings.tests_any("quarter", [31])
    assert "quarter" not in findings.verdicts_table(31)


def test_in_short_every_claim_is_told_under_its_fair_verdicts_or_counted():
    told = {}
    *lines, last = findings.in_short(["quarter", "narrow"]).splitlines()
    for line in lines:
        said, listed = re.fullmatch(r"- \*\*(.*)\*\*[^:]*: (.*)\.", line).groups()
        for claim in listed.split("; "):
            told.setdefault(claim, set()).add(said.lower())
    counted = dict.fromkeys((claims.UNFAIR, claims.NOT_TESTED), 0)
    for number, rule in claims.rules().items():
        judged = {results.read(study).verdict(number).verdict for study in ("quarter", "narrow")}
        fair = judged - {claims.UNFAIR, claims.NOT_TESTED}
        assert told.get(rule.name, set()) == fair
        if not fair:
            counted[claims.UNFAIR if claims.UNFAIR in judged else claims.NOT_TESTED] += 1
    assert (
        last.lower()
        == f"- **not tested fairly**: {counted[claims.UNFAIR]}; **not tested**: {counted[claims.NOT_TESTED]}."
    )


def test_held_out_errors_are_shown_as_high_as_they_differ():
    frames = {study: training_tables.budget(study) for study in ("quarter", "narrow")}
    axes = [one for one in figures.error_by_updates(frames).figure.axes if one.get_title()]
    for (left, right), frame in zip(zip(axes[::2], axes[1::2], strict=True), frames.values(), strict=True):
        low, high = right.get_ylim()
        assert left.get_ylim()[0] == 0 and 0 < low < frame["low"].min() and frame["high"].max() < high
        assert frame["high"].max() - frame["low"].min() > 0.75 * (high - low)
        marks = np.concatenate([line.get_xydata() for line in left.lines])
        same = frame.groupby("updates")["config"].nunique().max()
        assert same > 1 and len({*marks[:, 0]}) > frame["updates"].nunique(), "those of as many updates side by side"


def test_curves_are_of_the_networks_that_were_trained_the_shallowest_first():
    histories = training_tables.histories("quarter")
    assert list(histories) == ["A", "B", "C", "D", "E"]
    assert list(training_tables.histories("quarter", "longer")) == ["A"]
    left, right = figures.curves_by_depth(histories).figure.axes
    assert len(left.lines) == len(right.lines) == 5
    assert right.lines[4].get_ydata()[-1] == histories["E"]["held_out_top1_error"].iloc[-1]


def test_the_cost_of_several_studies_is_the_sum_of_each():
    one, other = costs.study_cost("quarter"), costs.study_cost("narrow")
    both = costs.studies_cost(["quarter", "narrow"])
    assert both["networks"] == one["networks"] + other["networks"]
    assert both["hours"] == pytest.approx(one["hours"] + other["hours"])
    assert both["gpu_hours"] == pytest.approx(one["gpu_hours"] + other["gpu_hours"])
    assert both["cores"] == max(one["cores"], other["cores"])
    every = [json.loads(path.read_text()) for path in (REPOSITORY / "runs/quarter").glob("*/*.json")]
    for key, kind in (("hours", "cpu"), ("gpu_hours", "cuda")):
        seconds = sum(record["cost"]["seconds"] for record in every if record["device"]["type"] == kind)
        assert one[key] == pytest.approx(seconds / 3600) and one[key] > 0


def test_what_others_published_has_a_source_in_the_list():
    known = Path(__file__).parents[2].joinpath("book", "references.bib").read_text()
    for row in paper.errors_of_others().itertuples():
        assert f"{{{row.source}," in known and 0 < row.top1_error < 100
    table = findings.errors_of_others("tiny-imagenet")
    assert "58.2" in table and "xResNet" not in table


def test_a_checkout_without_a_recorded_study_says_that_nothing_was_tested(checkout):
    assert findings.recorded() == []
    assert findings.in_short([]) == f"- **Not tested**: {len(claims.rules())}."
    assert set(depth_tables.by_depth()["source"]) == {"paper"}
    assert len(figures.error_by_depth(depth_tables.by_depth()).figure.axes[0].lines) > 0
    assert costs.studies_cost([]) == dict.fromkeys(
        ("networks", "planned", "pilots", "hours", "gpu_hours", "operations", "cores"), 0
    )
    assert figures.curves_by_depth(training_tables.histories("narrow")).figure.axes[0].lines[:] == []
    for study in ("narrow", "released"):
        empty = costs.testing_cost(study)
        assert f"No network of {study} has been tested yet." in empty._repr_html_()
        assert figures.cost_picture(empty).figure.axes[0].texts[0].get_text() == "not run"


def test_every_mean_over_seeds_is_called_so_where_numbers_stand_alone():
    """In the README, where a number leads to the record of one run."""
    for number in results.read("narrow").numbers:
        if number.id.startswith("narrow.table3.") and number.metric == "top1" and len(number.runs) > 1:
            assert f"{number.row} of `narrow` ({len(number.runs)})" in error_tables.headline()
    assert len(results.number("narrow.table3.A-256.top1").runs) > 1


def test_the_readme_has_every_network_that_the_verdict_on_depth_compares():
    shown = error_tables.headline()
    for study in error_tables.HEADLINE:
        compared = results.read(study).verdict(3).compared
        rows = {name.partition(".")[2] for pair in compared for name in (pair.first, pair.second)}
        assert len(rows) == 5
        assert [row for row in sorted(rows) if f"](runs/{study}/{row}-s0) " not in shown] == []


def test_where_studies_rest_on_other_rows_the_paper_s_difference_has_their_names():
    table = findings.verdicts_table(14, 15)["paper's difference"]
    each, both = (
        {name: results.read(name).verdict(number).paper for name in ("narrow", "quarter")} for number in (14, 15)
    )
    assert each["narrow"] != each["quarter"] and both["narrow"] == both["quarter"]
    assert table.iloc[0] == ", ".join(f"{paper:+.2f} ({name})" for name, paper in each.items())
    assert table.iloc[1] == f"{both['narrow']:+.2f}"


def test_the_comparison_that_decides_is_named_where_each_must_hold():
    table = findings.verdicts_table(3, 24, 28)["narrow"]
    assert "(E-jitter against D-jitter)" in table["Caltech: D+E is best"]
    assert "voc" not in table["VOC: D+E is best"] and " against " in table["VOC: D+E is best"]
    assert " against " not in table.iloc[0], "the mean of several comparisons is none of them"
