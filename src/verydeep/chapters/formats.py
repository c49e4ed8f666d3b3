"""The forms of the records, from their schemas."""

import json
from collections.abc import Iterator
from pathlib import Path

from verydeep import files
from verydeep.chapters import display
from verydeep.runs.records import KINDS


def schema(kind: str) -> dict:
    """The JSON schema of a kind of record, a key of ``KINDS``: ``train``, ``evaluate``, ..."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | KINDS[kind].model_json_schema()


def write_schemas(folder: Path) -> None:
    """Write ``<kind>.schema.json`` for every kind of record."""
    for kind in KINDS:
        files.write_text(folder / f"{kind}.schema.json", json.dumps(schema(kind), indent=1) + "\n")


_MISSING = ", may be missing"


def keys(kind: str) -> display.Table:
    """Every key of a record, with dots between those within another, its type and what it holds."""
    top = schema(kind)
    rows = [{"key": key, "type": said, "what it holds": held} for key, said, held in _keys(top, top, "")]
    return display.of_rows(rows, "key")


def _keys(top: dict, part: dict, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in part["properties"].items():
        shapes = [*_shapes(field)]
        said = " or ".join(choice.get("type", "object") for choice in field.get("anyOf", [field]))
        missing = "" if name in part.get("required", ()) or "const" in field else _MISSING
        held = field.get("description") or top["$defs"][shapes[0][1]]["description"]
        yield f"{prefix}{name}", said + missing, held.replace("``", "")
        parts = [[*_keys(top, top["$defs"][shape], f"{prefix}{name}{below}.")] for below, shape in shapes]
        common = set.intersection(*({key for key, *_ in rows} for rows in parts)) if parts else set()
        for key, (said_below, held_below) in {key: rest for rows in parts[::-1] for key, *rest in rows}.items():
            yield key, said_below + _MISSING * (key not in common and _MISSING not in said_below), held_below


def _shapes(field: dict) -> Iterator[tuple[str, str]]:
    """The parts that a key may hold, by their names, each with what stands for its place in a list or a mapping."""
    for choice in field.get("anyOf", [field]):
        if "$ref" in choice:
            yield "", choice["$ref"].rpartition("/")[2]
        held = [(".*", choice.get("additionalProperties")), ("[]", choice.get("items"))]
        held += [(".*", within) for within in choice.get("patternProperties", {}).values()]
        for below, within in held:
            if isinstance(within, dict):
                yield from ((f"{below}{further}", shape) for further, shape in _shapes(within))
