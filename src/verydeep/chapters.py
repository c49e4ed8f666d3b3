"""What chapters call: the check of their parameters, the paper's tables beside a study's, what there is to rerun."""

import html
import os
from collections.abc import Iterator

import nbformat
import pandas as pd
import yaml

from verydeep import citation, display, notebooks, paths, reports, tables
from verydeep.paper import addresses
from verydeep.results import Number
from verydeep.studies import load, names

#: The study that the sentences of the chapters speak of.
RECORDED = "quarter"
#: Set while the book is built: then a number can lead to the page of its run.
BUILDING = "VERYDEEP_BUILDS_BOOK"


def check(namespace: dict, *known: str, about: str = RECORDED) -> None:
    """Check a chapter's parameters; call it with ``globals()`` in the first code cell after them.

    Where the chapter shows a study, says so if that is another than the one which the sentences are about.

    Parameters
    ----------
    known
        The parameters that the chapter has; ``study`` alone by default.
    about
        The study that the chapter's sentences are about.

    Raises
    ------
    UnknownName
        For a parameter that the chapter does not have, or a study that does not exist.
    """
    study = notebooks.checked(namespace, known or ("study",)).get("study")
    if study is None:
        return
    load(study)
    if study != about:
        print(f"The tables and pictures are of the study {study}; the numbers in sentences are of {about}.")


class ResultTable:
    """A table of the paper beside a study's numbers, shown by Jupyter and in the book."""

    def __init__(self, head: list[str], numeric: list[bool], rows: list[list[str]], caption: str):
        """The head is text, the cells and the caption are HTML."""
        self.head, self.numeric, self.rows, self.caption = head, numeric, rows, caption

    def _repr_html_(self) -> str:
        head = self._row("th", [html.escape(name) for name in self.head])
        body = "".join(self._row("td", cells) for cells in self.rows)
        caption = f"<caption>{self.caption}</caption>"
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
    theirs = f'<a href="{addresses.table_url(table)}">Table {table} of the paper</a>'
    caption = f"Beside {theirs}, errors in percent. {html.escape(tables.coverage(study))}"
    return ResultTable(*tables.errors_text(table, [study], _linked, others), caption)


def _linked(number: Number) -> str:
    value = f"{number.value:.1f}"
    said = html.escape(citation.hover(number))
    if os.environ.get(BUILDING):
        shown = f'<a class="result" href="../{citation.page(number)}" title="{said}">{value}</a>'
    else:
        shown = f'<span class="result" title="{said}">{value}</span>'
    return f'{shown} <span class="interval">{number.low:.1f}–{number.high:.1f}</span>'


def parameters() -> display.Table:
    """The parameters of every chapter that has some, in the order of the book: name, value by default, and meaning."""
    rows = []
    for name in _in_order(yaml.safe_load((paths.book() / "_toc.yml").read_text(encoding="utf-8"))):
        path = paths.book() / f"{name}.ipynb"
        for cell in nbformat.read(path, as_version=4).cells if path.exists() else []:
            if "parameters" in cell.metadata.get("tags", []):
                rows.append({"chapter": name, "parameters": "; ".join(_assignments(cell.source))})
    links = {"chapter": lambda name: f"{name}.html"} if os.environ.get(BUILDING) else {}
    return display.table(pd.DataFrame(rows).set_index("chapter"), links=links)


def _in_order(contents) -> Iterator[str]:
    """The names of the files in a table of contents."""
    if isinstance(contents, dict):
        if "file" in contents:
            yield contents["file"]
        contents = contents.values()
    if not isinstance(contents, str | bool | int):
        for item in contents:
            yield from _in_order(item)


def _assignments(source: str) -> Iterator[str]:
    """Each ``name = value`` of a cell, with its comment in brackets."""
    for line in source.splitlines():
        assigned, _, comment = line.partition("#")
        yield f"{assigned.strip()} ({comment.strip()})" if comment else assigned.strip()


def studies() -> display.Table:
    """Every study: its data, the size of its networks, where it runs, and how long its trainings take there."""
    rows = []
    for study in map(load, names()):
        network = study.network
        size = f"widths / {network.width_divisor}, lengths / {network.length_divisor}"
        rows.append(
            {
                "study": study.name,
                "": study.title,
                "data": study.data.source,
                "networks": "the paper's" if network.width_divisor == network.length_divisor == 1 else size,
                "crop": study.crop,
                "runs on": study.where,
                "all trainings take": reports.training_time(study),
            }
        )
    links = {"study": lambda name: f"runs/{name}.html"} if os.environ.get(BUILDING) else {}
    return display.table(pd.DataFrame(rows).set_index("study"), units={"crop": "pixels"}, links=links)
