"""The book's pictures. Each function takes plain data and returns a matplotlib figure; no torch."""

import textwrap

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
    """The style of every picture in the book, whatever matplotlib's settings on this machine are."""
    plt.style.use("default")
    sns.set_theme(context="notebook", style="ticks", font_scale=0.9)
    plt.rcParams.update(
        {"figure.dpi": 110, "savefig.bbox": "tight", "axes.spines.top": False, "axes.spines.right": False}
    )


def finished(figure: Figure) -> Figure:
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
    return finished(figure)


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
    return finished(figure)


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
    return finished(figure)


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


def errors_picture(frame: pd.DataFrame, studies: list[str]) -> Figure:
    """Top-1 error of every row of :func:`verydeep.tables.errors`: the paper's, and each study's that has been run."""
    use_style()
    columns = [source for source in ("paper", *studies) if (source, "top-1") in frame]
    shown = [source for source in columns if frame[source, "top-1"].notna().any()]
    figure, panels = plt.subplots(
        1,
        len(shown),
        figsize=(4.2 * len(shown), 0.9 + 0.3 * len(frame)),
        layout="constrained",
        squeeze=False,
    )
    places = np.arange(len(frame))
    for axes, source in zip(panels.flat, shown, strict=True):
        errors = frame[source, "top-1"].to_numpy(float, na_value=np.nan)
        axes.barh(places, np.nan_to_num(errors), color=HELD_OUT if source == "paper" else _BLOCKS[1], height=0.65)
        for place, error in zip(places, errors, strict=True):
            text = " not run" if np.isnan(error) else f" {error:.1f}"
            axes.text(np.nan_to_num(error), place, text, va="center", fontsize=8)
        axes.set_yticks(places, frame.index)
        axes.invert_yaxis()
        axes.set(title="paper, ILSVRC-2012" if source == "paper" else source, xlabel="top-1 error (%)")
        axes.set_xlim(0, 1.15 * np.nanmax(errors))
    return finished(figure)


_VERDICTS = {
    "reproduced": RIGHT,
    "reproduced in part": "#6b8e23",
    "not reproduced": WRONG,
    "undecided": "#a8701a",
    "not tested fairly": "#6b7078",
    "not tested": "#6b7078",
}


def forest(verdicts: list, brief: bool = False) -> Figure:
    """Every tested claim: the paper's difference and ours with its interval, coloured by the verdict.

    A test that was no fair one has a hollow mark.

    Parameters
    ----------
    verdicts
        Of :func:`verydeep.claims.verdicts`; those without a rule are left out.
    brief
        Half as large, with a few words for each claim.
    """
    use_style()
    shown = [one for one in verdicts if one.rule is not None]
    size = (4.3, 0.9 + 0.31 * len(shown)) if brief else (8.6, 1.1 + 0.5 * len(shown))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    for place, one in enumerate(shown):
        colour = _VERDICTS[one.verdict]
        if one.ours is not None:
            axes.plot(
                [one.ours.low, one.ours.high], [place, place], color=colour, linewidth=2.4, solid_capstyle="round"
            )
            inside = colour if one.fair else "white"
            axes.plot(one.ours.value, place, "o", color=colour, markerfacecolor=inside, markersize=7)
        if one.paper is not None:
            axes.plot(one.paper, place, "|", color="black", markersize=13, markeredgewidth=1.6)
        for side in (1, -1) if one.rule.rule == "same" else (1,) if one.rule.margin else ():
            axes.plot(side * one.rule.margin, place, marker="4" if side > 0 else "3", color="#777777", markersize=9)
        axes.text(1.01, place, one.verdict, transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=colour)
    axes.axvline(0, color="#777777", linewidth=0.8)
    long = [textwrap.fill(f"{one.number}. {one.statement}", 44) for one in shown]
    axes.set_yticks(range(len(shown)), [one.rule.name for one in shown] if brief else long, fontsize=9)
    axes.invert_yaxis()
    unit = "" if brief else " (percent points), positive as the paper has it"
    axes.set(xlabel=f"difference in top-1 error{unit}")
    handles = [
        plt.Line2D([], [], color="black", marker="|", linestyle="", markersize=11, markeredgewidth=1.6, label="paper"),
        plt.Line2D([], [], color="#555555", marker="o", linewidth=2.4, label="ours, 95 % interval"),
        plt.Line2D([], [], color="#6b7078", marker="o", markerfacecolor="white", linestyle="", label="no fair test"),
        plt.Line2D([], [], color="#777777", marker="4", linestyle="", markersize=9, label="margin of no difference"),
    ]
    kinds = 3 if brief else 4
    place = {"loc": "lower center", "bbox_to_anchor": (0.3, 1.0), "ncols": kinds, "columnspacing": 1.0}
    axes.legend(handles=handles[:kinds], frameon=False, fontsize=9, **place)
    return finished(figure)


