"""What a trained network says of a user's own picture, in every way of testing, and where in it (Sect. 3.2)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from verydeep import files
from verydeep.data.base import Images
from verydeep.data.images import decode, require_rgb
from verydeep.errors import DataError, UnknownName, VerydeepError
from verydeep.evaluation.passes import mean
from verydeep.evaluation.pretrained import Pretrained
from verydeep.evaluation.tester import Tester
from verydeep.networks import dense
from verydeep.studies.measurements import METHODS, Measurement, single


@dataclass(frozen=True)
class ScoreMap:
    """One class over a picture: its probability at every position of the score map, float (rows, columns).

    ``image`` is the picture as it was tested, uint8 (height, width, 3), ``scale`` its test scale Q, and ``counted``
    how many rows and columns of the map count in dense testing.
    """

    image: np.ndarray
    scale: int
    probabilities: np.ndarray
    counted: tuple[int, int]


class OnePicture(Images):
    """One decoded picture in place of a data set, so that it goes the very way that validation images go.

    Raises :class:`DataError` where it is not RGB uint8 (height, width, 3).
    """

    too_narrow = "give a smaller test scale, or crop it"

    def __init__(self, image: np.ndarray, name: str = "the picture"):
        require_rgb(image)
        self._image = image
        self.manifest = pd.DataFrame({"name": [name]})

    def image(self, row: int) -> np.ndarray:
        """The picture, uint8 (height, width, 3), whatever the row."""
        return self._image


def read_picture(path: Path) -> np.ndarray:
    """A picture as it is seen: RGB uint8 (height, width, 3), turned as its EXIF orientation says.

    Raises
    ------
    DataError
        When there is no readable image; see :func:`verydeep.data.images.decode`.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return decode(data, str(path), upright=True, advice="give a JPEG, PNG, GIF, BMP, TIFF or WebP image")


def measurement(model: Pretrained, method: str = "dense", scales: tuple[int, ...] = ()) -> Measurement:
    """The way of testing by its method and its test scales Q, in the paper's pixels; Table 3's by default.

    Raises
    ------
    UnknownName
        For a method that does not exist.
    VerydeepError
        For a scale below the training crop.
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    run = model.run
    least = round(run.size.crop * run.study.network.length_divisor)
    if small := [scale for scale in scales if scale < least]:
        if run.study.pixels(256) == 256:
            raise VerydeepError(f"the test scale {small[0]} is smaller than the training crop of {least} pixels")
        asked, crop = (f"{scale} ({run.study.pixels(scale)} pixels here)" for scale in (small[0], least))
        raise VerydeepError(
            f"the test scale {asked} is smaller than the training crop, {crop}: scales are named by the paper's values"
        )
    return Measurement(method, tuple(scales) or single(run.train_scale).test_scales)


def predict(model: Pretrained, picture: str | Path | np.ndarray, way: Measurement | None = None) -> pd.Series:
    """The probability of every class for one picture, by class name, the most probable first.

    The picture is tested as the validation images are, in float32.

    Parameters
    ----------
    picture
        A file, or RGB uint8 (height, width, 3).
    way
        Made by :func:`measurement`; dense at the network's single test scale by default.

    Raises
    ------
    DataError
        When the picture cannot be read, or is too narrow.
    """
    source = _source(picture)
    parts = []
    for part in (way or measurement(model)).passes:
        made = _tester(model).make(part.method, source, np.array([0]), model.run.study.pixels(part.test_scales[0]))
        parts.append(made.posteriors)
    return pd.Series(mean(parts)[0], index=model.classes, name="probability").sort_values(
        ascending=False, kind="stable"
    )


def score_map(model: Pretrained, picture: str | Path | np.ndarray, name: str, scale: int | None = None) -> ScoreMap:
    """Where in a picture a network sees the class ``name``, by its dense form at one test scale Q.

    Raises
    ------
    UnknownName
        For a class that the network does not tell.
    VerydeepError
        For a scale below the training crop.
    DataError
        When the picture cannot be read, or is too narrow.
    """
    if name not in model.classes:
        raise UnknownName("class", name, model.classes)
    (scale,) = measurement(model, "dense", (scale,) if scale else ()).test_scales
    tester = _tester(model)
    image = tester.rescaled(_source(picture), 0, model.run.study.pixels(scale))
    with torch.inference_mode():
        scores = dense.score_map(model.network, tester.input(image[None]), tester.pixels_per_batch)
    counted = dense.counted(model.network, *image.shape[:2], tester.testing.positions)
    probabilities = scores.softmax(1)[0, model.classes.index(name)].cpu().numpy()
    return ScoreMap(image, scale, probabilities, counted)


def _source(picture: str | Path | np.ndarray) -> OnePicture:
    if isinstance(picture, np.ndarray):
        return OnePicture(picture)
    return OnePicture(read_picture(Path(picture)), files.shown(picture))


def _tester(model: Pretrained) -> Tester:
    """In float32, which is that of the network as it was handed out."""
    testing = model.run.testing.model_copy(update={"precision": "float32"})
    return Tester(model.network, model.transform.normalise, testing, model.run.recipe.flip)
