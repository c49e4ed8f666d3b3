"""What training and testing a study cost: multiply-adds and time."""

import pandas as pd

from verydeep import paper, results, runs
from verydeep.chapters import display, error_tables
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.results import training_cost
from verydeep.runs.records import KINDS
from verydeep.studies import Study, load, planned_runs
from verydeep.studies.measurements import several_scales


def study_cost(study: str) -> dict[str, float]:
    """What a study has cost so far: networks trained and planned, pilots, hours, multiply-adds (1e15).

    Hours and multiply-adds are of all that was recorded, networks tested together and carried to other data too. Hours
    are those of processors and, apart, those of GPUs (``gpu_hours``): of a training, by where it ended.
    """
    spec = load(study)
    networks, pilots = planned_runs(spec), planned_runs(spec, pilots=True)
    trained, tried = (
        [record for run in asked if (record := runs.read_record(run, "train"))] for asked in (networks, pilots)
    )
    operations, seconds, on_gpu = _done(spec)
    return {
        "networks": len(trained),
        "planned": len(networks),
        "pilots": len(tried),
        "hours": seconds / 3600,
        "gpu_hours": on_gpu / 3600,
        "operations": operations / 1e15,
        "cores": max((record.environment.cores for record in trained), default=0),
    }


def _done(study: Study) -> tuple[float, float, float]:
    """Multiply-adds, seconds of processors and seconds of GPUs of all that was recorded: trainings, tests, fusions,
    transfers and tunings."""
    operations = seconds = on_gpu = 0
    for made in runs.recorded(study):
        records = [runs.read_file(path) for kind in KINDS if (path := runs.record_path(made, kind)).exists()]
        for record in records:
            if record.device.type == "cuda":
                on_gpu += record.cost.seconds
            else:
                seconds += record.cost.seconds
            operations += sum(one.multiply_adds for one in getattr(record, "passes", {}).values())
            operations += sum(one.multiply_adds for one in getattr(record, "work", {}).values())
            operations += training_cost.done_multiply_adds(made, record) if record.kind == "train" else 0
    return operations, seconds, on_gpu


def studies_cost(studies: list[str]) -> dict[str, float]:
    """What several studies have cost so far together, as :func:`study_cost`; of cores, the most that one had."""
    each = [study_cost(study) for study in studies]
    names = ("networks", "planned", "pilots", "hours", "gpu_hours", "operations")
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
