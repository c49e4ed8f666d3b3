"""Pictures of what was measured: errors, verdicts, costs, curves."""

import textwrap
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from verydeep.chapters.figures.style import (
    HELD_OUT,
    HELD_OUT_TOP5,
    RIGHT,
    SHADES,
    TRAIN,
    WRONG,
    Picture,
    finished,
    ink_on,
    use_style,
)
from verydeep.results import claims
from verydeep.results.numbers import NOT_RUN
from verydeep.results.printed import judged_cell


def learning_curve(history: pd.DataFrame, title: str, boxes: bool = False) -> Picture:
    """Loss, errors (percent) and learning rate after every epoch, from a run's ``history.csv``.

    ``boxes``: of a network that gives boxes, whose loss is the Euclidean one; of the class it is told, so that it has
    one error only (Appendix A.1).
    """
    use_style()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.1), layout="constrained")
    epochs = history["epoch"]
    marker = "o" if len(history) < 30 else None
    line = {"marker": marker, "markersize": 3.5, "linewidth": 1.6}
    left.plot(epochs, history["train_loss"], color=TRAIN, label="training crops", **line)
    left.plot(epochs, history["held_out_loss"], color=HELD_OUT, label="held out", **line)
    left.set(title="Euclidean loss" if boxes else "Cross-entropy", xlabel="epoch", ylim=(0, None))
    of = "" if boxes else ", top-1"
    middle.plot(epochs, history["train_top1_error"], color=TRAIN, label=f"training crops{of}", **line)
    middle.plot(epochs, history["held_out_top1_error"], color=HELD_OUT, label=f"held out{of}", **line)
    if not boxes:
        middle.plot(epochs, history["held_out_top5_error"], color=HELD_OUT_TOP5, label="held out, top-5", **line)
    middle.set(title="Error of the boxes (%)" if boxes else "Error (%)", xlabel="epoch", ylim=(0, 100))
    right.plot(epochs, history["learning_rate"], color="#333333", **line)
    right.set(title="Learning rate, end of epoch", xlabel="epoch", yscale="log")
    for axes in (left, middle):
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return finished(figure)


