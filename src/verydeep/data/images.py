"""Decoding of one image, with an error that has its path."""

import io
import warnings

import numpy as np
from PIL import Image

from verydeep.errors import DataError

# Photographs of today have up to some 100 megapixels; anything beyond is an attack or an accident.
MAX_PIXELS = 120_000_000


def decode(data: bytes, path: str) -> np.ndarray:
    """Decode ``data`` to RGB: uint8 (height, width, 3). Grayscale and CMYK are converted.

    Raises
    ------
    DataError
        When the bytes are no image, are cut short, or would decode to more than 120 megapixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"{path}: {image.width}x{image.height} pixels, more than {MAX_PIXELS} allowed")
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({error}); restore the file or get the data set again") from None
