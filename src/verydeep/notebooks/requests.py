"""What the parameters of a papermill template ask for, checked."""

import ast

from verydeep.errors import UnknownName, VerydeepError
from verydeep.runs.templates import template
from verydeep.studies import (
    Fusion,
    OwnImages,
    Run,
    Transfer,
    Tuning,
    find_fusion,
    find_run,
    find_transfer,
    find_tuning,
)

#: The parameters that fit a notebook to the machine; those of training change the last bits, and are recorded.
MACHINE = {"train": ("processes", "micro_batch"), "evaluate": ("pixels_per_batch",), "fuse": ("pixels_per_batch",),
           "transfer": ("pixels_per_batch",), "finetune": ("pixels_per_batch",)}  # fmt: skip
_RUN = ("study", "config", "train_scale", "variant", "seed")
_FUSION = ("members", "method")
_TRANSFER = ("data", "members")
_TUNING = ("network", "images", "to")

#: How the cell begins into which papermill writes what it was given.
_INJECTED = "# Parameters\n"


def requested_run(namespace: dict, boxes: bool = False) -> Run:
    """The run that a notebook's parameters ask for; call it with ``globals()`` in the first code cell.

    ``boxes`` says whether the notebook is about networks that give boxes in place of classes.

    papermill only warns of a parameter that the notebook does not have and goes on with the defaults; here it
    is an error.

    Raises
    ------
    UnknownName
        For an unknown parameter, or a value that does not exist.
    VerydeepError
        For a network that gives boxes where the notebook is about classes, or the other way round.
    """
    given = checked(namespace, (*_RUN, *MACHINE["train"], *MACHINE["evaluate"]))
    run = find_run(given["study"], given["config"], given["train_scale"], given["seed"], given.get("variant"))
    if bool(run.boxes) != boxes:
        raise VerydeepError(
            f"{run.name} gives {'boxes' if run.boxes else 'classes'}: take book/{template(run, 'train')} and "
            f"book/{template(run, 'evaluate')}"
        )
    return run


def requested_fusion(namespace: dict) -> Fusion:
    """The fusion that a notebook's parameters ask for; as :func:`requested_run`."""
    given = checked(namespace, (*_FUSION, *MACHINE["fuse"]))
    return find_fusion(given["members"], given["method"])


def requested_transfer(namespace: dict) -> Transfer:
    """The transfer that a notebook's parameters ask for; as :func:`requested_run`."""
    given = checked(namespace, (*_TRANSFER, *MACHINE["transfer"]))
    return find_transfer(given["members"], given["data"])


def requested_tuning(namespace: dict) -> Tuning | OwnImages:
    """The tuning that a notebook's parameters ask for, to a data set or to a folder; as :func:`requested_run`."""
    given = checked(namespace, (*_TUNING, *MACHINE["finetune"]))
    return find_tuning(given["network"], given["images"])


def checked(namespace: dict, allowed: tuple[str, ...]) -> dict:
    """The parameters in a notebook's namespace.

    What was given is read from the cells that IPython keeps in ``In``: that of the parameters' defaults, and that which
    papermill added. What else is defined by then, from a startup file or by a reader who runs a cell again, is no
    parameter.

    Raises
    ------
    UnknownName
        For one that is not among ``allowed``, or that the notebook has no default of and so does nothing with.
    VerydeepError
        For a number of processes or images that is none.
    """
    defaults, added = _assigned(namespace, allowed)
    known = [name for name in allowed if name in defaults] or allowed
    for name in (*defaults, *added):
        if name not in known:
            raise UnknownName("parameter", name, known)
    given = {name: namespace[name] for name in allowed if name in namespace}
    for name in sum(MACHINE.values(), ()):
        value = given.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise VerydeepError(f"{name} must be a whole number from 1 upwards, not {value!r}")
    return given


def require_kinds(namespace: dict, given: dict) -> None:
    """Refuse a value of another kind than its default, which the cell of parameters assigns.

    A number is from 1 upwards, or from 0 where the default is; where that is no whole number any above 0 will do.
    A list has one value at least, each of the kind of the default's.

    Raises
    ------
    VerydeepError
        Naming the parameter, what it must be, and what was given.
    """
    defaults = _defaults(namespace, [*given])
    for name, value in given.items():
        if defaults.get(name) is not None and (wanted := _other_kind(value, defaults[name])):
            raise VerydeepError(f"{name} must be {wanted}, such as {defaults[name]!r}, not {value!r}")


def _other_kind(value, default) -> str:
    """What a value should be, by its default; nothing where it is that."""
    if isinstance(default, list):
        fits = isinstance(value, list) and value and not any(_other_kind(one, default[0]) for one in value)
        return "" if fits else "a list, of one at least"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "a text"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number"
    if isinstance(default, int):
        least = min(default, 1)
        return "" if isinstance(value, int) and value >= least else f"a whole number from {least} upwards"
    return "" if value > 0 else "a number above 0"


def _defaults(namespace: dict, names: list[str]) -> dict:
    """Parameter -> the value that its cell assigns; none where there is no cell, as in a plain program."""
    for cell in namespace.get("In", []):
        if not cell.startswith(_INJECTED) and set(names) & set(_names(cell) or []):
            return {one.targets[0].id: ast.literal_eval(one.value) for one in ast.parse(cell).body}
    return {}


def _assigned(namespace: dict, allowed: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The names that the cells of parameters assign, the defaults' and papermill's.

    All names are papermill's where there are no cells, as in a plain program.
    """
    if "In" not in namespace:
        return [], [name for name in namespace if name != "__builtins__"]
    cells = [(_names(cell), cell.startswith(_INJECTED)) for cell in namespace["In"]]
    defaults = next((names for names, injected in cells if names and allowed[0] in names and not injected), [])
    return defaults, [name for names, injected in cells if injected for name in names or []]


def _names(cell: str) -> list[str] | None:
    """What a cell assigns, in order; ``None`` for a cell that does anything else, or is no plain Python."""
    try:
        statements = ast.parse(cell).body
    except SyntaxError:
        return None
    if not all(isinstance(statement, ast.Assign) for statement in statements):
        return None
    return [target.id for statement in statements for target in statement.targets if isinstance(target, ast.Name)]
