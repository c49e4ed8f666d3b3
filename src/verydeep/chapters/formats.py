"""The forms of the records, from their schemas."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

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


def keys(kind: str) -> display.Table:
    """Every key of a record, with dots between those within another, its type and what it holds."""
    top = schema(kind)
    rows = [{"key": key, "type": said, "what it holds": held} for key, said, held in _keys(top, top, "")]
    return display.table(pd.DataFrame(rows).set_index("key"))


def _keys(top: dict, part: dict, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in part["properties"].items():
        shape, said = _shape(field)
        missing = "" if name in part.get("required", ()) or "const" in field else ", may be missing"
        held = field.get("description") or top["$defs"][shape]["description"]
        yield f"{prefix}{name}", said + missing, held.replace("``", "")
        if shape is not None:
            below = {"object": f"{prefix}{name}.*.", "array": f"{prefix}{name}[]."}.get(field.get("type"))
            yield from _keys(top, top["$defs"][shape], below or f"{prefix}{name}.")


def _shape(field: dict) -> tuple[str | None, str]:
    """The part that a key holds, by its name, if any; and the key's type in words."""
    choices = field.get("anyOf", [field])
    within = [choice.get("items", choice.get("additionalProperties", choice)) for choice in choices]
    referred = [part["$ref"] for part in within if isinstance(part, dict) and "$ref" in part]
    shape = referred[0].rpartition("/")[2] if referred else None
    return shape, " or ".join(choice.get("type", "object") for choice in choices)
