"""The views of an image that a network sees: rescaling, crops, flips and colour (Sect. 3.1, 3.2).

Every random draw is a function of (seed, epoch, image), so neither the order of the batches nor the number of
workers or processes changes which crops are drawn.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from PIL import Image
from torch.utils.data import get_worker_info

from verydeep.data.ahead import prepared
from verydeep.data.boxes import BoxTargets
from verydeep.data.images import FILTERS, MAX_PIXELS, ROUNDINGS
from verydeep.data.places import Place
from verydeep.data.store import ColourStatistics, Store
from verydeep.errors import DataError

#: Of a stretched crop: the least and the most of an image's area, and the largest width over height (and its inverse).
AREAS, ASPECT = (0.08, 1.0), 4 / 3


@dataclass(frozen=True)
class Draws:
    """The random numbers of one epoch, a row for every training image; see :func:`draw_epoch`."""

    order: np.ndarray  # (n,) permutation: which image comes when
    scale: np.ndarray  # (n,) uniform in [0, 1)
    top: np.ndarray
    left: np.ndarray
    flip: np.ndarray
    colour: np.ndarray  # (n, 3) standard normal
    aspect: np.ndarray  # (n,) uniform in [0, 1)


def draw_epoch(seed: int, epoch: int, n: int) -> Draws:
    """Draw everything random about one epoch over ``n`` images."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    uniform = generator.random((4, n), dtype=np.float32)
    colour = generator.standard_normal((n, 3), dtype=np.float32)
    order = generator.permutation(n)
    return Draws(order, *uniform, colour, generator.random(n, dtype=np.float32))  # last, so that older runs come again


def scaled_size(height: int, width: int, shorter: int, longer_side: str = "round") -> tuple[int, int]:
    """Size after isotropic rescaling so that the shorter side is ``shorter``; the other is rounded as asked."""
    rounded = ROUNDINGS[longer_side]
    if height <= width:
        return shorter, max(shorter, rounded(width * shorter / height))
    return max(shorter, rounded(height * shorter / width)), shorter


def require_rescalable(
    name: str, height: int, width: int, shorter: int, longer_side: str = "round",
    advice: str = "crop it or take it out of the data set",
) -> None:  # fmt: skip
    """Raise :class:`DataError` where the image ``name`` is so narrow that, rescaled to a shorter side of ``shorter``
    pixels, it would have more of them than any image may have that is read; ``advice`` is what the error says to do.
    """
    tall, wide = scaled_size(height, width, shorter, longer_side)
    if tall * wide > MAX_PIXELS:
        raise DataError(
            f"{name}: {width}x{height} pixels become {wide}x{tall} at the test scale {shorter}, more than {MAX_PIXELS} "
            f"allowed; {advice}"
        )


def rescale(
    image: np.ndarray,
    shorter: int,
    *,
    longer_side: str = "round",
    interpolation: str = "bilinear",
    antialias: bool = True,
) -> np.ndarray:
    """Isotropic rescaling of a uint8 (height, width, 3) image to a shorter side of ``shorter`` pixels.

    The keywords settle what the paper leaves open (:class:`verydeep.studies.parts.Testing`).
    """
    height, width = scaled_size(*image.shape[:2], shorter, longer_side)
    if (height, width) == image.shape[:2]:
        return image
    picture, chosen = Image.fromarray(image), FILTERS[interpolation]
    if antialias:
        return np.asarray(picture.resize((width, height), chosen))
    # Positions beyond the outermost pixel centres are black in Pillow's transform: give it a repeated border.
    border = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    fy, fx = image.shape[0] / height, image.shape[1] / width
    matrix = (fx, 0, 2, 0, fy, 2)
    return np.asarray(Image.fromarray(border).transform((width, height), Image.Transform.AFFINE, matrix, chosen))


def grid_positions(length: int, crop: int, per_side: int, grid: str) -> list[int]:
    """Offsets of ``per_side`` crops along a side of ``length`` pixels, some of them equal where there is no room.

    The paper's multi-crop testing takes a regular 5x5 grid (Sect. 3.2) and does not say where it lies: ``"edges"``
    spaces the crops evenly from edge to edge, ``"cells"`` puts them in the middles of ``per_side`` equal cells.
    """
    room = length - crop
    if grid == "edges":
        places = np.linspace(0, room, per_side) if per_side > 1 else np.array([room / 2])
    else:
        places = (np.arange(per_side) + 0.5) * room / per_side
    return [math.floor(place + 0.5) for place in places]


