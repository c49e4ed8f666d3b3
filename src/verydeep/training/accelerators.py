"""accelerate, of which nothing is taken but a process's device, its precision, and the others of its launch."""

import os

import torch

from verydeep import assembly
from verydeep.errors import VerydeepError
from verydeep.runs import variables
from verydeep.studies import Run

with variables.importing():
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

__all__ = ["Accelerator", "accelerator"]


def accelerator(run: Run) -> Accelerator:
    """accelerate's view of this process: its device, its precision, and the others of its launch.

    Raises
    ------
    VerydeepError
        For a precision that the device does not have, or more processes than images in a batch.
    """
    precision = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}[run.recipe.precision]
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it cuBLAS is not deterministic
    assembly.exact_float32()
    AcceleratorState._reset_state()  # a parent trained before this may have had another precision
    # accelerate joins the processes of a machine without accelerators only when it is told that there are none
    on_cpu = variables.asks_for_cpu() or not torch.accelerator.is_available()
    made = Accelerator(cpu=on_cpu, mixed_precision=precision)
    if run.recipe.precision == "float16" and made.device.type != "cuda":
        raise VerydeepError(f"{run.name}: precision float16 needs a GPU; bfloat16 and float32 run anywhere")
    parts = made.num_processes
    if parts > run.recipe.batch:
        raise VerydeepError(f"{run.name}: a batch of {run.recipe.batch} cannot be split over {parts} processes")
    return made
