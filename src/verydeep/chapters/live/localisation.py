"""What the notebooks of localisation show of one run: its crops with boxes, what it says, merging step by step."""

import numpy as np
import pandas as pd

from verydeep.assembly import box_targets, open_data, training_rows, training_views
from verydeep.chapters import figures
from verydeep.chapters.figures import Picture
from verydeep.data.boxes import corners
from verydeep.data.store import Store
from verydeep.data.views import cut, draw_epoch
from verydeep.evaluation.localisation import BoxPasses
from verydeep.evaluation.merging import merge
from verydeep.runs import boxes as answers
from verydeep.runs.answers import read
from verydeep.studies import Measurement, Run
from verydeep.studies.localisation import OVERLAP
from verydeep.studies.measurements import box_scales, measured_by


def crops(run: Run) -> Picture:
    """What this very run sees and is asked: crops of a few training images in its first epochs, each with its box.

    A crop without a box does not count: too little of the object lies in it.
    """
    store, epochs = open_data(run), min(5, run.recipe.epochs)
    target, view = box_targets(run, store), training_views(run)
    rows, _ = training_rows(run, store, target)
    chosen = np.linspace(0, len(rows) - 1, 5, dtype=int)[1:-1]
    shown, asked, titles = [], [], []
    for i in chosen:
        image = store.image(rows[i])
        for epoch in range(epochs):
            place = view.place(image.shape[:2], draw_epoch(run.seed, epoch, len(rows)), i)
            counts, *numbers = target(rows[i], place)
            box = corners(np.array(numbers), target.units, run.study.crop)
            shown.append(cut(image, place))
            asked.append(box if counts else np.full(4, np.nan))
            titles.append(f"epoch {epoch + 1}" + (", mirrored" if place.mirrored else ""))
    return figures.crops_with_boxes(np.stack(shown), np.stack(asked), titles, columns=epochs)


def _table(run: Run, measurement: str) -> pd.DataFrame:
    return read(run.folder / answers.FILE, measurement)


def _grid(store: Store, table: pd.DataFrame) -> Picture:
    """The true class's box on the image of each row of a table, whose index is the place among validation images."""
    images = [store.image(row) for row in store.rows("val")[table.index]]
    titles = [f"{store.words[row.label][:18]}\n{row.iou_1:.2f}" for row in table.itertuples()]
    boxes = [answers.boxes_of(row, 1)[None] for _, row in table.iterrows()]
    truth = [np.asarray(true).reshape(-1, 4) for true in table["truth"]]
    return figures.box_grid(titles, boxes, truth, (table["iou_1"] > OVERLAP).tolist(), images)


def examples(run: Run, count: int = 12) -> Picture:
    """Validation images with the true class's box on the centre crop, spread evenly over the validation set."""
    table = _table(run, measured_by(run)[0].name)
    return _grid(open_data(run), table.iloc[np.linspace(0, len(table) - 1, count, dtype=int)])


def extremes(run: Run, count: int = 4) -> Picture:
    """The validation images with the best and the worst boxes of the true class, the worst in the last row."""
    table = _table(run, measured_by(run)[0].name).sort_values(["iou_1", "image"], ascending=[False, True])
    return _grid(open_data(run), pd.concat([table.head(count), table.tail(count)]))


def merging(run: Run) -> Picture | str:
    """Greedy merging of the true class's boxes over the whole image, step by step, on one validation image.

    The one with most steps; of those with equally many the one whose box then fits best.
    """
    if not box_scales(run):
        return f"{run.name} is not tested over the whole image: Table 9 is of networks with all layers trained."
    passes, options = BoxPasses(run), run.localisation
    measurement = Measurement("true-dense-boxes", box_scales(run)[-1])
    every = list(passes.windows(measurement))
    fits = _table(run, measurement.name)["iou_1"].to_numpy()
    steps = np.array([len(merge(rated.boxes[:, -1], rated.scores[:, -1], options).steps) for rated in every])
    chosen = int(np.lexsort((-fits, -steps))[0])
    windows = every[chosen]
    boxes, made = list(windows.boxes[:, -1]), merge(windows.boxes[:, -1], windows.scores[:, -1], options)
    left = {k: box for k, box in enumerate(boxes)}
    shown, titles = [np.stack(boxes)], [f"{len(boxes)} windows"]
    weights = dict.fromkeys(left, 1)
    for number, step in enumerate(made.steps):
        parts = [left.pop(step.first), left.pop(step.second)]
        shares = [weights[step.first], weights[step.second]] if options.average == "members" else [1, 1]
        weights[len(boxes) + number] = weights[step.first] + weights[step.second]
        left[len(boxes) + number] = np.average(parts, axis=0, weights=shares)
        shown.append(np.stack(list(left.values())))
        titles.append(f"merged at {step.distance:.2f}: {len(left)} left")
    shown.append(made.boxes[:1])
    titles.append(f"the best rated, {made.scores[0]:.2f}")
    row = passes.rows[chosen]
    return figures.merging(passes.store.image(row), shown, titles, passes.boxes.of(row))