def centre_position(length: int, crop: int) -> int:
    """Offset of the centre crop along a side of ``length`` pixels; a half is rounded to even, as in torchvision."""
    return round((length - crop) / 2)


def crop_of_rescaled(image: np.ndarray, shorter: int, top: int, left: int, height: int, width: int) -> np.ndarray:
    """The crop at (top, left) of :func:`rescale`'s default result, computing only the pixels of the crop.

    All lengths are pixels of the rescaled image.
    """
    return _piece(image, scaled_size(*image.shape[:2], shorter), (top, left), (height, width))


def _piece(image: np.ndarray, full: tuple[float, float], at: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """The piece of (height, width) at (top, left) of an image rescaled to the full (height, width)."""
    (full_height, full_width), (top, left), (height, width) = full, at, size
    if (full_height, full_width) == image.shape[:2]:
        return image[int(top) : int(top) + height, int(left) : int(left) + width]
    fy, fx = image.shape[0] / full_height, image.shape[1] / full_width
    box = (
        left * fx,
        top * fy,
        min((left + width) * fx, image.shape[1]),
        min((top + height) * fy, image.shape[0]),
    )
    return np.asarray(Image.fromarray(image).resize((width, height), FILTERS["bilinear"], box=box))


@dataclass(frozen=True)
class TrainingViews:
    """Random training crops: S drawn uniformly from [scale_min, scale_max], crop and flip at random.

    Where ``resized``, a rectangle of any area and aspect in place of S and a square, stretched to the crop
    (Szegedy et al. 2015, Sect. 6): of :data:`AREAS` and :data:`ASPECT` as in torchvision's ``RandomResizedCrop``. Where
    it is longer than a side of the image it is cut there, where torchvision draws again.

    The colour shift is applied to whole batches later, see :func:`colour_shifts`.
    """

    crop: int
    scale_min: int
    scale_max: int
    flip: bool
    resized: bool = False

    def keeps(self, size: tuple[int, int]) -> bool:
        """Whether the view of an image of (height, width) is a piece of it as it is, not rescaled."""
        return not self.resized and self.scale_min == self.scale_max == min(size)

    def place(self, size: tuple[int, int], draws: Draws, i: int) -> Place:
        """Where the view of training image number ``i``, of (height, width), lies."""
        if self.resized:
            return self._stretched(size, draws, i)
        shorter = self.scale_min + int(draws.scale[i] * (self.scale_max - self.scale_min + 1))
        height, width = scaled_size(*size, shorter)
        top = int(draws.top[i] * (height - self.crop + 1))
        left = int(draws.left[i] * (width - self.crop + 1))
        return Place(height, width, top, left, self.crop, bool(self.flip and draws.flip[i] < 0.5))

    def _stretched(self, size: tuple[int, int], draws: Draws, i: int) -> Place:
        """The place of a rectangle of the image: that of the crop in the image stretched as the rectangle is."""
        (least, most), (height, width) = AREAS, size
        area = (least + (most - least) * float(draws.scale[i])) * height * width
        aspect = ASPECT ** (2 * float(draws.aspect[i]) - 1)
        rows = min(height, max(1, round(math.sqrt(area / aspect))))
        columns = min(width, max(1, round(math.sqrt(area * aspect))))
        top, left = int(draws.top[i] * (height - rows + 1)), int(draws.left[i] * (width - columns + 1))
        down, across = self.crop / rows, self.crop / columns
        mirrored = bool(self.flip and draws.flip[i] < 0.5)
        return Place(height * down, width * across, top * down, left * across, self.crop, mirrored)

    def __call__(self, image: np.ndarray, draws: Draws, i: int) -> np.ndarray:
        """The view of training image number ``i``: uint8 (crop, crop, 3)."""
        return cut(image, self.place(image.shape[:2], draws, i))


@dataclass(frozen=True)
class CentreView:
    """The centre crop of the image rescaled to one S, not mirrored: training measures held-out images on it."""

    crop: int
    scale: int

    def place(self, size: tuple[int, int]) -> Place:
        """Where the view of an image of (height, width) lies."""
        height, width = scaled_size(*size, self.scale)
        return Place(height, width, centre_position(height, self.crop), centre_position(width, self.crop), self.crop)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return cut(image, self.place(image.shape[:2]))


def cut(image: np.ndarray, place: Place) -> np.ndarray:
    """The view of an image, uint8 (height, width, 3), at a place: uint8 (side, side, 3)."""
    view = _piece(image, (place.height, place.width), (place.top, place.left), (place.side, place.side))
    return view[:, ::-1] if place.mirrored else view


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
    """A training batch: uint8 images (n, crop, crop, 3), int64 labels (n,), float32 colour draws (n, 3).

    Images, labels and, where the network gives boxes, ``boxes`` (n, 5) of :class:`verydeep.data.boxes.BoxTargets` are
    tensors, which a worker process hands over without copying them.
    """

    images: torch.Tensor
    labels: torch.Tensor
    colour: np.ndarray
    boxes: torch.Tensor | None = None

    def pin_memory(self) -> "Batch":
        """The same batch where a GPU can fetch it while the processor goes on."""
        boxes = None if self.boxes is None else self.boxes.pin_memory()
        return Batch(self.images.pin_memory(), self.labels.pin_memory(), self.colour, boxes)


def share(batch: int, part: int, parts: int) -> tuple[int, int]:
    """Where in a batch the images of process ``part`` of ``parts`` begin and end."""
    return part * batch // parts, (part + 1) * batch // parts


class TrainingBatches:
    """The batches of one epoch, as a map-style dataset: item ``k`` is the ``k``-th batch of this process.

    The epoch's order is cut into global batches, and each global batch into consecutive parts, one a process, whose
    sizes differ by one image at most; images that do not fill a last batch are left out of the epoch. With ``boxes``
    a batch says where in each crop the object lies.
    """

    def __init__(
        self, store: Store, rows, views: TrainingViews, draws: Draws, batch: int, part: int, parts: int,
        boxes: BoxTargets | None = None,
    ):  # fmt: skip
        self.store, self.rows, self.views, self.draws = store, rows, views, draws
        self.labels = store.manifest["label"].to_numpy()
        self.batch, self.part, self.parts, self.boxes = batch, part, parts, boxes

    def __len__(self) -> int:
        return len(self.rows) // self.batch

    def __getitem__(self, k: int) -> Batch:
        if not 0 <= k < len(self):
            raise IndexError(k)
        first, last = share(self.batch, self.part, self.parts)
        chosen = self.draws.order[k * self.batch + first : k * self.batch + last]
        images = np.empty((len(chosen), self.views.crop, self.views.crop, 3), np.uint8)

        def write(k: int) -> Place:
            """Write the k-th view, and say where it lies in its image."""
            image = self.store.image(self.rows[chosen[k]])
            place = self.views.place(image.shape[:2], self.draws, chosen[k])
            images[k] = cut(image, place)
            return place

        places = list((prepared if self._worth_threads() else map)(write, range(len(chosen))))
        rows = self.rows[chosen]
        labels, boxes = torch.from_numpy(self.labels[rows]), _targets(self.boxes, rows, places)
        return Batch(torch.from_numpy(images), labels, self.draws.colour[chosen], boxes)

    def _worth_threads(self) -> bool:
        """Whether to share the views out among the cores: not where a view is merely read, nor in a worker process,
        which is one for each core already."""
        read = self.store.shape is not None and self.views.keeps(self.store.shape[:2])
        return not read and get_worker_info() is None


def _targets(boxes: BoxTargets | None, rows: np.ndarray, places: list[Place]) -> torch.Tensor | None:
    return boxes and torch.from_numpy(np.stack([boxes(row, place) for row, place in zip(rows, places, strict=True)]))


def centre_batches(
    store: Store, rows: np.ndarray, view: CentreView, batch: int, boxes: BoxTargets | None = None
) -> Iterator[Batch]:
    """Yield batches of the views of ``rows`` in order, without colour draws."""
    labels = store.manifest["label"].to_numpy()

    def seen(row: int) -> tuple[np.ndarray, Place]:
        image = store.image(row)
        return view(image), view.place(image.shape[:2])

    views = prepared(seen, rows)
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        images, places = zip(*islice(views, len(part)), strict=True)
        images, classes = torch.from_numpy(np.stack(images)), torch.from_numpy(labels[part])
        yield Batch(images, classes, np.zeros((len(part), 3), np.float32), _targets(boxes, part, list(places)))
