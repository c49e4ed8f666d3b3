"""What there is to rerun: the studies, and the chapters with their parameters."""

import os
from collections.abc import Iterator

import nbformat
import pandas as pd
import yaml

from verydeep import paths, runs
from verydeep.chapters import display, forecast_tables
from verydeep.results import cards, training_cost
from verydeep.studies import Study, load, names
from verydeep.studies.measurements import single


def parameters() -> display.Table:
    """The parameters of every chapter that has some, in the order of the book: name, value by default, and meaning."""
    rows = []
    for name in _in_order(yaml.safe_load((paths.book() / "_toc.yml").read_text(encoding="utf-8"))):
        path = paths.book() / f"{name}.ipynb"
        for cell in nbformat.read(path, as_version=4).cells if path.exists() else []:
            if "parameters" in cell.metadata.get("tags", []):
                rows.append({"chapter": name, "parameters": "; ".join(_assignments(cell.source))})
    links = {"chapter": lambda name: f"{name}.html"} if os.environ.get(display.BUILDING) else {}
    return display.of_rows(rows, "chapter", links=links)


def networks() -> display.Table:
    """The networks whose weights are in a clone: what they tell apart, and their error by Table 3's way of testing.

    The error is that of the first seed, whose weights they are.
    """
    rows = []
    for name in names():
        for run in runs.recorded_runs(load(name)):
            if cards.has_card(run):
                way = single(run.train_scale)
                measured = runs.tested(run).measurements[way.name]
                rows.append(
                    {
                        "network": f"{name}/{run.row}",
                        "data": run.study.data.source,
                        "classes": run.study.num_classes,
                        "tested": way.name,
                        "top-1 error": measured.top1_error,
                        "size": run.weights.stat().st_size / 2**20,
                    }
                )
    frame = pd.DataFrame(rows, columns=["network", "data", "classes", "tested", "top-1 error", "size"])
    units = {"top-1 error": "%", "size": "MiB"}
    # rounded as the same number is in a sentence: numpy would round 62.55, a little less in binary, to 62.6
    frame = frame.set_index("network").map(lambda value: float(f"{value:.1f}") if isinstance(value, float) else value)
    return display.table(frame, units=units)


def _training_time(study: Study) -> str:
    """How long all trainings of a study take: by its records, or of the full study by the model of its cost."""
    by_model = forecast_tables.in_short() if study.name == forecast_tables.STUDY else None
    return by_model or training_cost.training_time(study)


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
                "all trainings take": _training_time(study),
            }
        )
    links = {"study": lambda name: f"runs/{name}.html"} if os.environ.get(display.BUILDING) else {}
    return display.of_rows(rows, "study", units={"crop": "pixels"}, links=links)
