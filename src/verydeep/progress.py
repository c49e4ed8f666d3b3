"""What people are told while they wait: a bar where someone watches a terminal, lines in logs and notebooks."""

from tqdm import tqdm


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


def bar(iterable=None, title: str = "", total: int | None = None, unit: str = "image"):
    """A progress bar over ``iterable`` that is silent unless standard error is a terminal."""
    return tqdm(iterable, title, total, unit=unit, leave=False, disable=None)
