"""How values are shown to people, in one way everywhere: errors, differences, p-values, missing values, units."""

import html
import numbers
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from verydeep.results import Number
from verydeep.results.numbers import NOT_RUN
from verydeep.statistics import Interval

#: Set while the book is built: then a cell can lead to a page of it.
BUILDING = "VERYDEEP_BUILDS_BOOK"

# A notebook would cut a sentence short, and leave out the middle of a long table.
_WHOLE = {"display.max_colwidth": None, "display.max_rows": None, "display.max_columns": None}

_SMALLEST_P = 1e-3
_LOPSIDED = 1.3  # how many times as wide as the other one side of an interval is
_THREE_DIGITS = 100  # where all above are whole they are shown without decimals; 100 itself may be 100.0 %
_GROUPED = 10_000  # from here on digits are grouped by thousands


def signed(points: float | None) -> str:
    """A difference in percentage points with its sign, or nothing."""
    return "" if points is None else f"{points:+.2f}"


def difference(interval: Interval | None) -> str:
    """A difference in percentage points with its interval, in a table; ``not run`` for ``None``."""
    return NOT_RUN if interval is None else f"{interval.value:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"


def in_points(interval: Interval, sign: str = "+") -> tuple[str, str]:
    """A difference in a sentence, ``+2.2 points``, and its 95 % interval, ``+1.4 to +3.0``; without the sign of what is
    above zero where ``sign`` is ``""``."""
    value, low, high = (f"{round(part, 1) + 0.0:{sign}.1f}" for part in (interval.value, interval.low, interval.high))
    return f"{value} points", f"{low} to {high}"


def with_interval(value: float, low: float, high: float, digits: int = 1) -> str:
    """A value with its interval, ``63.8 [62.9, 64.8]``."""
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def measured(number: Number, digits: int = 1) -> str:
    """A number with its interval where it has one, or ``not run`` or ``not tested``."""
    if number.status != "done":
        return number.status
    if number.low is None:
        return f"{number.value:.{digits}f}"
    return with_interval(number.value, number.low, number.high, digits)


def spread(number: Number) -> str:
    """What stands behind a number in a sentence: :func:`spread_of` of its interval."""
    return spread_of(number.value, number.low, number.high)


def spread_of(value: float, low: float, high: float) -> str:
    """Half the width of an interval, ``± 0.9``, or both ends where it is lopsided, ``(0.1–0.9)``."""
    below, above = value - low, high - value
    if max(below, above) > _LOPSIDED * min(below, above):
        return f"({low:.1f}–{high:.1f})"
    return f"± {(below + above) / 2:.1f}"


def coverage(images: int, seeds: Iterable[int], kind: str = "validation") -> str:
    """What the intervals of a table cover, in words: over which images, and over how many seeds each of them is."""
    return covered(f"the {images:,} {kind} images", seeds)


def covered(over: str, seeds: Iterable[int]) -> str:
    """:func:`coverage` of images that are told in words."""
    counts = sorted(set(seeds))
    if len(counts) > 1:
        several = "the seeds trained" if counts[0] > 1 else "the seeds where several were trained"
        once = "" if counts[0] > 1 else "; where it was one, another may move a number further"
        return f"Intervals: 95 %, over {over} and {several}{once}."
    (seeds,) = counts
    if seeds == 1:
        return f"Intervals: 95 %, over {over}, for the one seed trained; another seed may move a number further."
    return f"Intervals: 95 %, over the {seeds} seeds trained and {over}."


def coverage_of(intervals: list[tuple[int, int]], kind: str) -> str:
    """:func:`coverage` of intervals, each over so many images of a kind and so many seeds; nothing where there are
    none."""
    if not intervals:
        return ""
    images, seeds = {images for images, _ in intervals}, [seeds for _, seeds in intervals]
    if len(images) > 1:
        return covered("the images tested on", seeds)
    return coverage(images.pop(), seeds, kind)


def p_value(p: float) -> str:
    """A p-value to three decimals; one that would be rounded to nothing is ``< 0.001``."""
    return f"< {_SMALLEST_P}" if p < _SMALLEST_P else f"{p:.3f}"


