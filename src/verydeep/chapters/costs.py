"""What training and testing cost: multiply-adds, time, memory, and what was measured side by side."""

import json

import pandas as pd

from verydeep import paper, paths, results, runs
from verydeep.chapters import display, error_tables
from verydeep.errors import VerydeepError
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.results import training_cost
from verydeep.runs.records import KINDS
from verydeep.studies import Study, load, planned_runs
from verydeep.studies.measurements import several_scales


def study_cost(study: str) -> dict[str, float]:
    """What a study has cost so far: networks trained and planned, pilots, hours, multiply-adds (1e15).

    Hours and multiply-adds are of all that was recorded, networks tested together and carried to other data too.
    """
    spec = load(study)
    networks, pilots = planned_runs(spec), planned_runs(spec, pilots=True)
    trained, tried = (
        [record for run in asked if (record := runs.read_record(run, "train"))] for asked in (networks, pilots)
    )
    operations, seconds = _done(spec)
    return {
        "networks": len(trained),
        "planned": len(networks),
        "pilots": len(tried),
        "hours": seconds / 3600,
        "operations": operations / 1e15,
        "cores": max((record.environment.cores for record in trained), default=0),
    }


def _done(study: Study) -> tuple[float, float]:
    """Multiply-adds and seconds of all that was recorded: trainings, tests, fusions, transfers and tunings."""
    operations = seconds = 0
    for made in runs.recorded(study):
        records = [runs.read_file(path) for kind in KINDS if (path := runs.record_path(made, kind)).exists()]
        for record in records:
            seconds += record.cost.seconds
            operations += sum(one.multiply_adds for one in getattr(record, "passes", {}).values())
            operations += sum(one.multiply_adds for one in getattr(record, "work", {}).values())
            operations += training_cost.done_multiply_adds(made, record) if record.kind == "train" else 0
    return operations, seconds


def studies_cost(studies: list[str]) -> dict[str, float]:
    """What several studies have cost so far together, as :func:`study_cost`; of cores, the most that one had."""
    each = [study_cost(study) for study in studies]
    names = ("networks", "planned", "pilots", "hours", "operations")
    together = {name: sum(cost[name] for cost in each) for name in names}
    return together | {"cores": max((cost["cores"] for cost in each), default=0)}


def testing_cost(study: str) -> pd.DataFrame:
    """What each way of testing costs and gives, for every network of a study that has been tested.

    One row a network and method: forward passes and multiply-adds (billions) an image, images a second as
    measured, on which device, how many threads and how busy the machine was, and the top-1 and top-5 error in percent.
    """
    tested = []
    spec = load(study)
    for row in [row for table in ("centre-crop", "table3", "table5") for row in results.rows(table, spec)]:
        record = runs.tested(row.run)
        if record is None or row.measurement.name not in record.measurements:
            continue
        passes = [record.passes[single.name] for single in row.measurement.passes]
        images, seconds = passes[0].images, sum(made.seconds for made in passes)
        measured = record.measurements[row.measurement.name]
        tested.append(
            {
                "network": row.run.row,
                "method": row.measurement.method,
                "test Q": ", ".join(map(str, row.measurement.test_scales)),
                "forward passes": sum(made.forward_passes for made in passes) / images,
                "multiply-adds (billions)": sum(made.multiply_adds for made in passes) / images / 1e9,
                "images/s": images / seconds,
                "device": record.device.name if record.device.type == "cuda" else record.environment.processor,
                "threads": record.device.threads,
                "load": record.cost.load_average,
                "top-1": measured.top1_error,
                "top-5": measured.top5_error,
            }
        )
    order = [*dict.fromkeys(run.row for run in planned_runs(spec))]
    return display.of_rows(
        sorted(tested, key=lambda row: order.index(row["network"])),
        ["network", "method", "test Q"],
        digits={"multiply-adds (billions)": 3, "images/s": 0, "load": 1},
        units=error_tables.ERRORS | {"load": "processes"},
        caption=display.FIRST_SEED if tested else f"No network of {study} has been tested yet.",
    )


def required_record(name: str, command: str) -> dict:
    """What ``command`` has left in ``benchmarks/<name>.json``; raises :class:`VerydeepError` where it has not run."""
    record = benchmark_record(name)
    if record is None:
        raise VerydeepError(f"benchmarks/{name}.json: no record; run: {command}")
    return record


def benchmark(name: str, study: str | None = None) -> pd.DataFrame:
    """The rates of a side-by-side measurement in ``benchmarks/``, a row each.

    One that is made for a study has no rows where it was not made, and a caption that says how to make it.

    Raises
    ------
    VerydeepError
        When one that is not made for a study has no record; says how to make it.
    """
    command = f"python benchmarks/{name}.py" + (f" --study {study}" if study else "")
    record = benchmark_record(name, study) if study else required_record(name, command)
    if record is None:
        return display.without_rows(f"Not measured for the study {study}; run: {command}")
    frame = pd.DataFrame(record["rates"]).T.map(rounded).rename(columns=_benchmarked)
    frame = frame.assign(threads=record["device"]["threads"], machine=record["environment"]["processor"])
    return display.table(frame)


def on_gpu() -> pd.DataFrame:
    """Images a second of training on one GPU, by network and way: ours, the bare step, a common loop.

    Where it was not measured, no rows, and a caption with the command.
    """
    record = benchmark_record("gpu")
    if record is None:
        return display.without_rows(NO_GPU)
    rates, fast = dict(record["rates"]), record["compiled"]
    if "failed" not in fast:
        shown = next(iter(rates.values())).keys() & fast.keys()
        rates[f"{fast['config']}: bare step, torch.compile"] = {key: fast[key] for key in shown}
    frame = pd.DataFrame(rates).T.astype({"turns": int}).map(rounded).rename(columns=_benchmarked)
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
    record = benchmark_record("gpu")
    if record is None:
        return display.without_rows(NO_GPU)
    frame = pd.DataFrame(record["peak_memory_mib"]).astype(float).round().astype("Int64")
    frame = frame.rename(columns=lambda config: f"{config}: peak memory (MiB)").rename_axis("micro-batch")
    return display.table(frame, missing="not counted")


#: Said in place of a table.
NO_GPU = "Not measured yet; on a machine with a GPU run: make gpu"


def benchmark_record(name: str, study: str | None = None) -> dict | None:
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


def paper_cost() -> pd.DataFrame:
    """Multiply-adds (billions) of testing one square image at the paper's size, by network and way of testing.

    Mirror images are counted. Dense testing at one scale is at Q=256, several scales are those of jittered networks.
    """
    scales = several_scales("jitter")
    costs = {}
    for name in dict.fromkeys(paper.table(2)["config"]):
        config = all_configurations()[name]
        crop = anatomy.multiply_adds(config) / 1e9
        dense = {scale: 2 * anatomy.multiply_adds(config, image=(scale, scale)) / 1e9 for scale in (256, *scales)}
        crops = 2 * 5**2 * len(scales) * crop
        every_scale = sum(dense[scale] for scale in scales)
        costs[name] = {
            "centre crop": crop,
            "dense, one scale": dense[256],
            "dense, three scales": every_scale,
            "multi-crop": crops,
            "both": every_scale + crops,
        }
    frame = pd.DataFrame(costs).T.round(1).rename_axis("config")
    return display.table(frame, units=dict.fromkeys(frame, "billion multiply-adds"))
