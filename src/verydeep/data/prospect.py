"""What storing a data set will take of the disk and of time, said before it is begun."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from verydeep import paths, progress
from verydeep.data.ahead import prepared
from verydeep.data.base import Entry, Source
from verydeep.errors import DataError

#: So many images, spread over the set, say how long all of them take.
SAMPLED = 256
_MIB, _GIB = 2**20, 2**30


def require_room(source: Source, entries: list[Entry], folder: Path) -> int:
    """Bytes that the store of ``source`` will have, for which there is room in ``folder``.

    Raises
    ------
    DataError
        When there is less room than that; says how much it takes and how much there is.
    """
    needed = 3 * int(np.prod(source.shape)) * len(entries) if source.shape else sum(map(source.size, entries))
    if needed > (free := shutil.disk_usage(folder).free):
        raise DataError(
            f"{folder}: the store of {source.name} takes {size(needed)}, and {size(free)} are free there; make room, "
            f"or set VERYDEEP_ARTIFACTS to a folder on a larger disk"
        )
    return needed


def seconds(prepare: Callable, entries: list[Entry]) -> float:
    """How long ``prepare`` of all entries will take, by the time of some that are spread over them."""
    rows = np.unique(np.linspace(0, len(entries) - 1, min(SAMPLED, len(entries)), dtype=int))
    begun = time.monotonic()
    for _ in prepared(prepare, [(int(row), entries[row]) for row in rows]):
        pass
    return (time.monotonic() - begun) * len(entries) / len(rows)


def line(source: Source, images: int, needed: int, takes: float, folder: Path) -> str:
    """The sentence that says it, before a large set is stored."""
    return (
        f"{source.name}: {images:,} images are stored once, {size(needed)} in {paths.short(folder)}; about "
        f"{progress.duration(takes)} by {SAMPLED} of them that were tried"
    )


def size(count: int) -> str:
    """Bytes in words."""
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.1f} MiB"
