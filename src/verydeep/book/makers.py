"""Which function made what a cell of a chapter shows, read from the cells: nothing is imported or run."""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

from verydeep import paths

#: What these show was made by the function whose result they are given.
_FRAMES = frozenset({"verydeep.chapters.display.table", "verydeep.chapters.display.errors"})


class Definition(NamedTuple):
    """A function or class by the module that defines it."""

    module: str
    name: str


def maker(cells: list[str]) -> Definition | None:
    """The function of this package that made what the last of some code cells shows, or ``None``.

    The cells are the notebook's from its beginning on: what a name stands for is found in them.
    """
    imported: dict[str, str] = {}
    assigned: dict[str, ast.expr] = {}
    statements = [statement for cell in cells for statement in _statements(cell)]
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imported |= _imports(statement)
        elif isinstance(statement, ast.Assign):
            targets = (node for target in statement.targets for node in ast.walk(target))
            assigned |= {node.id: statement.value for node in targets if isinstance(node, ast.Name)}
    last = _statements(cells[-1])[-1:]
    return _made(last[0].value, imported, assigned) if last and isinstance(last[0], ast.Expr) else None


def _statements(cell: str) -> list[ast.stmt]:
    try:
        return ast.parse(cell).body
    except SyntaxError:  # a command of the notebook's
        return []


def _imports(statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Each name that an import statement brings, and what it stands for."""
    origin = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
    return {alias.asname or alias.name: f"{origin}{alias.name}" for alias in statement.names}


def _made(value: ast.expr, imported: dict[str, str], assigned: dict[str, ast.expr]) -> Definition | None:
    if isinstance(value, ast.Name):
        made = {name: expression for name, expression in assigned.items() if name != value.id}
        return _made(assigned[value.id], imported, made) if value.id in assigned else None
    if isinstance(value, ast.Attribute | ast.Subscript):
        return _made(value.value, imported, assigned)
    if not isinstance(value, ast.Call):
        return None
    called = _dotted(value.func, imported)
    if called is None:  # a method of what another call gave
        return _made(value.func, imported, assigned)
    if called in _FRAMES and value.args and (inner := _made(value.args[0], imported, assigned)):
        return inner
    return definition(*called.rpartition(".")[::2])


def _dotted(function: ast.expr, imported: dict[str, str]) -> str | None:
    """The full name of a function that is called by an imported name."""
    parts = []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name) or function.id not in imported:
        return None
    return ".".join([imported[function.id], *reversed(parts)])


@cache
def definition(module: str, name: str) -> Definition | None:
    """Where this package defines what a module offers under a name; packages pass on what their modules define."""
    path = _source(module)
    if path is None:
        return None
    for node in _module(path):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return Definition(module, name)
        if isinstance(node, ast.ImportFrom) and (origin := _imports(node).get(name)):
            return definition(*origin.rpartition(".")[::2])
    return None


@cache
def _module(path: Path) -> list[ast.stmt]:
    return _statements(path.read_text(encoding="utf-8"))


def _source(module: str) -> Path | None:
    first, *rest = module.split(".")
    if first != "verydeep":
        return None
    place = paths.package().joinpath(*rest)
    existing = (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())
    return next(existing, None)
