"""Every picture as a person sees it: what it is shown as, and whether its words can be read in light and dark."""

import importlib
import inspect
import io
import math
import pkgutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.legend import Legend
from matplotlib.text import Text
from PIL import Image

from verydeep import results, studies
from verydeep.chapters import (
    class_tables,
    costs,
    depth_tables,
    error_tables,
    faults,
    figures,
    forecast_checks,
    house,
    training_tables,
)
from verydeep.chapters.figures import Picture, numbers, style
from verydeep.networks import peers, vgg
from verydeep.networks.configurations import Size

pytestmark = pytest.mark.usefixtures("repository")

#: The grounds of the book's two modes, and how much lighter or darker than its ground a text is at least (WCAG 1.4.3).
LIGHT, DARK, CONTRAST = "#ffffff", "#121212", 4.5
#: What the style sheet does to a drawing in the dark: invert(1), then hue-rotate(180deg), as Filter Effects defines it.
TURNED = np.array([[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]])


def _photographs(count: int, side: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def _history() -> pd.DataFrame:
    return pd.read_csv(studies.find_run("narrow", "A", 256).folder / "history.csv")


def _predictions() -> pd.DataFrame:
    return pd.DataFrame({"label": [0, 1], "class_1": [0, 0], "probability_1": [0.9, 0.4]})


def _signals() -> pd.DataFrame:
    columns = pd.MultiIndex.from_product([["he", "paper"], ["activation", "gradient"]])
    return pd.DataFrame(np.full((3, 4), 0.5), index=["conv1_1", "conv1_2", "fc8"], columns=columns)


def _by_images() -> pd.DataFrame:
    ways = np.repeat(["frozen", "tuned", "random"], 2)
    return pd.DataFrame({"way": ways, "images": [5, 30] * 3, "error": 50.0, "low": 45.0, "high": 56.0})


def _boxes(images: int, each: int) -> list[np.ndarray]:
    return [np.tile([0.1, 0.2, 0.7, 0.9], (each, 1)) for _ in range(images)]


def _extremes() -> pd.DataFrame:
    said, true = [one[0] for one in _boxes(2, 1)], _boxes(2, 1)
    return pd.DataFrame({"image": ["val/a", "val/b"], "iou": [0.9, 0.1], "box": said, "truth": true})


#: How each is called; one that is new needs a line here, or the test below fails.
DRAWINGS = {
    "numbers.learning_curve": lambda draw: draw(_history(), "A"),
    "numbers.errors_picture": lambda draw: draw(error_tables.points(3, ["quarter", "full"])),
    "numbers.errors_by_class": lambda draw: draw(class_tables.errors_by_class("narrow", "A-256", "D-256")),
    "numbers.forest": lambda draw: draw(results.read("quarter").verdicts),
    "numbers.effects": lambda draw: draw([*results.read("quarter").effects, *results.read("narrow").effects]),
    "numbers.cost_picture": lambda draw: draw(costs.testing_cost("quarter")),
    "numbers.kills": lambda draw: draw(faults.kills()),
    "numbers.heat_map": lambda draw: draw(pd.DataFrame(np.arange(9.0).reshape(3, 3), list("ABC"), list("ABC")), "%"),
    "learning.error_by_images": lambda draw: draw(_by_images()),
    "learning.loss_curve": lambda draw: draw([2.0, 1.0, 0.5]),
    "depth.error_by_depth": lambda draw: draw(depth_tables.by_depth()),
    "depth.curves_by_depth": lambda draw: draw(training_tables.histories("narrow"), "narrow"),
    "depth.error_by_updates": lambda draw: draw({"quarter": training_tables.budget("quarter")}),
    "networks.shares": lambda draw: draw("D"),
    "networks.stacks_in_one_dimension": lambda draw: draw(),
    "networks.receptive_fields": lambda draw: draw(),
    "networks.signals": lambda draw: draw(_signals(), "gradient", "A"),
    "networks.footprint": lambda draw: draw(np.eye(60), 20, 40, "conv3_1"),
    "networks.peers_picture": lambda draw: draw(peers.compare()),
    "networks.configurations_diagram": lambda draw: draw(),
    "house.house": lambda draw: draw(house.floors(), house.imports()),
    "boxes.extremes": lambda draw: draw(_extremes(), 0.5),
    "speed.model_against_measured": lambda draw: draw(forecast_checks.checks()),
    "images.crop_posteriors": lambda draw: draw([np.eye(5), np.full((5, 5), 0.6)], ["Q=256", "Q=288"], "cat"),
    "images.posteriors_by_scale": lambda draw: draw(
        [224, 256, 268, 384, 400], np.full((5, 2), 0.4), np.full(2, 0.3), ["cat", "dog"]
    ),
}
PHOTOGRAPHS = {
    "boxes.box_grid": lambda draw: draw(
        ["cat", "dog"], _boxes(2, 1), _boxes(2, 2), [True, False], list(_photographs(2))
    ),
    "boxes.crops_with_boxes": lambda draw: draw(
        _photographs(2), np.array([[-0.2, 0.1, 0.6, 1.2], [np.nan] * 4]), ["epoch 1", "epoch 2, mirrored"], 2
    ),
    "boxes.merging": lambda draw: draw(_photographs(1)[0], _boxes(2, 3), ["3 windows", "the best"], _boxes(1, 1)[0]),
    "insides.filters": lambda draw: draw(np.random.default_rng(0).normal(size=(9, 3, 3, 3))),
    "insides.patches": lambda draw: draw(
        {"conv1_2, channel 3": list(_photographs(3)), "conv2_2": list(_photographs(2))}
    ),
    "images.image_grid": lambda draw: draw(_photographs(5), list("abcde")),
    "images.prediction_grid": lambda draw: draw(_photographs(2), _predictions(), ["cat", "dog"]),
    "images.score_maps": lambda draw: draw(_photographs(1), [np.eye(3)], [(2, 2)], ["Q=256"], "cat"),
    "images.crop_grid": lambda draw: draw(_photographs(1), ["Q=256"], [([0, 8], [0, 8])], 32),
}


def functions() -> dict:
    """Every public function that draws, by module and name."""
    found = {}
    for module in pkgutil.walk_packages(figures.__path__, "verydeep.chapters.figures."):
        for key, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if function.__module__ == module.name and function.__annotations__.get("return") is Picture:
                found[f"{module.name.rpartition('.')[2]}.{key}"] = function
    return {name: function for name, function in found.items() if name != "style.finished"}


def test_every_picture_is_looked_at():
    assert set(functions()) == set(DRAWINGS) | set(PHOTOGRAPHS)


def shown(name: str) -> Picture:
    return (DRAWINGS | PHOTOGRAPHS)[name](functions()[name])


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_a_drawing_is_svg_that_can_be_read_in_light_and_dark(name):
    picture = shown(name)
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/plain"}
    assert len(bundle["image/svg+xml"]) < 400_000
    assert unreadable(picture) == []
    assert hidden(picture) == []


@pytest.mark.parametrize(
    ("boxes", "titles", "curves"),
    [
        (False, ["Cross-entropy", "Error (%)"], ["training crops, top-1", "held out, top-1", "held out, top-5"]),
        (True, ["Euclidean loss", "Error of the boxes (%)"], ["training crops", "held out"]),
    ],
)
def test_a_learning_curve_says_what_the_network_learns(boxes, titles, curves):
    loss, errors, _ = numbers.learning_curve(_history(), "A", boxes).figure.axes
    assert [loss.get_title(), errors.get_title()] == titles
    assert [line.get_label() for line in errors.lines] == curves


def drawn(picture: Picture) -> list[list[list]]:
    """What the lines of each of its axes lie on: ``[x, y]`` of every line."""
    return [
        [[np.ravel(line.get_xdata()).tolist(), np.ravel(line.get_ydata()).tolist()] for line in axes.lines]
        for axes in picture.figure.axes
    ]


def words(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_curves_lie_on_the_numbers_that_they_are_of():
    history = _history()
    curves = ["train_loss", "held_out_loss"], ["train_top1_error", "held_out_top1_error", "held_out_top5_error"]
    expected = [[[history["epoch"].tolist(), history[name].tolist()] for name in of] for of in curves]
    expected.append([[history["epoch"].tolist(), history["learning_rate"].tolist()]])
    assert drawn(numbers.learning_curve(history, "A")) == expected
    assert drawn(functions()["learning.loss_curve"]([2.0, 1.0, 0.5])) == [[[[1, 2, 3], [2.0, 1.0, 0.5]]]]
    said = functions()["networks.signals"](_signals() * [1, 2, 3, 4], "gradient", "A")
    assert drawn(said) == [[[[0, 1, 2], [1.0] * 3], [[0, 1, 2], [2.0] * 3]]]
    posteriors, average = np.array([[0.1, 0.7], [0.3, 0.5]]), np.array([0.2, 0.6])
    (lines,) = drawn(functions()["images.posteriors_by_scale"]([224, 256], posteriors, average, ["cat", "dog"]))
    assert [y for _, y in lines] == [pytest.approx(y) for y in ([10, 30], [20, 20], [70, 50], [60, 60])]
    (axes,) = functions()["learning.error_by_images"](_by_images()).figure.axes
    assert [bars[0].get_xydata().tolist() for bars in axes.containers] == [[[5, 50], [30, 50]]] * 3
    spread = [[[5, 45], [5, 56]], [[30, 45], [30, 56]]]
    assert [[one.tolist() for one in bars[2][0].get_segments()] for bars in axes.containers] == [spread] * 3


def test_marks_lie_at_the_numbers_that_they_are_of_and_each_in_its_row():
    frame = pd.DataFrame({"A-256": [30.0, 5.0], "D-256": [20.0, 10.0]}, ["cat", "dog"])
    picture = numbers.errors_by_class(frame)
    assert drawn(picture) == [[[[30, 5], [0, 1]], [[20, 10], [0, 1]]]]
    assert [label.get_text() for label in picture.figure.axes[0].get_yticklabels()] == ["cat", "dog"]
    verdicts = [one for one in results.read("quarter").verdicts if one.rule]
    tested = [(place, one) for place, one in enumerate(verdicts) if one.ours and one.rule.margin == 0 and one.paper]
    picture = numbers.forest(verdicts)
    (lines,) = drawn(picture)
    far = {f"{one.ours.value:+.1f}": one.ours.value for _, one in tested if abs(one.ours.value) > numbers.FARTHEST}
    assert len(tested) > 5 and far and set(far) < set(words(picture.figure.axes[0]))
    for place, one in tested:
        row = [x for x, y in lines if set(y) == {place}]
        ours, border = one.ours, math.copysign(numbers.FARTHEST, one.ours.value)
        at = [[border]] if ours.value in far.values() else [[ours.low, ours.high], [ours.value]]
        assert row == [*at, [one.paper]]
    told = [effect for effect in results.read("quarter").effects if effect.value]
    (lines,) = drawn(numbers.effects(told))
    for place, effect in enumerate(told):
        interval, value = (x for x, y in lines if set(y) == {place})
        assert interval == [effect.value.low, effect.value.high] and value == [effect.value.value]
    tried = pd.DataFrame(
        {"aimed at": ["a", "b", "a"], "met": [True, True, False], "seconds": [1.0, 2.0, 3.0], "survived": True}
    )
    met, missed = numbers.kills(tried).figure.axes[0].collections
    assert met.get_offsets().tolist() == [[1, 0], [2, 1]] and missed.get_offsets().tolist() == [[3, 0]]
    compared = peers.compare(64, ("AlexNet", "ResNet-50"))
    (axes,) = functions()["networks.peers_picture"](compared).figure.axes
    (places,) = zip(*(marks.get_offsets().tolist() for marks in axes.collections), strict=True)
    assert list(places) == compared[["multiply-adds (billions)", "parameters (millions)"]].to_numpy().tolist()
    assert [marks.get_sizes().tolist() for marks in axes.collections] == [[6 * 8], [6 * 50]]


def test_cells_say_the_numbers_that_they_are_of():
    (axes, _) = shown("numbers.heat_map").figure.axes
    assert words(axes) == [f"{k}.0" for k in range(9)]
    first, second = functions()["images.crop_posteriors"](
        [np.eye(2) * 0.8, np.full((1, 2), 0.6)], ["a", "b"], ""
    ).figure.axes
    assert (words(first), words(second)) == (["80", "0", "0", "80"], ["60", "60"])
    _, below, _ = shown("images.score_maps").figure.axes
    assert words(below) == ["100", "0", "0", "0", "100", "0", "0", "0", "100"]
    assert below.get_title() == "2x2 of 3x3 positions count" and len(below.lines) == 9 - 4
    titles = [axes.get_title() for axes in shown("images.prediction_grid").figure.axes[:2]]
    assert titles == ["cat 90%", "cat 40%\n(dog)"]


def test_a_picture_of_no_images_says_so():
    """A network may make no mistake, and its test must end all the same."""
    (axes,) = functions()["images.prediction_grid"]([], _predictions().head(0), [], columns=1).figure.axes
    assert axes.get_title() == "none"


def test_boxes_lie_where_they_are_and_are_green_where_they_are_right():
    def rectangles(axes):
        return [(patch.get_bbox().extents.tolist(), to_rgb(patch.get_edgecolor())) for patch in axes.patches]

    box = pytest.approx([0.1, 0.2, 0.7, 0.9])
    for name, ground, boxes in (("boxes.box_grid", 0, 3), ("boxes.extremes", 1, 2), ("boxes.merging", 0, 4)):
        assert [place for place, _ in rectangles(shown(name).figure.axes[0])[ground:]] == [box] * boxes
    right, wrong = ([colour for _, colour in rectangles(axes)][-1] for axes in shown("boxes.box_grid").figure.axes[:2])
    assert (right, wrong) == (to_rgb(style.RIGHT), to_rgb(style.WRONG))
    right, wrong = ([colour for _, colour in rectangles(axes)][-1] for axes in shown("boxes.extremes").figure.axes[:2])
    assert (right, wrong) == (to_rgb(style.RIGHT), to_rgb(style.WRONG))
    counted, left_out = shown("boxes.crops_with_boxes").figure.axes[:2]
    assert rectangles(counted)[0][0] == pytest.approx([-0.2, 0.1, 0.6, 1.2]) and not left_out.patches
    assert [r[0] for r in rectangles(shown("images.crop_grid").figure.axes[0])] == [
        [left, top, left + 32, top + 32] for top in (0, 8) for left in (0, 8)
    ]


def test_the_networks_are_drawn_as_torch_has_them():
    layers = vgg.build("D", Size(width_divisor=64)).eval()
    weights = [one.weight.numel() / 1e6 for one in (layers.convolutions() | layers.fully_connected()).values()]
    bars = functions()["networks.shares"]("D", Size(width_divisor=64)).figure.axes[0].patches
    assert [bar.get_width() for bar in bars if bar.get_width()] == pytest.approx(weights)
    (axes,) = shown("networks.receptive_fields").figure.axes
    fields = {line.get_label(): line.get_ydata()[-1] for line in axes.lines}
    # a block of n layers of 3x3 adds 2 n jumps, its pooling one: jumps of 1, 2, 4, 8 and 16 pixels
    blocks = {"A": (1, 1, 2, 2, 2), "B": (2,) * 5, "C": (2,) * 5, "D": (2, 2, 3, 3, 3), "E": (2, 2, 4, 4, 4)}
    for name, convolutions in blocks.items():
        assert fields[name] == 1 + sum((2 * n + 1) * 2**k for k, n in enumerate(convolutions))
    titles = [axes.get_title() for axes in shown("networks.stacks_in_one_dimension").figure.axes]
    assert titles == ["3 x conv3: 2 outputs", "1 x conv7: 2 outputs", "2 x conv3: 4 outputs", "1 x conv5: 4 outputs"]
    said = words(shown("networks.configurations_diagram").figure.axes[0])
    counts = {"conv3-64": 10, "conv3-512": 30, "conv1-256": 1, "conv1-512": 2, "LRN": 1, "maxpool": 30, "FC-4096": 12}
    assert {text: said.count(text) for text in counts} == counts
    weights = np.array([[[[-0.5]], [[0.0]], [[0.25]]]])
    assert functions()["insides.filters"](weights).figure.axes[0].images[0].get_array().tolist() == [[[0, 0.5, 0.75]]]


def test_a_network_that_never_starts_does_not_hide_the_other_effects():
    told = results.read("narrow").effects
    assert max(effect.value.value for effect in told if effect.value) > 60
    (axes,) = numbers.effects(told).figure.axes
    marks = [line for line in axes.lines if line.get_marker() in (">", "o")]
    assert axes.get_xlim()[1] == numbers.FARTHEST
    assert [line.get_marker() for line in marks].count(">") == sum(
        effect.value.value > numbers.FARTHEST for effect in told if effect.value
    )
    assert all(line.get_xdata()[0] <= numbers.FARTHEST for line in marks)


@pytest.mark.parametrize("name", sorted(PHOTOGRAPHS))
def test_photographs_are_jpeg(name):
    bundle = shown(name)._repr_mimebundle_()
    assert set(bundle) == {"image/jpeg", "text/plain"}
    assert min(Image.open(io.BytesIO(shown(name).jpeg())).getpixel((0, 0))) > 245


def test_every_verdict_can_be_read_in_its_colour():
    for verdict, colour in numbers._VERDICTS.items():
        ink = to_rgb(colour)
        assert min(contrast(ink, to_rgb(LIGHT)), contrast(turned(ink), to_rgb(DARK))) >= CONTRAST, verdict


def unreadable(picture: Picture) -> list[str]:
    """Words of a drawing that stand out too little from what is behind them, in light or in dark."""
    picture.figure.draw_without_rendering()
    faults = []
    for text in picture.figure.findobj(Text):
        if (
            text.get_text().strip()
            and text.get_visible()
            and (text.axes is None or text.axes.axison or text in texts(text))
        ):
            ink, ground = to_rgb(text.get_color()), behind(picture, text)
            ratios = {
                "light": contrast(ink, ground or to_rgb(LIGHT)),
                "dark": contrast(turned(ink), turned(ground) if ground else to_rgb(DARK)),
            }
            faults += [
                f"{text.get_text()!r}, {mode}: {ratio:.2f}" for mode, ratio in ratios.items() if ratio < CONTRAST
            ]
    return faults


def hidden(picture: Picture) -> list[str]:
    """Words of a drawing that its border cuts, and labels of an axis that lie on each other."""
    figure = picture.figure
    figure.draw_without_rendering()
    whole = figure.get_tightbbox().padded(0.1)  # which is what is saved, inches
    faults = []
    for legend in figure.findobj(Legend):
        box = legend.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        if not (whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1):
            faults.append(f"cut: {[text.get_text() for text in legend.get_texts()]}")
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            low, high = sorted(axis.get_view_interval())
            labels = [
                tick.label1
                for tick in axis.get_major_ticks()
                if tick.label1.get_visible() and tick.label1.get_text() and low <= tick.get_loc() <= high
            ]
            for one, other in pairwise(labels):
                if not one.get_rotation() and one.get_window_extent().overlaps(other.get_window_extent()):
                    faults.append(f"one on the other: {one.get_text()} and {other.get_text()}")
    return faults


def test_the_measure_sees_what_is_cut_and_what_lies_on_each_other():
    figure, axes = plt.subplots(layout="constrained")
    handles = [plt.Line2D([], [], label="a name")]
    axes.add_artist(axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1)))
    axes.legend(handles=handles, loc="lower left")
    axes.set(xlim=(0, 1000), xticks=[256, 260])
    found = hidden(style.finished(figure))
    assert found == ["cut: ['a name']", "one on the other: 256 and 260"]


