"""The views of an image that a network sees: rescaling, crops, flips and colour (Sect. 3.1, 3.2).

Every random draw is a function of (seed, epoch, image), so neither the order of the batches nor the number of
workers or processes changes which crops are drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from verydeep.data.store import ColourStatistics, Store

# Pillow's bilinear filter widens with the reduction, so it does not alias when it shrinks an image.
INTERPOLATION = "bilinear, antialiased (Pillow)"
_FILTER = Image.Resampling.BILINEAR


@dataclass(frozen=True)
class Draws:
    """The random numbers of one epoch, a row for every training image; see :func:`draw_epoch`."""

    order: np.ndarray  # (n,) permutation: which image comes when
    scale: np.ndarray  # (n,) uniform in [0, 1)
    top: np.ndarray
    left: np.ndarray
    flip: np.ndarray
    colour: np.ndarray  # (n, 3) standard normal


def draw_epoch(seed: int, epoch: int, n: int) -> Draws:
    """Draw everything random about one epoch over ``n`` images."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    uniform = generator.random((4, n), dtype=np.float32)
    colour = generator.standard_normal((n, 3), dtype=np.float32)
    return Draws(generator.permutation(n), *uniform, colour)


def scaled_size(height: int, width: int, shorter: int) -> tuple[int, int]:
    """Size after isotropic rescaling so that the shorter side is ``shorter``; the other is rounded."""
    if height <= width:
        return shorter, max(shorter, round(width * shorter / height))
    return max(shorter, round(height * shorter / width)), shorter


def rescale(image: np.ndarray, shorter: int) -> np.ndarray:
    """Isotropic rescaling of a uint8 (height, width, 3) image to a shorter side of ``shorter`` pixels."""
    height, width = scaled_size(*image.shape[:2], shorter)
    return crop_of_rescaled(image, shorter, 0, 0, height, width)


def crop_of_rescaled(image: np.ndarray, shorter: int, top: int, left: int, height: int, width: int) -> np.ndarray:
    """The crop at (top, left) of :func:`rescale`'s result, computing only the pixels of the crop.

    All lengths are pixels of the rescaled image.
    """
    full_height, full_width = scaled_size(*image.shape[:2], shorter)
    if (full_height, full_width) == image.shape[:2]:
        return image[top : top + height, left : left + width]
    fy, fx = image.shape[0] / full_height, image.shape[1] / full_width
    box = (
        left * fx,
        top * fy,
        min((left + width) * fx, image.shape[1]),
        min((top + height) * fy, image.shape[0]),
    )
    return np.asarray(Image.fromarray(image).resize((width, height), _FILTER, box=box))


@dataclass(frozen=True)
class TrainingViews:
    """Random training crops: S drawn uniformly from [scale_min, scale_max], crop and flip at random.

    The colour shift is applied to whole batches later, see :func:`colour_shifts`.
    """

    crop: int
    scale_min: int
    scale_max: int
    flip: bool

    def __call__(self, image: np.ndarray, draws: Draws, i: int) -> np.ndarray:
        """The view of training image number ``i``: uint8 (crop, crop, 3)."""
        shorter = self.scale_min + int(draws.scale[i] * (self.scale_max - self.scale_min + 1))
        height, width = scaled_size(*image.shape[:2], shorter)
        top = int(draws.top[i] * (height - self.crop + 1))
        left = int(draws.left[i] * (width - self.crop + 1))
        view = crop_of_rescaled(image, shorter, top, left, self.crop, self.crop)
        return view[:, ::-1] if self.flip and draws.flip[i] < 0.5 else view


@dataclass(frozen=True)
class CentreCrop:
    """The central crop of the image rescaled to one S: what held-out images are measured on in training."""

    crop: int
    scale: int

    def __call__(self, image: np.ndarray) -> np.ndarray:
        height, width = scaled_size(*image.shape[:2], self.scale)
        top, left = (height - self.crop) // 2, (width - self.crop) // 2
        return crop_of_rescaled(image, self.scale, top, left, self.crop, self.crop)


def colour_shifts(statistics: ColourStatistics, normals: np.ndarray, strength: float) -> np.ndarray:
    """Krizhevsky's colour shift for each image: float32 (n, 3), in pixel values 0-255.

    The RGB eigenvectors times eigenvalue times a N(0, strength) draw. The eigenvalues are variances and so
    depend on the unit of a pixel; read for pixels in 0-1, the shift is a few levels, and read for 0-255 it
    would be a thousand, so the first is meant.

    Parameters
    ----------
    normals
        Standard normal draws, (n, 3).
    strength
        Standard deviation of the draw; 0.1 in Krizhevsky et al. (2012).
    """
    unit_eigenvalues = np.asarray(statistics.eigenvalues) / 255**2
    shift = (normals * strength * unit_eigenvalues) @ np.asarray(statistics.eigenvectors).T
    return (255 * shift).astype(np.float32)


@dataclass
class Batch:
    """A training batch: uint8 images (n, crop, crop, 3), int64 labels (n,), float32 colour draws (n, 3)."""

    images: np.ndarray
    labels: np.ndarray
    colour: np.ndarray


class TrainingBatches:
    """The batches of one epoch, as a map-style dataset: item ``k`` is the ``k``-th batch of this process.

    The epoch's order is cut into global batches, and each global batch into equal consecutive parts, one a
    process; images that do not fill a last batch are left out of the epoch.
    """

    def __init__(self, store: Store, rows, views: TrainingViews, draws: Draws, batch: int, part: int, parts: int):
        self.store, self.rows, self.views, self.draws = store, rows, views, draws
        self.labels = store.manifest["label"].to_numpy()
        self.batch, self.part, self.parts = batch, part, parts

    def __len__(self) -> int:
        return len(self.rows) // self.batch

    def __getitem__(self, k: int) -> Batch:
        if not 0 <= k < len(self):
            raise IndexError(k)
        size = self.batch // self.parts
        start = k * self.batch + self.part * size
        chosen = self.draws.order[start : start + size]
        rows = self.rows[chosen]
        images = np.stack([self.views(self.store.image(r), self.draws, i) for r, i in zip(rows, chosen, strict=True)])
        return Batch(images, self.labels[rows], self.draws.colour[chosen])


def centre_batches(store: Store, rows: np.ndarray, view: CentreCrop, batch: int) -> Iterator[tuple]:
    """Yield (images uint8 (n, crop, crop, 3), labels) over ``rows`` in order."""
    labels = store.manifest["label"].to_numpy()
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        yield np.stack([view(store.image(row)) for row in part]), labels[part]
