"""The authors' own networks: their files, the paper's rows beside them, which of its networks they are, the time."""

import pandas as pd

from verydeep import results, runs
from verydeep.chapters import display
from verydeep.networks.published import AUTHORS, published_weights
from verydeep.results import METRICS, forecast, printed_numbers
from verydeep.studies import PAPER_SCALES, Run, load, names, planned_runs, table6_fusions
from verydeep.studies.measurements import as_printed, measured_by

_IMAGES = 50_000
_TABLES = ("table3", "table4", "table5")


def files() -> pd.DataFrame:
    """The files in which the authors' networks are handed out, each with its checksum and where it lies."""
    rows = [
        {"network": weights.config, "file": origin.file, "layout": origin.layout, "checksum": origin.checksum}
        for weights in published_weights().values()
        if weights.publisher == AUTHORS
        for origin in weights.origins
    ]
    return display.of_rows(rows, "network")


def _runs(study: str) -> list[Run]:
    return [run for run in planned_runs(load(study)) if run.train_scale == AUTHORS]


def rows(study: str = "released") -> pd.DataFrame:
    """The rows of Tables 3 to 6 that the authors' networks fill: the paper's errors and ours, in percent.

    Table 7's are among them: one network tested by both ways, and two.
    """
    snapshot, made = results.read(study), []
    listed = [(table, row.name) for table in _TABLES for row in results.rows(table, snapshot.study)]
    listed = [(table, name) for table, name in listed if f"-{AUTHORS}" in name]
    listed += [("table6", name) for name in table6_fusions(snapshot.study)]
    for table, name in listed if _runs(study) else []:
        cells = {metric: snapshot.number(f"{study}.{table}.{name}.{metric}") for metric in METRICS}
        row = {"table": int(table[-1]), "row": name, "tested": cells["top1"].measurement}
        row |= {f"paper, {_spoken(metric)}": cell.paper for metric, cell in cells.items()}
        row |= {f"ours, {_spoken(metric)}": display.measured(cell, 1) for metric, cell in cells.items()}
        made.append(row)
    if not made:
        return _none(study)
    units = {name: "%" for row in made for name in row if ", top-" in name}
    return display.of_rows(made, ["table", "row"], units=units, missing="")


def _spoken(metric: str) -> str:
    return metric.replace("top", "top-")


def _none(study: str) -> display.Table:
    return display.without_rows(f"The study {study} tests no weights of the authors'.")


def which_network(study: str = "released") -> pd.DataFrame:
    """Each network of the paper that a file could be, and by how much ours misses it when it is tested as that one was.

    A row a candidate and way: the paper's errors, what the file gives tested so, in percent, and the difference of the
    top-1 errors in percentage points. The file is the network that it comes nearest to in every row.
    """
    made = []
    for run in _runs(study):
        record = runs.tested(run)
        for scale in PAPER_SCALES:
            for table, way in zip((3, 4), as_printed(scale), strict=True):
                printed = {k: printed_numbers()[f"table{table}.{run.config}-{scale}.{k}"] for k in METRICS}
                ours = record.measurements[way.name] if record else None
                row = {"file": run.row, "if it is": f"{run.config}-{scale}", "tested": way.name}
                row |= {f"paper, {_spoken(metric)}": value for metric, value in printed.items()}
                row |= {f"ours, {_spoken(metric)}": ours.error(metric) if ours else None for metric in METRICS}
                row["off by"] = ours.top1_error - printed["top1"] if ours else None
                made.append(row)
    if not made:
        return _none(study)
    frame = pd.DataFrame(made).set_index(["file", "if it is", "tested"]).convert_dtypes()
    units = {name: "points" if name == "off by" else "%" for name in frame}
    return display.table(frame.round(2), units=units)


def testing_time(study: str = "released") -> pd.DataFrame:
    """What testing one of the authors' networks on all 50,000 images takes, by the ways that need passes of their own.

    Multiply-adds of one image of the usual size, with its mirror image where the way has that, and hours at the rates
    of :func:`measured_rates`.
    """
    rates, costs = measured_rates(), {}
    for run in _runs(study):
        singles = {single for measurement in measured_by(run) for single in measurement.passes}
        each = forecast.passes(run)
        for method in ("centre-crop", "dense", "multi-crop"):
            costs[run.row, method] = sum(each[single.name] for single in singles if single.method == method)
        costs[run.row, "all"] = sum(cost for (row, _), cost in costs.items() if row == run.row)
    if not costs:
        return _none(study)
    index = pd.MultiIndex.from_tuples(costs, names=["network", "way"])
    frame = pd.DataFrame({"an image": [cost / 1e9 for cost in costs.values()]}, index=index)
    for device, rate in rates.items():
        frame[f"on a {device}"] = [cost * _IMAGES / rate["rate"] / 3600 for cost in costs.values()]
    said = "; ".join(
        f"{device}: {rate['rate']:.2g} multiply-adds a second, as in the test of {rate['run']} on {rate['name']} in "
        f"{rate['precision']}"
        for device, rate in rates.items()
    )
    units = {name: "billion multiply-adds" if name == "an image" else "hours" for name in frame}
    digits = {name: 1 if name == "an image" else 2 for name in frame}
    return display.table(frame.round(digits), units=units, caption=f"Hours by the rates on record. {said}.")


def measured_rates() -> dict[str, dict]:
    """GPU and CPU -> multiply-adds a second of the recorded test of the largest network on one, and what that was."""
    largest: dict[str, tuple] = {}
    for study in names():
        spec = load(study)
        for run in runs.recorded_runs(spec) if spec.train else []:
            record = runs.read_record(run, "evaluate")
            if record is None:
                continue
            device = {"cuda": "GPU", "cpu": "CPU"}[record.device.type]
            largest[device] = max(
                largest.get(device, (0,)), (run.multiply_adds, run.address, record), key=lambda test: test[0]
            )
    return {device: _rate(name, record) for device, (_, name, record) in sorted(largest.items(), reverse=True)}


def _rate(name: str, record: runs.EvaluateRecord) -> dict:
    made = record.passes.values()
    device = record.device
    return {
        "rate": sum(tested.multiply_adds for tested in made) / sum(tested.seconds for tested in made),
        "run": name,
        "name": device.name if device.type == "cuda" else f"{device.threads} threads",
        "precision": record.protocol["precision"],
    }
