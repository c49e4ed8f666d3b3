"""Trainings on two processes or three, as torchrun starts them, and what goes wrong in one of them."""

import atexit
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import PartialState
from tiny import tiny_run
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from forks import Forked
from verydeep import training
from verydeep.training import accelerators, checkpoints, loop
from verydeep.training.updates import Updates


def launched(program: Callable, *arguments: object, processes: int = 2, **variables: str) -> Forked:
    """A program on several processes, each of which is a fork: as ``torchrun --standalone --nproc-per-node 2`` does."""
    return Forked(_torchrun, program, arguments, processes, **variables)


def _torchrun(program: Callable, arguments: tuple, processes: int) -> None:
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="fork",
    )
    elastic_launch(config, _as_a_program)(program, arguments)


def _as_a_program(program: Callable, arguments: tuple) -> None:
    """In one of them: what is raised is said as a script would."""
    try:
        program(*arguments)
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def a_child_twice() -> None:
    """A parent and its child; the second time there is nothing left to do. At its end the program leaves the launch."""
    for _ in range(2):
        training.train(tiny_run("D", epochs=1))
    said = accelerators.agreed(PartialState(), {"rank": float(os.environ["RANK"])})
    assert said == {"rank": 0.0}, "all have what the first said"
    assert torch.distributed.is_initialized(), "another training could follow"
    atexit._run_exitfuncs()
    assert not torch.distributed.is_initialized()
    print("left the launch", flush=True)


def undisturbed() -> None:
    """Two epochs."""
    training.train(tiny_run(dropout=0.5, epochs=2))


def signalled(signal: int, number: int) -> None:
    """The second gets a signal before an update, of this number in this launch."""
    original, calls, loop.CHECKPOINT_SECONDS = Updates.update, [], 0.0

    def update(self, *where):
        calls.append(where)
        if len(calls) == number and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal)
        return original(self, *where)

    Updates.update = update
    undisturbed()


def without_its_checkpoint() -> None:
    """As on two hosts that do not share their files, before an epoch that is not the first."""
    if os.environ["RANK"] == "1":
        checkpoints.load = lambda *_: None
    undisturbed()


def on_disks_of_their_own() -> None:
    """As on two hosts each of which has its own disk."""
    os.environ["VERYDEEP_ARTIFACTS"] += os.environ["RANK"]
    training.train(tiny_run(epochs=1))


def begun() -> None:
    """Each says by a file that it has begun."""
    Path(f"begun-{os.environ['RANK']}").touch()
    training.train(tiny_run(epochs=1))
