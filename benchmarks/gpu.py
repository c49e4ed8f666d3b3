"""How much of a GPU training uses: our loop beside the bare step and the loop that most people would write.

    python benchmarks/gpu.py [--micro-batch 256] [--seconds 140]
    python benchmarks/gpu.py --miniature --output FILE    the same on a CPU, with tiny networks: seconds

Networks A and D of the paper at their full size, on images that are made here, so that nothing is downloaded: JPEG
files of 500x375 pixels, and a store of decoded images of 256x256. In turns, in one process: our training loop over the
store, and over the JPEG files; torchvision's ``ImageFolder`` of the same files with a plain loop at the same precision;
and the bare step on random tensors that are on the card already, with and without deterministic algorithms. Each turn
of a loop makes two epochs and times the second: by then workers that are too slow are found out. Then the peak memory
by micro-batch, and the bare step by ``torch.compile``, in a process of its own. Writes ``benchmarks/gpu.json``, which
the chapter on cost shows.
"""

import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import click
import numpy as np
import torch
from common import Record, photograph
from loops import MIB, Loops, in_turns, medians, run_of

from verydeep import assembly, errors
from verydeep.data.base import ClassFolders
from verydeep.data.store import held_out, open_store
from verydeep.data.views import CentreView, TrainingViews
from verydeep.runs import provenance
from verydeep.studies import Run
from verydeep.training.images import TrainingImages
from verydeep.training.loader import workers

CLASSES = 8
#: Seconds that torch.compile has, its process's start included.
COMPILING = 80


@dataclass(frozen=True)
class Setting:
    """What is measured: the networks of a study at a batch, so many steps an epoch, on images of these sizes."""

    study: str
    configs: tuple[str, ...]
    batch: int
    micro_batch: int
    micro_batches: tuple[int, ...]  # whose peak memory is measured
    steps: int  # of an epoch
    turns: int
    images: int  # of a class
    photograph: tuple[int, int]  # pixels of a JPEG file
    square: int  # pixels of a decoded image's side
    backend: str  # of torch.compile

    def run(self, config: str) -> Run:
        """The run that is trained: from random weights, at a rate that leaves them near where they are."""
        keys = {"batch": self.batch, "precision": "bfloat16", "initialisation": "he", "unit_variance": True}
        return run_of(self.study, config, flip=True, **keys)

    def loops(self, config: str, device: torch.device, weights: dict | None = None) -> Loops:
        """The ways to train that network."""
        return Loops(self.run(config), self.steps, self.micro_batch, device, weights)


FULL = Setting("full", ("D", "A"), 256, 256, (16, 32, 64, 128, 256), 16, 3, 128, (500, 375), 256, "inductor")
MINIATURE = Setting("smoke", ("A",), 16, 16, (8, 16), 2, 1, 8, (60, 45), 37, "eager")


# -- images ----------------------------------------------------------------------------------------------


class Photographs(ClassFolders):
    """The JPEG files, kept as they are: every view of one is decoded anew."""

    name, title, licence, num_classes = "photographs", "made images", "", CLASSES

    def __init__(self, folder: Path, setting: Setting):
        super().__init__(folder)
        self.counts = {"train": CLASSES * setting.images}


class Squares(Photographs):
    """Images of one small size, kept decoded: a view of one is a slice."""

    name = "squares"

    def __init__(self, folder: Path, setting: Setting):
        super().__init__(folder, setting)
        self.shape = (setting.square, setting.square)


def make_images(folder: Path, size: tuple[int, int], each: int) -> None:
    """JPEG files of made photographs, in folders by class."""

    def make(number: int) -> None:
        path = folder / "train" / f"class{number % CLASSES}" / f"{number:05}.jpg"
        photograph(number, size).save(path, quality=90)

    for label in range(CLASSES):
        (folder / "train" / f"class{label}").mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(make, range(CLASSES * each)))


def training_images(run: Run, setting: Setting, source: ClassFolders) -> TrainingImages:
    """What the loop trains on: the images again and again, until an epoch has its steps."""
    store = open_store(source)
    aside = held_out(store.manifest, 1)
    rows = np.resize(np.setdiff1d(store.rows("train"), aside), setting.steps * setting.batch)
    low, high = run.scale_range
    views = TrainingViews(run.study.crop, low, high, run.recipe.flip)
    return TrainingImages(store, rows, aside, views, CentreView(run.study.crop, low), run.recipe.batch, run.seed)


# -- what is measured ------------------------------------------------------------------------------------

STORE, FILES, COMMON = "our loop, decoded images", "our loop, JPEG files", "common loop, JPEG files"
BARE, FREE = "bare step", "bare step, algorithms not deterministic"


def rates_of(config: str, setting: Setting, folders: dict[str, Path], device: torch.device, until: float) -> dict:
    """Images a second of every way, by turns: medians, and the medians of the ratios to the bare step of a turn."""
    run = setting.run(config)
    weights = assembly.starting_network(run, torch.Generator().manual_seed(0)).state_dict()
    loops = setting.loops(config, device, weights)
    bare = loops.bare()

    def ours(source: ClassFolders):
        return twice(loops.ours(training_images(run, setting, source)))

    ways = {
        BARE: bare,
        STORE: ours(Squares(folders["squares"], setting)),
        FREE: lambda: bare(deterministic=False),
        FILES: ours(Photographs(folders["photographs"], setting)),
        COMMON: twice(loops.common(folders["photographs"] / "train", workers(device.type == "cuda"), "bfloat16")),
    }
    turns = in_turns(ways, setting.turns, lambda line: click.echo(f"{config}: {line}"), until)
    beside = {"bare_step": BARE, "common_loop": COMMON}
    return {f"{config}: {name}": medians(turns, name, **beside) for name in ways}


