"""What of the machine this process may use, how much of it at once, and how it uses memory."""

import ctypes
import os
import sys

#: The most processes that prepare views for one GPU.
WORKERS = 8
#: Pixels that go through the network at once in a test: bounds its memory whatever the size of the images. One that is
#: larger by itself is cut into strips (``verydeep.networks.dense.strips``), and is held in 8 bits only.
PIXELS_PER_BATCH = 2**19
# Parameters of glibc's mallopt, from its malloc.h, and the largest value that it takes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MOST = -1, -3, 2**31 - 1


def cores() -> int:
    """How many cores this process may use; a job of a cluster has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def keep_memory() -> None:
    """Let this process keep the memory that it frees, for what it needs next.

    glibc gives large blocks back to the system as soon as they are free. A training frees and takes the same ones in
    every step, and each time the system clears their pages first: a third of the time of a step of narrow networks on a
    CPU. No number changes, and the most that is held at once hardly does. Does nothing under another C library, under
    one that knows no such limits, or where variables say how memory is to be had (``MALLOC_...``, ``GLIBC_TUNABLES``).
    """
    chosen = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" and not chosen else None
    # Older ones (before 2.35) refuse a block as large; the second option alone would then make things worse.
    if set_option is not None and set_option(_MMAP_THRESHOLD, _MOST):
        set_option(_TRIM_THRESHOLD, _MOST)
