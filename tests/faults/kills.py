"""SIGKILL at random instants of a training and its evaluation, and what the next start makes of it."""

import contextlib
import json
import os
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import pandas as pd

from faults.world import World, ended, kill
from verydeep import files, runs

COMMAND = ("run", "smoke", "A", "256")
RUN = "A-256-s0"
ANY_TIME = "any time"
#: Where a kill comes: after a random time, or while a file of this name is being written. In the order of a run.
INSTANTS = (
    ANY_TIME,
    "checkpoint.pt",
    ANY_TIME,
    "weights.safetensors",
    "history.csv",
    "train.json",
    "SHA256SUMS",
    ANY_TIME,
    "train.ipynb",
    "dense-256.safetensors",
    ANY_TIME,
    ANY_TIME,
    "predictions.parquet",
    "evaluate.json",
    "evaluate.ipynb",
)


_LOOK = 0.0001  # seconds between two looks for a file that is being written; without them a core would do nothing else
_TRIES = 3  # runs that may be over before a kill meets its instant


@dataclass(frozen=True)
class Kill:
    """One kill: where it was aimed, when it came, and every way in which the checkout was not as it should be."""

    aim: str
    hit: bool
    seconds: float
    faults: list[str]


def reference(folder: Path) -> World:
    """A run that nobody disturbed."""
    world = World.new(folder)
    done = ended(world.start(*COMMAND))  # as those that are killed, whose times are a part of its time
    if done.returncode:
        raise RuntimeError(done.stderr)
    return world


def survive(
    folder: Path, whole: World, aims: list[str], seed: int, longest: float = 8.0, tries: int = _TRIES
) -> list[Kill]:
    """Kill one run again and again, a kill for each of ``aims``, and let it finish; compare it with ``whole``.

    Kills at any time come up to ``longest`` seconds after the start. A run that was over before its kill came is
    compared too, and another is started for that kill, ``tries`` runs in all.
    """
    random_source, kills, chain = random.Random(seed), [], 0
    world, trained = World.new(folder / "0"), None
    for aim in aims:
        faults: list[str] = []
        for _ in range(tries):
            delay = random_source.uniform(1.0, longest) if aim == ANY_TIME else None
            kill = _start_and_kill(world, aim, delay)
            faults += kill.faults
            if trained is not None and _record(world, "train") != trained:
                faults.append("was trained again although it had been finished")
            trained = _record(world, "train")
            if kill.hit:
                break
            faults += differences(world, whole)
            chain, trained = chain + 1, None
            world = World.new(folder / str(chain))
        kills.append(replace(kill, faults=faults))
    if kills[-1].hit:
        done = world.run(*COMMAND)
        faults = [f"the last start failed: {done.stderr.strip()}"] if done.returncode else differences(world, whole)
        if trained is not None and _record(world, "train") != trained:
            faults.append("was trained again although it had been finished")
        kills[-1] = replace(kills[-1], faults=kills[-1].faults + faults)
    return kills


def _start_and_kill(world: World, aim: str, delay: float | None) -> Kill:
    left = parts(world)
    process, started = world.start(*COMMAND), time.monotonic()
    hit = False
    while process.poll() is None and not hit:
        if delay is None:
            hit = any(name.startswith(f".{aim}.") for name in parts(world) - left)
        else:
            hit = time.monotonic() - started >= delay
        if not hit:
            # a file that is being written is there for a millisecond at least: it is synchronised with the disk
            time.sleep(_LOOK if delay is None else 0.01)
    kill(process)
    return Kill(aim, hit, time.monotonic() - started, broken(world))


def parts(world: World) -> set[str]:
    """The temporary files that are there: each is a file being written, or what a kill left of one."""
    workspace, found = world.artifacts / "smoke" / RUN, set()
    for folder in (workspace, workspace / "posteriors"):
        with contextlib.suppress(OSError):
            found |= {name for name in os.listdir(folder) if name.endswith(".part")}
    return found


def broken(world: World) -> list[str]:
    """Files under ``runs/`` that are not whole: parts of a file, JSON that ends early, another content than sealed."""
    found = []
    for path in (path for path in world.runs.rglob("*") if path.is_file()):
        try:
            match path.suffix:
                case ".json":
                    json.loads(path.read_text())
                case ".ipynb":
                    nbformat.read(path, as_version=4)
                case ".csv":
                    pd.read_csv(path)
                case ".parquet":
                    pd.read_parquet(path)
                case ".part":
                    raise ValueError("a part of a file")
        except Exception as error:
            found.append(f"{path.relative_to(world.root)}: {error}")
    for folder in world.runs.glob("*/*"):
        if (folder / runs.SEAL).exists():
            sums = runs.read_seal(folder)
            found += [
                f"{folder.name}/{name}: is not as sealed"
                for name, digest in sums.items()
                if not (folder / name).exists() or files.sha256(folder / name) != digest
            ]
    return found


def differences(world: World, whole: World, tested: bool = True) -> list[str]:
    """In what a finished run differs from one that nobody disturbed; weights and, where ``tested``, predictions to the
    bit."""
    with world.entered():
        found = runs.check_all()
    mine, theirs = (one.runs / "smoke" / RUN for one in (world, whole))
    for name in ("weights.safetensors", "predictions.parquet") if tested else ("weights.safetensors",):
        if (mine / name).read_bytes() != (theirs / name).read_bytes():
            found.append(f"{name} differs from that of an undisturbed run")
    curves = [pd.read_csv(one / "history.csv") for one in (mine, theirs)]
    columns = [name for name in curves[0] if name not in ("seconds", "images_per_second")]
    if not curves[0][columns].equals(curves[1][columns]):
        found.append("history.csv differs from that of an undisturbed run")
    left = [path.name for path in (world.artifacts / "smoke" / RUN).rglob("*.part")]
    return found + [f"{name} was left behind" for name in left]


def _record(world: World, kind: str) -> str | None:
    path = world.runs / "smoke" / RUN / f"{kind}.json"
    return path.read_text() if path.exists() else None
