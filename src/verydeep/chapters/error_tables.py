"""Tables 3 to 10 of the paper beside a study's numbers: as DataFrames, as Markdown, and as HTML with links."""

from collections.abc import Callable

import pandas as pd

from verydeep import paper, results
from verydeep.chapters import display, localisation_tables, training_tables
from verydeep.chapters.display import NOT_RUN
from verydeep.networks.published import AUTHORS, TORCHVISION
from verydeep.results import Number, Snapshot, paper_row, printed_numbers
from verydeep.results.printed import judged
from verydeep.studies import load, planned_runs

#: The studies whose numbers the README shows.
HEADLINE = ("narrow", "quarter")
#: The unit of each heading of errors.
ERRORS = dict.fromkeys(("top-1", "top-5", "top-5, test images", "true class's box"), "%")
#: Metric -> its heading.
_HEADINGS = {"top1": "top-1", "top5": "top-5", "top5_test": "top-5, test images", "true_class": "true class's box"}
#: The metrics of a study in each table, and those that the paper prints, where they are not top-1 and top-5.
_OURS = {8: ("true_class",), 9: ("top5", "top1"), 10: ("top5",)}
_PRINTED = {8: ("true_class",), **{table: ("top5", "top5_test") for table in (9, 10)},
            **{table: ("top1", "top5", "top5_test") for table in (6, 7)}}  # fmt: skip
_USUAL = ("top1", "top5")
#: An error in a picture with its interval.
_SPREAD = ("error", "low", "high")

# What a study's own number stands beside each of the paper's own rows of Table 7.
_TABLE7 = {"VGG-2": "table6.2-both", "VGG-1": "table5.E-jitter-both", "VGG-7": "table6.7-dense",
           "Krizhevsky-et-al-1": "table4.AlexNet-256", "GoogLeNet-1": "table4.GoogLeNet-256"}  # fmt: skip


def tables_measured(study: str) -> set[str]:
    """The tables of the paper of which a study has measured a number; of Table 7 they are rows of Tables 4 to 6."""
    done = [number for number in results.read(study).numbers if number.status == "done" and number.n]
    beside = {"table7"} if {f"{number.table}.{number.row}" for number in done} & {*_TABLE7.values()} else set()
    return {number.table for number in done} | beside


def errors(table: int, studies: list[str], others: bool = False) -> pd.DataFrame:
    """One of Tables 3 to 10: the paper's errors beside those of each study, in percent, in the paper's row order.

    Numbers that have not been measured, or that the paper does not have, are missing values.

    Parameters
    ----------
    others
        Instead of the paper's rows, those of the studies' networks that its table does not have, and of these the ones
        that were run, once any was; without the columns that say nothing of them.
    """
    heads = _other_heads(table, studies) if others else _paper_heads(table)
    studies = planning(table, studies) if others else studies
    names = {row: _TABLE7.get(row) if table == 7 else f"table{table}.{row}" for row in heads}
    instead: dict[tuple, str] = {}
    columns = {("", key): [head[key] for head in heads.values()] for key in next(iter(heads.values()), {})}
    if not others:
        printed = printed_numbers()
        for metric in _PRINTED.get(table, _USUAL):
            columns["paper", _HEADINGS[metric]] = [printed.get(f"table{table}.{row}.{metric}") for row in heads]
    for study in studies:
        snapshot = results.read(study)
        for metric in _OURS.get(table, _USUAL):
            cells = {row: _cell(snapshot, name, metric) for row, name in names.items()}
            values = [None if cell is None else cell.value for cell in cells.values()]
            columns[study, _HEADINGS[metric]] = pd.array(values, dtype="Float64")
            said = {row: "" if cell is None else cell.status for row, cell in cells.items()}
            heading = study, _HEADINGS[metric]
            instead |= {(row, heading): text for row, text in said.items() if text != "done"}
    frame = pd.DataFrame(columns, index=list(heads))
    units = ERRORS | {"train S": "pixels", "test Q": "pixels"}
    return display.table(frame, units=units, missing={"": "", "paper": ""}, instead=instead)


def points(table: int, studies: list[str]) -> pd.DataFrame:
    """Errors for a picture: the paper's rows of Table 3, 4, 5, 6, 8 or 9, a line for each row and source.

    Top-1 errors, and in localisation those of :func:`verydeep.results.printed.judged`.

    ``row``, ``source`` (``paper`` or a study), and ``error``, ``low`` and ``high`` in percent: the 95 % interval, which
    is the error itself for the paper's. Missing values where a number was not measured, which ``status`` tells; a study
    with none is left out.
    """
    lines, printed, snapshots = [], printed_numbers(), {study: results.read(study) for study in studies}
    metric = judged(f"table{table}")
    for row in _paper_heads(table):
        theirs = printed.get(f"table{table}.{row}.{metric}")
        lines.append({"row": row, "source": "paper", "status": "", "error": theirs, "low": theirs, "high": theirs})
        lines += [
            point(row, study, _cell(snapshot, f"table{table}.{row}", metric)) for study, snapshot in snapshots.items()
        ]
    return measured_points(lines)