def twice(epoch: Callable[[], float]) -> Callable[[], float]:
    """Two epochs, of which the second counts."""

    def turn() -> float:
        epoch()
        return epoch()

    return turn


def peak_memory(config: str, setting: Setting, device: torch.device) -> dict[str, float | None]:
    """The most memory (MiB) that tensors took in two bare steps, by micro-batch; ``None`` where it did not fit.

    On a CPU torch does not count it.
    """
    found: dict[str, float | None] = {}
    for micro_batch in setting.micro_batches:
        release()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        found[str(micro_batch)] = None
        with contextlib.suppress(torch.OutOfMemoryError):
            small = Setting(**vars(setting) | {"micro_batch": micro_batch, "steps": 1})
            small.loops(config, device).bare()()
            if device.type == "cuda":
                found[str(micro_batch)] = torch.cuda.max_memory_allocated(device) / MIB
    return found


def release() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    torch.cuda.empty_cache()


def compiled_step(miniature: bool, micro_batch: int) -> dict[str, float | str]:
    """The bare step by torch.compile, measured by a process of its own; or why there is nothing."""
    command = [sys.executable, __file__, "--compiled", "--micro-batch", str(micro_batch)]
    command += ["--miniature"] if miniature else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILING, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"not compiled and measured within {COMPILING} seconds"}
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines() or ["nothing was said"]
    return {"failed": lines[-1][:300]} if done.returncode else json.loads(lines[-1])


def measure_compiled(setting: Setting, device: torch.device) -> dict[str, float]:
    """The compiled step beside the other, in turns, for the first network."""
    loops, begun = setting.loops(setting.configs[0], device), time.monotonic()
    ways = {"compiled": loops.bare(setting.backend), BARE: loops.bare()}
    ways["compiled"]()
    seconds = time.monotonic() - begun
    turns = in_turns(ways, 2, lambda _: None)
    return medians(turns, "compiled", bare_step=BARE) | {"seconds_until_the_first_turn_was_over": seconds}


@contextlib.contextmanager
def workplace(setting: Setting) -> Iterator[dict[str, Path]]:
    """Folders with the images, and artifacts of their own, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as name:
        folders = {kind: Path(name) / kind for kind in ("photographs", "squares")}
        make_images(folders["photographs"], setting.photograph, setting.images)
        make_images(folders["squares"], (setting.square, setting.square), setting.images)
        with mock.patch.dict(os.environ, {"VERYDEEP_ARTIFACTS": f"{name}/artifacts"}):
            yield folders


def device_of(miniature: bool) -> torch.device:
    """The card, or the processor for the miniature; ends the program where there is no card."""
    if miniature:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        sys.exit("no GPU that torch sees on this machine; the same on a CPU, in miniature: --miniature")
    return assembly.device()


@click.command()
@click.option("--micro-batch", type=click.IntRange(1), help="Images that the device takes at once.")
@click.option("--seconds", default=140, show_default=True, help="After so many no further turn is begun.")
@click.option("--miniature", is_flag=True, help="Tiny networks, on the CPU.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the record of a miniature there.")
@click.option("--check", is_flag=True, help="Say whether there is a GPU, and nothing else.")
@click.option("--compiled", is_flag=True, hidden=True)
def main(micro_batch: int | None, seconds: int, miniature: bool, output: Path | None, check: bool, compiled: bool):
    """Measure every way for every network."""
    begun, device = time.monotonic(), device_of(miniature)
    setting = MINIATURE if miniature else FULL
    if micro_batch:
        setting = Setting(**vars(setting) | {"micro_batch": micro_batch})
    if check:
        return
    if compiled:
        click.echo(json.dumps(measure_compiled(setting, device)))
        return
    if miniature and output is None:
        raise click.UsageError("a miniature is no record of a GPU: give --output")
    record, rates, memory = Record(output or __file__), {}, {}
    try:
        with workplace(setting) as folders:
            click.echo(f"images after {time.monotonic() - begun:.0f} s")
            for number, config in enumerate(setting.configs, 1):
                until = begun + seconds * number / len(setting.configs)
                rates |= rates_of(config, setting, folders, device, until)
                release()
                memory[config] = peak_memory(config, setting, device)
                click.echo(
                    f"{config}: peak memory (MiB) by micro-batch: {memory[config]}, {time.monotonic() - begun:.0f} s"
                )
                release()
    except errors.OutOfMemory as error:
        sys.exit(str(error))
    except torch.OutOfMemoryError:
        sys.exit(f"the card has not the memory for {setting.micro_batch} images at once: give a lower --micro-batch")
    fast = compiled_step(miniature, setting.micro_batch)
    click.echo(f"torch.compile: {fast}, {time.monotonic() - begun:.0f} s")
    record.write(
        "training of A and D of the paper on one GPU: our loop, the bare step on random tensors, and a common loop",
        rates,
        assembly.device_record(device),
        peak_memory_mib=memory,
        compiled={"config": setting.configs[0]} | fast,
        setting=vars(setting) | {"precision": "bfloat16", "workers": workers(device.type == "cuda")},
        seconds=time.monotonic() - begun,
        load_average=provenance.load_average(),
    )


if __name__ == "__main__":
    main()