METHOD_MARKERS = {"centre-crop": "v", "dense": "o", "multi-crop": "s", "both": "D"}


def cost_picture(frame: pd.DataFrame) -> Figure:
    """Top-1 error against multiply-adds an image, from :func:`verydeep.tables.testing_cost`: a line a network."""
    use_style()
    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    flat = frame.reset_index()
    colours = sns.color_palette("colorblind", flat["network"].nunique())
    for colour, (network, group) in zip(colours, flat.groupby("network", sort=False), strict=True):
        rows = group.sort_values("multiply-adds (billions)")
        axes.plot(rows["multiply-adds (billions)"], rows["top-1"], color=colour, linewidth=1, label=network)
        for row in rows.to_dict("records"):
            axes.plot(
                row["multiply-adds (billions)"], row["top-1"], METHOD_MARKERS[row["method"]], color=colour, markersize=6
            )
    networks = axes.legend(frameon=False, fontsize=8, title="network", loc="upper left", bbox_to_anchor=(1.01, 1))
    axes.add_artist(networks)
    kinds = [plt.Line2D([], [], color="#555555", marker=m, linestyle="", label=k) for k, m in METHOD_MARKERS.items()]
    axes.legend(handles=kinds, frameon=False, fontsize=8, title="method", loc="lower left", bbox_to_anchor=(1.01, 0))
    axes.set(xscale="log", xlabel="multiply-adds an image (billions)", ylabel="top-1 error (%)")
    return finished(figure)


def kills(frame: pd.DataFrame) -> Figure:
    """When each kill of :func:`verydeep.faults.kills` came, a row for each file or process that it was aimed at."""
    use_style()
    order = list(dict.fromkeys(frame["aimed at"]))
    figure, axes = plt.subplots(figsize=(8, 0.3 * len(order) + 1.0), layout="constrained")
    for met, face in ((True, RIGHT), (False, "none")):
        part = frame[frame["met"] == met]
        colours = [RIGHT if survived else WRONG for survived in part["survived"]]
        places = [order.index(aim) for aim in part["aimed at"]]
        axes.scatter(part["seconds"], places, s=42, facecolors=colours if met else face, edgecolors=colours)
    axes.set_yticks(range(len(order)), order)
    axes.invert_yaxis()
    axes.set(xlabel="seconds after the start", xlim=(0, None))
    axes.grid(axis="y", linewidth=0.4)
    return finished(figure)


