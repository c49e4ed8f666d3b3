"""The package as a house: its rooms and what each touches, read from its sources, and one number's way through them."""

import ast
from functools import cache

import pandas as pd

from verydeep import paths, results, runs
from verydeep.chapters import display
from verydeep.chapters.claim_tables import in_parentheses
from verydeep.errors import VerydeepError
from verydeep.results import Number, citation
from verydeep.results.numbers import COUNTED
from verydeep.runs import answers, predictions
from verydeep.runs.records import KINDS


@cache
def imports() -> dict[str, set[str]]:
    """Room -> the rooms whose modules its own import, from the sources; modules at the top are rooms too."""
    modules, packages = paths.package().glob("*.py"), paths.package().glob("*/__init__.py")
    rooms = {path.stem for path in modules} | {path.parent.name for path in packages}
    touched: dict[str, set[str]] = {room: set() for room in rooms - {"__init__", "__main__"}}
    for path in paths.package().rglob("*.py"):
        room = path.relative_to(paths.package()).parts[0].removesuffix(".py")
        if room in touched:
            touched[room] |= (_imported(path.read_text(encoding="utf-8")) & set(touched)) - {room}
    return touched


def _imported(source: str) -> set[str]:
    """The rooms that a module's import statements name."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "verydeep":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("verydeep."):
            names.add(node.module.split(".")[1])
    return names


@cache
def floors() -> list[list[str]]:
    """The rooms by floor, the lowest first: each room touches only rooms on floors below its own."""
    left, built = dict(imports()), []
    while left:
        below = {room for floor in built for room in floor}
        floor = sorted(room for room, touched in left.items() if touched <= below)
        if not floor:
            raise VerydeepError(f"rooms that import each other in a circle: {', '.join(sorted(left))}")
        built.append(floor)
        left = {room: touched for room, touched in left.items() if room not in floor}
    return built


def holds(room: str) -> str:
    """What a room holds: the first paragraph of its docstring."""
    place = paths.package() / room
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8")), clean=False) or ""
    return " ".join(said.split("\n\n")[0].split())


def rooms() -> display.Table:
    """Every room, the highest floor first: what it holds, its modules and lines of source, and what it touches."""
    rows = []
    for room in [room for floor in reversed(floors()) for room in floor]:
        place = paths.package() / room
        sources = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        rows.append(
            {
                "room": room,
                "holds": holds(room),
                "modules": len(sources),
                "lines": sum(source.read_text(encoding="utf-8").count("\n") for source in sources),
                "touches": ", ".join(sorted(imports()[room])),
            }
        )
    return display.of_rows(rows, "room")


def journey(identity: str) -> display.Table:
    """The way of one number from the images to a sentence: what there is of it in each room, from the records.

    A number that has not been run, an exact count, or one of boxes or of other data has no rows, and a caption that
    says so.
    """
    number = results.number(identity)
    if number.status != "done" or number.run is None:
        return display.without_rows(f"{identity} rests on no run in this checkout.")
    folder = paths.runs() / number.study / number.run
    if not (folder / predictions.FILE).exists():
        return display.without_rows(f"{identity} is no error of classes, of which alone the way is shown.")
    tests = [folder / f"{kind}.json" for kind in KINDS if kind != "train"]
    record = next(runs.read_file(path) for path in tests if path.exists())
    steps = [
        ("data", "the images", f"{record.data.source}: {record.data.counts['val']:,} validation images, manifest "
         f"{record.data.manifest_sha256[:10]}"),
        ("studies", "what is asked", f"{number.measurement}, by the protocol: {_settings(record.protocol)}"),
        ("evaluation", "what the network said", _passes(record)),
        ("runs", predictions.FILE, _predicted(number)),
        ("runs", f"{record.kind}.json", f"errors {dict(record.measurements[number.measurement])}"),
        ("results", "the number", citation.value(number)),
        ("results", "claims that rest on it", _claims(number) or "none"),
        ("book", f"{{result}}`{number.id}`", citation.hover(number)),
    ]  # fmt: skip
    return display.table(pd.DataFrame(steps, columns=["room", "what", "there"]).set_index("room"))


def _settings(protocol: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in protocol.items())


def _passes(record: runs.EvaluateRecord | runs.FuseRecord) -> str:
    if isinstance(record, runs.FuseRecord):
        return f"the posteriors of {' and '.join(record.members)}, averaged"
    made = [f"{name} ({tested.forward_passes:,} forward passes)" for name, tested in record.passes.items()]
    return f"posteriors in the workspace: {', '.join(made)}"


def _predicted(number: Number) -> str:
    """The first image's row, and how many such rows are wrong."""
    table = answers.read(paths.runs() / number.study / number.run / predictions.FILE, number.measurement)
    first, k = table.iloc[0], COUNTED[number.metric]
    wrong = int((~predictions.hits(table, k)).sum())
    return (
        f"{first['image']}: class {first['label']}, best class {first['class_1']} with {first['probability_1']:.2f}; "
        f"of {len(table):,} such rows {wrong:,} are wrong"
    )


def _claims(number: Number) -> str:
    row = f"{number.table}.{number.row}"
    resting = [
        verdict
        for verdict in results.read(number.study).verdicts
        if any(row in (pair.first, pair.second) for pair in verdict.compared)
    ]
    return "; ".join(f"{verdict.number}: {verdict.verdict} ({in_parentheses(verdict)})" for verdict in resting)