def errors_picture(frame: pd.DataFrame, error: str = "top-1 error") -> Picture:
    """The error of every row, of :func:`verydeep.chapters.error_tables.points`, with its 95 % interval.

    ``error`` says which it is. A panel for the paper and for each study. All are as wide in percentage points, so
    differences compare across panels. Of no rows it says that nothing was run.
    """
    use_style()
    if frame.empty:
        return finished(plt.subplots(figsize=(4, 1))[0])
    sources, rows = list(dict.fromkeys(frame["source"])), list(dict.fromkeys(frame["row"]))
    width = 1.2 * frame.groupby("source").agg({"low": "min", "high": "max"}).diff(axis=1)["high"].max()
    columns = min(2, len(sources))
    lines = -(-len(sources) // columns)
    size = (4 * columns + 0.8, lines * (1.0 + 0.24 * len(rows)))
    figure, panels = plt.subplots(lines, columns, figsize=size, layout="constrained", squeeze=False, sharey=True)
    for axes, source in zip(panels.flat, sources, strict=False):
        part = frame[frame["source"] == source].set_index("row")
        middle = (part["low"].min() + part["high"].max()) / 2
        axes.set_xlim(middle - width / 2, middle + width / 2)
        for place, row in enumerate(rows):
            value, low, high = part.loc[row, ["error", "low", "high"]]
            if np.isnan(value):
                said = part.loc[row, "status"]
                axes.text(0.5, place, said, **_BESIDE, transform=axes.get_yaxis_transform(), ha="center")
                continue
            axes.plot([low, high], [place, place], color=HELD_OUT, linewidth=2, solid_capstyle="round")
            axes.plot(value, place, "o", color=HELD_OUT, markersize=5)
            axes.text(high, place, f"  {value:.1f}", **_BESIDE)
        axes.set_title("the paper, ILSVRC-2012" if source == "paper" else source, fontsize=10)
        axes.set(xlabel=f"{error} (%)")
        axes.grid(axis="y", linewidth=0.4)
    panels[0, 0].set_yticks(range(len(rows)), rows)
    panels[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    for axes in panels.flat[len(sources) :]:
        axes.axis("off")
    return finished(figure)


def errors_by_class(frame: pd.DataFrame) -> Picture:
    """Top-1 error of each class (percent), a mark for each network, of ``class_tables.errors_by_class``."""
    use_style()
    figure, axes = plt.subplots(figsize=(6.4, 0.8 + 0.24 * len(frame)), layout="constrained")
    places = np.arange(len(frame))
    marks = cycle(zip("osD^v", (TRAIN, HELD_OUT, WRONG, RIGHT, HELD_OUT_TOP5), strict=True))
    for name, (marker, colour) in zip(frame.columns, marks, strict=False):
        axes.plot(frame[name], places, marker, color=colour, markersize=5, label=name)
    axes.set_yticks(places, frame.index)
    axes.invert_yaxis()
    axes.grid(axis="y", linewidth=0.4)
    axes.set(xlabel="top-1 error (%)", xlim=(0, None))
    if len(frame.columns):
        axes.legend(frameon=False, fontsize=9, loc="lower right")
    return finished(figure)


_BESIDE = {"va": "center", "fontsize": 8, "color": "#444444"}
#: Up to where differences are drawn at their place, percentage points.
FARTHEST = 15


#: On which sides of zero a kind of rule has its margin.
_MARGINS = {"same": (1, -1), "not-lower": (1,)}
_VERDICTS = {
    claims.REPRODUCED: RIGHT,
    claims.IN_PART: "#5f7d1f",
    claims.NOT_REPRODUCED: WRONG,
    claims.UNDECIDED: "#9a6514",
    claims.UNFAIR: "#6b7078",
    claims.NOT_TESTED: "#6b7078",
}


def forest(verdicts: list) -> Picture:
    """Every tested claim: the paper's difference and ours with its interval, coloured by the verdict.

    A test that was no fair one has a hollow mark. One beyond :data:`FARTHEST` is an arrow at the border with its value.

    Parameters
    ----------
    verdicts
        Of :func:`verydeep.results.claims.verdicts`; those without a rule are left out.
    """
    use_style()
    shown = [verdict for verdict in verdicts if verdict.rule is not None]
    figure, axes = plt.subplots(figsize=(8.6, 1.1 + 0.5 * len(shown)), layout="constrained")
    for place, verdict in enumerate(shown):
        colour = _VERDICTS[verdict.verdict]
        if (ours := verdict.ours) is not None:
            inside = colour if verdict.fair else "white"
            style = {"color": colour, "markerfacecolor": inside, "markersize": 7}
            if abs(ours.value) > FARTHEST:
                side = np.sign(ours.value)
                axes.plot(side * FARTHEST, place, "<" if side < 0 else ">", **style)
                beside = {"textcoords": "offset points", "ha": "left" if side < 0 else "right"} | _BESIDE
                axes.annotate(f"{ours.value:+.1f}", (side * FARTHEST, place), (-8 * side, 0), **beside)
            else:
                axes.plot([ours.low, ours.high], [place, place], color=colour, linewidth=2.4, solid_capstyle="round")
                axes.plot(ours.value, place, "o", **style)
        if verdict.paper is not None:
            axes.plot(verdict.paper, place, "|", color="black", markersize=13, markeredgewidth=1.6)
        for side in _MARGINS.get(verdict.rule.of(verdict.least or 0).rule, ()):
            axes.plot(side * verdict.rule.margin, place, marker="4" if side > 0 else "3", color="#777777", markersize=9)
        beside = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 9, "color": colour}
        axes.text(1.01, place, verdict.verdict, **beside)
    axes.axvline(0, color="#777777", linewidth=0.8)
    statements = [textwrap.fill(f"{verdict.number}. {verdict.statement}", 44) for verdict in shown]
    axes.set_yticks(range(len(shown)), statements, fontsize=9)
    axes.invert_yaxis()
    cells = [judged_cell(pair.first) for verdict in shown if verdict.ours is not None for pair in verdict.compared]
    of = " in top-1 error" if all(cell.endswith(".top1") for cell in cells) else ""  # others: of boxes, of precision
    axes.set(xlabel=f"difference{of} (percentage points)")
    handles = [
        plt.Line2D([], [], color="black", marker="|", linestyle="", markersize=11, markeredgewidth=1.6, label="paper"),
        plt.Line2D([], [], color="#555555", marker="o", linewidth=2.4, label="ours, 95 % interval"),
        plt.Line2D([], [], color="#6b7078", marker="o", markerfacecolor="white", linestyle="", label="no fair test"),
        plt.Line2D([], [], color="#777777", marker="4", linestyle="", markersize=9, label="margin of no difference"),
    ]
    place = {"loc": "lower center", "bbox_to_anchor": (0.3, 1.0), "ncols": len(handles), "columnspacing": 1.0}
    axes.legend(handles=handles, frameon=False, fontsize=9, **place)
    return finished(figure)


def effects(told: list) -> Picture:
    """What each change does to the top-1 error (percentage points) with its interval, coloured by its rule's verdict.

    Right of zero the change harms. What has not been run is said so. An effect beyond :data:`FARTHEST` is an arrow at
    the border: of a network that never starts to learn, beside which no other effect could be seen.

    Parameters
    ----------
    told
        Of :func:`verydeep.results.claims.ablations.effects`.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(8.6, 1.0 + 0.32 * len(told)), layout="constrained")
    for place, effect in enumerate(told):
        colour = _VERDICTS[effect.verdict.verdict]
        if (value := effect.value) is not None:
            inside = colour if effect.verdict.fair else "white"
            axes.plot([value.low, value.high], [place, place], color=colour, linewidth=2.4, solid_capstyle="round")
            at, mark = (FARTHEST, ">") if value.value > FARTHEST else (value.value, "o")
            axes.plot(at, place, mark, color=colour, markerfacecolor=inside, markersize=7, clip_on=False)
        said = NOT_RUN if value is None else f"{value.value:+.1f}  {effect.said}"
        beside = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 9, "color": colour}
        axes.text(1.03, place, said, **beside)
    axes.axvline(0, color="#777777", linewidth=0.8)
    axes.set_yticks(range(len(told)), [effect.ablation.change for effect in told], fontsize=9)
    axes.set_ylim(max(len(told), 1) - 0.5, -0.5)
    axes.set_xlim(right=min(axes.get_xlim()[1], FARTHEST))
    axes.set(xlabel="top-1 error with the change less that without (percentage points)")
    return finished(figure)


METHOD_MARKERS = {"centre-crop": "v", "dense": "o", "multi-crop": "s", "both": "D"}
#: How every network is tested.
_EVERY_NETWORK = ("centre-crop", "dense")


def cost_picture(frame: pd.DataFrame) -> Picture:
    """Top-1 error against multiply-adds an image, of :func:`verydeep.chapters.costs.testing_cost`: a line a network.

    Named and in colour are those that were tested in more ways than on a centre crop and densely at one scale.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    if frame.empty:
        return finished(figure)
    work, error = "multiply-adds (billions)", "top-1"
    groups = [group.sort_values(work) for _, group in frame.reset_index().groupby("network", sort=False)]
    named = [group["network"].iat[0] for group in groups if len(group) > len(_EVERY_NETWORK)]
    colours = dict(zip(named, sns.color_palette("colorblind", len(named)), strict=True))
    for group in sorted(groups, key=lambda group: group["network"].iat[0] in colours):
        network = group["network"].iat[0]
        colour = colours.get(network, "#b5b9bf")
        axes.plot(group[work], group[error], color=colour, linewidth=1)
        for row in group.to_dict("records"):
            axes.plot(row[work], row[error], METHOD_MARKERS[row["method"]], color=colour, markersize=6)
        if network in colours:
            end = (group[work].iat[-1], group[error].iat[-1])
            ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}  # over lines of others
            axes.annotate(network, end, (8, 0), textcoords="offset points", va="center", fontsize=9, bbox=ground)
    kinds = [plt.Line2D([], [], color="#555555", marker=m, linestyle="", label=k) for k, m in METHOD_MARKERS.items()]
    axes.legend(handles=kinds, frameon=False, fontsize=8, ncols=len(kinds), loc="lower left", bbox_to_anchor=(0, 1))
    axes.set(xscale="log", xlabel="multiply-adds an image (billions)", ylabel="top-1 error (%)")
    axes.margins(x=0.12)
    return finished(figure)


def kills(frame: pd.DataFrame) -> Picture:
    """When each kill of :func:`verydeep.chapters.faults.kills` came, a row for each file or process it was aimed at."""
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


def heat_map(frame: pd.DataFrame, label: str) -> Picture:
    """A square table as colours with its values written in."""
    use_style()
    size = 2.2 + 0.62 * len(frame)
    figure, axes = plt.subplots(figsize=(size + 1, size), layout="constrained")
    sns.heatmap(frame, annot=True, fmt=".1f", cmap=SHADES, square=True, ax=axes, cbar_kws={"label": label})
    for text, colour in zip(axes.texts, axes.collections[0].get_facecolors(), strict=True):
        text.set_color(ink_on(colour))
    axes.tick_params(axis="x", rotation=45)
    axes.tick_params(axis="y", rotation=0)
    return finished(figure)
