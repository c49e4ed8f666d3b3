"""What another reading of each thing that the paper leaves open about testing changes in a network's error.

    python benchmarks/readings.py [--study quarter] [--network D-256]... [--images 2000]

Tests published weights on validation images as the study does, and again with one key of ``testing`` at each of its
other values: densely at the network's several test scales, averaged, so that images are enlarged and reduced; what is
said of the grid of crops, on crops at the single test scale. Writes ``benchmarks/readings-<study>.json``, which
"Departures and gaps" shows: errors, and of how many images only one of the two readings names the class.
"""

from functools import partial

import click
import numpy as np
from common import Record

from verydeep import paper
from verydeep.assembly import device, device_record, load_network, normaliser, open_data
from verydeep.chapters.testing_tables import AS_TESTED
from verydeep.evaluation.tester import Tester
from verydeep.evaluation.verification import spread
from verydeep.runs import predictions
from verydeep.studies.measurements import several_scales, single_scale
from verydeep.studies.parts import Testing
from verydeep.studies.plan import named_run

#: The keys of ``testing`` that settle what the paper leaves open, and the way of testing that each matters to.
KEYS = [gap["key"].removeprefix("testing.") for gap in paper.gaps() if gap.get("key", "").startswith("testing.")]
CROPS = "multi-crop"
WAYS = dict.fromkeys(KEYS, "dense") | {"grid": CROPS}


def others(testing: Testing, way: str) -> dict[str, Testing]:
    """The other readings of every key that matters to a way of testing: ``average: posteriors`` and what it makes."""
    return {
        f"{key}: {value}": testing.model_copy(update={key: value})
        for key in KEYS
        for value in Testing.choices(key)
        if WAYS[key] == way and value != getattr(testing, key)
    }


@click.command()
@click.option("--study", default="quarter", show_default=True)
@click.option("--network", "names", multiple=True, default=("D-256",), show_default=True)
@click.option("--images", default=2000, show_default=True, help="Validation images, spread evenly.")
def main(study: str, names: tuple[str, ...], images: int) -> None:
    """Measure the errors of each network by each reading."""
    record, rates, on = Record(__file__, study), {}, device()
    for name in names:
        run = named_run(f"{study}/{name}")
        store = open_data(run)
        rows = store.rows("val")
        rows = rows[spread(len(rows), images)]
        tester = partial(Tester, load_network(run), normaliser(run, on))
        for way, scales in (("dense", several_scales(run.train_scale)), (CROPS, (single_scale(run.train_scale),))):
            sides, before = [run.study.pixels(scale) for scale in scales], None
            for reading, testing in {AS_TESTED: run.testing, **others(run.testing, way)}.items():
                by = tester(testing, run.recipe.flip)
                posteriors = np.mean([by.make(way, store, rows, side).posteriors for side in sides], axis=0)
                title = f"{run.row}, {way}-{'+'.join(map(str, scales))}, {reading}"
                rates[title], before = compared(store.manifest.iloc[rows], posteriors, before)
                click.echo(f"{title}: {rates[title]}")
    what = "errors by the reading of each gap that the study takes, and by its other readings"
    record.write(what, rates, device_record(on))


def compared(manifest, posteriors: np.ndarray, before: np.ndarray | None) -> tuple[dict[str, float], np.ndarray]:
    """Errors in percent, and how many images only this reading or only that of ``before`` has right; what is right."""
    table = predictions.table("", manifest["name"].tolist(), manifest["label"].to_numpy(), posteriors)
    errors, right = predictions.errors(table), predictions.hits(table, 1)
    rates = {name: errors[name] for name in ("top1_error", "top5_error", "n")}
    before = right if before is None else before
    return rates | {"only_here": int((right & ~before).sum()), "only_before": int((before & ~right).sum())}, before


if __name__ == "__main__":
    main()
