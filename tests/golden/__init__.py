"""What the recorded studies say, written out: whoever moves code about must not change it. See ``__main__``."""

import ast
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
from dataclasses import asdict, is_dataclass
from pathlib import Path
from unittest import mock

import nbformat
import pandas as pd

from conftest import REPOSITORY, make_checkout

FOLDER = Path(__file__).parent
#: Chapters that compute on torch, draw at random, or show a machine, its packages or speed; they have their own tests.
LEFT_OUT = ("train", "evaluate", "fuse", "localise", "initialisation", "dense-form", "receptive-field", "lrn", "faults",
            "checklist", "peers", "transfer", "finetune", "speed")  # fmt: skip


def recorded() -> list[str]:
    """The run folders that the files speak of: those that were there when they were written."""
    return json.loads((FOLDER / "runs.json").read_text())


def checkout(folder: Path, run_folders: list[str]) -> Path:
    """A checkout that has these runs, as links to the repository's, and no others."""
    root = make_checkout(folder)
    for name in run_folders:
        (root / "runs" / name).parent.mkdir(exist_ok=True)
        (root / "runs" / name).symlink_to(REPOSITORY / "runs" / name)
    date = "2026-01-01T00:00:00+00:00"
    environment = os.environ | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -q -m x"):
        subprocess.run(["git", *command.split()], cwd=root, env=environment, check=True)
    return root


def collect(root: Path) -> dict[str, dict[str, str]]:
    """Everything that ``root`` says: kind -> name -> text."""
    from verydeep import files, results, studies
    from verydeep.book import pages
    from verydeep.chapters import error_tables
    from verydeep.chapters.figures import Picture
    from verydeep.results import citation, status

    found: dict[str, dict[str, str]] = {kind: {} for kind in ("numbers", "verdicts", "citations", "shown", "reports")}
    with mock.patch.dict(os.environ, {"VERYDEEP_ROOT": str(root), "VERYDEEP_ARTIFACTS": str(root / "artifacts")}):
        for study in studies.names():
            for number in results.read(study).numbers:
                found["numbers"][number.id] = _text(results.as_dict(number))
                if number.status == "done":
                    cited = "\n".join(citation.cite(number, form) for form in citation.FORMATS)
                    found["citations"][number.id] = _elsewhere(cited, root)
            for verdict in results.read(study).verdicts:
                said = asdict(verdict) | {"verdict": verdict.verdict, "size": verdict.size, "fair": verdict.fair}
                found["verdicts"][f"{study}.{verdict.number}"] = _text(said)
            found["reports"][f"{study} plan"] = status.plan(studies.load(study))
            found["reports"][f"{study} show"] = status.show_study(study)
        found["reports"]["headline"] = error_tables.headline()
        for name, text in _chapters(root):
            found["shown"][name] = text
        with mock.patch.object(
            Picture, "save", lambda self, path, source: files.write_text(path, "")
        ):  # slow, not compared
            pages.write_pages(root / "book" / "runs")
        found["pages"] = {
            path.relative_to(root / "book" / "runs").as_posix(): _elsewhere(path.read_text(), root)
            for path in sorted((root / "book" / "runs").rglob("*.md"))
        }
    shutil.rmtree(root / "book" / "runs")
    return found


def _elsewhere(text: str, root: Path) -> str:
    """A text without what is another in every checkout: its commit, and its place."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout
    return text.replace(commit.strip(), "COMMIT").replace(str(root), "")


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=lambda one: asdict(one) if is_dataclass(one) else str(one))


def _chapters(root: Path):
    """(chapter and number of the cell, what it shows), for every cell of every chapter that shows text."""
    for path in sorted((root / "book").rglob("*.ipynb")):
        if path.stem in LEFT_OUT:
            continue
        namespace: dict = {"In": []}
        cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        for number, source in enumerate(cells):
            namespace["In"].append(source)
            if text := _shown(source, namespace):
                yield f"{path.stem} {number}", text


def _shown(source: str, namespace: dict) -> str:
    """What a cell prints and what its last line is worth, as text; pictures are nothing."""
    from verydeep.chapters import display

    *statements, last = ast.parse(source).body
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(statements, []), "cell", "exec"), namespace)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
        else:
            exec(compile(source, "cell", "exec"), namespace)
            value = None
    if isinstance(value, pd.DataFrame):
        return printed.getvalue() + display.text(value).to_csv(lineterminator="\n")
    shown = getattr(value, "_repr_html_", None) or getattr(value, "_repr_markdown_", None)
    return printed.getvalue() + ((shown() if shown else value if isinstance(value, str) else "") or "")


#: Long texts, of which a hash is kept.
HASHED = ("citations", "pages")


def hashed(texts: dict[str, str]) -> dict[str, str]:
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}


def keys(run_folders: list[str]) -> dict[str, list[str]]:
    """The keys of every kind of record."""
    found: dict[str, set[str]] = {}
    for name in run_folders:
        for path in (REPOSITORY / "runs" / name).glob("*.json"):
            found.setdefault(path.stem, set()).update(json.loads(path.read_text()))
    return {kind: sorted(names) for kind, names in sorted(found.items())}
