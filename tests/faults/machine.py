"""What a machine does to a long run: it fills up, refuses, loses a process, starts two, or has its clock set back.

Each fault is a function of a fresh folder and an undisturbed run. It returns the one line that the user saw, and
raises :class:`Unsurvived` when something was lost, or said otherwise than in one line.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from faults import kills
from faults.world import World, ended, family

#: ``setpriv`` takes from root the right to write where the permissions say no, so that they count here too.
_NO_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all")
TRAIN = ("train", "smoke", "A", "256")


class Unsurvived(AssertionError):
    """A fault that was not survived."""


class NotPossible(Exception):
    """This machine does not let the fault be made."""


def expect(condition: bool, said: str) -> None:
    if not condition:
        raise Unsurvived(said)


def one_line(done: subprocess.CompletedProcess, pattern: str) -> str:
    """The one line of an error, which must match; anything else was not survived."""
    lines = [line for line in done.stderr.splitlines() if not _is_noise(line)]
    expect(done.returncode not in (0, None), f"status {done.returncode}: {done.stdout[-300:]}")
    expect("Traceback" not in done.stderr, f"a traceback: {done.stderr[-800:]}")
    expect(len(lines) == 1, f"{len(lines)} lines: {lines}")
    expect(re.search(pattern, lines[0]) is not None, f"{lines[0]!r} does not match {pattern!r}")
    return lines[0]


def wait_for_epoch(training: subprocess.Popen, epoch: int) -> None:
    """Wait until a training has said that this epoch is over."""
    for line in training.stdout:
        if f"epoch {epoch}/" in line:
            return
    raise Unsurvived(f"was over before epoch {epoch}: {training.stderr.read()[-500:]}")


def _is_noise(line: str) -> bool:
    """Progress bars."""
    return not line.strip() or "%|" in line


@contextlib.contextmanager
def mounted(folder: Path, size: str, *, keep: bool = True) -> Iterator[Callable[[str], None]]:
    """A small file system of its own at ``folder``, with what lay there; gives a function that remounts it."""
    held = folder.with_name(f"{folder.name}.before")
    folder.mkdir(parents=True, exist_ok=True)
    if keep:
        shutil.copytree(folder, held)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if made.returncode:
        raise NotPossible("this machine lets nobody mount a file system here")
    try:
        if keep:
            shutil.copytree(held, folder, dirs_exist_ok=True)
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def finish(world: World, whole: World, command: tuple[str, ...] = kills.COMMAND) -> None:
    """Give a command again, undisturbed: it must end in the bits of an undisturbed run.

    Where it trains alone, those of its weights: of the same weights, a test that nothing disturbs says the same.
    """
    done = world.run(*command)
    expect(done.returncode == 0, f"did not go on: {done.stderr[-500:]}")
    found = kills.broken(world) + kills.differences(world, whole, tested=command == kills.COMMAND)
    expect(not found, "; ".join(found))


# -- the disk ------------------------------------------------------------------------------------------


def disk_full_in_training(folder: Path, whole: World) -> str:
    """The disk of the checkpoints fills up; more room, and training goes on."""
    world = World.new(folder)
    with mounted(world.artifacts, "900k") as remount:
        said = one_line(world.run(*TRAIN), r"error: .*checkpoint.pt cannot be written: No space left on device")
        expect(not list(world.runs.rglob("*.*")), "something was written to runs/")
        remount("size=64m")
        finish(world, whole, TRAIN)
    return said


def disk_full_at_the_record(folder: Path, whole: World) -> str:
    """The disk of the records is full when training ends."""
    world = World.new(folder)
    with mounted(world.runs, "48k") as remount:
        said = one_line(world.run(*TRAIN), r"error: .*cannot be written: No space left on device")
        expect(not kills.broken(world), "; ".join(kills.broken(world)))
        remount("size=64m")
        finish(world, whole, TRAIN)
    return said


def disk_full_in_testing(folder: Path, whole: World) -> str:
    """The disk fills up while a trained network is tested, through the notebook."""
    world = World.copy(whole, folder)
    _forget_testing(world)
    used = sum(path.stat().st_size for path in world.artifacts.rglob("*") if path.is_file())
    with mounted(world.artifacts, f"{used // 1024 + 100}k") as remount:
        command = (*kills.COMMAND, "--only", "evaluate")
        said = one_line(world.run(*command), r"error: .*(cannot be written: )?No space left on device")
        remount("size=64m")
        finish(world, whole)
    return said


def disk_full_at_the_images(folder: Path, whole: World) -> str:
    """There is no room for the decoded images; said before any is decoded."""
    world = World.new(folder)
    with mounted(world.artifacts, "64k") as remount:
        said = one_line(world.run(*TRAIN), r"error: .*: the store of digits takes .*, and .* are free there; make room")
        remount("size=64m")
        finish(world, whole, TRAIN)
    return said


def read_only_records(folder: Path, whole: World) -> str:
    """``runs/`` is on a disk that was mounted read-only; said before the training and not after it."""
    world = World.new(folder)
    with mounted(world.runs, "16m") as remount:
        remount("ro")
        done = world.run(*TRAIN)
        said = one_line(done, r"error: .*runs.* cannot be written: Read-only file system")
        expect("epoch" not in done.stdout, "trained first")
        remount("rw")
        finish(world, whole, TRAIN)
    return said


def read_only_workspace(folder: Path, whole: World) -> str:
    """``artifacts/`` is on a disk that was mounted read-only."""
    world = World.new(folder)
    with mounted(world.artifacts, "64m") as remount:
        remount("ro")
        said = one_line(world.run(*TRAIN), r"error: .*artifacts.* cannot be written: Read-only file system")
        remount("rw")
        finish(world, whole, TRAIN)
    return said


def no_permission(folder: Path, whole: World) -> str:
    """``runs/`` belongs to somebody else; said before the training and not after it."""
    prefix = _NO_OVERRIDE if os.geteuid() == 0 else ()
    if prefix and (shutil.which("setpriv") is None or subprocess.run([*prefix, "true"]).returncode):
        raise NotPossible("root cannot give up its rights here")
    world = World.new(folder)
    world.runs.chmod(0o555)
    done = world.run(*TRAIN, prefix=prefix)
    said = one_line(done, r"error: .*runs.* cannot be written: Permission denied")
    expect("epoch" not in done.stdout, "trained first")
    world.runs.chmod(0o755)
    finish(world, whole, TRAIN)
    return said


# -- the clock -----------------------------------------------------------------------------------------


def clock_set_back(folder: Path, whole: World) -> str:
    """The clock is set back a day in the middle of training; what was written before now lies in the future."""
    world = World.new(folder)
    killwait_for_epoch(world, 4)
    for path in world.artifacts.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() + 86400,) * 2)
    status = world.run("status", "smoke").stdout.splitlines()[0]
    expect(status.split() == ["A-256-s0", "stopped"], status)
    finish(world, whole, TRAIN)
    return status


# -- processes -----------------------------------------------------------------------------------------


def two_trainings(folder: Path, whole: World) -> str:
    """The same training is started twice; the second leaves and touches nothing."""
    world = World.new(folder)
    first = world.start(*TRAIN)
    wait_for_epoch(first, 1)
    first.send_signal(signal.SIGSTOP)  # smoke is over too soon to be waited for
    said = one_line(world.run(*TRAIN), r"error: A-256-s0 is in the hands of process \d+ on .* since")
    first.send_signal(signal.SIGCONT)
    first.communicate()
    expect(first.returncode == 0, "the first was disturbed")
    finish(world, whole, TRAIN)
    return said


def two_notebooks(folder: Path, whole: World) -> str:
    """The same command is started twice at the same moment; one does the work."""
    world = World.new(folder)
    both = [ended(one) for one in [world.start(*kills.COMMAND) for _ in range(2)]]
    good = [one for one in both if one.returncode == 0]
    expect(len(good) >= 1, f"neither did it: {[one.stderr[-300:] for one in both]}")
    said = "both ended well: the second found the work done"
    if len(good) == 1:
        bad = next(one for one in both if one.returncode)
        said = one_line(bad, r"error: train.ipynb of A-256-s0 is in the hands of process \d+ on .* since")
    finish(world, whole)
    return said


def kernel_killed(folder: Path, whole: World) -> str:
    """The notebook's kernel is killed, as when memory runs out."""
    world = World.new(folder)
    command = world.start(*kills.COMMAND)
    wait_for_epoch(command, 3)
    for one in family(command)[1:]:
        one.kill()
    done = ended(command, timeout=120)
    said = one_line(done, "error: A-256-s0: the notebook's kernel died.*run it again to continue")
    finish(world, whole)
    return said


