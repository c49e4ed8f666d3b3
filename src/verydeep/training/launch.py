"""Who trains: this process, or as many as a launch has or is asked for; parents first, and nothing twice."""

import contextlib
import functools
import itertools
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.distributed import PrefixStore, Store
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.distributed.rendezvous import rendezvous

from verydeep import assembly, errors, machine, paths, progress, runs
from verydeep.errors import Interrupted, ProcessLost, VerydeepError
from verydeep.runs import environment_variables
from verydeep.studies import Run
from verydeep.training import checkpoints, loop, signals

#: Images that one device takes at once unless told otherwise; the rest of its part of a batch is accumulated.
MICRO_BATCH = 256
#: The signals for which torch's elastic agent installs handlers, which it leaves behind.
AGENT = (*signals.STOPS, signal.SIGHUP, signal.SIGQUIT)
_QUESTIONS = itertools.count()


def train(
    run: Run, *, processes: int = 1, micro_batch: int = MICRO_BATCH, report: Callable[[str], None] = progress.line
) -> Path:
    """Train ``run``, and first whatever it starts from; do nothing for what is finished already.

    Leaves ``history.csv`` and ``train.json`` in the run's folder, ``weights.safetensors`` there or, if not published,
    in its workspace; until then a checkpoint, from which the same call goes on after a signal or a kill.

    Parameters
    ----------
    processes
        Devices to train on. With more than one, processes are started here (from a notebook too); under
        ``torchrun`` or ``accelerate launch`` leave it at 1.
    micro_batch
        Images that a device takes at once. A smaller one needs less memory and gives the same update but for rounding,
        by accumulating gradients until the study's batch is full. Batch normalisation takes its batch whole.
    report
        Receives a line for every epoch; with several processes a function of a module, called in the first of them.

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    TrainingDiverged
        When the loss is no longer finite; names the epoch, the rate and the last good checkpoint.
    OutOfMemory
        When the device has not the memory for ``micro_batch`` images; names a number that fits, or one to try.
    Interrupted
        After a signal, with the state saved.
    ProcessLost
        When another process of the launch has ended.
    VerydeepError
        For a study that trains nothing, more processes than GPUs, a batch that normalisation would have split, and a
        record, of a parent too, of another training or whose weights are not here: none is replaced unasked.
    """
    if not run.study.train:
        raise VerydeepError(f"the study {run.study.name} trains nothing: it tests published weights")
    environment_variables.require_precision()
    rank, size = environment_variables.process()
    _require_one_launch(size, processes)
    _require_gpus(processes)
    if rank == 0:
        _require_replaces_none(run)
    if _is_trained(run):
        if rank == 0:
            _finish(run)
            report(f"{run.name}: already trained")
        return run.folder
    _require_whole_batch(run, max(size, processes), micro_batch)
    if run.parent is not None:
        train(run.parent, processes=processes, micro_batch=micro_batch, report=report)
    # Of the processes that torchrun has started, the first holds the run for all.
    with runs.working_on(run) if rank == 0 else contextlib.nullcontext():
        if not _is_trained(run):  # by the process that had it until now
            fit = functools.partial(_launch, processes) if processes > 1 else loop.fit
            fit(run, micro_batch, report)
    return run.folder


def _require_one_launch(started: int, asked: int) -> None:
    if started > 1 and asked > 1:
        raise VerydeepError(f"a launcher has started {started} processes already: leave --processes at 1")


def _require_gpus(asked: int) -> None:
    """Refuse more processes on this machine than GPUs: NCCL has two on one fail, and does not say how to go on."""
    here, gpus = max(asked, int(os.environ.get("LOCAL_WORLD_SIZE") or 1)), torch.cuda.device_count()
    if here > max(gpus, 1) and assembly.device().type == "cuda":
        raise VerydeepError(f"{here} processes are more than the {gpus} GPUs that are here: start one for each GPU")


def _require_replaces_none(run: Run) -> None:
    """Refuse a run whose record would be replaced, though nobody asked for that: children and fusions cite it."""
    runs.publish_weights(run)
    runs.require_trained_as_asked(run)
    runs.require_weights(run)