def test_axes_in_which_nothing_was_drawn_say_so():
    figure, (drawn, empty, said, hidden_one) = plt.subplots(1, 4)
    drawn.plot([1, 2])
    said.text(0, 0, "none")
    hidden_one.set_axis_off()
    style.finished(figure)
    words = [[text.get_text() for text in axes.texts] for axes in (drawn, empty, said, hidden_one)]
    assert words == [[], ["not run"], ["none"], []]


def texts(text: Text) -> list[Text]:
    """The words that an axes without frame still shows."""
    return [*text.axes.texts, text.axes.title]


def behind(picture: Picture, text: Text) -> tuple | None:
    """The colour of the box or the cell on which a text stands, or nothing where it stands on the page."""
    box = text.get_window_extent()
    place = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    for axes in picture.figure.axes:
        for mesh in axes.collections if text.axes is axes and text in axes.texts else ():
            for path, colour in zip(mesh.get_paths(), mesh.get_facecolors(), strict=False):
                if path.contains_point(place, mesh.get_transform()):
                    return to_rgb(colour)
        for patch in axes.patches:
            if to_rgba(patch.get_facecolor())[3] == 1 and patch.get_path().contains_point(place, patch.get_transform()):
                return to_rgb(patch.get_facecolor())
    return None


def turned(colour: tuple) -> tuple:
    """What the style sheet's filter makes of a colour."""
    return tuple((TURNED @ (1 - np.array(colour))).clip(0, 1))


