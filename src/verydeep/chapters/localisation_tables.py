"""Localisation (Appendix A) as tables: rows of Tables 8 to 10, how networks were trained, best and worst boxes."""

import numpy as np
import pandas as pd

from verydeep import paper, paths, results, runs
from verydeep.chapters import display
from verydeep.chapters.display import NOT_RUN
from verydeep.results import Row
from verydeep.results.claims import Evidence
from verydeep.runs import answers, boxes, predictions
from verydeep.runs.predictions import BEST
from verydeep.studies import Run, load, planned_runs, recipes
from verydeep.studies.localisation import Localisation
from verydeep.studies.measurements import BASELINES, GIVEN, measured_by

_LAYERS = {"fc": "1st and 2nd FC", "all": "all"}


def paper_head(table: int, row) -> dict:
    """What the paper prints to the left of the errors in a row of Table 8, 9 or 10."""
    if table == 10:
        return {"method": row.method, "reference": "" if pd.isna(row.reference) else row.reference}
    if table == 9 and row.row_type == "fusion":
        members = [part.split(":") for part in row.members.replace(" ", "").split("|")]
        scales = [f"{scales.replace(';', ', ')} of S={train}" for train, scales in members]
        return {"train S": "both", "test Q": "; ".join(scales)}
    scale = paper.scale_name(row.train_min, row.train_max)
    if table == 9:
        return {"train S": scale, "test Q": row.test_sizes.replace(";", ", ")}
    return {
        "config": row.config,
        "layers trained": row.fine_tuned_layers,
        "boxes": row.regression_type,
        "train S": scale,
    }


def other_head(row: Row) -> dict:
    """The same of a row that the paper does not have: another network or way, or what needs no network."""
    baseline = row.measurement.method.removeprefix(GIVEN)
    if baseline in BASELINES:
        return {"network": "none", "train S": "", "boxes": BASELINES[baseline], "test Q": ""}
    scales, run = ", ".join(map(str, row.measurement.test_scales)), row.run
    counted = "" if run.localisation.least_inside else ", every crop counted"
    return {
        "network": run.config,
        "train S": run.train_scale,
        "boxes": f"{run.boxes.upper()}, {_LAYERS[run.recipe.trained_layers]} layers trained{counted}",
        "test Q": scales if row.measurement.method == "centre-boxes" else f"{scales}, whole image",
    }


def localisers(study: str) -> list[Run]:
    """The networks of a study that give boxes, as planned; none where its data set has no boxes."""
    return [run for run in planned_runs(load(study)) if run.boxes]


def without_boxes(study: str) -> str:
    """One line for a study that localises nothing, or has recorded nothing yet; empty where there is something."""
    planned = localisers(study)
    if not planned:
        return f"The study {study} {recipes.localises_nothing_words(load(study))}."
    if not any(runs.read_record(run, "evaluate") for run in planned):
        return f"Not run. {planned[-1].command} trains and tests one of its {len(planned)} networks."
    return ""


def say_what_is_missing(study: str) -> None:
    """Print :func:`without_boxes`, where there is something to say."""
    if said := without_boxes(study):
        print(said)


def trained(study: str) -> display.Table:
    """How each network that gives boxes was trained: from what, how long, and how well its boxes fit then.

    Errors in percent are those of the true class's box: on the random crops of the last epoch, and on the held-out
    images' centre crops.
    """
    rows = []
    for run in localisers(study):
        record = runs.read_record(run, "train")
        rows.append(
            {
                "network": run.label,
                "starts from": run.parent.label,
                "boxes": run.boxes.upper(),
                "layers trained": _LAYERS[run.recipe.trained_layers],
                "rate": f"{run.recipe.learning_rate:g}",
                "least inside": f"{run.localisation.least_inside:g}",
                "epochs": run.recipe.epochs,
                "training loss": round(record.metrics.train_loss, 4) if record else NOT_RUN,
                "training crops": round(record.metrics.train_top1_error, 1) if record else NOT_RUN,
                "held-out images": round(record.metrics.held_out_top1_error, 1) if record else NOT_RUN,
            }
        )
    units = dict.fromkeys(("training crops", "held-out images"), "%")
    return display.of_rows(rows, "network", dtype=object, units=units, caption="" if rows else without_boxes(study))


