"""Pictures of what is inside a trained network: its first filters, and what its maps respond to."""

import matplotlib.pyplot as plt
import numpy as np

from verydeep.chapters.figures.style import Picture, finished, frameless, use_style


def filters(weights: np.ndarray, columns: int = 8) -> Picture:
    """Filters on colour images as colour images: grey is zero, and each is as strong as its own largest weight.

    Parameters
    ----------
    weights
        float (filters, 3, height, width).
    """
    use_style()
    figure, panels = frameless(len(weights), columns, (0.8, 0.8))
    for axes, weight in zip(panels.flat, weights.astype(np.float64), strict=False):
        axes.imshow(0.5 + weight.transpose(1, 2, 0) / (2 * max(np.abs(weight).max(), 1e-12)), interpolation="nearest")
    return finished(figure)


def patches(rows: dict[str, list[np.ndarray]]) -> Picture:
    """Pieces of images, a row for each key with its name at the left.

    Parameters
    ----------
    rows
        Name -> uint8 (height, width, 3), as many in each row.
    """
    use_style()
    columns = max(len(row) for row in rows.values())
    figure, panels = plt.subplots(
        len(rows), columns, figsize=(1.0 * columns + 1.1, 1.03 * len(rows)), layout="constrained", squeeze=False
    )
    for line, (name, row) in zip(panels, rows.items(), strict=True):
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, piece in zip(line, row, strict=False):
            axes.imshow(piece, interpolation="nearest")
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    return finished(figure)
