"""Features on other data as tables (Appendix B): rows of Tables 11 and 12, ways of describing images, classes."""

import numpy as np
import pandas as pd

from verydeep import paper, results, runs
from verydeep.chapters import display
from verydeep.data.sources import SOURCES
from verydeep.results import Number, paper_row, printed_numbers, transfers
from verydeep.results.transfers import TransferRow
from verydeep.runs.parts import TransferScore
from verydeep.studies import Transfer, load
from verydeep.studies.targets import TARGETS
from verydeep.studies.transfer import ON, PIXELS, UNTRAINED

_MEASURES = {"map": "mean average precision", "recall": "mean class recall"}
#: The data sets of each table that have rows, in the order of the paper's columns.
_SOURCES = {
    11: ("voc2007", "voc2007-val", "voc2012", "caltech101", "caltech256", "photographs"),
    12: ("voc2012-action",),
}


def measured(scores: dict[str, TransferScore]) -> display.Table:
    """What each way of describing images is worth: a row a way, the paper's first."""
    rows = [
        {
            "images described by": name,
            "value": round(score.value, 2),
            "by split": ", ".join(f"{value:.2f}" for value in score.splits),
            "C": ", ".join(f"{cost:g}" for cost in score.costs),
            "images": score.n,
        }
        for name, score in scores.items()
    ]
    units = {"value": "%", "by split": "%"}
    return display.of_rows(rows, "images described by", units=units)


def by_class(transfer: Transfer) -> display.Table:
    """Each class's average precision or recall, beside what needs no training; the largest gain first."""
    record = runs.read_record(transfer)
    ways = {"the paper's way": transfer.usual.name, "at one scale": transfer.at_lowest().name,
            "untrained": transfer.at_lowest(UNTRAINED).name, "pixels": PIXELS}  # fmt: skip
    there = {title: name for title, name in ways.items() if record and name in record.measurements}
    names = list(SOURCES[transfer.source].class_names.values())
    columns = {title: record.measurements[name].classes for title, name in there.items()}
    frame = pd.DataFrame(columns).round(1)
    frame.index = pd.Index(names if len(names) == len(frame) else range(len(frame)), name="class")
    if {"at one scale", UNTRAINED} <= {*frame}:
        frame = frame.iloc[np.argsort(-(frame["at one scale"] - frame[UNTRAINED]).to_numpy(), kind="stable")]
    return display.table(frame, units=dict.fromkeys(frame, "%"))


def heads(table: int, studies: list[str]) -> list[tuple[str, dict]]:
    """The rows of Table 11 or 12, data set by data set: (cell, what stands to the left), the paper's methods first.

    A cell is ``table11.D-jitter-on-voc2007.map``.
    """
    cells: dict[str, dict] = {}
    printed = printed_numbers()
    for source in _SOURCES[table]:
        target = TARGETS[source]
        for row in paper.table(table).itertuples():
            name = paper_row(table, row)
            cell = f"table{table}.{name if table == 12 else f'{name}{ON}{source}'}.{target.metric}"
            if cell in printed:
                cells[cell] = {"data": target.title, "method": _method(table, row), "networks": ""}
        for study in studies:
            for row in transfers.rows(load(study)):
                shown = row.transfer.source == source and _is_main(row)
                if shown:
                    networks = ", ".join(run.row for run in row.transfer.members)
                    method = cells.get(row.cell, {}).get("method", _OURS[row.features.view])
                    cells[row.cell] = {"data": target.title, "method": method, "networks": networks}
    return list(cells.items())


#: How ours are called where the paper has no such row, by what of an image is described.
_OURS = {"": "VGG", "image": "VGG, image-only", "image+box": "VGG, image and bounding box"}


def _is_main(row: TransferRow) -> bool:
    """Whether a row is described as the paper does, or of Table 12 by the image alone."""
    return row.name in (row.transfer.row, f"{row.transfer.row}-image")


def _method(table: int, row) -> str:
    if table == 11 or not row.method.startswith("VGG"):
        return row.method
    return f"{row.method}, {row.input_regions}"


