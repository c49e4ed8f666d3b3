"""The study `full` rehearsed on a CPU: ILSVRC's folders, images of its size, D at full width; killed and resumed.

    python benchmarks/full.py

A thousand classes of three generated JPEGs of 500x375 pixels are laid out as ILSVRC-2012 is. `verydeep data verify` is
asked about them, once with validation images that nobody has sorted yet. Then A, and D from it, are trained for ten
steps of two images each; the same again, told to stop by SIGTERM, killed by SIGKILL, and resumed: the weights must be
those of the training that nobody disturbed. The test of D on fifty images is killed and resumed too. Writes
``benchmarks/full.json``, which the chapter "Rerun" shows.
"""

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from unittest import mock

import click
import numpy as np
import pandas as pd
import torch
from common import Record, mib
from PIL import Image

from verydeep import cli, files, paths, studies
from verydeep.assembly import device_record
from verydeep.data import sources
from verydeep.evaluation.measure import evaluate
from verydeep.runs import provenance
from verydeep.studies import schema

#: Images of a class by split; of the classes, those of these steps are trained on and tested.
LAID_OUT, TRAINED, TESTED = {"train": 2, "val": 1}, 250, 20
WIDTH, HEIGHT, KINDS = 500, 375, 20
#: Pixels that are tested at once: eight images.
PIXELS = 2**19
#: ``python benchmarks/full.py --inside COMMAND`` is one command of the rehearsal in a process of its own.
INSIDE = "--inside"
TRAIN = ("train", "rehearsal", "D", "256")
PRINTED = ("train", "rehearsal", "A", "256", "--variant", "printed")


class LaidOut(sources.Imagenet):
    """ILSVRC's folders with three images in each class."""

    counts: ClassVar = {split: count * 1000 for split, count in LAID_OUT.items()}
    class_sizes: ClassVar = {split: (count, count) for split, count in LAID_OUT.items()}


class Rehearsal(LaidOut):
    """A few of them: enough for ten steps, and fifty images to test."""

    name = "rehearsal"
    counts: ClassVar = {"train": 2 * 1000 // TRAINED, "val": 1000 // TESTED}
    class_sizes: ClassVar = {}

    def __init__(self, folder: Path | None = None):
        super().__init__(folder or paths.data() / "imagenet")

    def entries(self) -> Iterator[sources.Entry]:
        every = {"train": TRAINED, "val": TESTED}
        return (entry for entry in super().entries() if entry.label % every[entry.split] == 0)


def lay_out(folder: Path) -> None:
    """Write the images: of so many kinds of noise, no two files alike."""
    images = []
    for kind in range(KINDS):
        noise = np.random.default_rng(kind).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(noise).resize((WIDTH, HEIGHT)).save(stream, "JPEG")
        images.append(stream.getvalue())
    for split, count in LAID_OUT.items():
        for label in range(1000):
            wnid = f"n{label:08}"
            (folder / split / wnid).mkdir(parents=True)
            for number in range(count):
                name = f"{split}_{wnid}_{number}.JPEG"
                (folder / split / wnid / name).write_bytes(images[label % KINDS] + name.encode())


def inside(*arguments: str) -> None:
    """``verydeep ARGUMENTS`` where the study and the data sets of the rehearsal are known; ``test`` tests D."""
    known = {"imagenet": LaidOut, "rehearsal": Rehearsal}
    with mock.patch.dict(sources.SOURCES, known), mock.patch.object(schema, "FOLDER", Path(__file__).resolve().parent):
        if arguments == ("test",):
            evaluate(studies.find_run(*TRAIN[1:]), pixels_per_batch=PIXELS)
        else:
            sys.argv = ["verydeep", *arguments]
            cli.main()


class Step:
    """One command in a process of its own, in the checkout in ``root``: what it says, its seconds, its peak memory."""

    def __init__(self, root: Path, *arguments: str):
        self.begun, self.lines = time.monotonic(), []
        folders = {"ROOT": root, "ARTIFACTS": root / "artifacts", "DATA": root / "data"}
        environment = os.environ | {f"VERYDEEP_{name}": str(path) for name, path in folders.items()}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), INSIDE, *arguments], cwd=root, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def until(self, pattern: str) -> None:
        """Until it says what matches ``pattern``."""
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if re.search(pattern, line):
                return
        raise RuntimeError(f"ended before {pattern!r}: {self.lines[-5:]}")

    def end(self, number: int | None = None, well: bool = True) -> dict:
        """Its end, by the signal ``number`` where one is given, and what a row of the record has."""
        if number is not None:
            self.process.send_signal(number)
        self.lines += [line.rstrip() for line in self.process.stdout]
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if (self.process.returncode == 0) != well:
            raise RuntimeError(f"ended with status {self.process.returncode}: {self.lines[-5:]}")
        seconds = time.monotonic() - self.begun
        return {"seconds": seconds, "peak_memory_mib": mib(used), "said": self._last_line()}

    def _last_line(self) -> str:
        said = [line for line in self.lines if "%|" not in line]
        return said[-1] if said else ""


