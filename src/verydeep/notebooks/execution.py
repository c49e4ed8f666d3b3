"""The execution of a template, through papermill, into a run's folder."""

import logging
import shutil
import sys
from pathlib import Path

from verydeep import files, locks, paths, progress, runs
from verydeep.data.sources import source
from verydeep.errors import StorageError, VerydeepError
from verydeep.notebooks import kernels
from verydeep.notebooks.requests import MACHINE
from verydeep.runs import provenance
from verydeep.runs.outputs import rests_on
from verydeep.runs.templates import template
from verydeep.studies import Recorded, Run, Transfer, Tuning, classes_of


def execute(run: Recorded, kind: str | None = None, **machine: int) -> Path:
    """Run the template ``kind`` (:func:`template`), by default of its last record, for ``run``; keep it in its folder.

    ``machine`` holds parameters of :data:`MACHINE`; those that are not of this notebook are left out.
    Does nothing when the run already has it. The notebook reaches the folder only when it succeeded, and is
    sealed with the run's other files.

    Raises
    ------
    VerydeepError
        When a cell fails; says what it said and where the notebook with the traceback lies. And when the network of
        ``run`` was trained by other settings than its study has now: it is neither done, nor trained anew unasked.
    """
    kind = kind or run.kind
    kept = run.folder / f"{kind}.ipynb"
    if isinstance(run, Run):
        runs.publish_weights(run)
        runs.require_trained_as_asked(run)
    if not runs.is_done(run, kind):
        # Said now, and not from within a notebook after images were decoded.
        provenance.require_own_sources()
        files.require_writable(run.folder)
        for network in (started for started, of in rests_on(run, kind) if of == "train"):
            runs.require_weights(network)
        with locks.hold(run.workspace / f".{kind}.lock", f"{kept.name} of {run.name}"):
            if not runs.is_done(run, kind):  # by the process that was waited for
                _execute(run, kind, kept, machine)
    return kept


def _execute(run: Recorded, kind: str, kept: Path, machine: dict) -> None:
    import papermill  # takes a second to import, and only this function needs it
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    logging.getLogger("papermill").addHandler(logging.NullHandler())  # what went wrong is said below, once
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the cell that an interrupt left behind is nobody's news
    working = run.workspace / kept.name
    working.parent.mkdir(parents=True, exist_ok=True)
    given = run.parameters | {name: value for name, value in machine.items() if name in MACHINE[kind]}
    try:
        with kernels.own_world() as folder:
            # Sockets in a folder that only this user may enter: through TCP ports anyone on the machine could listen.
            private = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/socket"}})
            papermill.execute_notebook(
                _literal(paths.book() / template(run, kind)),
                _literal(working),
                given,
                kernel_name=kernels.NAME,
                cwd=paths.root(),
                progress_bar=False,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
                config=private,
            )
    except papermill.PapermillExecutionError as error:
        raise VerydeepError(f"{error.ename}: {error.evalue} (notebook with the traceback: {working})") from None
    except DeadKernelError:
        raise VerydeepError(
            f"{run.name}: the notebook's kernel died, by a kill or for want of memory; run it again to continue"
        ) from None
    except OSError as error:
        raise StorageError(error.filename or working, error) from error
    if fault := runs.notebook_fault(working):
        raise VerydeepError(f"{working}: {fault}")
    with runs.working_on(run):
        with runs.rewriting(run.folder, [kept.name]):
            with files.atomic(kept) as part:
                shutil.copyfile(working, part)
    working.unlink()


def _literal(path: Path) -> str:
    """A path that papermill, which puts parameters into the braces of one, leaves as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")


def execute_run(run: Run, **machine: int) -> None:
    """Train and evaluate ``run`` through the notebooks, and first whatever it starts from; see :func:`execute`.

    Of a network that gives boxes, also the classification system whose classes they are given to.
    """
    system = classes_of(run)[0] if run.boxes else None  # asked for before anything is trained
    if run.parent is not None:
        execute_run(run.parent, **machine)
    if system is not None:
        execute_recorded(system, **machine)
    for kind in run.kinds:
        execute(run, kind, **machine)


def execute_recorded(asked: Recorded, **machine: int) -> None:
    """:func:`execute_run`, or make what is made of several networks, once these are trained or tested as it needs.

    Raises
    ------
    DataError
        When the data set to which they are carried is not there: before a network is trained for it.
    """
    if isinstance(asked, Run):
        return execute_run(asked, **machine)
    if isinstance(asked, Transfer | Tuning):
        source(asked.source).require()
    for run in asked.members:
        if asked.made_from == run.kind:
            execute_run(run, **machine)
        elif run.study.train and not runs.is_complete(run, asked.made_from):
            progress.line(f"{asked.name}: {run.name} is not trained yet, and is trained first")
            if run.parent is not None:
                execute_run(run.parent, **machine)
            execute(run, "train", **machine)
    execute(asked, **machine)
    return None
