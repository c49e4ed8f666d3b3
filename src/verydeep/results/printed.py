"""The numbers that the paper prints, each by its table, row and metric."""

import difflib
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pandas as pd

from verydeep import paper
from verydeep.errors import UnknownName
from verydeep.networks.published import AUTHORS
from verydeep.studies.fusions import BOTH_NETWORKS, PCR_ALL, method_of, table6_row
from verydeep.studies.targets import TARGETS, TRANSFER_TABLES, target_of
from verydeep.studies.transfer import ON


def paper_number(identity: str) -> float | int:
    """A number as the paper printed it, for example ``table3.D-384.top1``; raises :class:`UnknownName`
    for any other, with the nearest.
    """
    printed = printed_numbers()
    if identity not in printed:
        raise UnknownName("number of the paper", identity, difflib.get_close_matches(identity, printed, 3, 0))
    return printed[identity]


def judged(table: str) -> str:
    """The metric of a table, ``table3``, that claims about its rows are about: the error that the paper speaks of.

    In localisation it is the error of the true class's box (Table 8), and that of five boxes, of the validation images
    in Table 9 and of the test images in Table 10.
    """
    return {"table8": "true_class", "table9": "top5", "table10": "top5_test"}.get(table, "top1")


def judged_cell(reference: str) -> str:
    """The number that a claim about a row, ``table3.D-384``, is about: ``table3.D-384.top1``.

    Of Tables 11 and 12 the metric is that of the row's data set.
    """
    table, _, row = reference.partition(".")
    if not more_is_better(reference):
        return f"{reference}.{judged(table)}"
    behind = row.partition(ON)[2]
    source = target_of(behind)
    return f"{reference}.{TARGETS[source].metric if source else 'map'}"


def more_is_better(reference: str) -> bool:
    """Whether a row is one of Tables 11 and 12, whose numbers are no errors."""
    return reference.partition(".")[0] in TRANSFER_TABLES


@cache
def printed_numbers() -> dict[str, float | int]:
    """Identity -> printed value, of Tables 2 to 12."""
    printed = {f"table2.{row.config}.parameters": row.params_millions for row in paper.table(2).itertuples()}
    for table in (3, 4, 5, 6, 7):
        for row in paper.table(table).itertuples():
            name = f"table{table}.{paper_row(table, row)}"
            printed |= {f"{name}.top1": row.top1_val_error, f"{name}.top5": row.top5_val_error}
            if table in (6, 7):
                printed[f"{name}.top5_test"] = row.top5_test_error
    for row in paper.table(8).itertuples():
        printed[f"table8.{paper_row(8, row)}.true_class"] = row.gt_class_localisation_error
    for table in (9, 10):
        for row in paper.table(table).itertuples():
            name = f"table{table}.{paper_row(table, row)}"
            printed |= {f"{name}.top5": row.top5_val_error, f"{name}.top5_test": row.top5_test_error}
    printed |= _transfers()
    return {identity: value for identity, value in printed.items() if not pd.isna(value)}


def _transfers() -> dict[str, float]:
    """Identity -> printed value, of Tables 11 and 12: ``table11.D-jitter-on-voc2007.map``."""
    eleven = {cell: getattr(row, column) for cell, row, column in _columns_of_11()}
    twelve = {f"table12.{paper_row(12, row)}.map": row.voc2012_action_map for row in paper.table(12).itertuples()}
    return eleven | twelve


def _columns_of_11() -> Iterator[tuple[str, NamedTuple, str]]:
    """Every cell of Table 11, its row, and the name of its column."""
    for row in paper.table(11).itertuples():
        for source in ("voc2007", "voc2012", "caltech101", "caltech256"):
            metric = TARGETS[source].metric
            column = f"{source}_{'map' if metric == 'map' else 'mean_class_recall'}"
            yield f"table11.{paper_row(11, row)}{ON}{source}.{metric}", row, column


