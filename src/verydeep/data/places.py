"""Where a crop lies on an image: how a box goes with it, there and back."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Place:
    """A square crop of ``side`` pixels at (``top``, ``left``) of an image rescaled to ``height`` x ``width`` pixels."""

    height: float
    width: float
    top: float
    left: float
    side: int
    mirrored: bool = False

    def in_crop(self, corners: np.ndarray) -> np.ndarray:
        """Boxes (..., 4) in parts of the image as they lie in the crop, in parts of its side; they may reach out of it.

        Of a mirrored crop left and right change places.
        """
        size, start = np.array([self.width, self.height] * 2), np.array([self.left, self.top] * 2)
        seen = (corners * size - start) / self.side
        return mirrored(seen) if self.mirrored else seen

    def in_image(self, corners: np.ndarray) -> np.ndarray:
        """Boxes (..., 4) in parts of the crop's side as they lie in the image, in parts of its width and height."""
        seen = mirrored(corners) if self.mirrored else corners
        size, start = np.array([self.width, self.height] * 2), np.array([self.left, self.top] * 2)
        return (seen * self.side + start) / size


def mirrored(corners: np.ndarray) -> np.ndarray:
    """Boxes (..., 4) in the mirror image of what they are parts of."""
    left, top, right, bottom = np.moveaxis(corners, -1, 0)
    return np.stack([1 - right, top, 1 - left, bottom], -1)
