"""What chapters compute on real networks."""

import pytest

from verydeep.chapters.live import demonstrations


def test_the_dense_form_is_shown_to_be_equal():
    table = demonstrations.dense_equality("A", width_divisor=8)
    assert float(table["largest difference"].iloc[0]) < 1e-4 * float(table["scores' standard deviation"].iloc[0]) + 1e-6
    maps = demonstrations.score_maps("A", [224, 256, 320], width_divisor=8)
    assert maps["positions"].tolist() == [1, 4, 16]


def test_normalisation_is_drawn_and_timed():
    cost = demonstrations.lrn_cost(32, 8)
    assert (cost["milliseconds"] >= 0).all() and cost["output (MiB)"].nunique() == 1
    axes = demonstrations.lrn_response().figure.axes[0]
    constant = axes.lines[-1].get_ydata()
    alone = axes.lines[0].get_ydata()
    assert alone[1] == pytest.approx(constant[1], rel=1e-3) and alone[-1] < constant[-1]