def point(row: str, study: str, number: Number | None) -> dict:
    """A line of :func:`points`: a number of a study, or ``None`` where it has none, as that of a row."""
    errors = (number.value, number.low, number.high) if number else (None, None, None)
    line = {"row": row, "source": study, "status": number.status if number else ""}
    return line | dict(zip(_SPREAD, errors, strict=True))


def measured_points(lines: list[dict]) -> pd.DataFrame:
    """The lines of :func:`points`, without those of a source that has measured none."""
    frame = pd.DataFrame(lines, columns=["row", "source", "status", *_SPREAD])
    frame = frame.astype(dict.fromkeys(_SPREAD, float))
    return frame[frame.groupby("source")["error"].transform("count") > 0]


def _cell(snapshot: Snapshot, row: str | None, metric: str) -> Number | None:
    """The number of a row, ``table3.D-384``; ``None`` where the study has none."""
    return snapshot.find(f"{snapshot.study.name}.{row}.{metric}")


def _paper_heads(table: int) -> dict[str, dict]:
    """Row name -> what the paper prints to the left of the errors."""
    heads = {}
    for row in paper.table(table).itertuples():
        if table in (8, 9, 10):
            head = localisation_tables.paper_head(table, row)
        elif table == 7:
            reference = "" if pd.isna(row.reference) else row.reference
            evaluation = "" if pd.isna(row.evaluation) else row.evaluation
            count = "" if pd.isna(row.n_nets) else row.n_nets
            head = {"method": row.method, "reference": reference, "networks": count, "evaluation": evaluation}
        elif table == 6:
            members = paper.table("6-members")
            members = members[members["fusion_id"] == row.fusion_id].itertuples()
            shown = [f"{m.config}-{paper.scale_name(m.train_min, m.train_max)}" for m in members]
            head = {"networks": ", ".join(shown), "evaluation": row.evaluation}
        else:
            head = _head(row.config, paper.scale_name(row.train_min, row.train_max), row.test_sizes)
            head |= {"evaluation": row.evaluation} if table == 5 else {}
        heads[paper_row(table, row)] = head
    return heads


def _other_heads(table: int, studies: list[str]) -> dict[str, dict]:
    if table in (6, 7, 10):
        return {}
    printed, heads = _paper_heads(table), {}
    planned = {
        study: [row for row in results.rows(f"table{table}", load(study)) if row.name not in printed]
        for study in studies
    }
    run = {study: _run(table, study, rows) for study, rows in planned.items()}
    for rows in (run if any(run.values()) else planned).values():
        for row in rows:
            if table in (8, 9):
                heads[row.name] = localisation_tables.other_head(row)
            else:
                head = _head(row.run.config, row.run.train_scale, ";".join(map(str, row.measurement.test_scales)))
                head |= {"evaluation": row.measurement.method} if table == 5 else {}
                heads[row.name] = head | {"variant": row.run.variant or ""}
    said = {key for head in heads.values() for key, text in head.items() if text != ""}
    return {name: {key: head[key] for key in head if key in said} for name, head in heads.items()}


def planning(table: int, studies: list[str]) -> list[str]:
    """Those of the studies that plan one at least of the ``others`` that :func:`errors` shows; all where none are."""
    shown = {*_other_heads(table, studies)}
    named = {study: {row.name for row in results.rows(f"table{table}", load(study))} for study in studies}
    return [study for study, names in named.items() if names & shown] or studies


def left_out(table: int, studies: list[str]) -> int:
    """How many rows :func:`errors` leaves out of the ``others``, since they were not run."""
    names = {row.name for study in studies for row in results.rows(f"table{table}", load(study))}
    return len(names - {*_paper_heads(table), *_other_heads(table, studies)})


def _run(table: int, study: str, rows: list[results.Row]) -> list[results.Row]:
    """Those of the rows that were run."""
    snapshot, metric = results.read(study), judged(f"table{table}")
    cells = [_cell(snapshot, f"table{table}.{row.name}", metric) for row in rows]
    return [row for row, cell in zip(rows, cells, strict=True) if cell is not None and cell.status == "done"]


def _head(config: str, scale: str, test_scales: str) -> dict:
    trained = {"jitter": "[256;512]", TORCHVISION: "random areas", AUTHORS: "[256;512], the authors' own"}
    return {"config": config, "train S": trained.get(scale, scale), "test Q": test_scales.replace(";", ", ")}


def errors_markdown(table: int, studies: list[str], show: Callable[[Number], str], brief: bool = False) -> str:
    """:func:`errors` as a Markdown table; parameters as those of :func:`errors_text`."""
    return _markdown(*errors_text(table, studies, show, brief=brief))


def _markdown(head: list[str], numeric: list[bool], rows: list[list[str]]) -> str:
    aligned = ["--:" if right else ":--" for right in numeric]
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(aligned) + "|"]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows])


