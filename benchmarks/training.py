"""Training, side by side: our loop, the bare step, the loop that most people would write, and timm's.

    python benchmarks/training.py [--network quarter/A]... [--steps 16] [--turns 5] [--not-compiled]

Networks A and D of the recorded studies, as the studies train them: from their stores, at their batch and precision.
Ours is the loop of the package over the study's own store. The others read the very same images from files in folders
by class, which this script writes: torchvision's ``ImageFolder`` with a plain loop, at float32 as it comes and at the
study's precision, and timm's data set, loader and optimiser (``pip install -e '.[benchmarks]'``). The bare step has
random tensors; it is made with torch's fused update, with channels first and by torch.compile (which needs g++) too, to
see whether any of them would be faster. All in one process, in turns of one epoch of ``--steps`` batches, after one
that does not count. Only our loop without what ``machine.keep_memory`` does has a process of its own, after the others.
Writes ``benchmarks/training.json``, which the chapter on speed shows; with ``--output`` another file.
"""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import torch
from common import Record, in_own_process
from loops import Loops, apart, in_turns, medians, run_of, some_of, write_files

from verydeep import assembly, machine
from verydeep.errors import VerydeepError
from verydeep.runs import provenance
from verydeep.training.images import TrainingImages

NETWORKS = ("quarter/A", "quarter/D", "narrow/A", "narrow/D")
OURS, BARE, TIMM = "our loop", "bare step", "timm"
FUSED, PLAIN, COMPILED = "bare step, fused update", "bare step, channels first", "bare step, compiled"
USUAL, EQUAL = "common loop, float32", "common loop, our precision"
GIVEN_BACK = "our loop, memory given back"


def rates_of(
    name: str, images: TrainingImages, steps: int, turns: int, workers: int, compiled: bool
) -> dict[str, dict]:
    """Images a second of every way to train a network, by turns."""
    run = run_of(*name.split("/"))
    precision, device = run.recipe.precision, torch.device("cpu")
    weights = assembly.starting_network(run, torch.Generator().manual_seed(0)).state_dict()
    loops = Loops(run, steps, run.recipe.batch, device, weights)
    with TemporaryDirectory() as folder:
        write_files(images.store, images.rows, Path(folder))
        ways = {
            BARE: loops.bare(),
            FUSED: loops.bare(fused=True),
            PLAIN: loops.bare(layout=torch.contiguous_format),
            **({COMPILED: loops.bare("inductor")} if compiled else {}),
            OURS: loops.ours(images),
            EQUAL: loops.common(Path(folder), workers, precision),
            TIMM: loops.timms(Path(folder), workers, precision),
            USUAL: loops.common(Path(folder), workers, "float32"),
        }
        for way in ways.values():
            way()  # workers start, and memory is found
        made = in_turns(ways, turns, lambda line: click.echo(f"{name}: {line}"))
    found = {way: medians(made, way, bare_step=BARE) for way in ways}
    for way, rate in found.items():
        rate["ratio_of_our_loop"] = float(np.median([turn[OURS] / turn[way] for turn in made]))
    found[GIVEN_BACK] = given_back(name, steps, turns)
    for ratio, way in (("ratio_to_bare_step", BARE), ("ratio_of_our_loop", OURS)):
        theirs, ours = found[way]["images_per_second"], found[GIVEN_BACK]["images_per_second"]
        found[GIVEN_BACK][ratio] = ours / theirs if way == BARE else theirs / ours
    return {f"{name}: {way}": rate for way, rate in found.items()}


def given_back(name: str, steps: int, turns: int) -> dict[str, float]:
    """Images a second of our loop where freed memory is given back to the system, as glibc does by itself.

    In a process of its own, since memory that a process has been told to keep is not given back any more.
    """
    asked = ("--network", name, "--steps", str(steps), "--turns", str(turns), "--ours-alone")
    # a variable that is set is taken for the user's own choice
    return in_own_process(__file__, *asked, what=name, GLIBC_TUNABLES="")


def ours_alone(name: str, images: TrainingImages, steps: int, turns: int) -> dict[str, float]:
    """Images a second of our loop, and nothing else."""
    run = run_of(*name.split("/"))
    ours = {OURS: Loops(run, steps, run.recipe.batch, torch.device("cpu")).ours(images)}
    ours[OURS]()
    return medians(in_turns(ours, turns, lambda _: None), OURS)


@click.command()
@click.option("--network", "names", multiple=True, default=NETWORKS, show_default=True, help="Study and network.")
@click.option("--steps", default=16, show_default=True, type=click.IntRange(1), help="Batches of a turn.")
@click.option("--turns", default=5, show_default=True, type=click.IntRange(1))
@click.option("--workers", type=click.IntRange(1), help="Of the others' loaders; as many as cores by default.")
@click.option("--compiled/--not-compiled", default=True, show_default=True, help="The bare step by torch.compile too.")
@click.option("--ours-alone", "alone", is_flag=True, help="Print the rate of our loop alone, and write nothing.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write, in place of the record.")
def main(
    names: tuple[str, ...],
    steps: int,
    turns: int,
    workers: int | None,
    compiled: bool,
    alone: bool,
    output: Path | None,
) -> None:
    """Time every way for every network."""
    record, rates = Record(output or __file__), {}
    workers = workers or machine.cores()
    os.environ["ACCELERATE_USE_CPU"] = "1"  # the others' loops are on the processor too
    try:
        with apart():
            for name in names:
                images = some_of(TrainingImages.of(run_of(*name.split("/"))), steps)
                if alone:
                    click.echo(json.dumps(ours_alone(name, images, steps, turns)))
                    continue
                rates |= rates_of(name, images, steps, turns, workers, compiled)
    except VerydeepError as error:
        sys.exit(str(error))
    if alone:
        return
    record.write(
        "training of the recorded studies' networks: our loop, the bare step, a common loop and timm's",
        rates,
        assembly.device_record(torch.device("cpu")),
        setting={"steps": steps, "turns": turns, "workers": workers},
        load_average=provenance.load_average(),
    )


if __name__ == "__main__":
    main()