def score_maps(
    images: list[np.ndarray], maps: list[np.ndarray], counted: list[tuple[int, int]], titles: list[str]
) -> Figure:
    """An image at several sizes, and below each the probability of one class at every position of its score map.

    Parameters
    ----------
    images
        uint8 (height, width, 3), one a scale.
    maps
        float (rows, columns), one a scale.
    counted
        How many rows and columns of each map count; the others are drawn crossed out.
    """
    use_style()
    vmax = max(float(one.max()) for one in maps)
    figure, axes = plt.subplots(2, len(images), figsize=(2.6 * len(images), 5.4), layout="constrained", squeeze=False)
    largest = max(max(image.shape[:2]) for image in images)
    for column, (image, scores) in enumerate(zip(images, maps, strict=True)):
        axes[0, column].imshow(image, interpolation="nearest")
        axes[0, column].set(xlim=(0, largest), ylim=(largest, 0))
        axes[0, column].set_title(titles[column], fontsize=9)
        axes[0, column].set_axis_off()
        drawn = axes[1, column].imshow(scores, vmin=0, vmax=vmax, cmap="viridis")
        for (i, j), value in np.ndenumerate(scores):
            ink = "white" if value < 0.6 * vmax else "black"
            axes[1, column].text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=ink)
        axes[1, column].set(xticks=[], yticks=[])
        rows, columns = counted[column]
        axes[1, column].set_title(
            f"{rows}x{columns} of {scores.shape[0]}x{scores.shape[1]} positions count", fontsize=9
        )
        for i, j in np.ndindex(*scores.shape):
            if i >= rows or j >= columns:
                axes[1, column].plot([j - 0.5, j + 0.5], [i - 0.5, i + 0.5], color="#d9534f", linewidth=0.8)
    figure.colorbar(drawn, ax=axes[1, :], shrink=0.8, label="probability", format=lambda x, _: f"{100 * x:.0f}%")
    return finished(figure)


def crop_grid(
    images: list[np.ndarray], titles: list[str], positions: list[tuple[list[int], list[int]]], crop: int
) -> Figure:
    """Where the crops of multi-crop testing lie on an image at several scales.

    Parameters
    ----------
    positions
        For each image the offsets of the crops from the top and from the left, in its pixels.
    crop
        Side of a crop.
    """
    use_style()
    figure, panels = plt.subplots(1, len(images), figsize=(3.1 * len(images), 3.4), layout="constrained", squeeze=False)
    largest = max(max(image.shape[:2]) for image in images)
    for axes, image, title, (tops, lefts) in zip(panels.flat, images, titles, positions, strict=True):
        axes.imshow(image, interpolation="nearest", alpha=0.75, extent=(0, image.shape[1], image.shape[0], 0))
        for k, (top, left) in enumerate((top, left) for top in tops for left in lefts):
            first = k == 0
            axes.add_patch(
                plt.Rectangle(
                    (left, top),
                    crop,
                    crop,
                    fill=False,
                    edgecolor=WRONG if first else HELD_OUT,
                    linewidth=1.8 if first else 0.6,
                    zorder=3 if first else 2,
                )
            )
            axes.plot(left + crop / 2, top + crop / 2, ".", color=WRONG if first else HELD_OUT, markersize=4)
        axes.set(xlim=(-1, largest + 1), ylim=(largest + 1, -1))
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
    return finished(figure)


def heat_map(frame: pd.DataFrame, label: str) -> Figure:
    """A square table as colours with its values written in."""
    use_style()
    size = 2.2 + 0.62 * len(frame)
    figure, axes = plt.subplots(figsize=(size + 1, size), layout="constrained")
    sns.heatmap(frame, annot=True, fmt=".1f", cmap="crest", square=True, ax=axes, cbar_kws={"label": label})
    axes.tick_params(axis="x", rotation=45)
    axes.tick_params(axis="y", rotation=0)
    return finished(figure)


def posteriors_by_scale(scales: list[int], posteriors: np.ndarray, average: np.ndarray, names: list[str]) -> Figure:
    """How the probabilities of a few classes move with the test scale, and where their average lies.

    Parameters
    ----------
    scales
        Test scales Q.
    posteriors
        float (scales, classes shown).
    average
        float (classes shown): the average over the scales of multi-scale testing.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for k, (colour, name) in enumerate(zip(sns.color_palette("colorblind", len(names)), names, strict=True)):
        axes.plot(scales, 100 * posteriors[:, k], "o-", color=colour, label=name, markersize=4)
        axes.axhline(100 * average[k], color=colour, linewidth=0.8, linestyle=":")
    axes.set(xlabel="test scale Q, in the paper's pixels", ylabel="probability (%)", xticks=scales, ylim=(0, None))
    axes.legend(frameon=False, fontsize=8, title="dotted: multi-scale average", title_fontsize=8)
    return finished(figure)