def asked_to_stop(folder: Path, whole: World) -> str:
    """SIGTERM to a training: it stops between two steps and saves where it is."""
    world = World.new(folder)
    training = world.start(*TRAIN)
    wait_for_epoch(training, 3)
    training.send_signal(signal.SIGTERM)
    done = ended(training, timeout=60)
    said = one_line(done, "error: A-256-s0: stopped by SIGTERM in epoch 4, state saved in .*; run it again to continue")
    finish(world, whole, TRAIN)
    return said


def worker_killed(folder: Path, whole: World) -> str:
    """One of two processes that train together is killed."""
    world = World.new(folder)
    command = (*TRAIN, "--processes", "2")
    together = world.start(*command)
    wait_for_epoch(together, 2)
    workers = [one for one in family(together)[1:] if one.ppid() == together.pid]
    started = time.monotonic()
    workers[-1].kill()
    done = ended(together, timeout=120)
    expect(time.monotonic() - started < 60, f"took {time.monotonic() - started:.0f} seconds to end")
    done.stderr = _without_workers(done.stderr)
    said = one_line(done, r"error: A-256-s0: rank \d of 2 processes was ended by SIGKILL.*run it again to continue")
    _two_processes_agree(world, command)
    return said


def torchrun_worker_killed(folder: Path, whole: World) -> str:
    """The same under torchrun, which reports in its own words: the rank and the signal."""
    world = World.new(folder)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "verydeep", *TRAIN]
    together = subprocess.Popen(
        command,
        cwd=world.root,
        env=os.environ | world.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_epoch(together, 2)
    started = time.monotonic()
    family(together)[-1].kill()
    done = ended(together, timeout=120)
    expect(time.monotonic() - started < 60, f"took {time.monotonic() - started:.0f} seconds to end")
    said = next((line.strip() for line in done.stderr.splitlines() if "exitcode" in line and "-9" in line), "")
    expect(done.returncode != 0 and said and "rank" in done.stderr, f"torchrun said: {done.stderr[-500:]}")
    ours = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    lost = r"error: A-256-s0: rank \d of 2 processes lost another in epoch \d+: .*; run it again to continue"
    expect(len(ours) == 1 and re.fullmatch(lost, ours[0]) is not None, f"the other process said: {ours}")
    _two_processes_agree(world, (*TRAIN, "--processes", "2"))
    return said


def _two_processes_agree(world: World, command: tuple[str, ...]) -> None:
    """Resumed, two processes end in the bits of two that nobody disturbed."""
    done = world.run(*command)
    expect(done.returncode == 0, f"did not go on: {done.stderr[-500:]}")
    undisturbed = World.new(world.folder.with_name(f"{world.folder.name}-undisturbed"))
    undisturbed.run(*command)
    weights = Path("smoke") / kills.RUN / "weights.safetensors"
    same = (world.runs / weights).read_bytes() == (undisturbed.runs / weights).read_bytes()
    expect(same, "the weights differ from those of two processes that nobody disturbed")


def _without_workers(error: str) -> str:
    """The command's own words; what its dying workers say of each other comes before them."""
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    return "\n".join(lines)


def killwait_for_epoch(world: World, epoch: int) -> None:
    """Train, and SIGKILL after so many epochs."""
    training = world.start(*TRAIN)
    wait_for_epoch(training, epoch)
    training.kill()
    training.communicate()


def _forget_testing(world: World) -> None:
    """Leave of a run its training alone."""
    run = world.runs / "smoke" / kills.RUN
    for name in ("evaluate.json", "evaluate.ipynb", "predictions.parquet"):
        (run / name).unlink()
    with world.entered():
        from verydeep import runs

        runs.unseal(run, ["evaluate.json", "evaluate.ipynb", "predictions.parquet"])
    shutil.rmtree(world.artifacts / "smoke")


FAULTS = (
    disk_full_in_training,
    disk_full_at_the_record,
    disk_full_in_testing,
    disk_full_at_the_images,
    read_only_records,
    read_only_workspace,
    no_permission,
    clock_set_back,
    two_trainings,
    two_notebooks,
    kernel_killed,
    asked_to_stop,
    worker_killed,
    torchrun_worker_killed,
)
