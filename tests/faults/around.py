"""What lies around a run: variables, notebooks of other users, folders. A table as that of :mod:`faults.machine`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import REPOSITORY
from faults import checkouts, kills, leftovers, small, workflow
from faults.machine import expect, finish, one_line, wait_for_epoch
from faults.world import World, ended
from verydeep import runs


def variables_left_behind(folder: Path, whole: World) -> str:
    """Variables of accelerate, MPI and torchrun that another program left: the weights are those without them."""
    others = [*({name: value} for name, value in leftovers.TAKEN_AWAY.items()), leftovers.ONE_PROCESS]
    hashes = set()
    for number, left in enumerate([{}, *others]):
        world = World.new(folder / str(number))
        small.make(world)
        hashes.add(leftovers.weights(world, **left))
        expect(len(hashes) == 1, f"{left} gives other weights")
    return f"the same weights to the bit under {len(others)} such"


def variables_from_the_start(folder: Path, whole: World) -> str:
    """The same, all at once and there before Python starts, when libraries are imported."""
    hashes = []
    for number, left in enumerate(({}, leftovers.TAKEN_AWAY | leftovers.AT_IMPORT)):
        world = World.new(folder / str(number))
        small.make(world)
        hashes.append(leftovers.weights_of_a_process(world, **left))
    expect(hashes[0] == hashes[1], "other weights")
    return f"the same weights to the bit under all {len(leftovers.TAKEN_AWAY | leftovers.AT_IMPORT)}"


def _forget_notebook(world: World) -> None:
    """Leave the notebook of a finished test to be executed again: seconds, since its passes are recorded."""
    run = world.runs / "smoke" / kills.RUN
    with world.entered():
        runs.unseal(run, ["evaluate.ipynb"])
    (run / "evaluate.ipynb").unlink()


def hostile_home(folder: Path, world: World) -> dict[str, str]:
    """The settings of a user whose notebooks live in another world: variables that name files in ``folder``."""
    startup = folder / "home" / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-mine.py").write_text("from math import *\nprint('a startup file ran')\nseed = 7\n")
    (folder / "start.py").write_text("print('a startup file ran')\n")
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["false"], "display_name": "Python 3", "language": "python"}')
    (folder / "matplotlibrc").write_text("text.usetex: True\nbackend: pdf\n")
    (world.root / "random.py").write_text("raise RuntimeError('not the random of Python')\n")
    return {
        "HOME": str(folder / "home"),
        "IPYTHONDIR": str(folder / "home" / ".ipython"),
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "MPLBACKEND": "no such backend",
        "PYTHONSTARTUP": str(folder / "start.py"),
    }


def notebooks_of_another_world(folder: Path, whole: World) -> str:
    """Another kernel called python3, startup files, settings of matplotlib, relative folders, a path with braces."""
    world = World.copy(whole, folder / "{a}" / "w")
    hostile = hostile_home(folder, world)
    _forget_notebook(world)
    here = world.root / "book"
    relative = {name: os.path.relpath(path, here) for name, path in world.environment.items()}
    modules = os.pathsep.join(os.path.relpath(path, here) for path in sys.path if Path(path).is_dir())
    done = subprocess.run(
        world.command(*kills.COMMAND), cwd=here, env=os.environ | relative | hostile | {"PYTHONPATH": modules},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    expect(done.returncode == 0, f"{done.stdout[-300:]}{done.stderr[-800:]}")
    expect("startup file" not in done.stdout + done.stderr, "a startup file ran")
    (world.root / "random.py").unlink()
    found = kills.broken(world) + kills.differences(world, whole)
    expect(not found, "; ".join(found))
    notebook = (world.runs / "smoke" / kills.RUN / "evaluate.ipynb").read_text()
    expect("image/svg+xml" in notebook, "the notebook has no picture")
    return done.stdout.strip().splitlines()[-1].replace(str(folder), "")


def no_home_directory(folder: Path, whole: World) -> str:
    """A user without a home directory tests a network of the smoke study; other data sets ask for a folder."""
    world = World.copy(whole, folder / "w")
    _forget_notebook(world)
    (folder / "nobody").mkdir()
    (folder / "nobody" / "sitecustomize.py").write_text(
        "import pwd\n\ndef getpwuid(uid):\n    raise KeyError(uid)\n\npwd.getpwuid = getpwuid\n"
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "VERYDEEP_DATA")}
    kept |= {name: value for name, value in world.environment.items() if name != "VERYDEEP_DATA"}
    kept["PYTHONPATH"] = os.pathsep.join([str(folder / "nobody"), *filter(os.path.isdir, sys.path)])

    def call(*arguments: str) -> subprocess.CompletedProcess:
        command = world.command(*arguments)
        return subprocess.run(command, cwd=world.root, env=kept, capture_output=True, text=True, timeout=300)

    done = call(*kills.COMMAND)
    expect(done.returncode == 0, done.stderr[-800:])
    found = kills.broken(world) + kills.differences(world, whole)
    expect(not found, "; ".join(found))
    return one_line(
        call("data", "get", "tiny-imagenet"), "error: this user has no home directory .*: set VERYDEEP_DATA"
    )


def litter_of_desktops(folder: Path, whole: World) -> str:
    """Desktops leave files of theirs at every level of ``runs/``; they are passed over, and a stray file is named."""
    world = World.copy(whole, folder)
    places = [world.runs, world.runs / "smoke", world.runs / "smoke" / kills.RUN]
    for place in places:
        for name in (
            ".DS_Store",
            "._A-256-s0",
            "Thumbs.db",
            "Desktop.ini",
            "~$notes.docx",
            ".ipynb_checkpoints/a.ipynb",
        ):
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_bytes(b"\x00\x05\x16\x07")
    done = world.run("check")
    expect(
        done.returncode == 0 and done.stdout.startswith("1 run checked: every file is as"), done.stdout + done.stderr
    )
    for place in places:
        (place / "notes~").touch()
    lines = world.run("check").stderr.splitlines()
    expect(sum("notes~: " in line for line in lines) == len(places) == len(lines) - 1, str(lines))
    return lines[0]


def broken_environment(folder: Path, whole: World) -> str:
    """``.venv`` was made by a Python without ``ensurepip``; ``make`` makes it anew."""
    (folder / ".ci").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", ".ci/venv.sh"):
        shutil.copy(REPOSITORY / name, folder / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (folder / ".venv" / ".installed").touch()
    planned = subprocess.run(["make", "-n", "check"], cwd=folder, capture_output=True, text=True)
    expect("sh .ci/venv.sh make .venv" in planned.stdout and not (folder / ".venv").exists(), planned.stdout)
    return planned.stderr.strip()


def interrupted(folder: Path, whole: World) -> str:
    """Ctrl-C while a notebook trains."""
    world = World.new(folder)
    # a terminal's program hears Ctrl-C; what a script starts in the background, as a harness may be, does not
    hears = ("env", "--default-signal=INT")
    command = (*kills.COMMAND, "--only", "train")
    training = world.start(*command, prefix=hears, start_new_session=True)
    wait_for_epoch(training, 1)
    os.killpg(training.pid, signal.SIGINT)
    said = one_line(ended(training, timeout=120), "error: interrupted; run it again to continue")
    finish(world, whole, command)
    return said


def workflow_killed(folder: Path, whole: World) -> str:
    """Snakemake, its child and the kernel are killed, one after the other, on the way to a network and its tests."""
    undisturbed, world = World.copy(whole, folder / "undisturbed"), World.new(folder / "world")
    target = f"artifacts/workflow/smoke/{kills.RUN}.tested"
    found = workflow.survive(world, undisturbed, 3, 0, 6.0, target)
    expect(found[0].hit and not any(one.faults for one in found), str(found))
    return f"{sum(one.hit for one in found)} kills; nothing was trained twice"


def workflow_with_other_settings(folder: Path, whole: World) -> str:
    """Snakemake is given other settings (``gpus=2``), or its marks are lost, after a run is finished."""
    world = World.copy(whole, folder)
    before = workflow.records(world)
    target = f"artifacts/workflow/smoke/{kills.RUN}.tested"
    for others in ((), ("gpus=2",)):
        plan = workflow.plan(world, *others)
        expect(f"/{kills.RUN}." not in plan, plan)
    expect(not workflow.finish(world, target), workflow.said(world))
    expect(workflow.records(world) == before, "a record changed")
    return "the finished run is no part of the plan"


def workflow_on_a_cluster(folder: Path, whole: World) -> str:
    """The full study by the profile for Slurm, which has no number of cores: a job reaches ``sbatch``."""
    world, asked = World.new(folder), folder / "asked.txt"
    sbatch = folder / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(f'#!/bin/sh\necho "$@" > {asked}.part && mv {asked}.part {asked}\nexit 1\n')
    for name in ("sacct", "sacctmgr", "scontrol", "sinfo", "squeue"):  # are asked first, and know of no cluster
        (sbatch.parent / name).write_text("#!/bin/sh\n")
    for program in sbatch.parent.iterdir():
        program.chmod(0o755)
    search = os.pathsep.join([str(sbatch.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "snakemake", "--config", "study=full", "gpus=8"]
    with (folder / "snakemake.log").open("w") as log:
        snakemake = subprocess.Popen(
            [*command, "--profile", "workflow/profiles/slurm"], cwd=world.root, stdout=log, stderr=log,
            env=os.environ | world.environment | {"PATH": search},
        )  # fmt: skip
        until = time.monotonic() + 120
        while not asked.exists() and snakemake.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        snakemake.kill()
        snakemake.wait()
    said = (folder / "snakemake.log").read_text()
    expect(asked.exists() and "total number of cores" not in said and "Traceback" not in said, said[-800:])
    expect("--cpus-per-task=16" in asked.read_text(), asked.read_text())
    return next(line for line in said.splitlines() if line.startswith("study full"))


FAULTS = (
    variables_left_behind,
    variables_from_the_start,
    notebooks_of_another_world,
    no_home_directory,
    litter_of_desktops,
    broken_environment,
    interrupted,
    workflow_killed,
    workflow_with_other_settings,
    workflow_on_a_cluster,
    *checkouts.FAULTS,
)
