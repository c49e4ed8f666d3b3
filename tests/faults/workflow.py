"""SIGKILL at random instants of Snakemake, of the command that it started, and of the notebook's kernel."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil

import forks
from faults import kills
from faults.kills import Kill
from faults.world import World
from verydeep import files, runs

#: What is killed, by a word of its command line; the youngest such process below Snakemake.
VICTIMS = {"Snakemake": "snakemake", "Snakemake's child": "verydeep", "its kernel": "ipykernel_launcher"}
_PATIENCE = 3600.0  # seconds; the whole study takes some six minutes where nothing else runs


def _cores() -> str:
    """As many as threads: Snakemake tells a job how many it has; with others the last bits would differ."""
    return os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))


def start(world: World, *targets: str) -> subprocess.Popen:
    """The smoke study through Snakemake, or ``targets`` of it, in ``world``."""
    command = [sys.executable, "-m", "snakemake", "--config", "study=smoke", "--cores", _cores(), "--", *targets]
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with (world.folder / "snakemake.log").open("ab") as log:
        environment = os.environ | world.environment | {"PATH": search}
        return subprocess.Popen(command, cwd=world.root, env=environment, stdout=log, stderr=log)


def plan(world: World, *settings: str) -> str:
    """What a dry run of the smoke study prints, its errors too."""
    asked = ("--config", "study=smoke", *settings, "--cores", _cores(), "-n", "-p")
    done = forks.run("snakemake", *asked, folder=world.root, **world.environment)
    return done.stdout + done.stderr


def said(world: World) -> str:
    """What Snakemake and its jobs have printed."""
    return (world.folder / "snakemake.log").read_text(errors="replace")


def finish(world: World, *targets: str) -> list[str]:
    """Give the command once more, undisturbed."""
    status = start(world, *targets).wait(_PATIENCE)
    return [f"ended with status {status}: {said(world)[-800:]}"] if status else []


def survive(world: World, whole: World, count: int, seed: int, longest: float, *targets: str) -> list[Kill]:
    """Kill the workflow ``count`` times, start it again each time, let it finish, and compare it with ``whole``.

    A kill comes up to ``longest`` seconds after its victim has come to life. What Snakemake's end leaves at work is not
    waited for: the next start meets it.
    """
    source, found, known = random.Random(seed), [], {}
    for number in range(count):
        # the first three meet one of each
        victim = list(VICTIMS)[number] if number < len(VICTIMS) else source.choice(list(VICTIMS))
        begun = time.monotonic()
        hit = _kill(start(world, *targets), victim, source.uniform(0, longest))
        faults = kills.broken(world) + _changed(known, world)
        known |= records(world)
        found.append(Kill(victim, hit, time.monotonic() - begun, faults))
        if not hit:  # all is done
            break
    last = finish(world, *targets) + _changed(known, world) + differences(world, whole)
    found[-1].faults.extend(last)
    return found


def _kill(snakemake: subprocess.Popen, victim: str, delay: float) -> bool:
    """Kill a victim; ``False`` when the workflow was over before there was one. Ends when Snakemake has ended."""
    while snakemake.poll() is None:
        if process := _find(snakemake, VICTIMS[victim]):
            time.sleep(delay)
            if snakemake.poll() is None and process.is_running():
                process.kill()
                snakemake.wait(_PATIENCE)
                return True
        time.sleep(0.05)
    return False


def _find(snakemake: subprocess.Popen, word: str) -> psutil.Process | None:
    try:
        parent = psutil.Process(snakemake.pid)
        if word == VICTIMS["Snakemake"]:
            return parent
        below = [one for one in parent.children(recursive=True) if word in " ".join(one.cmdline()[:3])]
    except psutil.Error:
        return None
    return below[-1] if below else None


def records(world: World) -> dict[str, str]:
    """Every sealed record, by its path below ``runs/``."""
    found = {}
    for seal in world.runs.glob(f"*/*/{runs.SEAL}"):
        for name in runs.read_seal(seal.parent).keys() & {"train.json", "evaluate.json", "fuse.json"}:
            path = seal.parent / name
            found[path.relative_to(world.runs).as_posix()] = path.read_text() if path.exists() else "deleted"
    return found


def _changed(known: dict[str, str], world: World) -> list[str]:
    now = records(world)
    return [f"{name} was finished, and made again or lost" for name, text in known.items() if now.get(name) != text]


def differences(world: World, whole: World) -> list[str]:
    """In what the runs differ from those that nobody disturbed; weights and predictions to the bit."""
    with world.entered():
        found = runs.check_all()
    mine, theirs = (sorted(path.relative_to(one.runs) for path in one.runs.glob("*/*/*")) for one in (world, whole))
    if mine != theirs:
        found.append(f"other files than undisturbed: {sorted(map(str, {*mine} ^ {*theirs}))}")
    for path in {*mine} & {*theirs}:
        one, other = world.runs / path, whole.runs / path
        if path.suffix in (".safetensors", ".parquet") and files.sha256(one) != files.sha256(other):
            found.append(f"{path} differs from that of an undisturbed run")
        if path.name == "train.json":
            seen = [json.loads(file.read_text())["cost"]["images_seen"] for file in (one, other)]
            curves = [pd.read_csv(file.with_name("history.csv")) for file in (one, other)]
            columns = [name for name in curves[0] if name not in ("seconds", "images_per_second")]
            if seen[0] != seen[1] or not curves[0][columns].equals(curves[1][columns]):
                found.append(f"{path}: another course of training than undisturbed")
    return found
