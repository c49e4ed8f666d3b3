"""Two networks of the smoke study through Slurm, with all that a cluster does to a job, and beside it without Slurm."""

import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

from cluster.queue import PATIENCE, Job, Queue
from cluster.slurm import HEAD, NODES, Cluster
from faults import workflow
from faults.world import World
from verydeep.progress import line as say

PARENT, CHILD = "A-256-s0", "D-256-s0"
TARGETS = tuple(f"artifacts/workflow/smoke/{run}.tested" for run in (PARENT, CHILD))
#: The profile as it is, but for a core a job (the last bits depend on their number), a queue that is looked at often
#: and without accounting, which this cluster has not.
OPTIONS = ("--set-threads", "train=1", "evaluate=1", "fuse=1", "--slurm-status-command", "squeue",
           "--slurm-init-seconds-before-status-checks", "5")  # fmt: skip
PROFILE = ("--profile", "workflow/profiles/slurm")
WORKS = "RUNNING"


@dataclass(frozen=True)
class Event:
    """What was done to a job, what Slurm called it, where it went on, and how long that took."""

    run: str
    after_epoch: int
    state: str
    node: str
    went_on: str
    number: str
    at_epoch: int
    at_step: int
    seconds: float


class Trial:
    """The study on a cluster, one thing after another; ``events`` is what happened."""

    def __init__(self, cluster: Cluster, world: World):
        self.cluster, self.world = cluster, world
        self.snakemake = self._start()
        self.queue = Queue(cluster, world.root, self.snakemake)
        self.events: dict[str, Event] = {}
        self.waited = ""

    def _start(self) -> subprocess.Popen:
        """Snakemake on the cluster's first host."""
        search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | self.world.environment | {"PATH": search}
        command = [sys.executable, "-m", "snakemake", "--config", "study=smoke", *PROFILE, *OPTIONS, "--", *TARGETS]
        with (self.world.folder / "snakemake.log").open("ab") as log:
            return self.cluster.head.start(
                *command, folder=self.world.root, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def _happens(self, what: str, run: str, epoch: int, act, state: str | None = None) -> Job:
        """``act`` on the job that trains ``run`` once it has done ``epoch``, and what became of it.

        ``state`` is what Slurm calls the job then; without one it is put back into the queue with the same number.
        """
        queue = self.queue
        job = queue.training(run, epoch)
        reached, before, begun = queue.epoch(job), queue.resumed(job)[-1:], time.monotonic()
        act(job)
        if state:
            queue.wait(lambda one: one.state == state, f"job {job.number} is {state}", job.number)
        else:  # Slurm lets a job that it puts back rest for two minutes; here that is cut short
            queue.wait(lambda one: one.state == "PENDING", f"job {job.number} is in the queue again", job.number)
            self.cluster.ask("scontrol", "update", f"JobId={job.number}", "StartTime=now")

        def goes_on(one: Job) -> bool:
            of_it = (one.what, one.run) == ("train", run) and (one.number > job.number) == bool(state)
            # a job that is put back writes its log anew
            return of_it and one.number >= job.number and queue.resumed(one)[-1:] not in ([], before)

        after = queue.wait(goes_on, f"{run} goes on after {what}")
        at_epoch, at_step = queue.resumed(after)[-1]
        number = "same job" if after.number == job.number else "new job"
        event = Event(run, reached, state or "REQUEUED", job.node, after.node, number, at_epoch, at_step,
                      time.monotonic() - begun)  # fmt: skip
        self.events[what] = event
        say(f"{what}: {event}")
        return after

    def _cancel(self, job: Job) -> None:
        self.cluster.ask("scancel", str(job.number))

    def _hang(self, job: Job) -> None:
        """The job stands still, until its time is over.

        Slurm counts a limit in minutes, and looks every half minute: so the limit is moved to now.
        """
        for process in self.cluster.hosts[job.node].processes("snakemake", "verydeep", "ipykernel_launcher"):
            process.suspend()
        end = (datetime.now() + timedelta(seconds=1)).isoformat(timespec="seconds")
        self.cluster.ask("scontrol", "update", f"JobId={job.number}", f"EndTime={end}")

    def _drain(self, job: Job) -> None:
        """As before a repair: nothing new on the node, and what is on it back into the queue."""
        self.cluster.ask("scontrol", "update", f"NodeName={job.node}", "State=DRAIN", "Reason=repair")
        self.cluster.ask("scontrol", "requeue", str(job.number))

    def _lose(self, job: Job) -> None:
        self.cluster.hosts[job.node].lose()

    def run(self) -> None:
        """All of it. :class:`TimeoutError` when something that should happen does not."""
        ask, queue = self.cluster.ask, self.queue
        self._happens("cancelled", PARENT, 2, self._cancel, "CANCELLED")
        # of two jobs that are ready then, one must wait: the other node is somebody else's
        node = queue.wait(lambda job: job.run == PARENT and job.state == WORKS, f"{PARENT} works").node
        other = next(name for name in NODES if name != node)
        ask("sbatch", f"--nodelist={other}", "--gpus=1", "--job-name=other", "--output=/dev/null", "--wrap=sleep 3600")
        waiting = queue.wait(lambda job: job.state == "PENDING" and job.reason == "Resources", "a job that waits")
        self.waited = f"{waiting.what} {waiting.run}"
        say(f"waits for a node: {self.waited}")
        ask("scancel", "--name=other")
        self._happens("over its time limit", CHILD, 2, self._hang, "TIMEOUT")
        self._happens("node drained", CHILD, 4, self._drain)
        for name in NODES:
            if self.cluster.states()[name].startswith("drain"):
                ask("scontrol", "update", f"NodeName={name}", "State=RESUME")
        self._happens("node lost", CHILD, 6, self._lose)
        status = self.snakemake.wait(PATIENCE)
        if status:
            raise RuntimeError(f"Snakemake ended with status {status}: {workflow.said(self.world)[-2000:]}")


def through_slurm(folder: Path) -> dict:
    """Both ways, and in what they differ; the rest of the record of ``benchmarks/slurm.json``."""
    os.environ["OMP_NUM_THREADS"] = "1"
    begun = time.monotonic()
    whole, world = World.new(folder / "without"), World.new(folder / "with")
    if faults := workflow.finish(whole, *TARGETS):
        raise RuntimeError("; ".join(faults))
    alone = time.monotonic()
    with Cluster.running(folder / "slurm") as cluster:
        trial = Trial(cluster, world)
        trial.run()
        jobs, version = trial.queue.jobs(), cluster.ask("sinfo", "--version").strip()
    return {
        "rates": {what: asdict(event) for what, event in trial.events.items()},
        "jobs": [asdict(job) | {"started": str(job.started), "ended": str(job.ended)} for job in jobs],
        "waited": trial.waited,
        "parents_first": parents_first(jobs),
        "differences": workflow.differences(world, whole),
        "seconds": {"without Slurm": alone - begun, "with Slurm": time.monotonic() - alone},
        "slurm": version,
        "versions": {name: metadata.version(name) for name in ("snakemake", "snakemake-executor-plugin-slurm")},
        "hosts": [HEAD, *NODES],
    }


def parents_first(jobs: list[Job]) -> bool:
    """Whether every job began after the one had ended that made what it needs."""
    done = {(job.what, job.run): job.ended for job in jobs if job.state == "COMPLETED"}
    needs = {("train", CHILD): ("train", PARENT)} | {("evaluate", run): ("train", run) for run in (PARENT, CHILD)}
    return all(job.started >= done[needs[job.what, job.run]] for job in jobs if (job.what, job.run) in needs)
