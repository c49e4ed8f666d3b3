"""One training on two hosts by torchrun, beside one process; and a host that goes away, with a word or without."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from cluster import hosts
from cluster.benchmarks import processes
from cluster.hosts import Host, wait_until
from faults import kills
from faults.world import World
from verydeep import files, studies
from verydeep.progress import line as say
from verydeep.runs import environment_variables

NAMES = ("host1", "host2")
#: Epochs over which two hosts must say what one process says; later rounding has its say (benchmarks/processes.py).
SHORT = 2
#: Seconds after which a host that has gone without a word is given up; a busy machine may be silent for some.
SILENCE = 60
#: Longest wait for the next thing to happen, in seconds.
PATIENCE = 1800.0
TRAIN = ("train", "smoke", "A", "256")


class Launch:
    """torchrun on each host for one training: the command that a user gives on both."""

    def __init__(self, world: World, machines: list[Host]):
        rendezvous = ("--rdzv-backend", "c10d", "--rdzv-endpoint", f"{NAMES[0]}:29500", "--rdzv-id", "verydeep")
        nodes = ("--nnodes", str(len(machines)), "--nproc-per-node", "1")
        command = (sys.executable, "-m", "torch.distributed.run", *nodes, *rendezvous, "-m", "verydeep", *TRAIN)
        environment = os.environ | world.environment | {environment_variables.SILENCE: str(SILENCE)}
        self.logs = [world.folder / f"{host.name}-{time.monotonic_ns()}.log" for host in machines]
        self.processes = []
        for host, path in zip(machines, self.logs, strict=True):
            with path.open("wb") as log:
                self.processes.append(
                    host.start(
                        *command, folder=world.root, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                    )
                )

    def said(self, host: int = 0) -> str:
        """What was printed on one of the hosts."""
        return self.logs[host].read_text(errors="replace")

    def _epochs(self) -> list[int]:
        """The epochs that are over, as the first process has said, on whichever host that is."""
        said = "".join(self.said(host) for host in range(len(self.logs)))
        return [int(number) for number in re.findall(r": epoch (\d+)/", said)]

    def wait_for_epoch(self, epoch: int) -> None:
        """Until the first process has said that an epoch is over."""

        def is_over() -> bool:
            if any(process.poll() is not None for process in self.processes):
                raise RuntimeError(f"over before epoch {epoch}: {self.said()[-1500:]}")
            return max(self._epochs(), default=0) >= epoch

        wait_until(is_over, PATIENCE, f"epoch {epoch} of two hosts")

    def finish(self) -> None:
        """Until the end of both, which must be a good one."""
        for number, process in enumerate(self.processes):
            if process.wait(PATIENCE):
                raise RuntimeError(f"{NAMES[number]}: {self.said(number)[-1500:]}")

    def lines(self, host: int = 0) -> list[str]:
        """What our own process on a host has said of an error; torchrun's report of it is another matter."""
        return [line for line in self.said(host).splitlines() if line.startswith("error: ")]


def lost(world: World, folder: Path, epoch: int, silently: bool) -> tuple[dict, Launch]:
    """The second host goes away after ``epoch``: what the first says, and after how long."""
    with hosts.network(folder, *NAMES) as found:
        launch = Launch(world, list(found.values()))
        launch.wait_for_epoch(epoch)
        begun = time.monotonic()
        found[NAMES[1]].lose() if silently else found[NAMES[1]].stop()
        status, seconds = launch.processes[0].wait(PATIENCE), time.monotonic() - begun
    said = launch.lines()
    if not status or len(said) != 1:
        raise RuntimeError(f"ended with status {status}, said {said}: {launch.said()[-3000:]}")
    line = said[0].replace(f"{world.root}/", "")
    say(f"lost after epoch {epoch}: {seconds:.1f} s: {line}")
    return {"after_epoch": epoch, "seconds": seconds, "said": line}, launch


def compare(alone: World, both: World) -> dict:
    """One training on two hosts beside that of one process."""
    (mine, theirs), run = (curve(alone), curve(both)), studies.find_run("smoke", "A", 256)
    errors = [name for name in mine if name.endswith("_error")]
    same = mine[errors].eq(theirs[errors]).all(axis=1)
    with alone.entered():
        same_crops = processes.crops(run, 1) == processes.crops(run, len(NAMES))
    return {
        "same_crops": same_crops,
        "epochs": len(mine),
        "first_epochs": SHORT,
        "same_errors_over_the_first_epochs": bool(same[:SHORT].all()),
        "largest_difference_of_loss_over_them": float((mine.train_loss - theirs.train_loss)[:SHORT].abs().max()),
        "epochs_with_the_same_errors": int(same.astype(int).cummin().sum()),
        "held_out_top1_error_at_the_end": [float(one.held_out_top1_error.iloc[-1]) for one in (mine, theirs)],
    }


def curve(world: World) -> pd.DataFrame:
    """The history of the training."""
    return pd.read_csv(world.runs / "smoke" / kills.RUN / "history.csv")


def weights(world: World) -> str:
    """The hash of the weights that it ended in."""
    return files.sha256(world.runs / "smoke" / kills.RUN / "weights.safetensors")


def on_two_hosts(folder: Path) -> dict:
    """What the record ``benchmarks/hosts.json`` says: a training on two hosts, and one that twice loses the second."""
    os.environ["OMP_NUM_THREADS"] = "1"
    begun = time.monotonic()
    alone, both, again = (World.new(folder / name) for name in ("alone", "both", "again"))
    if (done := alone.run(*TRAIN)).returncode:
        raise RuntimeError(done.stderr)
    with hosts.network(folder / "hosts", *NAMES) as found:
        Launch(both, list(found.values())).finish()
    ended, _ = lost(again, folder / "ended", 2, silently=False)
    silent, second = lost(again, folder / "silent", 5, silently=True)
    with hosts.network(folder / "again", *NAMES) as found:
        third = Launch(again, list(found.values()))
        third.finish()
    for one, after in ((ended, second), (silent, third)):
        one["went_on"] = re.search(r"goes on at (epoch \d+, step \d+)", after.said())[1]
    return {
        "rates": {"its processes end": ended, "its network falls silent": silent},
        "silence": SILENCE,
        "compared": compare(alone, both),
        "same_weights_as_undisturbed": weights(again) == weights(both),
        "broken": kills.broken(again),
        "seconds": time.monotonic() - begun,
    }
