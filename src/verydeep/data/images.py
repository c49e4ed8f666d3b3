"""Decoding of one image, with an error that has its path."""

import contextlib
import io
import math
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from verydeep.errors import DataError, in_one_line

# Photographs of today have up to some 100 megapixels; anything beyond is an attack or an accident.
MAX_PIXELS = 120_000_000
#: The filters by which an image is rescaled, by name. Pillow's resize widens its filter with the reduction, so it does
#: not alias when it shrinks an image; its affine transform does not, as in Caffe's and OpenCV's plain resize.
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
#: How the longer side of a rescaled image is rounded, by name.
ROUNDINGS = {"round": round, "floor": math.floor, "ceil": math.ceil}
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")  # of Pillow's many, those that data sets come in
# Of odd metadata, and of sizes that are refused below. Once for all: threads would mix up what each sets aside and puts
# back around an image.
warnings.filterwarnings("ignore", module=r"PIL\.")
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


#: What to do about an image of a data set that cannot be read.
RESTORE = "restore the file or get the data set again"


def decode(data: bytes, path: str, *, upright: bool = False, advice: str = RESTORE) -> np.ndarray:
    """Decode ``data`` to RGB: uint8 (height, width, 3).

    Grayscale, palette and CMYK images are converted, and transparency is dropped. The format is that of the content,
    whatever the name says: ImageNet has both. An EXIF orientation is not applied, as in torchvision and Caffe, whose
    numbers ours stand beside, unless it is asked for: a photograph of a user's own is meant as it is seen.

    Parameters
    ----------
    upright
        Apply the EXIF orientation.
    advice
        What the error for an image that cannot be read says to do.

    Raises
    ------
    DataError
        When the bytes are no JPEG, PNG, GIF, BMP, TIFF or WebP image, are cut short, would decode to more than 120
        megapixels, are grey with more than 8 bits, which would be clipped, or hold several frames.
    """
    with _readable(path, advice):
        image = _open(data, path)
        return np.asarray((ImageOps.exif_transpose(image) if upright else image).convert("RGB"))


def pixels_of(picture: Image.Image) -> np.ndarray:
    """A PIL image as :func:`decode` gives a file of it, upright; raises as it does."""
    with _readable("the picture", "give another"):
        _require_lossless(picture, "the picture")
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def require_rgb(picture: np.ndarray) -> None:
    """Refuse what is no decoded picture: by another type or range its pixels would be taken for others.

    Raises
    ------
    DataError
        When it is not uint8 (height, width, 3).
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise DataError(
            f"a picture is a PIL image or RGB uint8 (height, width, 3), not {picture.dtype} {picture.shape}"
        )


def check_header(data: bytes, path: str) -> None:
    """What :func:`decode` would refuse by an image's header alone, in microseconds; raises as it does."""
    with _readable(path):
        _open(data, path)


@contextlib.contextmanager
def _readable(path: str, advice: str = RESTORE) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except UnidentifiedImageError:  # whose own words have the address of an object in memory
        raise DataError(f"{path}: not a readable image (of no known format); {advice}") from None
    except Exception as error:  # Pillow's readers raise what struct, zlib and each of them raise
        raise DataError(f"{path}: not a readable image ({in_one_line(error)}); {advice}") from None


def _open(data: bytes, path: str) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    _require_lossless(image, path)
    return image


def _require_lossless(image: Image.Image, path: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"{path}: {image.width}x{image.height} pixels, more than {MAX_PIXELS} allowed")
    if image.mode not in _EIGHT_BITS:
        raise DataError(f"{path}: an image of mode {image.mode}; only 8 bits a channel are read without loss")
    # a JPEG's further pictures are its own preview or the other eye's view
    if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
        raise DataError(f"{path}: {frames} frames; a single image is expected")
