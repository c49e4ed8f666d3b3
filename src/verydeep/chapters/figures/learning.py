"""Pictures of learning from few images."""

import matplotlib.pyplot as plt
import pandas as pd

from verydeep.chapters.figures.style import HELD_OUT, TRAIN, Picture, finished, use_style


def error_by_images(frame: pd.DataFrame) -> Picture:
    """The error of every way against the number of images of each class, with its 95 % interval.

    ``frame`` is that of :func:`verydeep.chapters.tuning_tables.points`.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(6.2, 3.6), layout="constrained")
    colours = [HELD_OUT, TRAIN, "#777777"]
    for (way, part), colour, marker in zip(frame.groupby("way", sort=False), colours, "osD", strict=False):
        below, above = part["error"] - part["low"], part["high"] - part["error"]
        axes.errorbar(
            part["images"],
            part["error"],
            [below, above],
            color=colour,
            marker=marker,
            capsize=3,
            label=way,
            linewidth=1.6,
        )
    counts = sorted(frame["images"].unique())
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set(xlabel="training images of each class", ylabel="mean class error (%)", ylim=(0, 100))
    axes.legend(frameon=False, fontsize=8)
    return finished(figure)


def loss_curve(losses: list[float]) -> Picture:
    """The mean loss of every epoch."""
    use_style()
    figure, axes = plt.subplots(figsize=(5, 2.8), layout="constrained")
    axes.plot(range(1, len(losses) + 1), losses, color=TRAIN, marker="o", markersize=3.5)
    axes.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None))
    return finished(figure)