def contrast(one: tuple, other: tuple) -> float:
    """The contrast of two colours as WCAG defines it, 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: tuple) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_the_measure_sees_what_cannot_be_read():
    picture = numbers.heat_map(pd.DataFrame([[1.0]], ["A"], ["A"]), "%")
    picture.figure.axes[0].set_xlabel("pale", color="#cccccc")
    assert any("pale" in fault and "light" in fault for fault in unreadable(picture))
    assert contrast(to_rgb("black"), to_rgb("white")) == pytest.approx(21)
    assert contrast(turned(to_rgb("black")), turned(to_rgb("white"))) == pytest.approx(21, abs=0.1)


def test_the_same_figure_is_the_same_text():
    assert shown("networks.receptive_fields").svg() == shown("networks.receptive_fields").svg()


@pytest.mark.parametrize(("study", "numbers_of", "of"), [
    ("quarter", range(1, 18), " in top-1 error"), ("quarter", [3, 18], ""), ("narrow", [3, 23], ""),
])  # fmt: skip
def test_the_axis_of_the_claims_names_the_error_where_there_is_one(study, numbers_of, of):
    """Of boxes and of features on other data it is another, or none."""
    verdicts = [verdict for verdict in results.read(study).verdicts if verdict.number in numbers_of]
    assert any(verdict.ours for verdict in verdicts if not of and verdict.number > 17) or of
    (axes,) = numbers.forest(verdicts).figure.axes
    assert axes.get_xlabel().startswith(f"difference{of} (percentage points)")


def test_a_claim_of_two_halves_has_the_margin_of_the_half_that_its_verdict_rests_on():
    """Claim 24 asks that D and E be equal, on both sides of zero, and that the pair be better."""
    by_number = {verdict.number: verdict for verdict in results.read("narrow").verdicts}
    two_halves = by_number[24]
    rests_on = [replace(two_halves, least=place) for place in range(len(two_halves.compared))]
    (axes,) = numbers.forest([by_number[1], by_number[3], by_number[4], *rests_on]).figure.axes
    marks = [(line.get_ydata()[0], line.get_xdata()[0]) for line in axes.lines if line.get_marker() in ("3", "4")]
    sides = [[side for place, side in marks if place == row] for row in range(3 + len(rests_on))]
    assert sides == [[1], [], [1, -1], [], [], [1, -1]]
