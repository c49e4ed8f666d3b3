"""The ways of testing against each other: dense and multi-crop, one scale and several, one network and several."""

import pandas as pd

from verydeep import paper, results, runs, statistics
from verydeep.chapters import benchmarks, display, error_tables
from verydeep.errors import UnknownName
from verydeep.networks.published import TORCHVISION
from verydeep.runs import answers, predictions
from verydeep.studies import Measurement, Run, load
from verydeep.studies.measurements import SEVERAL, several, single

#: What ``benchmarks/readings.py`` calls the study's own reading of every gap.
AS_TESTED = "as tested"


def dense_against_multi_crop(study: str) -> pd.DataFrame:
    """Table 5's question, for every network of a study that was tested so: what each way adds to the other.

    Top-1 error in percent by each way and by both; then what both gain over each, in percentage points with the paired
    95 % interval, positive where both are better.
    """
    snapshot, rows = results.read(study), {}
    for network in dict.fromkeys(row.run.row for row in results.rows("table5", snapshot.study)):
        cells = {method: snapshot.number(f"{study}.table5.{network}-{method}.top1") for method in SEVERAL}
        if any(cell.status != "done" for cell in cells.values()):
            continue
        rows[network] = {method: cell.value for method, cell in cells.items()}
        for method in SEVERAL[:-1]:
            gain, _ = snapshot.evidence.paired(f"table5.{network}-{method}", f"table5.{network}-both")
            rows[network][f"both, over {method}"] = display.difference(gain)
    frame = pd.DataFrame.from_dict(rows, orient="index").round(2).rename_axis("network")
    units = {name: "points" if ", over " in name else "%" for name in frame}
    return display.table(frame, units=units, caption=error_tables.coverage(study, 5))


def ways_apart(run: Run) -> pd.DataFrame:
    """How often each way of testing a network contradicts dense testing at one scale, from its predictions.

    One row a way: percent of the validation images of which it names another best class, and of those on which only
    one of the two is right.
    """
    table = answers.read_table(run.folder / predictions.FILE)
    ways = {name: part.set_index("image") for name, part in table.groupby("measurement", observed=True)}
    usual = single(run.train_scale).name
    first, rows = ways.pop(usual), {}
    right = predictions.hits(first, 1)
    for name, way in ways.items():
        same = way.reindex(first.index)
        also = predictions.hits(same, 1)
        rows[name] = {
            "another best class": 100 * (same["class_1"] != first["class_1"]).mean(),
            f"only {usual} right": 100 * (right & ~also).mean(),
            "only this way right": 100 * (also & ~right).mean(),
        }
    frame = pd.DataFrame.from_dict(rows, orient="index").round(2).rename_axis("way")
    return display.table(frame, units=dict.fromkeys(frame, "%"), caption=f"Of {len(first):,} validation images.")


def fusion_gains(study: str) -> pd.DataFrame:
    """What averaging gives, for every set of networks of a study that was tested together.

    One row a set and way of testing: the top-1 error in percent of its best and its worst member alone, tested the
    same way, and of all together; then what all gain over the best, in percentage points with the paired 95 % interval,
    positive where all are better.
    """
    rows = []
    for fusion in runs.recorded_fusions(load(study)):
        if fusion.boxes or not runs.still_holds(fusion.folder, runs.read_record(fusion)):
            continue
        alone = {
            run.label: results.wrong_images(study, run.name, fusion.measurement(run).name, 1) for run in fusion.members
        }
        every = results.wrong_images(study, fusion.name, fusion.method, 1)
        best = min(alone.values(), key=lambda wrong: wrong.mean())
        rows.append(
            {
                "networks": " + ".join(alone),
                "tested": fusion.method,
                "best alone": 100 * best.mean(),
                "worst alone": 100 * max(wrong.mean() for wrong in alone.values()),
                "together": 100 * every.mean(),
                "gain over the best": display.difference(statistics.mean_difference([(best[None], every[None])])),
            }
        )
    if not rows:
        return display.without_rows()
    units = dict.fromkeys(("best alone", "worst alone", "together"), "%") | {"gain over the best": "points"}
    return display.of_rows(
        rows, ["networks", "tested"], digits=2, units=units, caption=display.coverage(len(every), [1])
    )


def readings(study: str) -> pd.DataFrame:
    """What another reading of each gap that the paper leaves in testing changes, from ``benchmarks/readings.py``.

    One row a network, way of testing and reading, the study's own first: the top-1 error in percent, its difference
    from the study's own in percentage points with the paired 95 % interval, positive where it is higher, and of how
    many images only this or only the study's own reading names the class. A study for which that was not measured has
    no rows, and a caption that says how to measure it.
    """
    record = benchmarks.recorded("readings", study)
    if record is None:
        return benchmarks.rates("readings", study)
    rows = {}
    for title, rates in record["rates"].items():
        network, way, reading = title.split(", ", 2)
        row = rows[network, way, reading] = {"top-1 error": rates["top1_error"]}
        if reading != AS_TESTED:
            only_here, only_before = rates["only_here"], rates["only_before"]  # images named rightly
            difference = statistics.difference_of_counts(only_before, only_here, rates["n"])
            row["difference"] = display.difference(difference)
            row |= {"only this right": only_here, "only the study's right": only_before}
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["network", "way", "reading"])
    counts = frame.columns[2:]
    frame[counts] = frame[counts].astype("Int64")
    units = {"top-1 error": "%", "difference": "points"} | dict.fromkeys(counts, "images")
    tested = " or ".join(f"{n:,}" for n in sorted({rates["n"] for rates in record["rates"].values()}))
    caption = f"Of {tested} validation images, spread evenly over all."
    return display.table(frame.round(2), units=units, caption=caption, missing="")


def protocol_gap(study: str = "released") -> pd.DataFrame:
    """pytorch/vision#223: how much of the gap between torchvision's figures and the paper's is the way of testing.

    One row a published network of torchvision that the study tests. The gap in top-1 error between torchvision's figure
    (centre crop) and the paper's (dense, the best it prints for that configuration alone) is the sum of two parts: what
    the same weights gain when they are tested in the paper's way, and what is left, the training's. In percent and
    percentage points; what has not been run is a missing value.
    """
    rows = []
    for row in results.rows("centre-crop", load(study)):
        if row.run.published is None or row.run.published.publisher != TORCHVISION:
            continue
        run, stated = row.run, row.run.published.top1_error
        record = runs.tested(run)
        measured = {name: values.top1_error for name, values in record.measurements.items()} if record else {}
        printed, like = _best_dense(run)
        ours = measured.get(like.name)
        rows.append(
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
    if not rows:
        return display.without_rows(f"The study {study} tests no weights of torchvision's.")
    frame = pd.DataFrame(rows).set_index("network").convert_dtypes().round(2)
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
