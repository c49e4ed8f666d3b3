"""The networks of VGG's time as torchvision has them, measured on this machine: apart, since torchvision takes seconds
to import."""

import pandas as pd

from verydeep.chapters import display
from verydeep.errors import VerydeepError
from verydeep.networks import peers


def compared(size: int) -> pd.DataFrame:
    """Size, work and depth of each network for an image of ``size`` x ``size`` pixels, a row each.

    Raises
    ------
    VerydeepError
        When the image is so small that nothing of it is left in one of them.
    """
    if size < peers.SMALLEST:
        raise VerydeepError(f"size must be {peers.SMALLEST} pixels at least, of which AlexNet leaves one; not {size}")
    return display.table(peers.compare(size).round(1))


def speed(size: int, seconds: float) -> pd.DataFrame:
    """Images that go through each network in a second, each measured for so many ``seconds``, a row each.

    To two significant digits: a slow machine has a large network below one.
    """
    return display.table(peers.speed(size, seconds).map(lambda rate: float(f"{rate:.2g}")))
