"""The paper's tables as DataFrames, its columns beside ours, and as Markdown with links to the runs."""

import json
from collections.abc import Callable
from typing import get_args

import pandas as pd

from verydeep import display, paper, paths, reports, results, runs, statistics
from verydeep.display import NOT_RUN
from verydeep.errors import UnknownName, VerydeepError
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.paper import addresses
from verydeep.results import Number, numbers, paper_number, paper_row
from verydeep.statistics import error_interval
from verydeep.studies import Measurement, Run, Study, lineage, load, planned_runs
from verydeep.studies.measurements import SEVERAL, several, several_scales, single

# Some cells hold a sentence; a notebook would cut it short.
pd.set_option("display.max_colwidth", None)


def table1() -> pd.DataFrame:
    """Table 1 as printed: a column a configuration, a row a layer, blocks and poolings aligned."""
    printed = paper.table(1)
    columns = {}
    for config, rows in printed.groupby("config", sort=False):
        blocks = rows[rows["kind"].isin(["conv", "lrn"])].groupby("block")["layer"].apply(list)
        columns[config] = blocks
    depth = {block: max(len(column[block]) for column in columns.values()) for block in range(1, 6)}
    cells = {}
    for config, blocks in columns.items():
        layers = ["input"]
        for block in range(1, 6):
            layers += blocks[block] + [""] * (depth[block] - len(blocks[block])) + ["maxpool"]
        cells[config] = [*layers, "FC-4096", "FC-4096", "FC-1000", "soft-max"]
    frame = pd.DataFrame(cells)
    weight_layers = [f"{all_configurations()[config].weight_layers} weight layers" for config in frame.columns]
    frame.columns = pd.MultiIndex.from_arrays([frame.columns, weight_layers], names=["config", "depth"])
    return display.table(frame)


def table2() -> pd.DataFrame:
    """Table 2: parameters in millions, the paper's printed figure beside the count from Table 1."""
    printed = paper.table(2).set_index("config")["params_millions"]
    counts = pd.Series({config: anatomy.parameters(all_configurations()[config]) for config in printed.index})
    frame = pd.DataFrame(
        {
            "paper (millions)": printed,
            "counted from Table 1": counts,
            "rounded (millions)": (counts / 1e6).round().astype(int),
            "multiply-adds per crop (billions)": pd.Series(
                {config: anatomy.multiply_adds(all_configurations()[config]) / 1e9 for config in printed.index}
            ).round(2),
        }
    )
    return display.table(frame)


_ERRORS = dict.fromkeys(("top-1", "top-5", "top-5, test images"), "%")

# What a study's own number stands beside each of the paper's own rows of Table 7.
_TABLE7 = {"VGG-2": "table6.2-both", "VGG-1": "table5.E-jitter-both", "VGG-7": "table6.7-dense"}


def errors(table: int, studies: list[str], others: bool = False) -> pd.DataFrame:
    """Table 3, 4, 5, 6 or 7: the paper's errors beside those of each study, in percent, in the paper's row order.

    Numbers that have not been run, or that the paper does not have, are missing values.

    Parameters
    ----------
    others
        Instead of the paper's rows, those of the studies' networks that its table does not have.
    """
    heads = _other_heads(table, studies) if others else _paper_heads(table)
    names = {row: _TABLE7.get(row) if table == 7 else f"table{table}.{row}" for row in heads}
    blank: set[tuple] = set()
    columns = {("", key): [head[key] for head in heads.values()] for key in next(iter(heads.values()), {})}
    if not others:
        tested = ("top1", "top5", "top5_test") if table in (6, 7) else ("top1", "top5")
        for metric in tested:
            columns["paper", _spoken(metric)] = [_printed(f"table{table}.{row}.{metric}") for row in heads]
    for study in studies:
        known = {found.id: found.value for found in numbers(study)}
        for metric in ("top1", "top5"):
            values = [known.get(f"{study}.{name}.{metric}") for name in names.values()]
            columns[study, _spoken(metric)] = pd.array(values, dtype="Float64")
            absent = (row for row, name in names.items() if f"{study}.{name}.{metric}" not in known)
            blank |= {(row, (study, _spoken(metric))) for row in absent}
    frame = pd.DataFrame(columns, index=list(heads))
    units = _ERRORS | {"train S": "pixels", "test Q": "pixels"}
    return display.table(frame, units=units, missing={"": "", "paper": ""}, blank=frozenset(blank))