def _finish(run: Run) -> None:
    """Do what a kill after the record was written has left undone."""
    runs.seal_training(run)
    (run.workspace / paths.CHECKPOINT).unlink(missing_ok=True)


def _require_whole_batch(run: Run, processes: int, micro_batch: int) -> None:
    """No number may hang on how a batch is split, so a network whose statistics would is refused in parts."""
    if run.normalises and (processes > 1 or micro_batch < run.recipe.batch):
        raise VerydeepError(
            f"{run.name}: batch normalisation takes its means over the {run.recipe.batch} images of a whole batch, and "
            f"a part of one would train another network: leave --processes at 1, and give --micro-batch "
            f"{run.recipe.batch} or more"
        )


def _is_trained(run: Run) -> bool:
    """Whether the run is trained, as the first process of a launch has it, for as long as that waits for the run.

    A file may be there for one process a moment before another, and they must all train or none. Asked of the store of
    the launch: processes that are joined give each other up sooner than the run may be free.
    """
    rank, size = environment_variables.process()
    trained = rank == 0 and runs.read_record(run, "train") is not None and (run.pilot or run.weights.exists())
    if size == 1:
        return trained
    question = str(next(_QUESTIONS))
    try:
        if rank == 0:
            _store().set(question, str(trained))
            return trained
        while not _store().check([question]):
            time.sleep(0.5)
        return _store().get(question) == b"True"
    except RuntimeError as error:
        raise ProcessLost(
            f"{run.name}: rank {rank} of {size} processes lost the first before training: it ended or its host went "
            f"away; run it again to continue"
        ) from error


@functools.cache
def _store() -> Store:
    store, _, _ = next(rendezvous("env://"))
    return PrefixStore("verydeep", store)


def _launch(processes: int, run: Run, *arguments) -> None:
    """What torchrun does, from within a program or a notebook: so many processes, and an end when one of them fails.

    They are started afresh: a forked one would inherit the locks of threads that it does not have.
    """
    assembly.open_data(run)  # decoded once, before every process wants it
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="spawn",
        run_id=run.name,
    )
    level, threads = logging.root.manager.disable, os.environ.get("OMP_NUM_THREADS")
    logging.disable(logging.CRITICAL)  # what went wrong is said below, once
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, machine.cores() // processes)))
    try:
        with environment_variables.undisturbed(), signals.restored(AGENT):
            elastic_launch(config, loop.fit)(run, *arguments)
    except ChildFailedError as error:
        raise VerydeepError(_why_failed(run, error, processes)) from None
    except SignalException as error:
        last = "trained" if _is_trained(run) else checkpoints.described(run.workspace / paths.CHECKPOINT)
        raise Interrupted(f"{run.name}: stopped by {error.sigval.name}, {last}; run it again to continue") from None
    finally:
        logging.disable(level)
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]


def _why_failed(run: Run, error: ChildFailedError, processes: int) -> str:
    """One line: the rank of the process that ended first, why, and what to do."""
    rank, failure = error.get_first_failure()
    which = f"{run.name}: rank {rank} of {processes} processes"
    if failure.exitcode < 0:
        return f"{which} was ended by {failure.signal_name()}, and the others stopped; run it again to continue"
    if not isinstance(failure.message, dict):  # torch has nothing of it but the exit code
        return (
            f"{which} ended with exit code {failure.exitcode} before it could say why; what it printed stands above (a "
            f'script that trains on several does so below `if __name__ == "__main__":`, for each of them reads it)'
        )
    kind, message = _told(failure.message["message"].strip().splitlines())
    return f"{which}: {message if hasattr(errors, kind) else f'{kind}: {message}'}"


def _told(lines: list[str]) -> tuple[str, str]:
    """Of an error's type and what it says, which may hold the traceback of another process and end in that one's."""
    kind, _, message = lines[0].partition(": ")
    for line in lines[1:]:
        name, found, said = line.partition(": ")
        if found and name.rpartition(".")[2] == kind:
            message = said
    return kind, message
