"""What the book says of its own code and files is what they are."""

import json
from collections.abc import Iterator

import jsonschema
import pandas as pd
import pytest

from conftest import REPOSITORY
from test_project import ROOMS, TOP
from verydeep import paths, results, runs, studies
from verydeep.chapters import formats, house
from verydeep.errors import VerydeepError
from verydeep.runs.records import KINDS


def test_every_room_stands_above_all_that_it_touches():
    height = {room: k for k, floor in enumerate(house.floors()) for room in floor}
    assert set(height) == ROOMS | TOP - {"__init__", "__main__"}
    assert all(height[touched] < height[room] for room, every in house.imports().items() for touched in every)
    assert {"runs", "studies"} <= house.imports()["results"] and "results" not in house.imports()["runs"]


def test_a_circle_of_rooms_is_said(monkeypatch):
    monkeypatch.setattr(house, "imports", lambda: {"a": {"b"}, "b": {"a"}, "c": set()})
    house.floors.cache_clear()
    with pytest.raises(VerydeepError, match="import each other in a circle: a, b"):
        house.floors()
    house.floors.cache_clear()


def test_the_table_of_rooms_says_what_each_holds(checkout):
    table = house.rooms()
    assert set(table.index) == ROOMS | TOP - {"__init__", "__main__"}
    assert all(table["holds"]) and (table["lines"] > 0).all()
    assert table.loc["paper", "touches"] == "errors"


def test_the_way_of_a_number_is_that_of_its_records(trained):
    number = results.number("smoke.table3.A-256.top1")
    table = house.journey(number.id)
    record = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate")
    text = " ".join(table["there"])
    wrong = int(results.wrong(number).sum())
    assert f"of 364 such rows {wrong} are wrong" in text and f"manifest {record.data.manifest_sha256[:10]}" in text
    assert f"'top1_error': {number.value}" in text and "dense-256 (728 forward passes)" not in text
    for name in ("quarter.table8.D-384-scr-fc.true_class", "narrow.table11.D-jitter-on-caltech101.recall"):
        assert house.journey(name).empty
    assert house.journey("smoke.table3.D-256.top1").empty and house.journey("smoke.table2.D.parameters").empty


#: Kinds of records of which none may have been recorded yet; tests of their rooms make some and check them so.
YOUNG = ("finetune",)


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_fits_its_published_schema_and_every_key_of_it_is_listed(kind):
    records = sorted((REPOSITORY / "runs").glob(f"*/*/{kind}.json"))
    listed = set(formats.keys(kind).index)
    assert (records or kind in YOUNG) and all(formats.keys(kind)["what it holds"])
    for path in records:
        record = json.loads(path.read_text())
        jsonschema.Draft7Validator(formats.schema(kind)).validate(record)
        for key in _keys_of(record):
            assert key in listed or key.startswith(FREE), key
    assert {"evaluate": "measurements.*.top1_error", "fuse": "members.*.measurement"}.get(kind, "study") in listed


#: Mappings of things of one form by their names, and what has no form of its own.
NAMED = ("passes", "members", "measurements", "work")
FREE = ("parameters.", "protocol.", "artefacts.", "environment.packages.", "device.variables.", "data.counts.",
        "data.statistics.", "data.boxes.images.", "members.*.posteriors.", "members.*.asked.")  # fmt: skip


def _keys_of(part: object, prefix: str = "") -> Iterator[str]:
    """Every key of a record, with dots between those within another."""
    if isinstance(part, dict):
        for name, held in part.items():
            if prefix.removesuffix(".") in NAMED:
                yield from _keys_of(held, f"{prefix}*.")
            else:
                yield f"{prefix}{name}"
                yield from _keys_of(held, f"{prefix}{name}.")
    elif isinstance(part, list):
        for held in part:
            yield from _keys_of(held, f"{prefix.removesuffix('.')}[].")


def test_a_key_that_no_record_has_is_refused_by_the_schema():
    record = json.loads(next((REPOSITORY / "runs").glob("*/*/train.json")).read_text())
    with pytest.raises(jsonschema.ValidationError, match="Additional properties are not allowed"):
        jsonschema.Draft7Validator(formats.schema("train")).validate(record | {"mood": "good"})


def test_the_page_of_formats_names_every_column_of_the_files(trained):
    page = (REPOSITORY / "book" / "building" / "formats.md").read_text()
    folder = paths.runs() / "smoke" / "A-256-s0"
    for name in pd.read_csv(folder / "history.csv"):
        assert f"`{name}`" in page
    for name in pd.read_parquet(folder / "predictions.parquet"):
        stem, _, number = name.rpartition("_")
        assert f"`{name}`" in page or (f"`{stem}_1` to `{stem}_5`" in page and number in "12345")
    assert all(f"`{path.name}`" in page for path in folder.iterdir())
