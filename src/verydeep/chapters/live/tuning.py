"""What the notebook of fine-tuning shows: of a data set its three ways, of own images the network's errors."""

import numpy as np
import pandas as pd

from verydeep import finetuning
from verydeep.chapters import display, figures, tuning_tables
from verydeep.chapters.figures import Picture
from verydeep.chapters.figures.style import RIGHT, WRONG
from verydeep.data.sources import source
from verydeep.data.store import open_store
from verydeep.data.views import rescale
from verydeep.errors import VerydeepError
from verydeep.runs import transfers
from verydeep.studies import OwnImages, Tuning
from verydeep.studies.tuning import TUNED

Asked = Tuning | OwnImages
Learned = Tuning | finetuning.Tuned


def learn(asked: Asked, to: str | None = None, *, pixels_per_batch: int) -> Learned:
    """Do what is asked: the three ways on a data set, which are recorded, or a network for own images.

    Returns
    -------
    Tuning or Tuned
        What :func:`table`, :func:`picture`, :func:`gains` and :func:`examples` show.

    Raises
    ------
    VerydeepError
        When ``to`` is given with a data set, whose record has its own place.
    """
    if isinstance(asked, Tuning):
        if to:
            raise VerydeepError(f"to={to!r} is of a folder of images of one's own: {asked.source} is recorded")
        finetuning.compare(asked, pixels_per_batch=pixels_per_batch)
        return asked
    return finetuning.tune(asked, to, pixels_per_batch=pixels_per_batch)


def table(learned: Learned) -> display.Table:
    """The errors: by way and number of images, or of own images by class."""
    if isinstance(learned, Tuning):
        return tuning_tables.ways(learned)
    error, low, high = learned.error
    every = {"class": "all", "tested": len(learned.answers), "wrong": round(error * len(learned.answers) / 100)}
    rows = pd.concat(
        [learned.by_class.reset_index(), pd.DataFrame([every | {"error": error, "low": low, "high": high}])]
    )
    rows["error"] = [display.with_interval(*interval) for interval in rows[["error", "low", "high"]].to_numpy()]
    shown = rows.set_index("class")[["tested", "wrong", "error"]]
    caption = "Intervals: 95 %, over the images tested on."
    return display.table(shown, units={"tested": "images", "wrong": "images", "error": "%"}, caption=caption)


def picture(learned: Learned) -> Picture:
    """The error by the number of images, or of own images the loss by epoch."""
    if isinstance(learned, Tuning):
        return figures.error_by_images(tuning_tables.points(learned))
    return figures.loss_curve(learned.losses)


def gains(learned: Learned) -> display.Table:
    """What fine-tuning gains over the two other ways; of own images, no rows."""
    if isinstance(learned, Tuning):
        return tuning_tables.gains(learned)
    return display.without_rows("Of own images one way is learned.")


def examples(learned: Learned, count: int = 12) -> Picture:
    """Images that were tested, each with the class that it was called: green where right, red where wrong."""
    shown = _of_data_set(learned, count) if isinstance(learned, Tuning) else learned.examples(count)
    images, titles, right = zip(*shown, strict=True)
    return figures.image_grid(
        [_square(image) for image in images], list(titles), [RIGHT if is_right else WRONG for is_right in right]
    )


def _of_data_set(tuning: Tuning, count: int):
    """Half of them wrong where there are so many, by the network that was tuned to most images."""
    said = transfers.read(tuning.folder, f"{TUNED}-{tuning.counts[-1]}")
    is_right = (said["label"] == said["class_1"]).to_numpy()
    parts = [part.iloc[np.unique(np.linspace(0, len(part) - 1, count // 2, dtype=int))]
             for part in (said[is_right], said[~is_right]) if len(part)]  # fmt: skip
    store = open_store(source(tuning.source))
    rows = {name: row for row, name in enumerate(store.manifest["name"])}
    for answer in pd.concat(parts).itertuples():
        called = store.words[answer.class_1][:18]
        wrong = "" if answer.label == answer.class_1 else f"\nis {store.words[answer.label][:18]}"
        yield store.image(rows[answer.image]), f"{called}{wrong}", answer.label == answer.class_1


def _square(image: np.ndarray, side: int = 128) -> np.ndarray:
    """The middle of an image, as large as all others shown."""
    small = rescale(image, side)
    top, left = ((length - side) // 2 for length in small.shape[:2])
    return small[top : top + side, left : left + side]
