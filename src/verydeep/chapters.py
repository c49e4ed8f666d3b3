"""What a chapter about results calls: the check of its parameters, and the paper's tables beside a study's."""

import html
import os

from verydeep import citation, notebooks, tables
from verydeep.results import Number
from verydeep.studies import load

#: The study that the sentences of the chapters speak of.
RECORDED = "quarter"
#: Set while the book is built: then a number can lead to the page of its run.
BUILDING = "VERYDEEP_BUILDS_BOOK"


def check(namespace: dict) -> None:
    """Check a chapter's parameter ``study``; call it with ``globals()`` in the first code cell after the parameters.

    Says so where the tables below will be of another study than the sentences around them.

    Raises
    ------
    UnknownName
        For a parameter that the chapter does not have, or a study that does not exist.
    """
    study = notebooks.checked(namespace, ("study",))["study"]
    load(study)
    if study != RECORDED:
        print(f"The tables and pictures are of the study {study}; the numbers in sentences are of {RECORDED}.")


class ResultTable:
    """A table of the paper beside a study's numbers, shown by Jupyter and in the book."""

    def __init__(self, head: list[str], numeric: list[bool], rows: list[list[str]], caption: str):
        self.head, self.numeric, self.rows, self.caption = head, numeric, rows, caption

    def _repr_html_(self) -> str:
        head = self._row("th", [html.escape(name) for name in self.head])
        body = "".join(self._row("td", cells) for cells in self.rows)
        caption = f"<caption>{html.escape(self.caption)}</caption>"
        return f'<table class="result-table">{caption}<thead>{head}</thead><tbody>{body}</tbody></table>'

    def _row(self, tag: str, cells: list[str]) -> str:
        aligned = ["right" if right else "left" for right in self.numeric]
        shown = [f'<{tag} class="text-{side}">{cell}</{tag}>' for side, cell in zip(aligned, cells, strict=True)]
        return f"<tr>{''.join(shown)}</tr>"


def result_table(table: int, study: str, others: bool = False) -> ResultTable:
    """Table 3, 4, 5, 6 or 7 of the paper beside the numbers of ``study``, errors in percent.

    In the book a number leads to its run; what it is shows on hovering.

    Parameters
    ----------
    others
        Instead of the paper's rows, those of the study's networks that its table does not have.
    """
    caption = f"Errors in percent. {tables.coverage(study)}"
    return ResultTable(*tables.errors_text(table, [study], _linked, others), caption)


def _linked(number: Number) -> str:
    value = f"{number.value:.1f}"
    said = html.escape(citation.hover(number))
    if os.environ.get(BUILDING):
        shown = f'<a class="result" href="../{citation.page(number)}" title="{said}">{value}</a>'
    else:
        shown = f'<span class="result" title="{said}">{value}</span>'
    return f'{shown} <span class="interval">{number.low:.1f}–{number.high:.1f}</span>'
