"""One pass of a network over a set of images at one test scale, in one of the ways of testing.

What a table shows is an average of such passes (:mod:`verydeep.studies.measurements`), so each forward pass
is made once, whatever it is needed for.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from verydeep import machine, progress
from verydeep.data.ahead import prepared
from verydeep.data.base import Images
from verydeep.data.normaliser import Normaliser
from verydeep.data.views import require_rescalable, rescale
from verydeep.errors import VerydeepError
from verydeep.evaluation.ways import WAYS, Way
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.networks.network import DTYPES, Network
from verydeep.studies.parts import Testing


@dataclass(frozen=True)
class Pass:
    """What one pass gave over so many images, by name, and what it cost."""

    arrays: dict[str, np.ndarray]
    images: int
    seconds: float
    multiply_adds: int
    forward_passes: int

    def parted(self) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """What it gave, and what it cost."""
        return self.arrays, {key: value for key, value in vars(self).items() if key != "arrays"}

    @property
    def posteriors(self) -> np.ndarray:
        """Of a pass that names classes: float32 (images, classes)."""
        return self.arrays["posteriors"]


@dataclass
class Tester:
    """A network ready to be tested, and how what the paper leaves open is settled.

    Parameters
    ----------
    net
        Moved to the device of ``normalise``, its blocks to the precision of ``testing``.
    flip
        Whether mirror images are used too.
    pixels_per_batch
        Pixels that go through the network at once, flips not counted; see :class:`verydeep.evaluation.ways.Way`.
    """

    net: Network
    normalise: Normaliser
    testing: Testing
    flip: bool = True
    pixels_per_batch: int = PIXELS_PER_BATCH

    def __post_init__(self):
        machine.keep_memory()
        self.net.to(self.normalise.mean.device).eval()
        self.net.lower(DTYPES[self.testing.precision])

    def way(self, method: str) -> Way:
        """The way of testing by its name, ready for this network."""
        return WAYS[method](self.net, self.testing, self.flip, self.pixels_per_batch)

    def make(self, way: Way | str, store: Images, rows: np.ndarray, shorter: int) -> Pass:
        """The pass in one way, or by its name, over the images ``rows`` rescaled to a shorter side of ``shorter``."""
        way = self.way(way) if isinstance(way, str) else way
        begun = time.monotonic()
        posteriors = np.empty((len(rows), self.net.num_classes), np.float32)
        multiply_adds = forward_passes = 0
        title = f"{self.net.config.name} {way.name} at {shorter}"
        with torch.inference_mode(), progress.bar(title=title, total=len(rows)) as bar:
            for positions, images in self.batches(store, rows, shorter):
                tested = way(self.input(images))
                posteriors[positions] = tested.posteriors.cpu().numpy()
                self.require_finite(posteriors[positions])
                forward_passes += tested.forward_passes * len(positions)
                multiply_adds += tested.multiply_adds * len(positions)
                bar.update(len(positions))
        return Pass({"posteriors": posteriors}, len(rows), time.monotonic() - begun, multiply_adds, forward_passes)

    def require_finite(self, said: np.ndarray) -> None:
        """Raise :class:`VerydeepError` when not all that the network says of images is numbers."""
        if not np.isfinite(said).all():
            raise VerydeepError(
                f"{self.net.config.name} says nothing that is a number of an image: its weights are broken, or too "
                f"large for {self.testing.precision} (testing.precision)"
            )

    def input(self, images: np.ndarray) -> "torch.Tensor | LargeInput":
        """Images (n, height, width, 3) as the network takes them; too many pixels at once part by part."""
        within = images[..., 0].size <= self.pixels_per_batch
        return self.normalise(images) if within else LargeInput(images, self.normalise)

    def batches(self, store: Images, rows: np.ndarray, shorter: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (positions in ``rows``, uint8 images (n, h, w, 3)) rescaled to a shorter side, in batches of one shape.

        The images that wait for others of their shape are bounded too: when they hold four batches of pixels, the
        shape that has waited longest goes out as it is.
        """
        waiting: dict[tuple, list] = {}
        held = 0
        images = prepared(lambda row: self.rescaled(store, row, shorter), rows)
        for position, image in enumerate(images):
            size = image.shape[0] * image.shape[1]
            batch = waiting.setdefault(image.shape, [])
            batch.append((position, image))
            held += size
            full = (len(batch) + 1) * size > self.pixels_per_batch
            if full or held > 4 * self.pixels_per_batch:
                shape = image.shape if full else next(iter(waiting))
                batch = waiting.pop(shape)
                held -= len(batch) * shape[0] * shape[1]
                yield _stack(batch)
        for batch in waiting.values():
            yield _stack(batch)

    def rescaled(self, store: Images, row: int, shorter: int) -> np.ndarray:
        """One image of the store as it is tested: :func:`rescaled`."""
        return rescaled(self.testing, store, row, shorter)


def rescaled(testing: Testing, store: Images, row: int, shorter: int) -> np.ndarray:
    """One image of the store, rescaled as ``testing`` says; as :func:`rescaled_picture`."""
    name = store.manifest["name"].iat[row]
    return rescaled_picture(testing, store.image(row), shorter, name=name, advice=store.too_narrow)


def rescaled_picture(
    testing: Testing, image: np.ndarray, shorter: int, *, name: str = "the picture", advice: str = "crop it"
) -> np.ndarray:
    """An image, uint8 (height, width, 3), rescaled as ``testing`` says to a shorter side of ``shorter`` pixels.

    Parameters
    ----------
    name, advice
        How an error calls the image, and what it says to do.

    Raises
    ------
    DataError
        When it is so narrow that it would have more pixels than any image may have that is read.
    """
    require_rescalable(name, *image.shape[:2], shorter, testing.longer_side, advice)
    keys = ("longer_side", "interpolation", "antialias")
    return rescale(image, shorter, **{key: getattr(testing, key) for key in keys})


@dataclass
class LargeInput:
    """Stands for the tensor (1, 3, height, width) of a normalised image, and normalises only the parts that are taken.

    The whole in float32, and its mirror image, would take eight times the memory of the image itself.
    """

    images: np.ndarray  # uint8 (1, height, width, 3)
    normalise: Normaliser

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """That of the tensor which it stands for: (1, 3, height, width)."""
        count, height, width, channels = self.images.shape
        return count, channels, height, width

    def flip(self, _: int) -> "LargeInput":
        """The mirror image, as ``torch.Tensor.flip`` along the width gives it."""
        return LargeInput(self.images[:, :, ::-1], self.normalise)

    def __getitem__(self, place: tuple[slice, ...]) -> torch.Tensor:
        _, _, rows, columns = place
        return self.normalise(np.ascontiguousarray(self.images[:, rows, columns]))


def _stack(batch: list) -> tuple[np.ndarray, np.ndarray]:
    return np.array([position for position, _ in batch]), np.stack([image for _, image in batch])
