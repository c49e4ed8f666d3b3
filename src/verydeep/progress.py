"""A bar where someone watches a terminal, nothing elsewhere: logs and notebooks get lines instead."""

from tqdm import tqdm


def line(text: str) -> None:
    """Print a line at once, also into a file or a pipe: someone may be waiting for it."""
    print(text, flush=True)


def bar(iterable=None, title: str = "", total: int | None = None, unit: str = "image"):
    """A progress bar over ``iterable`` that is silent unless standard error is a terminal."""
    return tqdm(iterable, title, total, unit=unit, leave=False, disable=None)
