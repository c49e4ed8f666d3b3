"""Errors of A to E against their depth, recipe by recipe."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from verydeep import results, runs, studies
from verydeep.chapters import depth_tables, figures, findings


def test_every_point_against_depth_is_a_number_of_the_book():
    frame = depth_tables.by_depth()
    assert {"paper", "narrow", "quarter"} <= set(frame["source"]) <= {"paper", *findings.recorded()}
    assert dict(zip(frame["config"], frame["layers"], strict=True)) == {"A": 11, "B": 13, "C": 16, "D": 16, "E": 19}
    for row in frame.itertuples():
        if row.source == "paper":
            assert row.error == results.paper_number(f"table3.{row.config}-256.top1")
            continue
        table = "centre-crop" if row.way == "centre-crop" else "table3"
        number = results.number(f"{row.source}.{table}.{row.row}.top1")
        assert (row.error, row.low, row.high) == (number.value, number.low, number.high)


def test_networks_of_one_recipe_are_one_line_whatever_their_variants_are_called():
    """The first rung of the ladder changes what the variant ``batch-norm`` does, of D."""
    frame = depth_tables.by_depth()
    lines = frame[frame["source"] == "narrow"].groupby("trained")["row"].agg(set)
    assert lines["40 epochs, random weights, batch normalisation"] == {
        "A-256-batch-norm",
        "B-256-batch-norm",
        "C-256-batch-norm",
        "D-256-ladder-1",
        "E-256-batch-norm",
    }
    assert lines["80 epochs"] == {"A-256-longer"}
    assert lines["40 epochs"] >= {"A-256", "D-256"}


def test_a_recipe_of_which_one_depth_is_measured_is_no_line_yet():
    """For 40 epochs Glorot's weights have A alone, and so has ``wide``; where B is measured too, a recipe is shown."""
    lines = depth_tables.by_depth().groupby(["source", "trained"])["layers"].nunique()
    glorot = lines["narrow"][lines["narrow"].index.str.contains("Glorot")]
    assert glorot.to_dict() == {"80 epochs, Glorot's weights, random weights": 2}, "A of 40 epochs is beside none"
    alone = results.number("narrow.table3.A-256-batch-norm.top1")

    def shown(*done):
        way, study = SimpleNamespace(way=None), studies.load("narrow")
        return depth_tables._measured(SimpleNamespace(study=study, done=done, verdict=lambda claim: way))

    both = shown(alone, replace(alone, id="narrow.table3.B-256-batch-norm.top1", run="B-256-batch-norm-s0"))
    assert shown(alone) == [] and [one["row"] for one in both] == ["A-256-batch-norm", "B-256-batch-norm"]
    assert {one["trained"] for one in both} == {"40 epochs, random weights, batch normalisation"}


def test_the_picture_says_which_networks_had_an_a_before_them():
    """B to E of 40 epochs start from an A of 40: beside it stands A after 80, and the legend must not hide that."""
    axes = figures.error_by_depth(depth_tables.by_depth()).figure.axes
    said = {text.get_text().replace("\n", " ") for one in axes if one.get_legend() for text in one.get_legend().texts}
    assert {"40 epochs, B–E after A's 40", "A, 80 epochs", "12 epochs, B–E after A's 12"} <= said
    assert "40 epochs, random weights" in said


def test_the_networks_are_named_on_the_line_with_the_lowest_error():
    """Whichever recipe was recorded last, D by Glorot's, was once the one in colour."""
    frame = depth_tables.by_depth()
    for axes, (_, part) in zip(
        figures.error_by_depth(frame).figure.axes, frame.groupby("source", sort=False), strict=False
    ):
        several = part[part.groupby("trained")["layers"].transform("nunique") > 1]
        best = several.loc[several["error"].idxmin()]
        line = several[several["trained"] == best["trained"]]
        assert {text.get_text(): text.xy for text in axes.texts} == {
            row.config: (row.layers, pytest.approx(row.error, abs=2)) for row in line.itertuples()
        }


def test_of_two_networks_as_deep_the_name_of_the_better_one_stands_below():
    """C and D have 16 layers: which is which must not depend on which of them the paper found better."""
    compared = 0
    for axes in figures.error_by_depth(depth_tables.by_depth()).figure.axes:
        for one, other in itertools.combinations(axes.texts, 2):
            if one.xy[0] == other.xy[0]:
                better, worse = sorted((one, other), key=lambda name: name.xy[1])
                assert better.xyann[1] < 0 < worse.xyann[1]
                compared += 1
    assert compared >= 2, "in the paper and in quarter"


