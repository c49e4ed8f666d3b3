"""Environment variables that another program left behind: each changes no weight, or is refused in one line."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from faults import small
from faults.cases import Entry, case
from faults.world import World
from verydeep import files
from verydeep.runs import environment_variables

#: Variables that are taken away, each with a value that accelerate would take up, or fail on.
TAKEN_AWAY = {
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
    "ACCELERATE_DYNAMO_BACKEND": "inductor",
    "ACCELERATE_DYNAMO_MODE": "no such mode",
    "ACCELERATE_DYNAMO_USE_FULLGRAPH": "perhaps",
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_TORCH_DEVICE": "meta",
    "ACCELERATE_USE_CPU": "perhaps",
    "ACCELERATE_USE_DEEPSPEED": "true",
    "ACCELERATE_USE_FSDP": "true",
    "ACCELERATE_USE_MEGATRON_LM": "true",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "true",
    "ACCELERATE_USE_SAGEMAKER": "true",
    "ACCELERATE_CPU_AFFINITY": "perhaps",
    "ACCELERATE_DEBUG_MODE": "perhaps",
    "ACCELERATE_BYPASS_DEVICE_MAP": "perhaps",
    "ACCELERATE_DOWNCAST_BF16": "true",
    "ACCELERATE_FP8_BACKEND": "AO",
    "ACCELERATE_LOG_LEVEL": "perhaps",
    "FORK_LAUNCHED": "perhaps",
    "PMI_SIZE": "1",
    "PMI_RANK": "3",
    "OMPI_COMM_WORLD_SIZE": "one",
    "OMPI_COMM_WORLD_RANK": "2",
    "MV2_COMM_WORLD_LOCAL_RANK": "1",
    "MPI_LOCALRANKID": "1",
    "MASTER_ADDR": "nowhere.invalid",
    "MASTER_PORT": "none",
    "RANK": "",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
    "CUBLAS_WORKSPACE_CONFIG": "perhaps",
}
#: A launch of one process that is long over.
ONE_PROCESS = {
    "RANK": "0",
    "WORLD_SIZE": "1",
    "LOCAL_RANK": "0",
    "LOCAL_WORLD_SIZE": "1",
    "MASTER_ADDR": "nowhere.invalid",
    "MASTER_PORT": "1",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}


#: Variables that libraries read once, when they are imported, each with a value that they would take up, or fail on.
AT_IMPORT = {
    "TORCH_DISTRIBUTED_DEBUG": "DETAIL",
    "USE_TORCH_XLA": "1",
    "XLA_USE_BF16": "1",
    "FSDP_VERSION": "none",
    "TORCHINDUCTOR_MAX_AUTOTUNE": "1",
    "TORCH_COMPILE_DEBUG": "1",
    "PYTORCH_JIT": "0",
    "PYTHONHASHSEED": "7",
    "PYTHONOPTIMIZE": "2",
}


def weights_of_a_process(world: World, **left: str) -> str:
    """As :func:`weights`, by a Python that is started under ``left``."""
    program = (
        "from faults import small\nfrom verydeep import training\nwith small.sets():\n    training.train(small.run())"
    )
    modules = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=world.root, capture_output=True, text=True, timeout=300,
        env=os.environ | world.environment | {"PYTHONPATH": modules} | left,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-1500:])
    return files.sha256(world.runs / "small" / "A-256-s0" / "weights.safetensors")


def weights(world: World, **variables: str) -> str:
    """The hash of the weights that :func:`small.run` gives under ``variables``, in a world that has its images."""
    from accelerate.state import AcceleratorState

    from verydeep import training

    with world.entered(), small.sets(), mock.patch.dict(os.environ, variables):
        AcceleratorState._reset_state(reset_partial_state=True)  # as in a process of its own
        run = small.run()
        training.train(run, report=lambda _: None)
        return files.sha256(run.weights)


def refused_case(what: str, says: str, **variables: str):
    """Refused before anything is written."""

    @case("variable", what, rf"error: {says}")
    def add(world: World) -> Entry:
        from verydeep import training

        small.make(world)
        os.environ.update(variables)
        return lambda: training.train(small.run())


refused_case("a rank without its launch", "RANK=1 is set as in a launch .*, but WORLD_SIZE, .* not: unset", RANK="1")
refused_case("a number of processes alone", "WORLD_SIZE=2 is set as in a launch", WORLD_SIZE="2")
refused_case("a local rank alone", "LOCAL_RANK=0 is set as in a launch", LOCAL_RANK="0")
refused_case("a launch by words", "RANK=first, .*: not whole numbers", **ONE_PROCESS | {"RANK": "first"})
refused_case("a rank beyond its launch", "RANK=1, .*: no launch has such a process", **ONE_PROCESS | {"RANK": "1"})
for _name in environment_variables.MPI_SIZES:
    refused_case(f"{_name} of an MPI launch", f"{_name}=2 is set as in a launch by MPI", **{_name: "2"})
for _name in environment_variables.PRECISIONS:
    refused_case(f"{_name}", f"{_name}=1 changes the precision", **{_name: "1"})


@case("variable", "a debug level that torch does not know", "TORCH_DISTRIBUTED_DEBUG=perhaps: torch takes OFF")
def unknown_debug_level(world: World) -> Entry:
    os.environ["TORCH_DISTRIBUTED_DEBUG"] = "perhaps"
    return ["study", "list"]
