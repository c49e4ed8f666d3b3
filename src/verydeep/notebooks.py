"""The papermill templates of the book: their parameters, checked, and their execution into a run's folder."""

import ast
import logging
import shutil
import sys
from pathlib import Path

from verydeep import files, kernels, locks, paths, runs
from verydeep.errors import StorageError, UnknownName, VerydeepError
from verydeep.studies import Fusion, Run, find_fusion, find_run

TEMPLATES = {
    "train": "training/train.ipynb",
    "evaluate": "evaluation/evaluate.ipynb",
    "fuse": "evaluation/fuse.ipynb",
}
#: The parameters that fit a notebook to the machine and change no number.
MACHINE = {"train": ("processes", "micro_batch"), "evaluate": ("pixels_per_batch",), "fuse": ("pixels_per_batch",)}
_RUN = ("study", "config", "train_scale", "variant", "seed")
_FUSION = ("members", "method")

#: How the cell begins into which papermill writes what it was given.
_INJECTED = "# Parameters\n"


def requested_run(namespace: dict) -> Run:
    """The run that a notebook's parameters ask for; call it with ``globals()`` in the first code cell.

    papermill only warns of a parameter that the notebook does not have and goes on with the defaults; here it
    is an error.

    Raises
    ------
    UnknownName
        For an unknown parameter, or a value that does not exist.
    """
    given = checked(namespace, (*_RUN, *MACHINE["train"], *MACHINE["evaluate"]))
    return find_run(given["study"], given["config"], given["train_scale"], given["seed"], given.get("variant"))


def requested_fusion(namespace: dict) -> Fusion:
    """The fusion that a notebook's parameters ask for; as :func:`requested_run`."""
    given = checked(namespace, (*_FUSION, *MACHINE["fuse"]))
    return find_fusion(given["members"], given["method"])


def checked(namespace: dict, known: tuple[str, ...]) -> dict:
    """The parameters in a notebook's namespace.

    What was given is read from the cells that IPython keeps in ``In``: that of the parameters' defaults, and that which
    papermill added. What else is defined by then, from a startup file or by a reader who runs a cell again, is no
    parameter.

    Raises
    ------
    UnknownName
        For one that is not among ``known``.
    VerydeepError
        For a number of processes or images that is none.
    """
    for name in _assigned(namespace, known):
        if name not in known:
            raise UnknownName("parameter", name, known)
    given = {name: namespace[name] for name in known if name in namespace}
    for name in sum(MACHINE.values(), ()):
        value = given.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise VerydeepError(f"{name} must be a whole number from 1 upwards, not {value!r}")
    return given


def _assigned(namespace: dict, known: tuple[str, ...]) -> list[str]:
    """The names that the cells of parameters assign; all names where there are no cells, as in a plain program."""
    if "In" not in namespace:
        return [name for name in namespace if name != "__builtins__"]
    cells = [(_names(cell), cell.startswith(_INJECTED)) for cell in namespace["In"]]
    defaults = next((names for names, injected in cells if names and known[0] in names and not injected), [])
    return [*defaults, *(name for names, injected in cells if injected for name in names or [])]


def _names(cell: str) -> list[str] | None:
    """What a cell assigns, in order; ``None`` for a cell that does anything else, or is no plain Python."""
    try:
        statements = ast.parse(cell).body
    except SyntaxError:
        return None
    if not all(isinstance(one, ast.Assign) for one in statements):
        return None
    return [target.id for one in statements for target in one.targets if isinstance(target, ast.Name)]


def parameters(run: Run | Fusion) -> dict:
    """The papermill parameters that ask for ``run``."""
    if isinstance(run, Fusion):
        return {"members": run.addresses, "method": run.method}
    asked = {
        "study": run.study.name,
        "config": run.config,
        "train_scale": _plain(run.train_scale),
        "seed": run.seed,
    }
    return asked if run.variant is None else asked | {"variant": run.variant}


def _plain(scale: str) -> int | str:
    return int(scale) if scale.isdigit() else scale


def command(run: Run | Fusion, kind: str, output: str = "out.ipynb") -> str:
    """The plain papermill command that repeats one notebook of a run."""
    shown = {name: f"[{', '.join(v)}]" if isinstance(v, list) else v for name, v in parameters(run).items()}
    given = ", ".join(f"{name}: {value}" for name, value in shown.items())
    return f"papermill book/{TEMPLATES[kind]} {output} -y '{{{given}}}'"


def execute(run: Run | Fusion, kind: str, **machine: int) -> Path:
    """Run the template ``kind`` of :data:`TEMPLATES` for ``run``; keep it in the run's folder.

    ``machine`` holds parameters of :data:`MACHINE`; those that are not of this notebook are left out.
    Does nothing when the run already has it. The notebook reaches the folder only when it succeeded, and is
    sealed with the run's other files.

    Raises
    ------
    VerydeepError
        When a cell fails; says what it said and where the notebook with the traceback lies.
    """
    kept = run.folder / f"{kind}.ipynb"
    if not is_done(run, kind):
        with locks.hold(run.workspace / f".{kind}.lock", f"{kept.name} of {run.name}"):
            if not is_done(run, kind):  # by the process that was waited for
                _execute(run, kind, kept, machine)
    return kept


def is_done(run: Run | Fusion, kind: str) -> bool:
    """Whether nothing is left to do of the template ``kind`` for ``run``: record and executed notebook are sealed."""
    kept = run.folder / f"{kind}.ipynb"
    return runs.is_complete(run, kind) and kept.exists() and kept.name in runs.read_seal(run.folder)


def _execute(run: Run | Fusion, kind: str, kept: Path, machine: dict) -> None:
    import papermill  # takes a second to import, and only this function needs it
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    logging.getLogger("papermill").addHandler(logging.NullHandler())  # what went wrong is said below, once
    working = run.workspace / kept.name
    working.parent.mkdir(parents=True, exist_ok=True)
    given = parameters(run) | {name: value for name, value in machine.items() if name in MACHINE[kind]}
    try:
        with kernels.own_world() as folder:
            # Sockets in a folder that only this user may enter: through TCP ports anyone on the machine could listen.
            private = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/socket"}})
            papermill.execute_notebook(
                _literal(paths.book() / TEMPLATES[kind]),
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
            f"{run.name}: the notebook's kernel died, by a kill or for want of memory; the same command goes on"
        ) from None
    except OSError as error:
        raise StorageError(error.filename or working, error) from error
    if fault := runs.notebook_fault(working):
        raise VerydeepError(f"{working}: {fault}")
    with runs.working_on(run):
        runs.unseal(run.folder, [kept.name])
        with files.atomic(kept) as part:
            shutil.copyfile(working, part)
        runs.seal(run.folder, [kept.name])
    working.unlink()


def _literal(path: Path) -> str:
    """A path that papermill, which puts parameters into the braces of one, leaves as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")


def execute_run(run: Run, **machine: int) -> None:
    """Train and evaluate ``run`` through the notebooks, and first whatever it starts from; see :func:`execute`."""
    if run.parent is not None:
        execute_run(run.parent, **machine)
    if run.study.train:
        execute(run, "train", **machine)
    if not run.pilot:
        execute(run, "evaluate", **machine)