def errors_text(
    table: int, studies: list[str], show: Callable[[Number], str], others: bool = False, brief: bool = False
) -> tuple[list[str], list[bool], list[list[str]]]:
    """:func:`errors` as text: the headings, which columns hold numbers, and the cells row by row.

    Parameters
    ----------
    show
        How a reproduced number is written; one that has not been run says so by itself.
    brief
        Only the networks and their top-1 errors.
    """
    frame = errors(table, studies, others)
    if brief:
        frame = frame.loc[:, [name in ("config", "train S", "top-1") for _, name in frame.columns]]
    sources = list(dict.fromkeys(source for source, _ in frame.columns if source))
    head = [name for source, name in frame.columns if not source]
    numeric = [False] * len(head)
    for source in sources:
        names = [f"{name} (%)" for group, name in frame.columns if group == source]
        head += [f"{source} {names[0]}", *names[1:]]
        numeric += [True] * len(names)
    rows, metrics = [], {heading: metric for metric, heading in _HEADINGS.items()}
    snapshots = {study: results.read(study) for study in studies}
    for row in frame.index:
        name = _TABLE7.get(row) if table == 7 else f"table{table}.{row}"
        shown = []
        for (source, column), value in frame.loc[row].items():
            if not source:
                shown.append(str(value))
            elif source == "paper":
                shown.append("" if pd.isna(value) else f"{value:.1f}")
            else:
                number = _cell(snapshots[source], name, metrics[column])
                shown.append("" if number is None else show(number) if number.status == "done" else number.status)
        rows.append(shown)
    return head, numeric, rows


#: Networks of ours that :func:`headline` has beside Table 3's, behind those of a config: their rows, and their names.
#: Some say for how many epochs they were trained.
_BESIDE = {
    "A": {"A-256-longer": "A, trained twice as long"},
    "E": {
        "A-256-batch-norm": "A, batch normalisation",
        "B-256-batch-norm": "B, batch normalisation",
        "C-256-batch-norm": "C, batch normalisation",
        "D-256-ladder-1": "D, batch normalisation",
        "E-256-batch-norm": "E, batch normalisation",
        "A-256-long-0.01": "A, {} epochs",
        "A-256-longest": "A, {} epochs",
        **{f"{config}-256-long-0.01": f"{config}, {{}} epochs" for config in "BCDE"},
    },
}


def headline() -> str:
    """Table 3 for the README: the paper's top-1 errors beside those of two studies, with links to the run folders.

    Behind A stands the A that was trained for as many epochs as a network that starts from it, and A, have together; at
    the end those with batch normalisation, and those trained for longer than their study's recipe says.
    """
    shown: list[Number] = []

    def linked(number: Number) -> str:
        shown.append(number)
        return f"[{number.value:.1f}](runs/{number.study}/{number.run}) ({number.low:.1f}–{number.high:.1f})"

    def cells(row: str) -> list[str]:
        found = [results.read(study).find(f"{study}.table3.{row}.top1") for study in HEADLINE]
        return ["" if one is None else linked(one) if one.status == "done" else one.status for one in found]

    head, numeric, rows = errors_text(3, [*HEADLINE], linked, brief=True)
    for behind, more in _BESIDE.items():
        place = 1 + max(place for place, (config, *_) in enumerate(rows) if config == behind)
        rows[place:place] = [[name.format(_epochs(row)), "256", "", *cells(row)] for row, name in more.items()]
    counts = {study: results.read(study).done for study in HEADLINE}
    tested = ", ".join(f"{done[0].n:,} of `{study}`" for study, done in counts.items() if done)
    source = "Each number leads to the record of its run, with machine and commit."
    return f"{_markdown(head, numeric, rows)}\n\nValidation images: {tested or NOT_RUN}. {source}{_means(shown)}"


def _epochs(row: str) -> int:
    """For how many epochs a network of Table 3's was trained, or is to be, in the first study that has it."""
    of_row = (run for study in HEADLINE for run in planned_runs(load(study)) if run.row == row)
    return training_tables.epochs(next(of_row))


def _means(numbers: list[Number]) -> str:
    """Which of several numbers are means over seeds, in a sentence."""
    means = [f"{number.row} of `{number.study}` ({len(number.runs)})" for number in numbers if len(number.runs) > 1]
    if not means:
        return " Each is of one seed."
    return (
        f" Means over several seeds, and over how many: {', '.join(means)}; their intervals cover seeds and images, "
        f"and they lead to the record of the first. Each of the others is of one seed."
    )


def gain(before: int, after: int, studies: list[str]) -> pd.DataFrame:
    """What a later of the paper's tables gains over an earlier one, in percentage points, for the rows both have."""
    old, new = errors(before, studies), errors(after, studies)
    same = [row for row in new.index if row in old.index]
    columns = [column for column in new.columns if column[0] and column in old.columns]
    frame = (old.loc[same, columns] - new.loc[same, columns]).astype("Float64").round(2)
    return display.table(frame, units=dict.fromkeys(ERRORS, "points"), missing={"paper": ""})


def coverage(study: str, table: int) -> str:
    """What the intervals of a study's errors in a table cover; Table 7 has those of all others."""
    done = [number for number in results.read(study).done if table == 7 or number.table == f"table{table}"]
    return display.coverage(done[0].n, [len(number.runs) for number in done]) if done else ""
