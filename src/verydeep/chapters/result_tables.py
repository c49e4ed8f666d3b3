"""A table of the paper beside a study's numbers, each leading to its run."""

import html
import os
from collections.abc import Iterable

from verydeep import results
from verydeep.chapters import display, error_tables, transfer_tables
from verydeep.paper import addresses
from verydeep.results import Number, citation


class ResultTable:
    """A table of the paper beside a study's numbers, shown by Jupyter and in the book."""

    def __init__(self, head: list[str], numeric: list[bool], rows: list[list[str]], caption: str):
        """The head is text, the cells and the caption are HTML."""
        self.head, self.numeric, self.rows, self.caption = head, numeric, rows, caption

    def _repr_html_(self) -> str:
        head = self._row("th", [html.escape(name) for name in self.head])
        body = "".join(self._row("td", cells) for cells in self.rows)
        caption = f"<caption>{self.caption}</caption>"
        return f'<table class="dataframe result-table">{caption}<thead>{head}</thead><tbody>{body}</tbody></table>'

    def _row(self, tag: str, cells: list[str]) -> str:
        aligned = ["right" if right else "left" for right in self.numeric]
        shown = [f'<{tag} class="text-{side}">{cell}</{tag}>' for side, cell in zip(aligned, cells, strict=True)]
        return f"<tr>{''.join(shown)}</tr>"


def result_table(table: int, *studies: str, others: bool = False) -> ResultTable:
    """One of Tables 3 to 10 of the paper beside the numbers of studies, errors in percent.

    In the book a number leads to its run; what it is shows on hovering.

    Parameters
    ----------
    others
        Instead of the paper's rows, those of the studies' networks that its table does not have, and of these the ones
        that were run, once any was.
    """
    theirs = f'<a href="{addresses.table_url(table)}">Table {table} of the paper</a>'
    shown = error_tables.planning(table, [*studies]) if others else studies
    caption = f"Beside {theirs}, errors in percent. {html.escape(_coverage(table, shown))}"
    if others and (count := error_tables.left_out(table, [*studies])):
        left = "Left out is one that has" if count == 1 else f"Left out are {count} that have"
        caption += f" {left} not been run; the page of the study says how."
    return ResultTable(*error_tables.errors_text(table, list(studies), _linked, others), caption)


def transfer_table(table: int, *studies: str) -> ResultTable:
    """Table 11 or 12 of the paper beside the numbers of studies, in percent; as :func:`result_table`."""
    head = ["data", "method", "networks", "paper (%)", *(f"{study} (%)" for study in studies)]
    rows, seeds = [], set()
    for cell, left in transfer_tables.heads(table, list(studies)):
        row = [*map(html.escape, left.values()), results.printed_text(cell)]
        for study in studies:
            snapshot, identity = results.read(study), f"{study}.{cell}"
            number = snapshot.find(identity)
            row.append("" if number is None else _linked(number) if number.status == "done" else number.status)
            seeds |= {len(number.runs)} if number is not None and number.status == "done" else set()
        rows.append(row)
    intervals = display.covered("the images tested on", seeds) if seeds else ""
    theirs = f'<a href="{addresses.table_url(table)}">Table {table} of the paper</a>'
    caption = " ".join(filter(None, [f"Beside {theirs}, in percent.", intervals, html.escape(results.stars(table))]))
    return ResultTable(head, [False] * 3 + [True] * (1 + len(studies)), rows, caption)


def _coverage(table: int, studies: Iterable[str]) -> str:
    """What the intervals cover; where that differs between studies, of each."""
    covered: dict[str, list[str]] = {}
    for study in studies:
        if text := error_tables.coverage(study, table):
            covered.setdefault(text, []).append(study)
    if len(covered) <= 1:
        return " ".join(covered)
    return " ".join(f"{' and '.join(names)}: {text}" for text, names in covered.items())


def _linked(number: Number) -> str:
    value = f"{number.value:.1f}"
    said = html.escape(citation.hover(number))
    if os.environ.get(display.BUILDING):
        shown = f'<a class="result" href="../{citation.page(number)}" title="{said}">{value}</a>'
    else:
        shown = f'<span class="result" title="{said}">{value}</span>'
    return f'{shown} <span class="interval">{number.low:.1f}–{number.high:.1f}</span>'
