"""The style of every picture in the book, and the form in which a picture is shown and kept."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from verydeep import files
from verydeep.results.numbers import NOT_RUN

# Readable on white; in the dark the book's style sheet turns drawings round, light for dark (``verydeep.css``).
TRAIN, HELD_OUT, HELD_OUT_TOP5 = "#7d828b", "#1b6ca8", "#4f97c9"
RIGHT, WRONG = "#1a7f4b", "#b3362c"
# Light enough for black words, which are white on dark when turned round.
BLOCKS = ["#d5ebdf", "#b3dccf", "#93c8c5", "#7cb3c0", "#739fbd"]
SHADES = sns.light_palette("#6aa5d0", as_cmap=True)

_JPEG = {"dpi": 130, "facecolor": "white", "pil_kwargs": {"quality": 88}}


@dataclass(frozen=True)
class Picture:
    """A figure as a notebook shows it: a drawing as SVG on a transparent ground, photographs as JPEG on white.

    As PNG, matplotlib's default, the photographs were most of what a run's notebooks weighed.
    """

    figure: Figure

    @property
    def photographic(self) -> bool:
        """Whether it shows images in colour."""
        return any(image.get_array().ndim == 3 for axes in self.figure.axes for image in axes.images)

    def svg(self, source: str | None = None) -> str:
        """The picture as SVG, ``source`` in its metadata; a figure drawn anew from the same data is the same text."""
        stream = io.StringIO()
        with plt.rc_context({"svg.hashsalt": "verydeep"}):
            self.figure.savefig(
                stream, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None, "Source": source}
            )
        return stream.getvalue()

    def jpeg(self) -> bytes:
        """The picture as JPEG."""
        stream = io.BytesIO()
        self.figure.savefig(stream, format="jpeg", bbox_inches="tight", **_JPEG)
        return stream.getvalue()

    def save(self, path: Path, source: str | None = None) -> None:
        """Write it as SVG; parameters as those of :meth:`svg`."""
        files.write_text(path, self.svg(source))

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        shown = (
            {"image/jpeg": base64.b64encode(self.jpeg()).decode()}
            if self.photographic
            else {"image/svg+xml": self.svg()}
        )
        return {**shown, "text/plain": repr(self)}

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"<Picture of {width:g} by {height:g} inches>"


def ink_on(colour: ColorType) -> str:
    """Black or white, whichever is easier to read on a colour (the relative luminance of WCAG 2)."""
    luminance = sns.utils.relative_luminance(colour)
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"


def use_style() -> None:
    """The style of every picture in the book, whatever matplotlib's settings on this machine are."""
    plt.style.use("default")
    sns.set_theme(context="notebook", style="ticks", font_scale=0.9)
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})


def frameless(count: int, columns: int, size: tuple[float, float]) -> tuple[Figure, np.ndarray]:
    """Rows of panels without a frame, at least ``count`` of them; ``size`` is the width and height of one, inches.

    Of none there is one row, in which it says so.
    """
    rows, (width, height) = max(1, -(-count // columns)), size
    figure, panels = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), layout="constrained", squeeze=False
    )
    for axes in panels.flat:
        axes.set_axis_off()
    if count == 0:
        panels[0, 0].set_title("none", fontsize=8)
    return figure, panels


def finished(figure: Figure) -> Picture:
    """The figure as a picture, taken from pyplot's hands, or a notebook would show it twice.

    Axes in which nothing was drawn say so.
    """
    for axes in figure.axes:
        if axes.axison and not axes.has_data() and not axes.texts:
            axes.text(0.5, 0.5, NOT_RUN, transform=axes.transAxes, ha="center")
    plt.close(figure)
    return Picture(figure)
