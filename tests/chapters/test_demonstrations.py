"""What chapters compute on real networks."""

import pytest

from verydeep.chapters.live import demonstrations


def test_the_dense_form_is_shown_to_be_equal():
    table = demonstrations.dense_equality("A", width_divisor=8)
    assert float(table["largest difference"].iloc[0]) < 1e-4 * float(table["scores' standard deviation"].iloc[0]) + 1e-6
    maps = demonstrations.score_maps("A", [224, 256, 320], width_divisor=8)
    assert maps["positions"].tolist() == [1, 4, 16]
    assert maps["score map"].tolist() == ["1x1x1000", "2x2x1000", "4x4x1000"]


def test_the_receptive_field_is_that_of_the_recursion_and_of_the_gradient():
    """conv3_1 of A sees 18 pixels, 4 apart, from -7 on; at 96 pixels its central unit is number 12."""
    table = demonstrations.receptive_field("A", "conv3_1", 96)
    assert table.index.tolist() == ["recursion", "gradient"]
    assert table.to_dict("list") == {"first pixel": [41] * 2, "last pixel": [58] * 2, "pixels": [18] * 2}
    picture, sides = demonstrations.effective_field("A", "conv3_1", 96, "he")
    theoretical, effective, share = sides.loc["conv3_1"]
    assert theoretical == 18 > effective > 5 and share == pytest.approx(100 * effective / 18, abs=0.5)
    (square,) = picture.figure.axes[0].patches
    assert square.get_bbox().extents.tolist() == [40.5, 40.5, 58.5, 58.5]


def test_the_response_is_krizhevskys_formula():
    """The sum is over the channel itself and four neighbours that are all alike."""
    *curves, constant = demonstrations.lrn_response((0, 50, 200)).figure.axes[0].lines
    for neighbour, curve in zip((0, 50, 200), curves, strict=True):
        x = curve.get_xdata()
        assert curve.get_ydata() == pytest.approx(x / (2 + 1e-4 * (x**2 + 4 * neighbour**2)) ** 0.75, rel=1e-4)
    assert constant.get_ydata() == pytest.approx(constant.get_xdata() / 2**0.75)


def test_the_cost_is_the_faster_of_two_turns_after_one_that_warms_up(monkeypatch):
    clock = iter([0, 9, 20, 20.3, 30, 30.2, 40, 40.1, 50, 50.5, 60, 60.6])
    monkeypatch.setattr(demonstrations.time, "monotonic", lambda: next(clock))
    cost = demonstrations.lrn_cost(64, 4)
    assert cost["milliseconds"].tolist() == [200, 500]
    assert cost["output (MiB)"].tolist() == [1, 1]  # 4 images, 16 channels, 64x64, 4 bytes