def _spoken(metric: str) -> str:
    return {"top1": "top-1", "top5": "top-5", "top5_test": "top-5, test images"}[metric]


def _printed(identity: str) -> float | None:
    try:
        return paper_number(identity)
    except UnknownName:
        return None


def _paper_heads(table: int) -> dict[str, dict]:
    """Row name -> what the paper prints to the left of the errors."""
    found = {}
    for row in paper.table(table).itertuples():
        if table == 7:
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
        found[paper_row(table, row)] = head
    return found


def _other_heads(table: int, studies: list[str]) -> dict[str, dict]:
    if table in (6, 7):
        return {}
    printed = _paper_heads(table)
    found = {}
    for study in studies:
        for row in results.rows(f"table{table}", load(study)):
            if row.name not in printed:
                head = _head(row.run.config, row.run.train_scale, ";".join(map(str, row.measurement.test_scales)))
                head |= {"evaluation": row.measurement.method} if table == 5 else {}
                found[row.name] = head | {"variant": row.run.variant or ""}
    return found


def _head(config: str, scale: str, test_scales: str) -> dict:
    trained = {"jitter": "[256;512]", "torchvision": "random areas"}.get(scale, scale)
    return {"config": config, "train S": trained, "test Q": test_scales.replace(";", ", ")}


def cell(found: Number, digits: int = 1) -> str:
    """A number with its interval as text, or ``not run``."""
    if found.status != "done":
        return NOT_RUN
    if found.low is None:
        return f"{found.value:.{digits}f}"
    return display.with_interval(found.value, found.low, found.high, digits)


def errors_markdown(
    table: int, studies: list[str], show: Callable[[Number], str], others: bool = False, brief: bool = False
) -> str:
    """:func:`errors` as a Markdown table; parameters as those of :func:`errors_text`."""
    head, numeric, rows = errors_text(table, studies, show, others, brief)
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
    rows = []
    found = {number.id: number for study in studies for number in numbers(study)}
    for row in frame.index:
        name = _TABLE7.get(row) if table == 7 else f"table{table}.{row}"
        shown = []
        for (source, column), value in frame.loc[row].items():
            if not source:
                shown.append(str(value))
            elif source == "paper":
                shown.append("" if pd.isna(value) else f"{value:.1f}")
            else:
                one = found.get(f"{source}.{name}.{column.replace('-', '')}")
                shown.append("" if one is None else show(one) if one.status == "done" else NOT_RUN)
        rows.append(shown)
    return head, numeric, rows


def headline(study: str) -> str:
    """Table 3 for the README: the paper beside one study, with links to the run folders."""
    return errors_markdown(
        3, [study], lambda one: f"[{one.value:.1f}](runs/{study}/{one.run}) ({one.low:.1f}–{one.high:.1f})"
    )


def bill(study: str) -> dict[str, float]:
    """What a study has cost so far: networks trained and planned, pilots, hours, multiply-adds (1e15)."""
    spec = load(study)
    networks, pilots = planned_runs(spec), planned_runs(spec, pilots=True)
    trained, tried, tested = (
        [record for run in asked if (record := runs.read_record(run, kind))]
        for asked, kind in ((networks, "train"), (pilots, "train"), (networks, "evaluate"))
    )
    operations = [record.cost["multiply_adds"] for record in trained + tried]
    operations += [one["multiply_adds"] for record in tested for one in record.passes.values()]
    return {
        "networks": len(trained),
        "planned": len(networks),
        "pilots": len(tried),
        "hours": sum(record.cost["seconds"] for record in trained + tried + tested) / 3600,
        "operations": sum(operations) / 1e15,
        "cores": max((record.environment["cores"] for record in trained), default=0),
    }


