"""Pictures of images, and of what a network makes of them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from verydeep.chapters.figures.style import (
    HELD_OUT,
    RIGHT,
    SHADES,
    WRONG,
    Picture,
    finished,
    frameless,
    ink_on,
    use_style,
)


def image_grid(
    images: np.ndarray,
    titles: list[str],
    colours: list[str] | None = None,
    columns: int = 4,
    size: tuple[float, float] = (1.7, 1.95),
) -> Picture:
    """Images with some text above each.

    Parameters
    ----------
    images
        uint8 (n, height, width, 3).
    titles, colours
        One for each image; black by default.
    size
        Width and height of an image with its text, inches.
    """
    use_style()
    figure, axes = frameless(len(images), columns, size)
    for k, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.imshow(image, interpolation="nearest")
        axis.set_title(titles[k], fontsize=8, color=colours[k] if colours else "black")
    return finished(figure)


def prediction_grid(images: np.ndarray, predictions: pd.DataFrame, words: list[str], columns: int = 4) -> Picture:
    """Images with the class they were given and its probability: green where right, red where wrong."""
    titles, colours = [], []
    for row in predictions.itertuples():
        right = row.class_1 == row.label
        said = f"{words[row.class_1][:17]} {100 * row.probability_1:.0f}%"
        titles.append(said if right else f"{said}\n({words[row.label][:19]})")
        colours.append(RIGHT if right else WRONG)
    return image_grid(images, titles, colours, columns)


def score_maps(
    images: list[np.ndarray], maps: list[np.ndarray], counted: list[tuple[int, int]], titles: list[str], title: str
) -> Picture:
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
    vmax = max(float(score_map.max()) for score_map in maps)
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
    figure.suptitle(title, fontsize=10)
    figure.colorbar(drawn, ax=axes[1, :], shrink=0.8, label="probability", format=lambda x, _: f"{100 * x:.0f}%")
    return finished(figure)


def crop_grid(
    images: list[np.ndarray], titles: list[str], positions: list[tuple[list[int], list[int]]], crop: int
) -> Picture:
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


def crop_posteriors(probabilities: list[np.ndarray], titles: list[str], title: str) -> Picture:
    """What each crop of multi-crop testing says: the probability of one class, the crops as they lie on the image.

    Parameters
    ----------
    probabilities
        For each test scale float (rows of crops, columns of crops).
    """
    use_style()
    size = (2.6 * len(probabilities), 3.1)
    figure, panels = plt.subplots(1, len(probabilities), figsize=size, layout="constrained", squeeze=False)
    largest = max(float(shown.max()) for shown in probabilities)
    for axes, name, shown in zip(panels.flat, titles, probabilities, strict=True):
        axes.imshow(shown, vmin=0, vmax=largest, cmap=SHADES)
        for (i, j), value in np.ndenumerate(shown):
            ink = ink_on(SHADES(value / largest))
            axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=8, color=ink)
        axes.set_title(name, fontsize=9)
        axes.set_axis_off()
    figure.suptitle(title, fontsize=10)
    return finished(figure)


def posteriors_by_scale(scales: list[int], posteriors: np.ndarray, average: np.ndarray, names: list[str]) -> Picture:
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
    axes.set(xlabel="test scale Q, in the paper's pixels", ylabel="probability (%)", ylim=(0, None))
    axes.set_xticks(scales, scales, rotation=60)  # some lie close together
    axes.legend(frameon=False, fontsize=8, title="dotted: multi-scale average", title_fontsize=8)
    return finished(figure)
