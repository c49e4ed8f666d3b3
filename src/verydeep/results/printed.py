"""The numbers that the paper prints, each by its table, row and metric."""

import difflib
import re
from functools import cache

import pandas as pd

from verydeep import paper
from verydeep.errors import UnknownName
from verydeep.networks.published import AUTHORS
from verydeep.studies.fusions import method_of, table6_row


def paper_number(identity: str) -> float | int:
    """A number as the paper printed it, for example ``table3.D-384.top1``; raises :class:`UnknownName`
    for any other, with the nearest.
    """
    printed = printed_numbers()
    if identity not in printed:
        raise UnknownName("number of the paper", identity, difflib.get_close_matches(identity, printed, 3, 0))
    return printed[identity]


@cache
def printed_numbers() -> dict[str, float | int]:
    """Identity -> printed value, of Tables 2 to 7."""
    printed = {f"table2.{row.config}.parameters": row.params_millions for row in paper.table(2).itertuples()}
    for table in (3, 4, 5, 6, 7):
        for row in paper.table(table).itertuples():
            name = f"table{table}.{paper_row(table, row)}"
            printed |= {f"{name}.top1": row.top1_val_error, f"{name}.top5": row.top5_val_error}
            if table in (6, 7):
                printed[f"{name}.top5_test"] = row.top5_test_error
    return {identity: value for identity, value in printed.items() if not pd.isna(value)}


def printed_beside(number: str) -> float | int | None:
    """What the paper prints for a number of ours, ``table3.D-384.top1``; ``None`` where it prints none.

    The authors' published networks are by their own words those trained with jitter
    (https://gist.github.com/ksimonyan/211839e770f7b538e2d8), so they stand beside the rows of these.
    """
    return printed_numbers().get(number.replace(f"-{AUTHORS}", "-jitter"))


def paper_row(table: int, row) -> str:
    """The name of a row of Tables 3 to 7: ``D-384``, ``D-jitter-both``, ``7-dense``, ``GoogLeNet-7``."""
    if table == 7:
        return f"{re.sub('[^A-Za-z]+', '-', row.method).strip('-')}-{row.n_nets}"
    if table == 6:
        return table6_row(row)
    name = f"{row.config}-{paper.scale_name(row.train_min, row.train_max)}"
    return f"{name}-{method_of(row.evaluation)}" if table == 5 else name


def printed_rows(table: str) -> list[str]:
    """The names of the rows that the paper prints in one of its Tables 3 to 7, in its order; none for another."""
    number = {f"table{k}": k for k in (3, 4, 5, 6, 7)}.get(table)
    return [] if number is None else [paper_row(number, row) for row in paper.table(number).itertuples()]
