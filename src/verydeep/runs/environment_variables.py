"""Environment variables that accelerate, torch and launchers read: what other programs left in them changes no number.

Each is of one of four kinds. Those of torchrun say which of its processes this is; a set of them that is not whole is
refused. Those of accelerate and MPI are taken away for as long as a network is trained: the study says what they would.
Those that compute in another precision than the study's are refused. Those that choose among ways to compute the same
(threads, instruction sets, the order of a sum over processes) are part of the record.
"""

import contextlib
import os
from collections.abc import Iterator

from verydeep.errors import VerydeepError

#: What torchrun gives each of its processes, and ``accelerate launch`` through it.
TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
#: Of these alone accelerate believes to be in a launch; addresses without them are a cluster's defaults.
_RANKS = TORCHRUN[:4]
#: How many processes an MPI launch has; accelerate believes each of these.
MPI_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
#: Read by accelerate alone (FSDP_ and the like only where one of ACCELERATE_ says so), or in an MPI launch.
_TAKEN_AWAY = ("ACCELERATE_", "FORK_LAUNCHED", "PMI_", "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_", "MPI_LOCAL")
#: Arithmetic in another precision than the study's, decided by a library before we could say otherwise.
PRECISIONS = (
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
)
#: Of NCCL's only those that choose an algorithm: others name hosts and networks.
_RECORDED = ("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "ONEDNN_", "DNNL_", "ATEN_", "NPY_", "CUBLAS_", "CUDNN_",
             "NCCL_ALGO", "NCCL_PROTO", "NCCL_NTHREADS", "NCCL_MIN_", "NCCL_MAX_", "NCCL_BUFFSIZE", "NCCL_COLLNET_",
             "NCCL_NVLS_", "TORCH_CUDNN_", "TORCH_BLAS_", "TORCH_MKLDNN_")  # fmt: skip
_TRUE = ("1", "true", "t", "yes", "y", "on")
#: Seconds after which another process of a launch that has not been heard of is given up; a year at most.
SILENCE, _LONGEST = "VERYDEEP_SILENCE", 365 * 24 * 3600
_LAST_PORT = 65535


def process() -> tuple[int, int]:
    """(rank, number of processes) of the launch by torchrun that this process is part of; (0, 1) where it is of none.

    Raises
    ------
    VerydeepError
        When variables of a launch are there and the others, or sensible values, are not.
    """
    given = {name: os.environ[name] for name in _RANKS if os.environ.get(name)}
    if not given:
        _refuse_mpi()
        return 0, 1
    shown = ", ".join(f"{name}={value}" for name, value in given.items())
    remedy = "unset them, or start the command with torchrun or accelerate launch"
    if missing := [name for name in TORCHRUN if not os.environ.get(name)]:
        raise VerydeepError(f"{shown} is set as in a launch of many processes, but {', '.join(missing)} not: {remedy}")
    numbers = [_whole(given[name]) for name in _RANKS]
    if None in numbers:
        raise VerydeepError(f"{shown}: not whole numbers; {remedy}")
    rank, size, local_rank, local_size = numbers
    if not (rank < size and local_rank < local_size <= size and local_rank <= rank):
        raise VerydeepError(f"{shown}: no launch has such a process; {remedy}")
    port = os.environ["MASTER_PORT"]
    if not 1 <= (_whole(port) or 0) <= _LAST_PORT:
        raise VerydeepError(f"MASTER_PORT={port}: no port; a port is a whole number from 1 to {_LAST_PORT}: {remedy}")
    return rank, size


def _whole(value: str) -> int | None:
    """The whole number that a variable holds, or ``None``; more digits than any has are none, as int() refuses some."""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None


def _refuse_mpi() -> None:
    for name in MPI_SIZES:
        if (_whole(os.environ.get(name, "")) or 0) > 1:
            raise VerydeepError(
                f"{name}={os.environ[name]} is set as in a launch by MPI, which would train the same network so many "
                f"times: unset it, and train on many devices with --processes or torchrun"
            )


def asks_for_cpu() -> bool:
    """Whether ``accelerate launch --cpu`` asks for the processor where there is a GPU too."""
    return os.environ.get("ACCELERATE_USE_CPU", "").lower() in _TRUE


def silence() -> int | None:
    """Seconds after which a silent process is given up, as :data:`SILENCE` says; ``None`` leaves it to torch.

    Raises
    ------
    VerydeepError
        When it is no whole number from 1, or longer than a year.
    """
    value = os.environ.get(SILENCE)
    if not value:
        return None
    seconds = _whole(value)
    if not 1 <= (seconds or 0) <= _LONGEST:
        raise VerydeepError(
            f"{SILENCE}={value}: no number of seconds; set it to a whole one from 1 to {_LONGEST}, a year, or unset it"
        )
    return seconds


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block accelerate finds torchrun's variables, where there is a launch, and no others."""
    kept = {"ACCELERATE_USE_CPU"} if asks_for_cpu() else set()
    of_launch = (*TORCHRUN, "TORCHELASTIC_") if process()[1] == 1 else ()
    with _without((*_TAKEN_AWAY, *of_launch), kept):
        yield


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Within the block accelerate can be imported: it reads some of its variables then."""
    with _without(_TAKEN_AWAY, set()):
        yield


@contextlib.contextmanager
def _without(beginnings: tuple[str, ...], kept: set[str]) -> Iterator[None]:
    hidden = {name: value for name, value in os.environ.items() if name.startswith(beginnings) and name not in kept}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def require_precision() -> None:
    """Raise :class:`VerydeepError` when a variable would have a library compute in another precision than asked."""
    for name in PRECISIONS:
        if value := os.environ.get(name):
            raise VerydeepError(f"{name}={value} changes the precision that the study names: unset it")


def require_importable() -> None:
    """Raise :class:`VerydeepError` for a variable with which torch cannot even be imported."""
    levels = ("OFF", "INFO", "DETAIL")
    value = os.environ.get("TORCH_DISTRIBUTED_DEBUG", "OFF")
    if value.upper() not in levels:
        raise VerydeepError(f"TORCH_DISTRIBUTED_DEBUG={value}: torch takes {', '.join(levels)} alone; unset it")


def recorded() -> dict[str, str]:
    """The variables that choose among ways to compute the same, for the record: the last bits depend on them."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(_RECORDED)}