def testing_cost(study: str) -> pd.DataFrame:
    """What each way of testing costs and gives, for every network of a study that has been tested.

    One row a network and method: forward passes and multiply-adds (billions) an image, images a second as
    measured, on how many threads and how busy the machine was, and the top-1 and top-5 error in percent.
    """
    found = []
    spec = load(study)
    for row in [row for table in ("centre-crop", "table3", "table5") for row in results.rows(table, spec)]:
        record = runs.read_record(row.run, "evaluate")
        if record is None:
            continue
        passes = [record.passes[one.name] for one in row.measurement.passes]
        images, seconds = passes[0]["images"], sum(one["seconds"] for one in passes)
        measured = record.measurements[row.measurement.name]
        found.append(
            {
                "network": row.run.row,
                "method": row.measurement.method,
                "test Q": ", ".join(map(str, row.measurement.test_scales)),
                "forward passes": sum(one["forward_passes"] for one in passes) / images,
                "multiply-adds (billions)": sum(one["multiply_adds"] for one in passes) / images / 1e9,
                "images/s": images / seconds,
                "threads": record.device["threads"],
                "load": record.cost["load_average"],
                "top-1": measured["top1_error"],
                "top-5": measured["top5_error"],
            }
        )
    frame = pd.DataFrame(found)
    if frame.empty:
        return frame
    order = {row: k for k, row in enumerate(dict.fromkeys(run.row for run in planned_runs(spec)))}
    frame = frame.sort_values("network", key=lambda names: names.map(order), kind="stable")
    frame = frame.set_index(["network", "method", "test Q"])
    frame = frame.round({"multiply-adds (billions)": 3, "images/s": 0, "load": 1})
    return display.table(frame, units=_ERRORS | {"load": "processes"})


def benchmark(name: str) -> pd.DataFrame:
    """The rates of a side-by-side measurement in ``benchmarks/``, a row each.

    Raises
    ------
    VerydeepError
        When it has no record; says how to make it.
    """
    path = paths.root() / "benchmarks" / f"{name}.json"
    if not path.exists():
        raise VerydeepError(f"{path}: no record; run: python benchmarks/{name}.py")
    record = json.loads(path.read_text(encoding="utf-8"))
    frame = pd.DataFrame(record["rates"]).T.map(_rounded).rename(columns=_benchmarked)
    frame = frame.assign(threads=record["device"]["threads"], machine=record["environment"]["processor"])
    return display.table(frame)


def _benchmarked(column: str) -> str:
    """The heading of a column of a benchmark's record."""
    spoken = {"top1_error": "top-1 error (%)", "top5_error": "top-5 error (%)", "peak_memory_mib": "peak memory (MiB)"}
    spoken["held_out_top1_error_at_the_end"] = "held-out top-1 error at the end (%)"
    return spoken.get(column, column.replace("_", " "))


def _rounded(value):
    """Three significant digits, and no fewer than the whole part."""
    if not isinstance(value, float):
        return value
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")


def paper_cost(crops_per_side: int = 5) -> pd.DataFrame:
    """Multiply-adds (billions) of testing one square image at the paper's size, by network and way of testing.

    Mirror images are counted. Dense testing at one scale is at Q=256, several scales are those of jittered networks.
    """
    scales = several_scales("jitter")
    found = {}
    for name in dict.fromkeys(paper.table(2)["config"]):
        config = all_configurations()[name]
        crop = anatomy.multiply_adds(config) / 1e9
        dense = {scale: 2 * anatomy.multiply_adds(config, image=(scale, scale)) / 1e9 for scale in (256, *scales)}
        crops = 2 * crops_per_side**2 * len(scales) * crop
        several = sum(dense[scale] for scale in scales)
        found[name] = {
            "centre crop": crop,
            "dense, one scale": dense[256],
            "dense, three scales": several,
            "multi-crop": crops,
            "both": several + crops,
        }
    frame = pd.DataFrame(found).T.round(1).rename_axis("config")
    return display.table(frame, units=dict.fromkeys(frame, "billion multiply-adds"))