def test_the_panels_of_the_picture_are_equally_high_and_hold_their_points():
    frame = depth_tables.by_depth()
    shown = [axes for axes in figures.error_by_depth(frame).figure.axes if axes.axison]
    heights = [np.diff(axes.get_ylim())[0] for axes in shown]
    assert len(shown) == frame["source"].nunique() and max(heights) == pytest.approx(min(heights))
    for axes, (_, part) in zip(shown, frame.groupby("source", sort=False), strict=True):
        low, high = axes.get_ylim()
        assert low < part["low"].min() and part["high"].max() < high
        title = axes.get_legend().get_title().get_text() if axes.get_legend() else axes.get_title(loc="left")
        assert ("one crop" in title) == {"centre-crop"}.issuperset(part["way"]), title


def test_a_single_network_has_its_lines_colour_and_lies_on_no_other_mark():
    """All hollow marks were once blue, also those of grey lines, and one lay on the line of another recipe."""
    frame = depth_tables.by_depth()
    frame = frame.assign(line=frame.groupby(["source", "trained"])["row"].transform("size") > 1)
    alone = frame[~frame["line"]]
    assert len(alone) >= 3
    shown = figures.error_by_depth(frame).figure.axes
    for axes, (_, part) in zip(shown, frame.groupby("source", sort=False), strict=False):
        drawn = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
        best = part.loc[part.loc[part["line"], "error"].idxmin(), "recipe"]
        hollow = [line for line in drawn if line.get_markerfacecolor() == "white"]
        for mark, row in zip(hollow, part[~part["line"]].itertuples(), strict=True):
            assert mark.get_ydata()[0] == row.error and mark.get_xdata()[0] < row.layers
            blue = {line.get_color() for line in drawn if line.get_linewidth() == 1.8}
            assert ({mark.get_color()} == blue) == (row.recipe == best), row.row
        at = np.concatenate([axes.transData.transform(line.get_xydata()) for line in hollow] or [np.empty((0, 2))])
        others = [axes.transData.transform(line.get_xydata()) for line in drawn if line not in hollow]
        size = 4 * axes.figure.dpi / 72
        for point in at:
            assert np.linalg.norm(np.concatenate(others) - point, axis=1).min() > 2 * size


def test_each_recipe_has_its_errors_in_testing_and_in_training():
    table = depth_tables.by_recipe("narrow")
    normalised = "40 epochs, random weights, batch normalisation"
    tested, trained = (table.loc[(normalised, told)] for told in ("validation, dense", "training crops"))
    for config, row in zip("ABCDE", ("A-256-batch-norm", "B-256-batch-norm", "C-256-batch-norm", "D-256-ladder-1",
                                     "E-256-batch-norm"), strict=True):  # fmt: skip
        assert tested[config] == round(results.number(f"narrow.table3.{row}.top1").value, 1)
        (run,) = (run for run in studies.planned_runs(studies.load("narrow")) if (run.row, run.seed) == (row, 0))
        assert trained[config] == round(runs.read_record(run, "train").metrics.train_top1_error, 1)
    alone = table.loc["A, 80 epochs"]
    assert alone["A"].notna().all() and alone[[*"BCDE"]].isna().all(axis=None)


def test_of_several_seeds_the_error_in_training_is_their_mean_too():
    seeds = [run for run in studies.planned_runs(studies.load("narrow")) if run.row == "A-256"]
    errors = [runs.read_record(run, "train").metrics.train_top1_error for run in seeds]
    assert len(errors) > 1 and len({*errors}) > 1
    shown = depth_tables.by_recipe("narrow").loc[("40 epochs, B–E after A's 40", "training crops"), "A"]
    assert shown == round(sum(errors) / len(errors), 1)


def test_a_study_that_is_tested_on_one_crop_says_so_and_one_with_one_depth_has_no_rows():
    where = depth_tables.by_recipe("quarter").index.get_level_values("error on")
    assert {*where} == {"validation, one crop", "training crops"}
    assert depth_tables.by_recipe("wide").empty
