"""accelerate, of which nothing is taken but a process's device, its precision, and the others of its launch."""

import atexit
import os
import secrets
import time
from datetime import timedelta
from pathlib import Path

import torch
from torch.distributed import ProcessGroup

from verydeep import assembly, files
from verydeep.errors import VerydeepError, first_line
from verydeep.runs import environment_variables
from verydeep.studies import Run

with environment_variables.importing():
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import InitProcessGroupKwargs, broadcast_object_list

__all__ = [
    "Accelerator",
    "accelerator",
    "agreed",
    "host_group",
    "largest",
    "leave_at_exit",
    "others_are_lost",
    "require_same_files",
]

#: Seconds in which an answer of the others that cannot come any more says so.
_AT_ONCE = 2.0


def accelerator(run: Run) -> Accelerator:
    """accelerate's view of this process: its device, its precision, and the others of its launch.

    Raises
    ------
    VerydeepError
        For a precision that the device does not have, more processes than images in a batch, or a silence that is no
        number of seconds (:func:`verydeep.runs.environment_variables.silence`).
    """
    precision = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}[run.recipe.precision]
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it cuBLAS is not deterministic
    AcceleratorState._reset_state()  # a parent trained before this may have had another precision
    # accelerate joins the processes of a machine without accelerators only when it is told that there are none
    on_cpu = assembly.device().type == "cpu"
    patience = _patience()
    handlers = [InitProcessGroupKwargs(timeout=patience)] if patience else []
    atexit.unregister(_leave)  # of a training that fails the others may be gone, and to leave would wait for them
    made = Accelerator(cpu=on_cpu, mixed_precision=precision, kwargs_handlers=handlers)
    if run.recipe.precision == "float16" and made.device.type != "cuda":
        raise VerydeepError(f"{run.name}: precision float16 needs a GPU; bfloat16 and float32 run anywhere")
    parts = made.num_processes
    if parts > run.recipe.batch:
        raise VerydeepError(f"{run.name}: a batch of {run.recipe.batch} cannot be split over {parts} processes")
    return made


def _patience() -> timedelta | None:
    seconds = environment_variables.silence()
    return timedelta(seconds=seconds) if seconds else None


def leave_at_exit() -> None:
    """Leave the launch when this program ends. Until then another training may need it: nobody can join it again."""
    atexit.register(_leave)


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def host_group(accelerator: Accelerator) -> ProcessGroup | None:
    """The processes of the launch as their hosts reach each other: what is exchanged there waits for no GPU.

    ``None`` for one process.

    Raises
    ------
    VerydeepError
        When they do not reach each other.
    """
    if accelerator.num_processes == 1:
        return None
    try:
        return torch.distributed.new_group(backend="gloo", timeout=_patience())
    except RuntimeError as error:
        raise VerydeepError(
            f"rank {accelerator.process_index} of {accelerator.num_processes} processes does not reach the others "
            f"({first_line(error)}): set GLOO_SOCKET_IFNAME to the network that joins the hosts"
        ) from error


def largest(group: ProcessGroup | None, *values: int) -> list[int]:
    """Of each value the largest over the processes of a :func:`host_group`; all must call this at the same step."""
    if group is None:
        return [*values]
    exchanged = torch.tensor(values)
    torch.distributed.all_reduce(exchanged, torch.distributed.ReduceOp.MAX, group)
    return exchanged.tolist()


def require_same_files(accelerator: Accelerator, group: ProcessGroup | None, folder: Path) -> None:
    """Refuse a launch whose hosts do not share ``folder``: one of them would train what the others never see.

    Raises
    ------
    VerydeepError
        In every process, when one of them does not see what the first writes there.
    """
    if group is None:
        return
    first = accelerator.is_main_process
    (number,) = largest(group, secrets.randbits(62) if first else 0)
    mark = folder / f".{number}{files.STAGING}"
    if first:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    largest(group, 0)  # the others do not look before it is there
    (unseen,) = largest(group, int(not mark.exists()))
    if first:
        mark.unlink(missing_ok=True)
    if unseen:
        raise VerydeepError(f"{folder} is not the same for all processes: all hosts must see the same files")


def agreed(accelerator: Accelerator, value: dict[str, float]) -> dict[str, float]:
    """The first process's ``value``, in every process of the launch: machines may round otherwise."""
    if accelerator.num_processes == 1:
        return value
    (first,) = broadcast_object_list([value])
    return first


def others_are_lost(group: ProcessGroup | None) -> bool:
    """Whether another process of the launch can no longer be reached; asked after an error in an update.

    Where a connection is broken a further exchange fails at once. Where all are whole it may wait for the others,
    which are elsewhere in their work: then the error was this process's own.
    """
    if group is None:
        return False
    until = time.monotonic() + _AT_ONCE
    try:
        # of the same form as that after a step, in which the others may be
        asked = torch.distributed.all_reduce(torch.zeros(2, dtype=int), torch.distributed.ReduceOp.MAX, group, True)
        while not asked.is_completed():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        asked.wait()
    except RuntimeError:
        return True
    return False
