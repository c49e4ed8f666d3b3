"""``make slurm`` and ``make hosts``: what is tried on a cluster, and the records that the book shows.

``python -m cluster up`` starts the cluster alone, with a shell on its first host.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from cluster import study, together
from cluster.benchmarks import FOLDER, common
from cluster.hosts import NotPossible
from cluster.slurm import Cluster
from verydeep import assembly
from verydeep.progress import line as say

#: Name of the record -> what it says it is, what makes it, and the keys that must be empty or true.
TRIALS = {
    "slurm": ("A and D of smoke through Slurm on two nodes, beside the same without Slurm", study.through_slurm),
    "hosts": ("A of smoke by torchrun on two hosts, beside one process", together.on_two_hosts),
}


def record(name: str, folder: Path, target: Path = FOLDER) -> dict:
    """Do one of :data:`TRIALS` in ``folder``, and write what it gave to ``target``."""
    what, trial = TRIALS[name]
    written = common.Record(target / f"{name}.json")
    found = trial(folder)
    device = assembly.device_record(torch.device("cpu"))
    written.write(what, found.pop("rates"), device, **found)
    return found


def main(asked: str) -> None:
    """One of :data:`TRIALS`, or ``up``."""
    with tempfile.TemporaryDirectory(prefix="cluster.") as name:
        if asked == "up":
            with Cluster.running(Path(name)) as cluster:
                say(f"nodes: {cluster.states()}; end it with exit")
                subprocess.run(cluster.head.command(os.environ.get("SHELL", "/bin/sh")))
            return
        record(asked, Path(name))


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in (*TRIALS, "up"):
        sys.exit(f"error: one of {', '.join((*TRIALS, 'up'))} is asked for")
    try:
        main(sys.argv[1])
    except NotPossible as error:
        sys.exit(f"error: {error}")
