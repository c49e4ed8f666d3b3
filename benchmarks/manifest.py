"""Time and memory of a data set as large as ILSVRC-2012: stored, opened, verified, sampled.

    python benchmarks/manifest.py [--images 1281167]

The images are generated, each with other bytes, and small: what is measured is what grows with their number. Every step
runs on one core in a process of its own, so its peak memory is its own. Writes ``benchmarks/manifest.json``, which the
chapter on what can go wrong shows.
"""

import json
import resource
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import click
import numpy as np
from common import Record, in_own_process, mib
from PIL import Image

from verydeep.data import integrity, sources, store, views
from verydeep.runs import provenance

STEPS = ("store", "open", "verify", "sample")
SAMPLED = 20_000


class Generated(sources.Source):
    """A thousand classes of generated images, a twenty-fifth of them for validation, as in ILSVRC-2012."""

    name, title, licence, num_classes = "generated", "Generated images", "none", 1000

    def __init__(self, images: int):
        self.counts = {"train": images, "val": images // 25}
        stream = BytesIO()
        noise = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((64, 48)).save(stream, "JPEG")
        self.image = stream.getvalue()
        super().__init__()

    def require(self) -> None:
        """Nothing to place."""

    def classes(self) -> list[str]:
        return [f"n{label:08}" for label in range(self.num_classes)]

    def entries(self) -> Iterator[sources.Entry]:
        for split, count in self.counts.items():
            for number in range(count):
                label = number * self.num_classes // count
                yield sources.Entry(split, label, f"{split}/n{label:08}/n{label:08}_{number}.JPEG")

    def read(self, entry: sources.Entry) -> bytes:
        return self.image + entry.name.encode()  # what follows the image's end is not decoded

    def size(self, entry: sources.Entry) -> int:
        return len(self.read(entry))


def measure(step: str, images: int) -> None:
    """Do one step and print its seconds, how many images it went through, and the peak memory in MiB."""
    source, started = Generated(images), time.monotonic()
    if step == "verify":
        integrity.verify(source)
        done = sum(source.counts.values())
    else:
        opened = store.open_store(source)
        done = sum(opened.counts().values())
        if step == "sample":
            started = time.monotonic()
            _sample(opened)
            done = SAMPLED
    seconds = time.monotonic() - started
    print(json.dumps([seconds, done, mib(resource.getrusage(resource.RUSAGE_SELF))]))


def _sample(opened: store.Store) -> None:
    """The held-out images, and an epoch's first views in batches of 256."""
    aside = store.held_out(opened.manifest, 20)
    rows = np.setdiff1d(opened.rows("train"), aside)
    draws = views.draw_epoch(0, 0, len(rows))
    crops = views.TrainingViews(crop=32, scale_min=40, scale_max=60, flip=True)
    batches = views.TrainingBatches(opened, rows, crops, draws, 256, 0, 1)
    for k in range(SAMPLED // 256 + 1):
        batches[k]


@click.command()
@click.option("--images", default=1281167, show_default=True, help="For training; and a twenty-fifth more.")
@click.option("--step", type=click.Choice(STEPS), hidden=True)
def main(images: int, step: str | None) -> None:
    """Measure every step."""
    if step:
        measure(step, images)
        return
    record, rates = Record(__file__), {}
    with tempfile.TemporaryDirectory() as folder:
        for name in STEPS:
            asked = ("--images", str(images), "--step", name)
            seconds, count, memory = in_own_process(__file__, *asked, what=name, VERYDEEP_ARTIFACTS=folder)
            rates[name] = {
                "images": count,
                "seconds": seconds,
                "images_per_second": count / seconds,
                "peak_memory_mib": memory,
            }
            click.echo(f"{name}: {rates[name]}")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    what = "time and peak memory of each step on generated images, as many as ILSVRC-2012 has"
    others = {"images": images, "disk_mib": size / 2**20, "load_average": provenance.load_average()}
    record.write(what, rates, {"type": "cpu", "threads": 1}, **others)


if __name__ == "__main__":
    main()
