"""Pictures of boxes: on images, or on an empty ground where the images are not at hand."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from verydeep.chapters.figures.style import HELD_OUT, RIGHT, TRAIN, WRONG, Picture, finished, frameless, use_style


def box_grid(
    titles: list[str], boxes: list[np.ndarray], truths: list[np.ndarray], right: list[bool],
    images: list[np.ndarray] | None = None, columns: int = 4,
) -> Picture:  # fmt: skip
    """Boxes beside the true ones: predicted in green where right and red where wrong, the true ones in grey.

    Parameters
    ----------
    boxes, truths
        For each image, (k, 4) and (m, 4): left, top, right, bottom in parts of the image.
    images
        uint8 (height, width, 3) each; an empty square ground where there are none.
    """
    use_style()
    figure, panels = frameless(len(boxes), columns, (1.9, 2.2))
    for k, (axes, said, true) in enumerate(zip(panels.flat, boxes, truths, strict=False)):
        _ground(axes, images[k] if images else None)
        for box in true:
            _draw(axes, box, TRAIN, linewidth=3)
        for box in said:
            _draw(axes, box, RIGHT if right[k] else WRONG)
        axes.set_title(titles[k], fontsize=7.5)
    return finished(figure)


def extremes(frame: pd.DataFrame, overlap: float) -> Picture:
    """The best and worst boxes, of :func:`verydeep.chapters.localisation_tables.extremes`, on an empty ground."""
    titles = [f"{row.image.rpartition('/')[2]}\n{row.iou:.2f}" for row in frame.itertuples()]
    right = (frame["iou"].astype(float) > overlap).tolist()
    return box_grid(titles, [box[None] for box in frame["box"]], frame["truth"].tolist(), right)


def crops_with_boxes(crops: np.ndarray, boxes: np.ndarray, titles: list[str], columns: int) -> Picture:
    """Crops uint8 (n, side, side, 3) with the box that is asked of each, (n, 4) in parts of its side.

    A crop that does not count in the loss has none; its row of ``boxes`` is NaN.
    """
    use_style()
    figure, panels = frameless(len(crops), columns, (1.5, 1.75))
    for axes, crop, box, title in zip(panels.flat, crops, boxes, titles, strict=False):
        _ground(axes, crop)
        axes.set(xlim=(-0.3, 1.3), ylim=(1.3, -0.3))
        if not np.isnan(box).any():
            _draw(axes, box, HELD_OUT)
        axes.set_title(title, fontsize=7.5)
    return finished(figure)


def merging(image: np.ndarray, steps: list[np.ndarray], titles: list[str], truth: np.ndarray) -> Picture:
    """Greedy merging step by step: the boxes (k, 4) that are left after each, on the image; the true ones in grey."""
    use_style()
    figure, panels = frameless(len(steps), min(4, len(steps)), (2.2, 2.5))
    for axes, boxes, title in zip(panels.flat, steps, titles, strict=False):
        _ground(axes, image)
        for box in truth:
            _draw(axes, box, TRAIN, linewidth=3)
        for box in boxes:
            _draw(axes, box, HELD_OUT)
        axes.set_title(title, fontsize=8)
    return finished(figure)


def _ground(axes: Axes, image: np.ndarray | None) -> None:
    """An image from 0 to 1 in each direction, or an empty frame of that size."""
    if image is None:
        axes.add_patch(plt.Rectangle((0, 0), 1, 1, facecolor="#f2f2f2", edgecolor="#c8c8c8"))
    else:
        axes.imshow(image, interpolation="nearest", extent=(0, 1, 1, 0), aspect=image.shape[0] / image.shape[1])
    axes.set(xlim=(-0.06, 1.06), ylim=(1.06, -0.06))


def _draw(axes: Axes, box: np.ndarray, colour: str, linewidth: float = 1.6) -> None:
    left, top, right, bottom = box
    axes.add_patch(
        plt.Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=linewidth)
    )
