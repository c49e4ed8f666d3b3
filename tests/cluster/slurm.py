"""A Slurm cluster on this machine: munged and slurmctld on one host, slurmd on each of two others.

with Cluster.running(folder) as cluster:
    cluster.head.start("sbatch", ...)
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cluster import hosts
from cluster.hosts import Host, NotPossible, wait_until

HEAD, NODES = "head", ("node1", "node2")
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")
#: What the profile asks for a job, and one GPU: a node has room for one job, so that a second waits. It is what the
#: nodes say they have, whatever this machine has: no job is bound to a core, and there is no device behind the GPU.
_CONFIGURATION = """
ClusterName=verydeep
SlurmctldHost={head}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmctldPidFile=/run/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir=/run/slurmd
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=30
MinJobAge=3600
NodeName={nodes} CPUs=16 RealMemory=64000 Gres=gpu:1
PartitionName=all Nodes={nodes} Default=YES MaxTime=INFINITE
"""


class Cluster:
    """A running cluster: its hosts by name, of which ``head`` is where jobs are submitted."""

    def __init__(self, folder: Path, found: dict[str, Host]):
        self.folder, self.hosts, self.head = folder, found, found[HEAD]

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path) -> Iterator["Cluster"]:
        """A cluster whose files are in ``folder``; nothing of it is left after the block but these.

        Raises :class:`~cluster.hosts.NotPossible` where Slurm is not installed or hosts cannot be made.
        """
        if missing := [name for name in _PROGRAMS if not shutil.which(name)]:
            raise NotPossible(f"{', '.join(missing)}: no such program; Debian has them in slurm-wlm and munge")
        configuration = _configure(folder)
        with hosts.network(folder, HEAD, *NODES, over={"/etc/slurm": configuration}) as found:
            cluster = cls(folder, found)
            for name in found:
                cluster._serve(name)
            wait_until(lambda: cluster.states() == dict.fromkeys(NODES, "idle"), 300, "nodes that are idle")
            yield cluster

    def _serve(self, name: str) -> None:
        """What a host of a cluster has running."""
        host = self.hosts[name]
        (munge := self.folder / f"munge-{name}").mkdir(mode=0o700, exist_ok=True)
        keys = (f"--key-file={self.folder}/munge.key", f"--seed-file={munge}/seed", f"--log-file={munge}/log")
        host.enter("mkdir", "-m", "755", "-p", "/run/munge")
        host.enter("munged", *keys, "--pid-file=/run/munge/munged.pid", "--force")
        daemon = ["slurmctld"] if name == HEAD else ["slurmd", "-N", name]
        host.enter(*daemon)

    def ask(self, *command: str) -> str:
        """What one of Slurm's programs prints; :class:`subprocess.CalledProcessError` when it fails."""
        return self.head.enter(*command)

    def states(self) -> dict[str, str]:
        """Node -> its state, in Slurm's word."""
        with contextlib.suppress(subprocess.CalledProcessError):
            lines = self.ask("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
            return dict(line.split() for line in lines)
        return {}


def _configure(folder: Path) -> Path:
    """Slurm's configuration, in a folder that takes the place of ``/etc/slurm``, and munge's key."""
    for name in ("etc", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    text = _CONFIGURATION.format(head=HEAD, nodes=",".join(NODES), folder=folder)
    (folder / "etc" / "slurm.conf").write_text(text)
    (folder / "etc" / "gres.conf").write_text(f"NodeName={','.join(NODES)} Name=gpu File=/dev/null\n")
    return folder / "etc"