def rows(table: int, studies: list[str]) -> display.Table:
    """Table 11 or 12 of the paper, its stars and ± included, beside the numbers of studies, in percent."""
    lines = []
    for cell, head in heads(table, studies):
        line = head | {"paper": results.printed_text(cell)}
        for study in studies:
            number = _number(study, cell)
            line[study] = "" if number is None else display.measured(number)
        lines.append(line)
    units = dict.fromkeys(("paper", *studies), "%")
    return display.of_rows(lines, ["data", "method"], units=units, missing={"paper": ""})


def _number(study: str, cell: str) -> Number | None:
    return results.read(study).find(f"{study}.{cell}")


def ways(study: str) -> display.Table:
    """Every way of describing images that was recorded, and what the paper's way gains over it, with 95 % intervals.

    ``spread`` is the standard deviation over random splits, as we read the paper's ±.
    """
    lines, snapshot = [], results.read(study)
    every = {row.name: row for row in transfers.rows(load(study))}
    for row in every.values():
        number = _number(study, row.cell)
        if number is None or number.status != "done":
            continue
        usual = f"{row.table}.{row.transfer.row}"
        gain = None
        if row.name != row.transfer.row:  # none where the paper's way is not run by today's settings
            gain, _ = snapshot.evidence.paired(f"{row.table}.{row.name}", usual)
        (score, *_) = transfers.recorded(row).scores.values()  # of the first seed that was recorded
        lines.append(
            {
                "data": row.transfer.source,
                "networks": row.name.partition(ON)[0],
                "images described by": row.features.name,
                "measure": _MEASURES[row.transfer.target.metric],
                "value": display.measured(number),
                "spread": float(np.std(score.splits, ddof=1)) if len(score.splits) > 1 else None,
                "gain of the paper's way": "" if gain is None else display.difference(gain),
                "other average precision": transfers.other_precision(row),
            }
        )
    if not lines:
        return display.without_rows(f"The study {study} has carried no features to other data yet.")
    frame = pd.DataFrame(lines)
    units = {"value": "%", "spread": "points", "gain of the paper's way": "points", "other average precision": "%"}
    rounded = frame.astype({"other average precision": float, "spread": float}).round(2)
    missing = {"spread": "one split", "other average precision": ""}
    return display.table(rounded.set_index(["data", "networks", "images described by"]), units=units, missing=missing)


def not_run(study: str, table: int) -> display.Table:
    """The rows of Table 11 or 12 that a study asks for and has not run: where the data come from, and the command."""
    lines = []
    for row in transfers.rows(load(study)):
        number = _number(study, row.cell)
        if number and number.status != "done" and _is_main(row) and row.table == f"table{table}":
            source, network = SOURCES[row.transfer.source], runs.lacking(row.transfer)
            lines.append(
                {
                    "row": row.name,
                    "images": f"{source.title}; verydeep data get {source.name}",
                    "command": runs.lacking_words(network) if network else row.transfer.command,
                }
            )
    return display.of_rows(lines, "row", caption="" if lines else "Every row was run.")


def sources() -> display.Table:
    """The data sets to which features are carried: what the paper does on each, and our images."""
    lines = []
    for name, target in TARGETS.items():
        source = SOURCES[name]
        split = "its own" if target.train is None else f"random, {target.train} a class to train on"
        lines.append(
            {
                "data set": name,
                "what": source.title,
                "classes": source.num_classes,
                "images": sum(source.counts.values()),
                "split": split,
                "measure": _MEASURES[target.metric],
                "test Q": ", ".join(map(str, target.scales)),
                "scales joined by": target.join,
            }
        )
    return display.of_rows(lines, "data set", units={"test Q": "pixels"})


def say_what_is_missing(study: str) -> None:
    """Print one line for a study that has carried no features yet; nothing where there are some."""
    if not runs.recorded_transfers(load(study)):
        print(f"The study {study} has carried no features to other data yet; below stands how.")
