"""Pictures of what depth does: error against depth, and how networks of different depth learn."""

import textwrap
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from verydeep.chapters.depth_tables import trained_in_words
from verydeep.chapters.figures.style import HELD_OUT, TRAIN, Picture, finished, use_style

#: How far networks of as many updates stand from each other, as a part of the most updates, or they would lie on one
#: another.
_SIDE_BY_SIDE = 0.014
_TITLES = {"paper": "the paper"}
#: How many layers a single network's mark stands left of its place, or it would lie on those of lines.
_ASIDE = 1.25
#: A colour for each network, the same in every picture: the deeper the lighter.
_COLOURS = dict(zip("ABCDE", plt.get_cmap("viridis")([0.0, 0.25, 0.45, 0.65, 0.85]), strict=True))


def error_by_depth(frame: pd.DataFrame) -> Picture:
    """Top-1 error against depth, of :func:`verydeep.chapters.depth_tables.by_depth`: the paper and each recorded study.

    Every panel is as many percentage points high, so slopes compare; their places do not, since the data are others. A
    hollow mark, left of its place and in the colour of its line, is a single network: A trained for as long as the
    others of the line with the A that they start from.
    """
    use_style()
    sources = list(dict.fromkeys(frame["source"]))
    rows = -(-len(sources) // 2)
    figure, panels = plt.subplots(rows, 2, figsize=(5.2, 3.1 * rows), layout="constrained", squeeze=False)
    parts = {source: frame[frame["source"] == source] for source in sources}
    height = max(part["high"].max() - part["low"].min() for part in parts.values()) / 0.75
    for axes, source in zip(panels.flat, sources, strict=False):
        part = parts[source]
        _one_source(axes, part)
        middle = (part["low"].min() + part["high"].max()) / 2
        axes.set(ylim=(middle - height / 2, middle + height / 2), xlim=(9.1, 20.4))
        axes.set(xlabel="layers with weights", xticks=sorted(frame["layers"].unique()))
        on_a_crop = (part["way"] == "centre-crop").all()
        name = _TITLES.get(source, source) + (", one crop" if on_a_crop else "")
        title = {"fontsize": 10, "fontweight": "bold"}
        if axes.get_legend_handles_labels()[0]:
            style = {
                "frameon": False,
                "fontsize": 9,
                "labelspacing": 0.2,
                "handlelength": 1.4,
                "borderaxespad": 0.2,
                "borderpad": 0,
            }
            legend = axes.legend(loc="lower left", bbox_to_anchor=(0, 1), title=name, alignment="left", **style)
            legend.get_title().set(**title)
        else:
            axes.set_title(name, loc="left", **title)
    for axes in panels.flat[len(sources) :]:
        axes.axis("off")
    figure.supylabel("top-1 error (%)", fontsize=10)
    return finished(figure)


def _one_source(axes: Axes, part: pd.DataFrame) -> None:
    """A line for each way in which several networks were trained; a mark where it was one.

    Named are the networks of the line that has the lowest error. A single network has the colour of its recipe's line.
    """
    sizes = part.groupby("trained", sort=False).size()
    lines = sizes[sizes > 1].index.tolist()
    best = part.loc[part.loc[part["trained"].isin(lines), "error"].idxmin(), "trained"]
    looks = iter([("-", "o"), ("--", "s"), (":", "^"), ("-.", "v")])
    own = part.loc[part["trained"] == best, "recipe"].iat[0]
    hollow = iter("D^X*")
    for trained in sizes.index:
        group = part[part["trained"] == trained].sort_values(["layers", "config"])
        line, named = trained in lines, trained == best
        if named:
            style = {"linewidth": 1.8, "marker": "o"}
        elif line:
            style = dict(zip(("linestyle", "marker"), next(looks), strict=True)) | {"linewidth": 1.4}
        else:
            style = {"linestyle": "", "marker": next(hollow), "markerfacecolor": "white"}
        spread = np.array([group["error"] - group["low"], group["high"] - group["error"]])
        axes.errorbar(
            *(group["layers"] - (0 if line else _ASIDE), group["error"], spread),
            **style,
            color=HELD_OUT if named or (not line and group["recipe"].iat[0] == own) else TRAIN,
            markersize=4,
            elinewidth=1.2,
            # a longer line would take the panel's width
            label=textwrap.fill(trained_in_words(group), 28) if group["trained"].iat[0] else None,
        )
        for row in group.itertuples() if named else ():
            at, place, aligned = _beside_a_mark(row, group, part)
            axes.annotate(row.config, (row.layers, at), place, textcoords="offset points", **aligned, fontsize=8.5)


def _beside_a_mark(row, group: pd.DataFrame, part: pd.DataFrame) -> tuple[float, tuple[float, float], dict[str, str]]:
    """Where a network's name stands: beside which error, how many points from there, and how it is aligned.

    Beside the ends of a line, else on the side on which the next mark of as many layers, of any line, is further away.
    """
    if row.layers == group["layers"].min():
        return row.error, (-7, 0), {"ha": "right", "va": "center"}
    if row.layers == group["layers"].max():
        return row.error, (7, 0), {"ha": "left", "va": "center"}
    others = part.loc[part["layers"] == row.layers, "error"] - row.error
    above, below = others[others > 0].min(), -others[others < 0].max()
    if pd.isna(above) or above > below:
        return row.high, (0, 4), {"ha": "center", "va": "bottom"}
    return row.low, (0, -4), {"ha": "center", "va": "top"}


def error_by_updates(frames: dict[str, pd.DataFrame]) -> Picture:
    """Training and held-out error (percent) at the end of training against the number of updates, a row a study.

    The training errors stand on zero; the axis of the held-out ones is cut to them. A mark is a network, its colour
    the configuration, its form the recipe; a line joins those of unlike length alone. Networks
    of as many updates stand side by side.

    Parameters
    ----------
    frames
        Study -> what :func:`verydeep.chapters.training_tables.budget` says of it.
    """
    use_style()
    size = (8.6, 2.9 * len(frames))
    figure, panels = plt.subplots(len(frames), 2, figsize=size, layout="constrained", squeeze=False, sharex="row")
    for (left, right), (study, frame) in zip(panels, frames.items(), strict=True):
        markers = dict(zip(frame["changes"].unique(), cycle("oDs^vP*X"), strict=False))
        apart = frame["updates"].max() / 1000 * _SIDE_BY_SIDE
        for (config, changes), part in frame.groupby(["config", "changes"], sort=False):
            style = {
                "color": _COLOURS[config],
                "marker": markers[changes],
                "markersize": 6,
                "linewidth": 1.4,
                "clip_on": False,  # an error of nearly nothing lies on the axis
            }
            updates = part["updates"] / 1000 + ("ABCDE".index(config) - 2) * apart
            left.plot(updates, part["training"], **style)
            spread = np.array([part["held_out"] - part["low"], part["high"] - part["held_out"]])
            right.errorbar(updates, part["held_out"], spread, elinewidth=1, **style)
        left.set(title=f"{study}: training crops", ylabel="top-1 error (%)")
        right.set(title=f"{study}: held-out images")
        handles = [
            plt.Line2D([], [], color=_COLOURS[name], linewidth=4, label=name) for name in frame["config"].unique()
        ]
        if len(markers) > 1:
            handles += [
                plt.Line2D([], [], color="#555555", marker=marker, linestyle="", label=changes or "the study's recipe")
                for changes, marker in markers.items()
            ]
        right.legend(handles=handles, frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
        left.set(xlim=(0, None), ylim=(0, None))  # right the networks differ by little, and zero is far away
    figure.supxlabel("thousand updates, those of its parents too", fontsize="medium")
    return finished(figure)


def curves_by_depth(histories: dict[str, pd.DataFrame], title: str = "") -> Picture:
    """Training and held-out top-1 error (percent) after every epoch, the networks over each other.

    Parameters
    ----------
    histories
        Name of a network -> its ``history.csv``, the shallowest first.
    """
    use_style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.4), layout="constrained", sharey=True)
    for name, history in histories.items():
        colour = _COLOURS[name[:1]]
        left.plot(history["epoch"], history["train_top1_error"], color=colour, linewidth=1.6)
        right.plot(history["epoch"], history["held_out_top1_error"], color=colour, linewidth=1.6, label=name)
    left.set(title="training crops", xlabel="epoch", ylabel="top-1 error (%)", ylim=(0, 100))
    right.set(title="held-out images", xlabel="epoch")
    if histories:
        right.legend(frameon=False, fontsize=8, loc="upper right")
    figure.suptitle(title, fontsize=10)
    return finished(figure)