def keys(study: str) -> display.Table:
    """How a study, and a variant of it, settles what Appendix A leaves open, key by key, beside our usual reading."""
    spec, rows = load(study), []
    for name, field in Localisation.model_fields.items():
        ours = str(getattr(spec.localisation, name))
        why = spec.why.get(f"localisation.{name}", "")
        ours += "".join(
            f"; {variant.localisation[name]} in {title}"
            for title, variant in spec.variants.items()
            if name in variant.localisation and not variant.pilot
        )
        rows.append({"key": name, "here": ours, "usual": str(field.default), "meaning": field.description, "why": why})
    return display.of_rows(rows, "key", dtype=object)


def over_baselines(study: str) -> display.Table:
    """What every network gains over boxes that need none, by both protocols, in percentage points, paired intervals."""
    snapshot, rows = results.read(study), []
    for table, metric in (("table8", "true_class"), ("table9", "top5")):
        numbers = [number for number in snapshot.done if (number.table, number.metric) == (table, metric)]
        for number in numbers:
            if number.row not in BASELINES:
                row = f"{table}.{number.row}"
                gains = {name: _gain(snapshot.evidence, f"{table}.{name}", row) for name in BASELINES}
                rows.append(
                    {"table": table.replace("table", "Table "), "row": number.row, "error": number.value, **gains}
                )
    units, caption = {"error": "%"} | dict.fromkeys(BASELINES, "points"), "" if rows else without_boxes(study)
    return display.of_rows(rows, ["table", "row"], digits={"error": 2}, units=units, caption=caption)


def _gain(evidence: Evidence, baseline: str, row: str) -> str:
    gain, _ = evidence.paired(baseline, row)
    return display.difference(gain)


def what_is_wrong(study: str) -> display.Table:
    """Of every row of Table 9: images whose class is not named, and those with a named class whose box does not fit."""
    rows = []
    for number in results.read(study).done:
        if number.table == "table9" and number.metric == "top5":
            table = _answers(number.study, number.runs[0], number.measurement)
            named, placed = predictions.hits(table, BEST), boxes.hits(table, BEST)
            rows.append(
                {
                    "row": number.row,
                    "class not named": 100 * float((~named).mean()),
                    "named, box wrong": 100 * float((named & ~placed).mean()),
                    "of those named": 100 * float((~placed[named]).mean()) if named.any() else 0.0,
                }
            )
    units = dict.fromkeys(("class not named", "named, box wrong", "of those named"), "%")
    caption = display.FIRST_SEED if rows else without_boxes(study)
    return display.of_rows(rows, "row", digits=2, units=units, caption=caption)


def extremes(study: str, network: str, count: int = 4) -> pd.DataFrame:
    """The best and the worst boxes of the true class on centre crops, as data for a picture and a table.

    ``image``, ``label``, ``iou``, ``box`` and ``truth`` (arrays of four numbers); the worst come last. Empty where the
    network has not been tested.
    """
    run = next((run for run in localisers(study) if run.row == network), None)
    if run is None or runs.tested(run) is None:
        return pd.DataFrame(columns=["image", "label", "iou", "box", "truth"])
    table = _answers(study, run.name, measured_by(run)[0].name).sort_values(["iou_1", "image"], ascending=[False, True])
    chosen = pd.concat([table.head(count), table.tail(count)])
    rows = [
        {
            "image": row["image"],
            "label": int(row["label"]),
            "iou": float(row["iou_1"]),
            "box": boxes.boxes_of(row, 1),
            "truth": np.asarray(row["truth"]).reshape(-1, 4),
        }
        for _, row in chosen.iterrows()
    ]
    return pd.DataFrame(rows)


def extremes_table(study: str, network: str, count: int = 4) -> display.Table:
    """The images with the best and the worst boxes of the true class, on centre crops; the worst come last."""
    frame = extremes(study, network, count)
    shown = pd.DataFrame(
        {
            "image": frame["image"],
            "intersection over union (of 1)": frame["iou"].astype(float).round(3),
            "box": [_words(box) for box in frame["box"]],
            "true box": ["; ".join(map(_words, truth)) for truth in frame["truth"]],
        }
    ).set_index("image")
    caption = "Left, top, right, bottom in parts of the image." if len(frame) else f"{network}: {NOT_RUN}."
    return display.table(shown, caption=caption)


def _words(box: np.ndarray) -> str:
    return ", ".join(f"{side:.2f}" for side in box)


def _answers(study: str, run: str, measurement: str) -> pd.DataFrame:
    return answers.read(paths.runs() / study / run / boxes.FILE, measurement)