def checkout(folder: Path, data: Path) -> Path:
    """An empty checkout whose data sets are those in ``data``."""
    (folder / "runs").mkdir(parents=True)
    for name in ("_config.yml", "book"):
        (folder / name).symlink_to(paths.root() / name)
    (folder / "data").symlink_to(data)
    return folder


def asked_about(root: Path, data: Path) -> dict[str, dict]:
    """`verydeep data verify imagenet`, before the validation images are sorted and after."""
    loose = data / "imagenet" / "val"
    sorted_away = loose.with_name("sorted")
    loose.rename(sorted_away)
    loose.mkdir()
    for path in sorted_away.glob("*/*"):
        (loose / path.name).hardlink_to(path)
    rows = {"data verify, validation images not sorted": Step(root, "data", "verify", "imagenet").end(well=False)}
    for path in loose.iterdir():
        path.unlink()
    loose.rmdir()
    sorted_away.rename(loose)
    return rows | {"data verify": Step(root, "data", "verify", "imagenet").end()}


def stopped(root: Path) -> dict[str, dict]:
    """D trained and tested, stopped and killed on the way."""
    rows = {}
    told = Step(root, *TRAIN)
    told.until("D-256-s0: epoch 1/5")
    rows["the same, told to stop after D's epoch 1 (SIGTERM)"] = told.end(signal.SIGTERM, well=False)
    killed = Step(root, *TRAIN)
    killed.until("D-256-s0: epoch 3/5")
    rows["D, killed after epoch 3 (SIGKILL)"] = killed.end(signal.SIGKILL, well=False)
    rows["D, resumed"] = (last := Step(root, *TRAIN)).end()
    rows["D, resumed"]["said"] = next(line for line in last.lines if "goes on" in line)
    test = Step(root, "test")
    test.until(": dense-256 ")
    rows["its test on fifty images, killed after its first pass (SIGKILL)"] = test.end(signal.SIGKILL, well=False)
    rows["its test, resumed"] = Step(root, "test").end()
    return rows


def same(one: Path, other: Path) -> dict[str, bool]:
    """Whether weights and course of training in two checkouts are the same, to the bit."""
    folder = "rehearsal/D-256-s0"
    weights = [files.sha256(root / "artifacts" / folder / "weights.safetensors") for root in (one, other)]
    curves = [pd.read_csv(root / "runs" / folder / "history.csv") for root in (one, other)]
    columns = [name for name in curves[0] if name not in ("seconds", "images_per_second")]
    return {"weights": weights[0] == weights[1], "history": curves[0][columns].equals(curves[1][columns])}


@click.command()
def main() -> None:
    """Rehearse it."""
    record = Record(__file__)
    with tempfile.TemporaryDirectory(prefix="full.") as name:
        folder = Path(name)
        data = folder / "data"
        lay_out(data / "imagenet")
        whole, root = checkout(folder / "whole", data), checkout(folder / "stopped", data)
        rows = asked_about(whole, data)
        rows["A, initial weights as printed"] = Step(whole, *PRINTED).end(well=False)
        rows["A, and D that starts from it"] = Step(whole, *TRAIN).end()
        rows |= stopped(root)
        for one in rows.values():
            one["said"] = one["said"].replace(f"{root}/", "").replace(f"{whole}/", "").replace(f"{folder}/", "")
        for what, one in rows.items():
            click.echo(f"{what}: {one}")
        written = sum(path.stat().st_size for path in whole.glob("artifacts/**/*") if path.is_file())
        found = same(whole, root)
    what = "the study full on generated images: D at full width, ten steps of two images, a test of fifty"
    device, load = device_record(torch.device("cpu")), provenance.load_average()
    record.write(what, rows, device, same=found, artifacts_mib=written / 2**20, load_average=load)


if __name__ == "__main__":
    if sys.argv[1:2] == [INSIDE]:
        inside(*sys.argv[2:])
    else:
        main()
