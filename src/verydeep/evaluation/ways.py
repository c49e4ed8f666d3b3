"""The ways of testing a network, each an object: densely, on a grid of crops, on the centre crop (Sect. 3.2, 4.1).

A way takes images of one size, normalised, and gives their class posteriors and what they cost. A new one is a class
here; a benchmark makes its own and hands it to :meth:`verydeep.evaluation.tester.Tester.make`.
"""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, NamedTuple

import torch

from verydeep.data.views import centre_position, grid_positions
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.networks import anatomy, dense
from verydeep.networks.network import Network
from verydeep.studies.parts import Testing


class Tested(NamedTuple):
    """Posteriors (n, classes), and for one image the number of forward passes and of multiply-adds."""

    posteriors: torch.Tensor
    forward_passes: int
    multiply_adds: int


@dataclass(frozen=True)
class Way(ABC):
    """A way of testing a network: call it with images (n, 3, height, width).

    Parameters
    ----------
    testing
        How what the paper leaves open is settled.
    flip
        Whether mirror images are used too.
    pixels_per_batch
        Pixels that go through the network at once, flips not counted. A crop, and a strip as long as one position of
        the score map sees, go through it whole, however few these are.
    """

    net: Network
    testing: Testing
    flip: bool = True
    pixels_per_batch: int = PIXELS_PER_BATCH

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, images: torch.Tensor) -> Tested:
        """Posteriors and cost."""

    def multiply_adds(self, image: tuple[int, int]) -> int:
        """Of one forward pass over an image of (height, width)."""
        return anatomy.multiply_adds(self.net.config, self.net.size, image=image)


class Dense(Way):
    """The fully convolutional form over the whole image, its score map averaged, with the mirror image's."""

    name = "dense"

    def __call__(self, images: torch.Tensor) -> Tested:
        views = (images, images.flip(3)) if self.flip else (images,)
        options = (self.testing.average, self.testing.positions, self.pixels_per_batch)
        total = sum(dense.posteriors(self.net, view, *options) for view in views)
        # Of the uncut image, as the paper would count: where strips overlap, more are made.
        return Tested(total / len(views), len(views), len(views) * self.multiply_adds(tuple(images.shape[2:])))


class Crops(Way):
    """Crops of the training size; what a kind of them gives is :meth:`views`."""

    @abstractmethod
    def views(self, height: int, width: int) -> Counter:
        """The crops of an image: (top, left, mirrored) -> how often it counts in the average."""

    def __call__(self, images: torch.Tensor) -> Tested:
        """Crops of one place, as where the image is no larger than a crop, go through the network once."""
        side, views = self.net.crop, self.views(*images.shape[2:])
        order = list(views)
        at_once = max(1, self.pixels_per_batch // (len(images) * side**2))
        total = 0
        for start in range(0, len(order), at_once):
            some = order[start : start + at_once]
            crops = [images[:, :, top : top + side, left : left + side] for top, left, _ in some]
            crops = [crop.flip(3) if view[2] else crop for crop, view in zip(crops, some, strict=True)]
            crops = torch.cat(crops).contiguous(memory_format=torch.channels_last)
            posteriors = dense.posteriors(self.net, crops).unflatten(0, (len(some), len(images)))
            weights = torch.tensor([views[view] for view in some], dtype=torch.float32, device=posteriors.device)
            total = total + (posteriors * weights[:, None, None]).sum(0)
        return Tested(total / views.total(), len(views), len(views) * self.multiply_adds((side, side)))


class Grid(Crops):
    """A regular grid of crops and their mirror images: 5x5x2 in the paper (Sect. 3.2)."""

    name = "multi-crop"

    def views(self, height: int, width: int) -> Counter:
        per_side, grid = self.testing.crops_per_side, self.testing.grid
        tops, lefts = (grid_positions(length, self.net.crop, per_side, grid) for length in (height, width))
        return Counter(product(tops, lefts, (False, True) if self.flip else (False,)))


class CentreCrop(Crops):
    """The centre crop alone, without its mirror image (Sect. 4.1)."""

    name = "centre-crop"

    def views(self, height: int, width: int) -> Counter:
        return Counter([(*(centre_position(length, self.net.crop) for length in (height, width)), False)])


WAYS: dict[str, type[Way]] = {way.name: way for way in (Dense, Grid, CentreCrop)}