def _whole():
    return pd.option_context(*(part for option in _WHOLE.items() for part in option))


class Table(pd.DataFrame):
    """A DataFrame that keeps its numbers, and shows itself as :func:`text` makes it. Make one with :func:`table`."""

    @property
    def _constructor(self):
        return Table

    def __repr__(self) -> str:
        with _whole():
            return repr(text(self))

    def _repr_html_(self) -> str | None:
        with _whole():
            shown = _one_head(_linked(text(self), self.attrs.get("links", {})))
        if caption := self.attrs.get("caption"):
            shown = shown.replace("<thead>", f"<caption>{html.escape(caption)}</caption><thead>", 1)
        return with_code(shown)


def with_code(shown: str) -> str:
    """HTML of a table or its caption, in which what stands between backticks is code, as in the prose around it."""
    return re.sub(r"`([^`<>]+)`", r"<code>\1</code>", shown)


#: Under a table in which networks of several seeds stand with one.
FIRST_SEED = "Each network is the one of the study's first seed."


#: Under a table without rows that says nothing else.
NOTHING = "No rows: of this nothing is recorded."


def table(
    frame: pd.DataFrame,
    *,
    units: dict[str, str] | None = None,
    missing: str | dict = NOT_RUN,
    instead: Mapping[tuple, str] | None = None,
    caption: str = "",
    links: dict[str, Callable[[str], str]] | None = None,
) -> Table:
    """``frame`` as a table for people.

    Parameters
    ----------
    units
        Heading -> unit, shown behind it in brackets. Of headings in two levels it is the lower one.
    missing
        What is shown in place of a missing value; or for each column, or group of columns, what is.
    instead
        (row, column) -> what is shown in a cell alone; nothing where it cannot have a value.
    caption
        What stands under the table, for example :func:`coverage`; of one without rows, that there are none.
    links
        Heading of a column or of the rows -> the address to which a cell with that text leads.
    """
    shown, caption = Table(frame), caption or (NOTHING if frame.shape[0] == 0 else "")
    shown.attrs = frame.attrs | {"units": units or {}, "missing": missing, "instead": instead or {}, "caption": caption}
    shown.attrs["links"] = links or {}
    return shown


def of_rows(
    rows: Iterable[dict],
    index: str | list[str],
    *,
    digits: int | dict[str, int] | None = None,
    dtype: type | None = None,
    **shown,
) -> Table:
    """:func:`table` of rows, each a value by heading; without rows it has no headings either, only its caption.

    Parameters
    ----------
    index
        Heading of the column, or of the columns, by which a row is called.
    digits
        To how many decimals the values are rounded, or those of some headings.
    dtype
        The type of all cells; ``object`` keeps each as it is.
    shown
        What :func:`table` takes beside the frame.
    """
    frame = pd.DataFrame(list(rows), dtype=dtype)
    if frame.empty:
        return without_rows(shown.get("caption", ""))
    return table(frame.set_index(index) if digits is None else frame.set_index(index).round(digits), **shown)


def without_rows(caption: str = "") -> Table:
    """A table of nothing, with the words that say why, or with :data:`NOTHING`."""
    return table(pd.DataFrame(), caption=caption)


def _one_head(shown: str) -> str:
    """A table's HTML with the names of its index beside the other headings; pandas gives them a row of their own."""
    rows = re.search(r"<thead>\s*(<tr.*?</tr>)\s*(<tr.*?</tr>)\s*</thead>", shown, re.DOTALL)
    if rows is None:
        return shown
    heads, names = (re.findall(r"<th[^>]*>(.*?)</th>", row, re.DOTALL) for row in rows.groups())
    if len(heads) != len(names) or any(head and name for head, name in zip(heads, names, strict=True)):
        return shown  # headings in two levels
    cells = "".join(f"\n      <th>{head or name}</th>" for head, name in zip(heads, names, strict=True))
    return shown.replace(rows[0], f"<thead>\n    <tr>{cells}\n    </tr>\n  </thead>", 1)