def gain(before: int, after: int, studies: list[str]) -> pd.DataFrame:
    """What a later of the paper's tables gains over an earlier one, in percent points, for the rows both have."""
    old, new = errors(before, studies), errors(after, studies)
    same = [row for row in new.index if row in old.index]
    columns = [column for column in new.columns if column[0] and column in old.columns]
    frame = (old.loc[same, columns] - new.loc[same, columns]).astype("Float64").round(2)
    return display.table(frame, units=dict.fromkeys(_ERRORS, "points"), missing={"paper": ""})


def both_ways(study: str) -> pd.DataFrame:
    """Table 5's question, for every network of a study that was tested so: what each way adds to the other.

    Top-1 error in percent by each way and by both; then what both gain over each, in percent points with the paired
    95 % interval, positive where both are better.
    """
    known = {found.id: found for found in numbers(study)}
    found = {}
    for row in dict.fromkeys(one.run.row for one in results.rows("table5", load(study))):
        cells = {method: known[f"{study}.table5.{row}-{method}.top1"] for method in SEVERAL}
        if any(one.status != "done" for one in cells.values()):
            continue
        found[row] = {method: one.value for method, one in cells.items()}
        for method in SEVERAL[:-1]:
            pair = (results.wrong(cells[method]), results.wrong(cells["both"]))
            found[row][f"both, over {method}"] = display.difference(statistics.mean_difference([pair]))
    frame = pd.DataFrame.from_dict(found, orient="index").round(2).rename_axis("network")
    units = {name: "points" if ", over " in name else "%" for name in frame}
    return display.table(frame, units=units, caption=coverage(study))


def together(study: str) -> pd.DataFrame:
    """What averaging gives, for every set of networks of a study that was tested together.

    One row a set and way of testing: the top-1 error in percent of its best and its worst member alone, tested the
    same way, and of all together; then what all gain over the best, in percent points with the paired 95 % interval,
    positive where all are better.
    """
    found = []
    for fusion in runs.recorded_fusions(load(study)):
        alone = {
            run.row: results.wrong_images(study, run.name, fusion.measurement(run).name, 1) for run in fusion.members
        }
        every = results.wrong_images(study, fusion.name, fusion.method, 1)
        best = min(alone.values(), key=lambda wrong: wrong.mean())
        found.append(
            {
                "networks": " + ".join(alone),
                "tested": fusion.method,
                "best alone": 100 * best.mean(),
                "worst alone": 100 * max(wrong.mean() for wrong in alone.values()),
                "together": 100 * every.mean(),
                "gain over the best": display.difference(statistics.mean_difference([(best[None], every[None])])),
            }
        )
    if not found:
        return display.table(pd.DataFrame())
    frame = pd.DataFrame(found).round(2).set_index(["networks", "tested"])
    units = {name: "points" if "gain" in name else "%" for name in frame}
    return display.table(frame, units=units, caption=coverage(study))


def protocol_gap(study: str = "released") -> pd.DataFrame:
    """pytorch/vision#223: how much of the gap between torchvision's figures and the paper's is the way of testing.

    One row a published network of torchvision that the study tests. The gap in top-1 error between torchvision's figure
    (centre crop) and the paper's (dense, the best it prints for that configuration alone) is the sum of two parts: what
    the same weights gain when they are tested in the paper's way, and what is left, the training's. In percent and
    percent points; what has not been run is a missing value.
    """
    found = []
    for row in results.rows("centre-crop", load(study)):
        if not row.run.published:
            continue
        run, stated = row.run, row.run.published.top1_error
        record = runs.read_record(run, "evaluate")
        measured = {name: values["top1_error"] for name, values in record.measurements.items()} if record else {}
        printed, like = _best_dense(run)
        ours = measured.get(like.name)
        found.append(
            {
                "network": run.published.name,
                "configuration": run.config,
                "torchvision's figure": stated,
                "centre crop": measured.get(row.measurement.name),
                "dense, one scale": measured.get(single(run.train_scale).name),
                "dense, three scales": measured.get(several(run.train_scale).name),
                "multi-crop": measured.get(several(run.train_scale, "multi-crop").name),
                "both": measured.get(several(run.train_scale, "both").name),
                "paper, dense": printed,
                "gap": stated - printed,
                "of it testing": None if ours is None else stated - ours,
                "of it training": None if ours is None else ours - printed,
            }
        )
    if not found:
        return display.table(pd.DataFrame(), caption=f"The study {study} tests no published weights.")
    frame = pd.DataFrame(found).set_index("network").convert_dtypes().round(2)
    units = {name: "points" if name == "gap" or name.startswith("of it") else "%" for name in frame}
    return display.table(frame, units={name: unit for name, unit in units.items() if name != "configuration"})


