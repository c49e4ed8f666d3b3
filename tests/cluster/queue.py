"""What a cluster's queue says of the jobs that Snakemake has submitted, and what those say of themselves."""

import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cluster.hosts import wait_until
from cluster.slurm import Cluster

#: Longest wait for the next thing to happen, in seconds: a training of the smoke study takes half a minute alone.
PATIENCE = 1800.0
_COLUMNS = {
    "number": "%i", "comment": "%k", "state": "%T", "node": "%N", "reason": "%r", "started": "%S", "ended": "%e",
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One job as the queue has it: ``what`` is the rule, ``run`` the network, ``state`` Slurm's word."""

    number: int
    what: str
    run: str
    state: str
    node: str
    reason: str
    started: datetime | None
    ended: datetime | None


class Queue:
    """The queue of a cluster, and the logs of the jobs that ``snakemake`` submits from the checkout at ``root``."""

    def __init__(self, cluster: Cluster, root: Path, snakemake: subprocess.Popen):
        self.cluster, self.root, self.snakemake = cluster, root, snakemake

    def jobs(self) -> list[Job]:
        """Every job of the workflow, ended ones too, in the order in which they were submitted."""
        options = ("--states=all", "--noheader", f"--format={'|'.join(_COLUMNS.values())}")
        rows = [line.split("|") for line in self.cluster.ask("squeue", *options).splitlines()]
        found = [_job(dict(zip(_COLUMNS, row, strict=True))) for row in rows]
        return sorted((job for job in found if job), key=lambda job: job.number)

    def job(self, number: int) -> Job:
        """The job with this number."""
        return next(job for job in self.jobs() if job.number == number)

    def wait(self, holds, what: str, number: int | None = None) -> Job:
        """The first job, or the job ``number`` where it is given, of which ``holds`` is true; waits for it.

        Raises :class:`RuntimeError` when Snakemake has ended, so that it can no longer come.
        """

        def search() -> Job | None:
            if self.snakemake.poll() is not None:
                raise RuntimeError(f"Snakemake ended before: {what}")
            jobs = self.jobs() if number is None else [self.job(number)]
            return next(filter(holds, jobs), None)

        return wait_until(search, PATIENCE, what, every=1.0)

    def log(self, job: Job) -> str:
        """What a job has printed; one that was put back into the queue has written its log anew."""
        paths = self.root.glob(f".snakemake/slurm_logs/rule_{job.what}/*/{job.number}.log")
        return "".join(path.read_text(errors="replace") for path in paths)

    def training(self, run: str, epoch: int) -> Job:
        """The job that trains ``run``, once it works and has said that ``epoch``, or a later one, is over."""

        def is_there(job: Job) -> bool:
            return (job.what, job.run, job.state) == ("train", run, "RUNNING") and self.epoch(job) >= epoch

        return self.wait(is_there, f"epoch {epoch} of {run}")

    def epoch(self, job: Job) -> int:
        """The last epoch that a job has said is over; 0 before the first."""
        said = re.findall(rf"{job.run}: epoch (\d+)/", self.log(job))
        return int(said[-1]) if said else 0

    def resumed(self, job: Job) -> list[tuple[int, int]]:
        """(epoch, step) at which a job said that it goes on from a checkpoint."""
        said = re.findall(rf"{job.run}: goes on at epoch (\d+), step (\d+)", self.log(job))
        return [(int(epoch), int(step)) for epoch, step in said]


def _job(row: dict[str, str]) -> Job | None:
    submitted = re.fullmatch(r"rule_(\w+)_wildcards_(\S+)", row["comment"])
    if not submitted:
        return None  # somebody else's
    times = {key: datetime.fromisoformat(row[key]) if row[key][:1].isdigit() else None for key in ("started", "ended")}
    return Job(int(row["number"]), *submitted.groups(), row["state"], row["node"], row["reason"], **times)
