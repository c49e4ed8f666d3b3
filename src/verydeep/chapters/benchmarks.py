"""What the programs of ``benchmarks/`` measured side by side, read from the records that they left."""

import json

import pandas as pd

from verydeep import paths
from verydeep.chapters import display
from verydeep.errors import VerydeepError

#: Said in place of a table.
NO_GPU = "Not measured yet; on a machine with a GPU run: make gpu"


def required(name: str, command: str) -> dict:
    """What ``command`` has left in ``benchmarks/<name>.json``; raises :class:`VerydeepError` where it has not run."""
    record = recorded(name)
    if record is None:
        raise VerydeepError(f"benchmarks/{name}.json: no record; run: {command}")
    return record


def rates(name: str, study: str | None = None) -> pd.DataFrame:
    """The rates of a side-by-side measurement in ``benchmarks/``, a row each.

    One that is made for a study has no rows where it was not made, and a caption that says how to make it.

    Raises
    ------
    VerydeepError
        When one that is not made for a study has no record; says how to make it.
    """
    command = f"python benchmarks/{name}.py" + (f" --study {study}" if study else "")
    record = recorded(name, study) if study else required(name, command)
    if record is None:
        return display.without_rows(f"Not measured for the study {study}; run: {command}")
    frame = pd.DataFrame(record["rates"]).T.map(rounded).rename(columns=_benchmarked)
    frame = frame.assign(threads=record["device"]["threads"], machine=record["environment"]["processor"])
    return display.table(frame)


def on_gpu() -> pd.DataFrame:
    """Images a second of training on one GPU, by network and way: ours, the bare step, a common loop.

    Where it was not measured, no rows, and a caption with the command.
    """
    record = recorded("gpu")
    if record is None:
        return display.without_rows(NO_GPU)
    measured, fast = dict(record["rates"]), record["compiled"]
    if "failed" not in fast:
        shown = next(iter(measured.values())).keys() & fast.keys()
        measured[f"{fast['config']}: bare step, torch.compile"] = {key: fast[key] for key in shown}
    frame = pd.DataFrame(measured).T.astype({"turns": int}).map(rounded).rename(columns=_benchmarked)
    setting = record["setting"]
    caption = (
        f"{record['device']['name']}, {record['environment']['cores']} cores, torch "
        f"{record['environment']['packages']['torch']}: batches of {setting['batch']} in parts of "
        f"{setting['micro_batch']}, {setting['precision']}, {setting['workers']} workers; medians of turns."
    )
    if "failed" in fast:
        caption += f" torch.compile: {fast['failed']}."
    return display.table(frame, missing="", caption=caption)


def memory_on_gpu() -> pd.DataFrame:
    """Peak memory of a step on one GPU (MiB) by micro-batch, a column each network; no rows where not measured."""
    record = recorded("gpu")
    if record is None:
        return display.without_rows(NO_GPU)
    frame = pd.DataFrame(record["peak_memory_mib"]).astype(float).round().astype("Int64")
    frame = frame.rename(columns=lambda config: f"{config}: peak memory (MiB)").rename_axis("micro-batch")
    return display.table(frame, missing="not counted")


def recorded(name: str, study: str | None = None) -> dict | None:
    """What the benchmark ``name`` recorded, for a study where it is made for one; ``None`` where it has no record."""
    path = paths.root() / "benchmarks" / (f"{name}-{study}.json" if study else f"{name}.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _benchmarked(column: str) -> str:
    """The heading of a column of a benchmark's record."""
    spoken = {"top1_error": "top-1 error (%)", "top5_error": "top-5 error (%)", "peak_memory_mib": "peak memory (MiB)"}
    spoken["held_out_top1_error_at_the_end"] = "held-out top-1 error at the end (%)"
    return spoken.get(column, column.replace("_", " "))


def rounded(value):
    """Three significant digits, and no fewer than the whole part."""
    if not isinstance(value, float):
        return value
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")
