"""The book's pictures. Each function takes plain data and returns a matplotlib figure; no torch."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from verydeep import paper
from verydeep.networks.configurations import Configuration, all_configurations

# Readable on white and, as the theme shows pictures in dark mode on a light ground, there too.
TRAIN, HELD_OUT, HELD_OUT_TOP5 = "#8a8f98", "#1b6ca8", "#7fb7de"
RIGHT, WRONG = "#1a7f4b", "#b3362c"
_BLOCKS = sns.color_palette("crest", 5).as_hex()
_ONE_BY_ONE, _LRN, _POOL, _FC = "#e8a33d", "#d9534f", "#e4e6ea", "#5b5f97"


def use_style() -> None:
    """The style of every picture in the book."""
    sns.set_theme(context="notebook", style="ticks", font_scale=0.9)
    plt.rcParams.update(
        {"figure.dpi": 110, "savefig.bbox": "tight", "axes.spines.top": False, "axes.spines.right": False}
    )


def _finished(figure: Figure) -> Figure:
    """Take the figure from pyplot's hands, or a notebook that returns it would show it twice."""
    plt.close(figure)
    return figure


def learning_curve(history: pd.DataFrame, title: str) -> Figure:
    """Loss, errors (percent) and learning rate after every epoch, from a run's ``history.csv``."""
    use_style()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.1), layout="constrained")
    epochs = history["epoch"]
    marker = "o" if len(history) < 30 else None
    line = {"marker": marker, "markersize": 3.5, "linewidth": 1.6}
    left.plot(epochs, history["train_loss"], color=TRAIN, label="training crops", **line)
    left.plot(epochs, history["held_out_loss"], color=HELD_OUT, label="held out", **line)
    left.set(title="Cross-entropy", xlabel="epoch", ylim=(0, None))
    middle.plot(epochs, history["train_top1_error"], color=TRAIN, label="training crops, top-1", **line)
    middle.plot(epochs, history["held_out_top1_error"], color=HELD_OUT, label="held out, top-1", **line)
    middle.plot(epochs, history["held_out_top5_error"], color=HELD_OUT_TOP5, label="held out, top-5", **line)
    middle.set(title="Error (%)", xlabel="epoch", ylim=(0, 100))
    right.plot(epochs, history["learning_rate"], color="#333333", **line)
    right.set(title="Learning rate, end of epoch", xlabel="epoch", yscale="log")
    for axes in (left, middle):
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return _finished(figure)


def image_grid(images: np.ndarray, titles: list[str], colours: list[str] | None = None, columns: int = 8) -> Figure:
    """Images with a line of text above each.

    Parameters
    ----------
    images
        uint8 (n, height, width, 3).
    titles, colours
        One for each image; black by default.
    """
    use_style()
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.35 * columns, 1.6 * rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for k, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.imshow(image, interpolation="nearest")
        axis.set_title(titles[k], fontsize=7.5, color=colours[k] if colours else "black")
    return _finished(figure)


def prediction_grid(images: np.ndarray, predictions: pd.DataFrame, words: list[str], columns: int = 8) -> Figure:
    """Images with the class they were given and its probability: green where right, red where wrong."""
    titles, colours = [], []
    for row in predictions.itertuples():
        right = row.class_1 == row.label
        said = f"{words[row.class_1][:17]} {100 * row.probability_1:.0f}%"
        titles.append(said if right else f"{said}\n({words[row.label][:19]})")
        colours.append(RIGHT if right else WRONG)
    return image_grid(images, titles, colours, columns)


def configurations_diagram() -> Figure:
    """All six configurations of Table 1 side by side, drawn from the data."""
    use_style()
    names = list(dict.fromkeys(paper.table(1)["config"]))
    depth = [max(_rows(all_configurations()[name], block) for name in names) for block in range(5)]
    figure, axes = plt.subplots(figsize=(10.5, 8.2), layout="constrained")
    for column, name in enumerate(names):
        _draw_configuration(axes, all_configurations()[name], column, depth)
    total = sum(depth) + 5 + 3
    axes.set(xlim=(-0.6, len(names) - 0.4), ylim=(total + 0.2, -1.8))
    axes.set_axis_off()
    return _finished(figure)


def _rows(config: Configuration, block: int) -> int:
    return len(config.blocks[block]) + (config.lrn and block == 0)


def _draw_configuration(axes, config: Configuration, column: int, depth: list[int]) -> None:
    axes.text(column, -1.3, config.name, ha="center", fontsize=13, fontweight="bold")
    axes.text(column, -0.65, f"{config.weight_layers} weight layers", ha="center", fontsize=8)
    y = 0
    for b, block in enumerate(config.blocks):
        top = y
        for i, conv in enumerate(block):
            colour = _ONE_BY_ONE if conv.kernel == 1 else _BLOCKS[b]
            _box(
                axes,
                column,
                top,
                f"conv{conv.kernel}-{conv.channels}",
                colour,
                "black" if conv.kernel == 1 else "white",
            )
            top += 1
            if config.lrn and (b, i) == (0, 0):
                _box(axes, column, top, "LRN", _LRN, "white")
                top += 1
        y += depth[b]
        _box(axes, column, y, "maxpool", _POOL, "#444444")
        y += 1
    for width in config.fc:
        _box(axes, column, y, f"FC-{width}", _FC, "white")
        y += 1


def _box(axes, column: int, row: int, text: str, colour: str, ink: str) -> None:
    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch((column - 0.42, row + 0.08), 0.84, 0.8, boxstyle=style, facecolor=colour, edgecolor="none")
    )
    axes.text(column, row + 0.5, text, ha="center", va="center", fontsize=8, color=ink)


def table3_picture(frame: pd.DataFrame, studies: list[str]) -> Figure:
    """Top-1 error of every row of Table 3: the paper's beside each study's that has been run."""
    use_style()
    shown = ["paper", *(study for study in studies if frame[(study, "top-1")].notna().any())]
    figure, panels = plt.subplots(1, len(shown), figsize=(4.2 * len(shown), 4.4), layout="constrained", squeeze=False)
    places = np.arange(len(frame))
    for axes, source in zip(panels.flat, shown, strict=True):
        errors = frame[(source, "top-1")].to_numpy(float, na_value=np.nan)
        axes.barh(places, np.nan_to_num(errors), color=HELD_OUT if source == "paper" else _BLOCKS[1], height=0.65)
        for place, error in zip(places, errors, strict=True):
            text = " not run" if np.isnan(error) else f" {error:.1f}"
            axes.text(np.nan_to_num(error), place, text, va="center", fontsize=8)
        axes.set_yticks(places, frame.index)
        axes.invert_yaxis()
        axes.set(title="paper, ILSVRC-2012" if source == "paper" else source, xlabel="top-1 error (%)")
    return _finished(figure)