def _linked(shown: pd.DataFrame, links: dict[str, Callable[[str], str]]) -> str:
    """A table of texts as HTML, its cells below the headings of ``links`` as links, but for empty ones."""
    for heading in links:
        if heading == shown.index.name:
            shown.index = pd.Index([f"\x00{heading}\x00{cell}\x00" for cell in shown.index], name=heading)
        else:
            shown[heading] = [cell and f"\x00{heading}\x00{cell}\x00" for cell in shown[heading]]

    def link(cell: re.Match) -> str:
        return f'<a href="{html.escape(links[cell[1]](html.unescape(cell[2])))}">{cell[2]}</a>'

    return re.sub("\x00([^\x00]*)\x00([^\x00]*)\x00", link, shown._repr_html_())


def errors(measured: dict[str, dict]) -> Table:
    """What was measured, a row a measurement: ``n`` (images), ``top1_error`` and ``top5_error`` in percent."""
    frame = pd.DataFrame({name: dict(errors) for name, errors in measured.items()}).T.convert_dtypes()
    return table(frame, units={"n": "images", "top1_error": "%", "top5_error": "%"})


def text(frame: pd.DataFrame) -> pd.DataFrame:
    """A table's cells as they are shown, all text, under headings with their units."""
    missing, instead = frame.attrs.get("missing", NOT_RUN), frame.attrs.get("instead", {})
    columns = []
    for place, name in enumerate(frame.columns):
        cells = _column(frame.iloc[:, place], name, _missing(missing, name))
        columns.append([instead.get((row, name), cell) for row, cell in zip(frame.index, cells, strict=True)])
    rows = list(zip(*columns, strict=True))
    shown = pd.DataFrame(rows, index=frame.index, columns=frame.columns, dtype=object)
    units = frame.attrs.get("units", {})
    shown.columns, shown.index = _with_units(frame.columns, units), _with_units(frame.index, units)
    return shown


def _missing(missing: str | dict, column) -> str:
    if isinstance(missing, str):
        return missing
    group = column[0] if isinstance(column, tuple) else column
    return missing.get(column, missing.get(group, NOT_RUN))


def _with_units(labels: pd.Index, units: dict[str, str]) -> pd.Index:
    """Headings with their units; also of rows, for a table that was turned round."""

    def shown(label):
        return f"{label} ({units[label]})" if label in units else label

    if isinstance(labels, pd.MultiIndex):
        last = labels.nlevels - 1
        return pd.MultiIndex.from_tuples([(*label[:last], shown(label[last])) for label in labels], names=labels.names)
    return pd.Index([shown(label) for label in labels], name=labels.name, dtype=object)


def _column(values: pd.Series, name, missing: str) -> list[str]:
    if name == "p":
        return [missing if pd.isna(p) else p_value(p) for p in values]
    floats = [float(value) for value in values if _is_float(value)]
    digits, large = _digits(floats), [value for value in floats if abs(value) > _THREE_DIGITS]
    if digits and all(value.is_integer() for value in large):  # three digits of each, as in 1756 beside 90.6
        return [
            _cell(value, 0 if _is_float(value) and abs(value) > _THREE_DIGITS else digits, missing) for value in values
        ]
    return [_cell(value, digits, missing) for value in values]


def _is_float(value) -> bool:
    return isinstance(value, float | np.floating) and np.isfinite(value)


def _digits(floats: list[float]) -> int | None:
    """Decimals for a column, as few as its values need and no more than can matter; ``None`` for widely spread ones."""
    sizes = [abs(value) for value in floats if value]
    if sizes and min(sizes) < 1e-3:
        return None
    most = 2 if sizes and max(sizes) >= 10 else 3
    needed = (k for k in range(most) if all(abs(round(value, k) - value) < 1e-9 for value in floats))
    return next(needed, most)


def _cell(value, digits: int | None, missing: str) -> str:
    if value is None or ((np.isscalar(value) or value is pd.NA) and pd.isna(value)):
        return missing
    if isinstance(value, bool | np.bool_ | str):
        return str(value)
    if isinstance(value, numbers.Integral):
        return f"{value:,}" if abs(value) >= _GROUPED else str(value)
    if _is_float(value):
        if digits is None:
            return f"{value:.3g}"
        return f"{value:,.{digits}f}" if abs(value) >= _GROUPED else f"{value:.{digits}f}"
    return str(value)
