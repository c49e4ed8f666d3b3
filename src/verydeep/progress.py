"""A bar where someone watches a terminal, nothing elsewhere: logs and notebooks get lines instead."""

from tqdm import tqdm


def bar(iterable=None, title: str = "", total: int | None = None, unit: str = "image"):
    """A progress bar over ``iterable`` that is silent unless standard error is a terminal."""
    return tqdm(iterable, title, total, unit=unit, leave=False, disable=None)
