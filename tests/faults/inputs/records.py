"""Records, seals, predictions and notebooks that somebody has edited by hand."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd

from faults.cases import Entry, case
from faults.kills import RUN
from faults.world import World
from verydeep import runs


def record_case(what: str, says: str, command: str, change: Callable[[Path], None], lines: int | None = 1):
    @case("record", what, says, trained=True, lines=lines)
    def add(world: World) -> Entry:
        change(world.runs / "smoke" / RUN)
        return command.split()


def edited(name: str, sealed: bool, **changes) -> Callable[[Path], None]:
    """Change keys of a record; ``sealed`` as if the editor had known of the seal."""

    def change(folder: Path) -> None:
        record = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(record | changes))
        if sealed:
            runs.seal(folder, [name])

    return change


def better(folder: Path, sealed: bool = False) -> None:
    """Every error a tenth of what it was."""
    record = json.loads((folder / "evaluate.json").read_text())
    for errors in record["measurements"].values():
        errors["top1_error"] /= 10
    (folder / "evaluate.json").write_text(json.dumps(record))
    if sealed:
        runs.seal(folder, ["evaluate.json"])


def rewritten(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def better_predictions(folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    table["class_1"] = table["label"]
    table.to_parquet(folder / "predictions.parquet", index=False)
    runs.seal(folder, ["predictions.parquet"])


def failed_notebook(folder: Path) -> None:
    notebook = nbformat.read(folder / "train.ipynb", as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])]
    nbformat.write(notebook, folder / "train.ipynb")
    runs.seal(folder, ["train.ipynb"])


def no_number(folder: Path) -> None:
    record = json.loads((folder / "evaluate.json").read_text())
    for errors in record["measurements"].values():
        errors["top1_error"] = math.nan
    edited("evaluate.json", True, measurements=record["measurements"])(folder)


def better_training(folder: Path) -> None:
    record = json.loads((folder / "train.json").read_text())
    edited("train.json", True, metrics=record["metrics"] | {"train_top1_error": 0.0})(folder)


def copied(folder: Path) -> None:
    other = folder.with_name("A-256-s1")
    shutil.copytree(folder, other)
    for name in ("train.json", "evaluate.json"):
        edited(name, True, seed=1)(other)


def nested(folder: Path) -> None:
    (folder / "evaluate.json").write_bytes(b'{"study":' + b"[" * 100_000)
    runs.seal(folder, ["evaluate.json"])


_DIFFERS = "error: runs/smoke/A-256-s0/{}: content differs from its sha256"
_NUMBERS = "numbers smoke"
record_case("a better error", _DIFFERS.format("evaluate.json"), _NUMBERS, better)
record_case("a better error, sealed again", ".*predictions.parquet yields", "check",
            lambda folder: better(folder, True), lines=None)  # fmt: skip
record_case(
    "better predictions, sealed again", ".*(names another sha256|yields)", "check", better_predictions, lines=None
)
record_case("cut short", _DIFFERS.format("evaluate.json"), _NUMBERS, rewritten("evaluate.json", b'{"study": "smo'))
record_case("a key of its own", "error: .*evaluate.json: note: Extra inputs", _NUMBERS,
            edited("evaluate.json", True, note="x"))  # fmt: skip
record_case("a key of another kind", "error: .*evaluate.json: seed: Input should be a valid integer", _NUMBERS,
            edited("evaluate.json", True, seed="zero"))  # fmt: skip
record_case("an option of git in place of a commit", "error: .*evaluate.json: sources.commit: String should match",
            _NUMBERS, edited("evaluate.json", True, sources={"commit": "--output=train.json", "dirty": False,
                                                             "sources_sha256": "0"}))  # fmt: skip
record_case("of another schema", "error: .*evaluate.json: schema_version", _NUMBERS,
            edited("evaluate.json", True, schema_version=99))  # fmt: skip
record_case("of another run", "error: .*train.json: is the record of another run, D-256-s0", "status smoke",
            edited("train.json", True, config="D"))  # fmt: skip
record_case("of another study", ".*train.json: says study 'quarter', lies under 'smoke'", "check",
            edited("train.json", True, study="quarter"), lines=None)  # fmt: skip
record_case("seal with a line too short", r"error: .*SHA256SUMS: line 1 is not '<sha256>  <file>'", _NUMBERS,
            rewritten("SHA256SUMS", b"abc  train.json\n"))  # fmt: skip
record_case("seal that is not text", "error: .*SHA256SUMS: not text", _NUMBERS, rewritten("SHA256SUMS", b"\xff\xfe\n"))
record_case("notebook that failed", ".*train.ipynb: a cell ended in an error", "check", failed_notebook, lines=None)
record_case(
    "a file of its own", ".*notes.txt: not listed in SHA256SUMS", "check", rewritten("notes.txt", b"x"), lines=None
)
record_case("a date that is none", "error: .*evaluate.json: finished: .*no date", _NUMBERS,
            edited("evaluate.json", True, finished="soon"))  # fmt: skip
record_case("an error that is no number", "error: .*top1_error: Input should be a finite number", _NUMBERS, no_number)
record_case("a better training error, sealed again", ".*train_top1_error is 0.0, history.csv yields", "check",
            better_training, lines=None)  # fmt: skip
record_case("a run copied as another seed", ".*A-256-s1: has the very weights of .*A-256-s0", "check", copied,
            lines=None)  # fmt: skip
record_case("nested without end", "error: .*evaluate.json", _NUMBERS, nested)