def _best_dense(run: Run) -> tuple[float, Measurement]:
    """The paper's best dense top-1 error of a configuration, and the measurement to hold against it.

    Table 4's, over three scales, where it has the configuration; Table 3's otherwise.
    """
    for table, measurement in ((4, several(run.train_scale)), (3, single(run.train_scale))):
        printed = paper.table(table)
        printed = printed[printed["config"] == run.config]["top1_val_error"]
        if len(printed):
            return float(printed.min()), measurement
    raise UnknownName("configuration of Tables 3 and 4", run.config, paper.table(3)["config"].unique())


_HELD_OUT = {"held-out top-1": "%", "held-out top-5": "%"}


def pilots(study: str) -> pd.DataFrame:
    """The short runs by which a study's recipe was chosen: what each changed, and its errors on held-out images.

    One row a pilot and network. Errors are in percent with their 95 % interval over the held-out images; a pilot that
    has not been run says so.
    """
    spec = load(study)
    rows = []
    for run in planned_runs(spec, pilots=True):
        base = spec.resolve(run.train_scale)
        changed = {key: value for key, value in run.recipe if key != "epochs" and value != getattr(base, key)}
        record = runs.read_record(run, "train")
        row = {
            "pilot": run.variant.removeprefix("pilot-"),
            "network": f"{run.config}-{run.train_scale}",
            "changes": ", ".join(f"{key}: {value}" for key, value in changed.items()) or "nothing",
            "why": spec.variants[run.variant].why,
            "epochs": run.recipe.epochs,
        }
        for metric in ("top1", "top5"):
            row[f"held-out {metric.replace('top', 'top-')}"] = _held_out(record, metric)
        row["training loss"] = round(record.metrics["train_loss"], 2) if record else NOT_RUN
        rows.append(row)
    if not rows:
        return display.table(pd.DataFrame())
    frame = pd.DataFrame(rows).set_index(["pilot", "network"])
    return display.table(frame, units=_HELD_OUT, caption=_held_out_coverage(spec))


def training(study: str) -> pd.DataFrame:
    """How long each network of a study was trained, with all that it starts from, and how far it came.

    Training loss and top-1 error (percent) are means over the last epoch, on its random crops. The held-out error, with
    its 95 % interval, is that of the images held out from the training set. What has not been run says so. A network
    of another seed than the study's first has the seed in its name.
    """
    rows = []
    for run in planned_runs(load(study)):
        record = runs.read_record(run, "train")
        rows.append(
            {
                "network": _with_seed(run),
                "starts from": _with_seed(run.parent) if run.parent else "",
                "epochs": run.recipe.epochs,
                "with its ancestors'": sum(one.recipe.epochs for one in lineage(run)),
                "training loss": round(record.metrics["train_loss"], 2) if record else NOT_RUN,
                "training top-1": round(record.metrics["train_top1_error"], 1) if record else NOT_RUN,
                "held-out top-1": _held_out(record, "top1"),
                "multiply-adds (1e15)": round(record.cost["multiply_adds"] / 1e15, 2) if record else NOT_RUN,
            }
        )
    frame = pd.DataFrame(rows, dtype=object).set_index("network")
    return display.table(frame, units=_HELD_OUT | {"training top-1": "%"}, caption=_held_out_coverage(load(study)))


def coverage(study: str) -> str:
    """What the intervals of a study's errors cover."""
    done = [number for number in numbers(study) if number.status == "done" and number.n]
    return display.coverage(done[0].n, min(len(number.runs) for number in done)) if done else ""


