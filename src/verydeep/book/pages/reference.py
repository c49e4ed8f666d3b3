"""The reference of the package: a page for each room, with what its modules offer, from their docstrings."""

import ast
from pathlib import Path

from verydeep import paths
from verydeep.chapters import house

#: A book with a table of contents of its own need not have these pages in it.
_ORPHAN = ("---", "orphan: true", "---")


def reference_pages() -> dict[str, str]:
    """Room -> its page, the rooms at the top of the package together in one, ``tools``; and ``index``, their list."""
    rooms = [room for floor in house.floors() for room in floor]
    pages = {room: _modules(room) for room in rooms if (paths.package() / room).is_dir()}
    pages["tools"] = [f"verydeep.{room}" for room in sorted(set(rooms) - set(pages))]
    said = "What each module offers, from its docstrings, with its source. The rooms, from the lowest up:"
    index = [*_ORPHAN, "# Reference", "", said, ""]
    index += [f"- [`{name}`]({name}.md): {_said(name)}" for name in pages]
    return {name: _page(name, modules) for name, modules in pages.items()} | {"index": "\n".join([*index, ""])}


def _modules(room: str) -> list[str]:
    """The modules of a room that define something, by name."""
    sources = sorted((paths.package() / room).rglob("*.py"))
    return [".".join(("verydeep", *_parts(source))) for source in sources if source.stem != "__init__"]


def _parts(source: Path) -> tuple[str, ...]:
    return source.relative_to(paths.package()).with_suffix("").parts


def _page(name: str, modules: list[str]) -> str:
    lines = [*_ORPHAN, f"# `{name}`", "", _said(name), ""]
    for module in modules:
        if names := _public(module):
            lines += [f"## {module.removeprefix('verydeep.')}", "", "```{eval-rst}", f".. automodule:: {module}"]
            lines += [f"   :members: {', '.join(names)}", "   :member-order: bysource", "```", ""]
    return "\n".join(lines)


def _said(name: str) -> str:
    return "The modules at the top of the package." if name == "tools" else house.holds(name).replace("``", "`")


def _public(module: str) -> list[str]:
    """The functions and classes that a module defines for others."""
    source = paths.package().joinpath(*module.split(".")[1:]).with_suffix(".py")
    defined = ast.parse(source.read_text(encoding="utf-8")).body
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node.name for node in defined if isinstance(node, kinds) and not node.name.startswith("_")]
