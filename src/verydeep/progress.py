"""What people are told while they wait: a bar where someone watches a terminal, lines in logs and notebooks."""

import sys

from tqdm import tqdm

#: Seconds between two lines about what takes long, where nobody watches a terminal.
INTERVAL = 300.0


def line(text: str) -> None:
    """Print a line at once, also into a file or a pipe: someone may be waiting for it."""
    print(text, flush=True)


def duration(seconds: float) -> str:
    """A time in words, ``45 s``, ``12 min``, ``3.9 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"


def bar(iterable=None, title: str = "", total: int | None = None, unit: str = "image", shown: bool = True):
    """A progress bar over ``iterable``; where standard error is no terminal, a line for every :data:`INTERVAL`.

    What takes less than that leaves nothing in a log or a notebook. Not ``shown`` it is silent everywhere, as it should
    be in all processes but the first. ``unit`` is a word whose plural ends in s alone.
    """
    if sys.stderr.isatty():
        return tqdm(iterable, title, total, unit=unit, leave=False, disable=not shown)
    every = {"mininterval": INTERVAL, "delay": INTERVAL, "miniters": 1}
    return _Lines(iterable, title, total, unit=unit, leave=False, disable=not shown, **every)


class _Lines(tqdm):
    monitor_interval = 0  # no thread that looks whether a bar moves

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Print the line; an empty ``msg``, which clears a bar, says nothing."""
        if msg is None:
            elapsed = self.format_dict["elapsed"]
            said = f"{self.desc}: {self.n:,} of {self.total:,} {self.unit}s after {duration(elapsed)}"
            line(f"{said}, {duration(elapsed * (self.total - self.n) / self.n)} left")