def _held_out_coverage(study: Study) -> str:
    """What the intervals of a study's held-out errors cover: those of a run are for its own seed."""
    records = (runs.read_record(run, "train") for run in planned_runs(study))
    first = next((record for record in records if record), None)
    return display.coverage(first.data["held_out"]["count"], 1, "held-out") if first else ""


def _with_seed(run: Run) -> str:
    return run.row if run.seed == run.study.seeds[0] else run.name


def _held_out(record, metric: str) -> str:
    if record is None:
        return NOT_RUN
    error = record.metrics[f"held_out_{metric}_error"]
    low, high = error_interval(error, record.data["held_out"]["count"])
    return display.with_interval(error, low, high)


def recipe(study: str, train_scale: str = "256", variant: str | None = None) -> pd.DataFrame:
    """Every setting of a study's recipe beside the paper's, with the reason where they differ."""
    spec = load(study)
    rows = reports.recipe_rows(spec, train_scale, spec.resolve(train_scale, variant))
    return display.table(pd.DataFrame(rows, dtype=object).set_index("setting"), missing="none")


def departures(study: str, train_scale: str = "256") -> pd.DataFrame:
    """The rows of :func:`recipe` that differ from the paper's."""
    frame = recipe(study, train_scale)
    return frame[[ours != papers for ours, papers in zip(frame["study"], frame["paper"], strict=True)]]


def gaps(study: str) -> pd.DataFrame:
    """What the paper leaves open, how a study settles it, and the other readings there are."""
    spec = load(study)
    found = []
    for gap in paper.gaps():
        settled, others = gap.get("settled", ""), ""
        if key := gap.get("key"):
            value, others = _setting(spec, key)
            settled = f"`{key}`: {value}" + (f"; {settled}" if settled else "")
        found.append({"section": gap["section"], "open": gap["open"], "settled": settled, "other readings": others})
    return display.table(pd.DataFrame(found).set_index("section"), links={"section": addresses.section_url})


def _setting(study: Study, key: str) -> tuple[object, str]:
    """The value of a dotted key of a study, and the other values it may have."""
    group, _, name = key.partition(".")
    holder = study.resolve("256") if group == "recipe" else getattr(study, group)
    value = getattr(holder, name)
    choices = get_args(type(holder).model_fields[name].annotation)
    if type(value) is bool:
        choices = (True, False)
    return value, ", ".join(str(choice) for choice in choices if choice != value)


def all_departures(study: str) -> pd.DataFrame:
    """Every setting in which a study departs from the paper: of its networks, its recipe at each scale, its testing."""
    spec = load(study)
    found = []
    for key, field in type(spec.network).model_fields.items():
        found.append(_departure("network", key, field.description, field.default, getattr(spec.network, key), spec))
    for scale in spec.networks if spec.train else ():
        for row in reports.recipe_rows(spec, scale, spec.resolve(scale)):
            where = f"training, {scale}"
            found.append(_departure(where, row["setting"], row["meaning"], row["paper"], row["study"], spec))
    for key, field in type(spec.testing).model_fields.items():
        ours = getattr(spec.testing, key)
        found.append(_departure("testing", f"testing.{key}", field.description, field.default, ours, spec))
    rows = [row for row in found if row["paper"] != row["here"]]
    frame = pd.DataFrame(rows, columns=["where", "setting", "meaning", "paper", "here", "why"], dtype=object)
    return display.table(frame.set_index("where"), missing="none")


def _departure(where: str, key: str, meaning: str, paper_value, ours, study: Study) -> dict:
    return {
        "where": where,
        "setting": key.removeprefix("testing."),
        "meaning": meaning,
        "paper": paper_value,
        "here": ours,
        "why": study.why.get(key, ""),
    }


def paper_claims() -> pd.DataFrame:
    """The paper's claims, the printed rows that support each, and our reading of those rows."""
    frame = pd.DataFrame(paper.claims()).set_index("number")
    frame = frame.rename(columns={"holds_in_paper": "in the paper's own rows"})
    return display.table(frame, links={"section": addresses.section_url})
