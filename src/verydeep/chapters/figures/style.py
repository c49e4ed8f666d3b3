"""The style of every picture in the book."""

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

# Readable on white and, as the theme shows pictures in dark mode on a light ground, there too.
TRAIN, HELD_OUT, HELD_OUT_TOP5 = "#8a8f98", "#1b6ca8", "#7fb7de"
RIGHT, WRONG = "#1a7f4b", "#b3362c"
BLOCKS = sns.color_palette("crest", 5).as_hex()


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
