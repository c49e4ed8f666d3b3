"""Memory: the peak of training by micro-batch, that of testing by size of image, and whether epochs add to it.

    python benchmarks/memory.py [--network narrow/D] [--micro-batch 8]... [--pixels 256]... [--epochs 6]

On the processor, where the memory of a process is what its operating system says of it. Each measurement is a process
of its own: two steps of training at a micro-batch; one dense test of an image of so many pixels along its shorter side,
in parts where it is large; and our loop over some epochs of a few batches, after each of which the memory in use is
noted. ``above start`` is beyond what the process has once everything is imported and the network is made. Writes
``benchmarks/memory.json``, which the chapter on speed shows; with ``--output`` another file.
"""

import json
import os
import re
import sys
from pathlib import Path

import click
import numpy as np
import torch
from common import Record, in_own_process
from loops import Loops, apart, run_of, some_of

from verydeep import assembly, machine
from verydeep.data.normaliser import Normaliser
from verydeep.errors import VerydeepError
from verydeep.evaluation.tester import Tester
from verydeep.studies import Run
from verydeep.training.images import TrainingImages

MICRO_BATCHES, PIXELS, EPOCHS = (4, 8, 16, 32), (256, 512, 1024, 2048), 6
STEPS = 4  # of an epoch
LONGER = 4 / 3  # the longer side beside the shorter


def in_use(most: bool = False) -> float:
    """Memory of this process in MiB: now, or the most that it ever had. Linux alone has both."""
    if not (told := Path("/proc/self/status")).exists():
        raise VerydeepError(f"{told} is missing: memory is measured on Linux alone")
    text = told.read_text()
    return int(re.search(rf"^{'VmHWM' if most else 'VmRSS'}:\s+(\d+) kB", text, re.MULTILINE)[1]) / 1024


def training_peak(run: Run, micro_batch: int) -> dict[str, float]:
    """Of two steps at a micro-batch."""
    machine.keep_memory()  # as a training does
    loops = Loops(run, 1, micro_batch, torch.device("cpu"))
    step = loops.bare()
    start = in_use()
    step()
    return _peak(start)


def testing_peak(run: Run, pixels: int) -> dict[str, float]:
    """Of the dense test of one image with so many pixels along its shorter side."""
    normalise = Normaliser.of(assembly.open_data(run), run.recipe.unit_variance)
    tester = Tester(assembly.untrained_network(run), normalise, run.testing, run.recipe.flip)
    image = np.random.default_rng(0).integers(0, 256, (1, pixels, round(LONGER * pixels), 3), dtype=np.uint8)
    start = in_use()
    with torch.inference_mode():
        tester.way("dense")(tester.input(image))
    return _peak(start)


def _peak(start: float) -> dict[str, float]:
    most = in_use(most=True)
    return {"peak_memory_mib": most, "above_start_mib": most - start}


def over_epochs(run: Run, epochs: int) -> list[float]:
    """Memory in use (MiB) after each epoch of our loop."""
    with apart():
        epoch = Loops(run, STEPS, run.recipe.batch, torch.device("cpu")).ours(some_of(TrainingImages.of(run), STEPS))
        found = []
        for _ in range(epochs):
            epoch()
            found.append(in_use())
    return found


MEASURES = {"micro-batch": training_peak, "pixels": testing_peak, "epochs": over_epochs}


def measured(name: str, what: str, value: int):
    """One measurement by a process of its own."""
    asked = ("--network", name, "--measure", what, str(value))
    return in_own_process(__file__, *asked, what=f"{what} {value}")


@click.command()
@click.option("--network", "name", default="narrow/D", show_default=True, help="Study and network.")
@click.option("--micro-batch", "micro_batches", multiple=True, type=click.IntRange(1), default=MICRO_BATCHES)
@click.option("--pixels", "sizes", multiple=True, type=click.IntRange(1), default=PIXELS)
@click.option("--epochs", default=EPOCHS, show_default=True, type=click.IntRange(1))
@click.option("--output", type=click.Path(path_type=Path), help="Where to write, in place of the record.")
@click.option("--measure", nargs=2, hidden=True)
def main(
    name: str, micro_batches: tuple[int, ...], sizes: tuple[int, ...], epochs: int, output: Path | None,
    measure: tuple[str, str] | None,
) -> None:  # fmt: skip
    """Measure each in a process of its own."""
    os.environ["ACCELERATE_USE_CPU"] = "1"
    if measure:
        what, value = measure
        click.echo(json.dumps(MEASURES[what](run_of(*name.split("/")), int(value))))
        return
    record, rates = Record(output or __file__), {}
    asked = [("micro-batch", value, f"training, micro-batch {value}") for value in micro_batches]
    asked += [("pixels", value, f"testing, image of {value}x{round(LONGER * value)}") for value in sizes]
    try:
        for what, value, title in asked:
            rates[title] = measured(name, what, value)
            click.echo(f"{title}: {rates[title]}")
        after = measured(name, "epochs", epochs)
    except VerydeepError as error:
        sys.exit(str(error))
    click.echo(f"memory in use after each epoch (MiB): {after}")
    record.write(
        "peak memory of training by micro-batch and of testing by size of image, and memory in use over epochs",
        rates,
        assembly.device_record(torch.device("cpu")),
        network=name,
        after_each_epoch_mib=after,
    )


if __name__ == "__main__":
    main()