@cache
def printed_text(cell: str) -> str:
    """A cell of Table 11 or 12 as it is printed, in percent; empty where the paper prints nothing.

    With its ± over random splits; and with a star, in brackets where there is another too, what a network reached that
    had been trained on more images than ILSVRC's.
    """
    value = printed_numbers().get(cell)
    if value is None:
        return ""
    for name, row, column in _columns_of_11():
        if name == cell:
            starred = getattr(row, f"{column}_extended_pretraining", math.nan)
            spread = getattr(row, column.replace("mean_class_recall", "plus_minus"), math.nan)
            both = "" if pd.isna(starred) else f" ({starred:.1f}*)"
            return f"{value:.1f}" + both + ("" if column.endswith("map") or pd.isna(spread) else f" ± {spread:.1f}")
    return f"{value:.1f}{'*' if cell in _starred_in_12() else ''}"


def _starred_in_12() -> set[str]:
    """The cells of Table 12 that are printed with a star."""
    return {f"table12.{paper_row(12, row)}.map" for row in paper.table(12).itertuples() if "with *" in str(row.notes)}


def stars(table: int) -> str:
    """What the star of Table 11 or 12 says, with the classes that the other group's network was trained on."""
    (row,) = (row for row in paper.table(table).itertuples() if "*" in str(row.notes))
    (classes,) = re.findall(r"\((\d+) classes\)", row.notes)
    return f"*: {row.method}, by a network trained on a larger set of ILSVRC's images, of {int(classes):,} classes."


def printed_beside(number: str) -> float | int | None:
    """What the paper prints for a number of ours, ``table3.D-384.top1``; ``None`` where it prints none.

    The authors' published networks are by their own words those trained with jitter
    (https://gist.github.com/ksimonyan/211839e770f7b538e2d8), so they stand beside the rows of these.
    """
    return printed_numbers().get(number.replace(f"-{AUTHORS}", "-jitter"))


def paper_row(table: int, row) -> str:
    """The name of a row of Tables 3 to 12: ``D-384``, ``D-jitter-both``, ``7-dense``, ``GoogLeNet-7``.

    Of Tables 8 to 10 ``D-384-scr-fc``, ``D-384-pcr-all-at-352+384``, ``2-networks``, ``OverFeat``. Of Tables 11 and 12
    ``D-jitter+E-jitter``, ``Chatfield-et-al``, ``D-jitter+E-jitter-on-voc2012-action-image``.
    """
    if table in (11, 12):
        return _transfer_row(table, row)
    if table in (7, 10):
        method = re.sub("[^A-Za-z]+", "-", row.method).strip("-")
        return method if table == 10 else f"{method}-{row.n_nets}"
    if table == 6:
        return table6_row(row)
    if table == 9 and row.row_type == "fusion":
        return BOTH_NETWORKS
    network = f"{getattr(row, 'config', 'D')}-{paper.scale_name(row.train_min, row.train_max)}"  # Table 9 is of D alone
    if table == 9:
        return box_row(f"{network}-{PCR_ALL}", [int(scale) for scale in row.test_sizes.split(";")])
    layers = "all" if table == 8 and row.fine_tuned_layers == "all" else "fc"
    behind = {5: lambda: method_of(row.evaluation), 8: lambda: f"{row.regression_type.lower()}-{layers}"}
    return f"{network}-{behind[table]()}" if table in behind else network


def _transfer_row(table: int, row) -> str:
    """The name of a row of Table 11 or 12: the networks, jittered ones by our reading, or a method."""
    networks = row.method.removeprefix("VGG Net-").split(" & Net-")
    ours = row.method.startswith("VGG")
    name = "+".join(f"{net}-jitter" for net in networks) if ours else re.sub("[^A-Za-z]+", "-", row.method).strip("-")
    if table == 11:
        return name
    name = f"{name}{ON}voc2012-action"
    return f"{name}-image" if ours and row.input_regions == "image-only" else name


def box_row(network: str, test_scales: list[int] | tuple[int, ...]) -> str:
    """The name of a row of Table 9: a network that gives boxes, and the scales Q at which they are found."""
    return f"{network}-at-{'+'.join(map(str, test_scales))}"


def printed_rows(table: str) -> list[str]:
    """The names of the rows that the paper prints in one of its Tables 3 to 10, in its order; none for another."""
    number = {f"table{k}": k for k in range(3, 11)}.get(table)
    return [] if number is None else [paper_row(number, row) for row in paper.table(number).itertuples()]
