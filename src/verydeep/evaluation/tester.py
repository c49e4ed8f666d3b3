"""Class posteriors of a network over a set of images: densely, on a grid of crops, or on the centre crop (Sect. 3.2).

Every function here makes one pass over the images at one test scale. What a paper's table shows is an average of such
passes (:mod:`verydeep.studies.measurements`), so each forward pass is made once, whatever it is needed for.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from verydeep import progress
from verydeep.data.images import MAX_PIXELS
from verydeep.data.normaliser import Normaliser
from verydeep.data.store import Store
from verydeep.data.views import centre_position, grid_positions, rescale, scaled_size
from verydeep.errors import DataError
from verydeep.networks import anatomy, dense
from verydeep.networks.vgg import VGG
from verydeep.studies.schema import Testing

#: Pixels that go through the network at once: bounds its memory whatever the size of the images. An image that is
#: larger by itself is cut into strips (:func:`verydeep.networks.dense.strips`), and is held in 8 bits only.
PIXELS_PER_BATCH = 2**19

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Pass:
    """What one pass gave: posteriors float32 (images, classes), and its cost over all images."""

    posteriors: np.ndarray
    seconds: float
    multiply_adds: int
    forward_passes: int


@dataclass
class Tester:
    """A network ready to be tested, and how what the paper leaves open is settled.

    Parameters
    ----------
    net
        Moved to the device of ``normalise``, its convolutions to the precision of ``testing``.
    flip
        Whether mirror images are used too.
    pixels_per_batch
        Pixels that go through the network at once, flips not counted. A crop, and a strip as long as one position of
        the score map sees, go through it whole, however few these are.
    """

    net: VGG
    normalise: Normaliser
    testing: Testing
    flip: bool = True
    pixels_per_batch: int = PIXELS_PER_BATCH

    def __post_init__(self):
        self.net.to(self.normalise.mean.device).eval()
        self.net.features.to(_DTYPES[self.testing.precision])

    def make(self, method: str, store: Store, rows: np.ndarray, shorter: int) -> Pass:
        """The pass by one ``method`` over the images ``rows`` rescaled to a shorter side of ``shorter`` pixels."""
        begun = time.monotonic()
        found = np.empty((len(rows), self.net.num_classes), np.float32)
        multiply_adds = forward_passes = 0
        title = f"{self.net.config.name} {method} at {shorter}"
        look = {"dense": self._dense, "multi-crop": self._grid, "centre-crop": self._centre}[method]
        with torch.inference_mode(), progress.bar(title=title, total=len(rows)) as bar:
            for positions, images in self.batches(store, rows, shorter):
                within = images[..., 0].size <= self.pixels_per_batch
                posteriors, passes, cost = look(self.normalise(images) if within else _Large(images, self.normalise))
                found[positions] = posteriors.cpu().numpy()
                forward_passes += passes * len(positions)
                multiply_adds += cost * len(positions)
                bar.update(len(positions))
        return Pass(found, time.monotonic() - begun, multiply_adds, forward_passes)

    def batches(self, store: Store, rows: np.ndarray, shorter: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (positions in ``rows``, uint8 images (n, h, w, 3)) rescaled to a shorter side, in batches of one shape.

        The images that wait for others of their shape are bounded too: when they hold four batches of pixels, the
        shape that has waited longest goes out as it is.
        """
        waiting: dict[tuple, list] = {}
        held = 0
        for position, row in enumerate(rows):
            image = self.rescaled(store, row, shorter)
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

    def rescaled(self, store: Store, row: int, shorter: int) -> np.ndarray:
        """One image of the store, rescaled as ``testing`` says: uint8 (height, width, 3).

        Raises
        ------
        DataError
            When it is so narrow that it would have more pixels than any image may have that is read.
        """
        options, image = self.testing, store.image(row)
        height, width = scaled_size(*image.shape[:2], shorter, options.longer_side)
        if height * width > MAX_PIXELS:
            raise DataError(
                f"{store.manifest['name'].iat[row]}: {image.shape[1]}x{image.shape[0]} pixels become {width}x{height} "
                f"at the test scale {shorter}, more than {MAX_PIXELS} allowed; crop it or take it out of the data set"
            )
        return rescale(
            image,
            shorter,
            longer_side=options.longer_side,
            interpolation=options.interpolation,
            antialias=options.antialias,
        )

    # Each of these takes images (n, 3, height, width) and returns their posteriors (n, classes), and for one image
    # the number of forward passes and of multiply-adds.

    def _dense(self, x: torch.Tensor) -> tuple[torch.Tensor, int, int]:
        views = (x, x.flip(3)) if self.flip else (x,)
        options = (self.testing.average, self.testing.positions)
        found = sum(dense.posteriors(self.net, view, *options, self.pixels_per_batch) for view in views) / len(views)
        passes = 1 + self.flip
        # Of the uncut image, as the paper would count: where strips overlap, more are made.
        return found, passes, passes * self._multiply_adds(tuple(x.shape[2:]))

    def _grid(self, x: torch.Tensor) -> tuple[torch.Tensor, int, int]:
        per_side, grid = self.testing.crops_per_side, self.testing.grid
        tops, lefts = (grid_positions(length, self.net.crop, per_side, grid) for length in x.shape[2:])
        return self._crops(x, Counter(product(tops, lefts, (False, True) if self.flip else (False,))))

    def _centre(self, x: torch.Tensor) -> tuple[torch.Tensor, int, int]:
        top, left = (centre_position(length, self.net.crop) for length in x.shape[2:])
        return self._crops(x, Counter([(top, left, False)]))

    def _crops(self, x: torch.Tensor, views: Counter) -> tuple[torch.Tensor, int, int]:
        """Posteriors averaged over ``views``: (top, left, flipped) -> how often it counts.

        Crops of one place, as where the image is no larger than a crop, go through the network once.
        """
        side, order = self.net.crop, list(views)
        at_once = max(1, self.pixels_per_batch // (len(x) * side**2))
        total = 0
        for start in range(0, len(order), at_once):
            some = order[start : start + at_once]
            crops = [x[:, :, top : top + side, left : left + side] for top, left, _ in some]
            crops = [crop.flip(3) if view[2] else crop for crop, view in zip(crops, some, strict=True)]
            crops = torch.cat(crops).contiguous(memory_format=torch.channels_last)
            posteriors = dense.posteriors(self.net, crops).unflatten(0, (len(some), len(x)))
            weights = torch.tensor([views[view] for view in some], dtype=torch.float32, device=posteriors.device)
            total = total + (posteriors * weights[:, None, None]).sum(0)
        return total / views.total(), len(views), len(views) * self._multiply_adds((side, side))

    def _multiply_adds(self, image: tuple[int, int]) -> int:
        return anatomy.multiply_adds(self.net.config, self.net.size, image=image)


@dataclass
class _Large:
    """Stands for the tensor (1, 3, height, width) of a normalised image, and normalises only the parts that are taken.

    The whole in float32, and its mirror image, would take eight times the memory of the image itself.
    """

    images: np.ndarray  # uint8 (1, height, width, 3)
    normalise: Normaliser

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        count, height, width, channels = self.images.shape
        return count, channels, height, width

    def flip(self, _: int) -> "_Large":
        return _Large(self.images[:, :, ::-1], self.normalise)

    def __getitem__(self, place: tuple[slice, ...]) -> torch.Tensor:
        _, _, rows, columns = place
        return self.normalise(np.ascontiguousarray(self.images[:, rows, columns]))


def _stack(batch: list) -> tuple[np.ndarray, np.ndarray]:
    return np.array([position for position, _ in batch]), np.stack([image for _, image in batch])
