"""The boxes of a store's images, and what a crop, its scale and its mirror image do to them (Appendix A.1)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from verydeep import files
from verydeep.data.base import Source
from verydeep.data.places import Place
from verydeep.data.store import Store
from verydeep.errors import DataError


class Boxes:
    """The boxes of a store's images, in parts of each image's width and height. Get them with :func:`read_boxes`.

    ``corners`` is (boxes, 4), float32: left, top, right, bottom.
    """

    def __init__(self, corners: np.ndarray, rows: np.ndarray, images: int):
        """``rows`` (boxes,) are the manifest rows that the boxes are of, in rising order, out of ``images``."""
        self.corners = corners.astype(np.float32)
        self._first = np.searchsorted(rows, np.arange(images + 1))

    def of(self, row: int) -> np.ndarray:
        """The boxes of the image in manifest row ``row``: (k, 4), k = 0 where it has none."""
        return self.corners[self._first[row] : self._first[row + 1]]

    def having(self, rows: np.ndarray) -> np.ndarray:
        """Those of the manifest rows ``rows`` that have a box."""
        return rows[self._first[rows + 1] > self._first[rows]]

    def fingerprint(self, store: Store) -> dict:
        """How many images of each split have boxes, how many boxes there are, and a hash of them all."""
        images = {split: len(self.having(store.rows(split))) for split in store.counts()}
        names = store.manifest["name"].to_numpy()[np.repeat(np.arange(len(self._first) - 1), np.diff(self._first))]
        frame = pd.DataFrame(self.corners, columns=["left", "top", "right", "bottom"]).assign(name=names)
        digest = files.sha256_bytes(frame.to_csv(index=False, lineterminator="\n").encode())
        return {"images": images, "boxes": len(self.corners), "sha256": digest}


def read_boxes(source: Source, store: Store) -> Boxes:
    """Every box of a data set, read anew: seconds for Tiny ImageNet, minutes for ILSVRC.

    Raises
    ------
    DataError
        When the set has no boxes, one is faulty, or a validation image has none; the message names the file.
    """
    row_of = {name: row for row, name in enumerate(store.manifest["name"])}
    rows, corners = [], []
    for name, boxes in source.annotations():
        if name not in row_of:
            raise DataError(f"{source.folder}: there are boxes for {name}, which is no image of {source.name}")
        rows += [row_of[name]] * len(boxes)
        corners += boxes
    order = np.argsort(rows, kind="stable")
    every = Boxes(np.array(corners, np.float32).reshape(-1, 4)[order], np.array(rows, int)[order], len(row_of))
    tested = store.rows("val")
    if len(without := np.setdiff1d(tested, every.having(tested))):
        raise DataError(
            f"{source.folder}: {store.manifest['name'].iat[without[0]]} has no box; every tested image must"
        )
    return every


@dataclass(frozen=True)
class BoxTargets:
    """What a network that gives boxes is trained to say of a crop. Call it with a manifest row and the crop's place.

    How what the paper leaves open is settled (:class:`verydeep.studies.localisation.Localisation`): ``units`` of the
    four numbers, what becomes of a box that the crop ``cuts``, the part of a box that must lie in the crop for it to
    count, and which of ``several`` boxes is meant.
    """

    boxes: Boxes
    units: str
    cuts: str
    least_inside: float
    several: str

    def __call__(self, row: int, place: Place) -> np.ndarray:
        """float32 (5,): whether the crop counts (1 or 0), then centre x, centre y, width and height of its box."""
        uncut = place.in_crop(self._chosen(self.boxes.of(row)))
        inside = uncut.clip(0, 1)
        counts = _area(inside) >= self.least_inside * _area(uncut)
        said = parameters(inside if self.cuts == "clipped" else uncut, self.units, place.side)
        return np.concatenate([[counts], said]).astype(np.float32)

    def _chosen(self, boxes: np.ndarray) -> np.ndarray:
        """One of the boxes (k, 4) of an image: (4,)."""
        return boxes[0 if self.several == "first" else int(np.argmax(_area(boxes)))]


def _area(corners: np.ndarray) -> np.ndarray:
    return (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])


def parameters(corners: np.ndarray, units: str, crop: int) -> np.ndarray:
    """Corners (..., 4) in parts of a crop's side as a network's four numbers: centre x, centre y, width, height."""
    left, top, right, bottom = np.moveaxis(corners, -1, 0)
    centred = np.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], -1)
    return centred * (crop if units == "pixels" else 1)


def corners(said: np.ndarray | torch.Tensor, units: str, crop: int):
    """What :func:`parameters` was made from, (..., 4); a negative width or height counts as none."""
    scaled = said / (crop if units == "pixels" else 1)
    centre, half = scaled[..., :2], scaled[..., 2:].clip(0) / 2
    join = np.concatenate if isinstance(scaled, np.ndarray) else torch.cat
    return join([centre - half, centre + half], -1)


def mean_boxes(boxes: Boxes, rows: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean box of the images ``rows`` (4,), and that of each class (classes, 4): what needs no network.

    Every image weighs the same, by its largest box. A class without a box has the mean of all.
    """
    largest = np.stack([every[int(np.argmax(_area(every)))] for every in map(boxes.of, rows)]).astype(np.float64)
    mean = largest.mean(0)
    sums, counts = np.zeros((classes, 4)), np.bincount(labels, minlength=classes)[:, None]
    np.add.at(sums, labels, largest)
    return mean, np.where(counts > 0, sums / np.maximum(counts, 1), mean)
