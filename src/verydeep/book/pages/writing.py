"""Every page that the build writes itself, and the files beside them."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import nbformat
import pandas as pd

from verydeep import files, machine, paths, results, runs
from verydeep.book.pages.numbers import numbers_page
from verydeep.book.pages.parts import DOWNLOADS
from verydeep.book.pages.reference import reference_pages
from verydeep.book.pages.runs import fusion_page, run_page, transfer_page, tuning_page
from verydeep.book.pages.studies import study_page
from verydeep.chapters import figures, formats
from verydeep.results import citation
from verydeep.runs import provenance, publication, templates
from verydeep.runs.records import HISTORY
from verydeep.studies import Recorded, Run, Study, load, names

#: Lines of the source that a template shows: a run was made by those of its day, which may be gone.
_SHOWN_SOURCE = re.compile(r"```\{literalinclude\}.*?\n```", re.DOTALL)
#: A link of a template to another page of its room.
_BESIDE = re.compile(r"\]\(([\w-]+\.(?:ipynb|md))")
_OF_TODAY = "*(The lines as they are today stand in the chapter.)*"
_SOURCE = re.compile(r"<dc:source>([^<]*)</dc:source>")


def write_pages(target: Path) -> None:
    """Write a page for every study and run below ``target`` (``book/runs``); what is no longer there is removed.

    Raises
    ------
    RecordError
        When a record does not fit its schema.
    """
    recorded = {name: runs.recorded_runs(load(name)) for name in names()}
    curves = [
        _Curve(target / name / f"{run.name}-curve.svg", run.folder / HISTORY, run.name, run.boxes is not None)
        for name, of_study in recorded.items()
        for run in of_study
        if (run.folder / HISTORY).exists()
    ]
    with _drawn(curves):
        written = {curve.target for curve in curves} | {_write(target / "numbers.md", numbers_page())}
        for name, of_study in recorded.items():
            written |= _write_study(target, load(name), of_study)
    kept = target / "numbers"
    for path in sorted(target.rglob("*"), reverse=True):
        if kept in path.parents or path == kept:
            continue
        if path.is_file() and path not in written:
            path.unlink(missing_ok=True)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _write_study(target: Path, study: Study, recorded: list[Run]) -> set[Path]:
    """Write the page of a study and those of what is recorded of it."""
    folder = target / study.name
    written = {_write(target / f"{study.name}.md", study_page(study))}
    for run in recorded:
        written |= _write_run(folder, run)
    for fusion in runs.recorded_fusions(study):
        written.add(_write(folder / f"{fusion.name}.md", fusion_page(fusion)))
        written |= _write_files(folder, fusion)
    for transfer in runs.recorded_transfers(study):
        written.add(_write(folder / f"{transfer.name}.md", transfer_page(transfer)))
        written |= _write_files(folder, transfer)
    for tuning in runs.recorded_tunings(study):
        written.add(_write(folder / f"{tuning.name}.md", tuning_page(tuning)))
        written |= _write_files(folder, tuning)
    return written


def write_reference(target: Path) -> None:
    """Write the reference of the package below ``target`` (``book/reference``), a page a room; others are removed."""
    written = {_write(target / f"{name}.md", page) for name, page in reference_pages().items()}
    for path in set(target.glob("*.md")) - written:
        path.unlink()


def write_numbers(target: Path) -> None:
    """Write what the book offers to programs: every number as JSON and CSV, schemas, ``CITATION.cff``."""
    numbers = [results.as_dict(number) for name in names() for number in results.read(name).numbers]
    software = citation.software()
    published = {
        "title": software["title"],
        "version": str(software["version"]),
        "released": publication.is_released(str(software["version"])),
        "commit": provenance.head().commit,
        "address": publication.book_url(),
        "repository": publication.repository_url(),
        "numbers": numbers,
    }
    _write(target / "numbers.json", json.dumps(published, indent=1) + "\n")
    frame = pd.DataFrame(numbers, dtype=object)  # or whole numbers would become fractions beside what is missing
    frame["runs"] = [" ".join(number["runs"]) for number in numbers]
    _write(target / "numbers.csv", frame.to_csv(index=False, lineterminator="\n"))
    schema = resources.files("verydeep.book").joinpath("static/numbers.schema.json").read_text(encoding="utf-8")
    _write(target / "numbers.schema.json", schema)
    formats.write_schemas(target)
    _write(target / "CITATION.cff", citation.cff())


def _write(path: Path, text: str) -> Path:
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # an unchanged page is not built again
        files.write_text(path, text)
    return path


class _Curve(NamedTuple):
    """A run's learning curve: where it is drawn, of which history, what it is called, and whether of boxes."""

    target: Path
    history: Path
    name: str
    boxes: bool


@contextlib.contextmanager
def _drawn(curves: list[_Curve]) -> Iterator[None]:
    """Draw the learning curves that are not there, each core some of them, beside what is done within the block.

    A picture says of what it was made: of the run's history by the sources of our pictures.
    """
    drawn_by = f"{provenance.sources_sha256(paths.package() / 'chapters' / 'figures')} {version('matplotlib')}"
    made_from = [files.sha256_bytes(f"{files.sha256(curve.history)} {drawn_by}".encode()) for curve in curves]
    missing = [(curve, made) for curve, made in zip(curves, made_from, strict=True) if _said(curve.target) != made]
    if not missing:
        yield
        return
    with ProcessPoolExecutor(min(len(missing), machine.cores())) as processes:
        drawn = processes.map(_draw_curve, *zip(*missing, strict=True))
        try:
            yield
        except BaseException:
            processes.shutdown(cancel_futures=True)
            raise
        list(drawn)


def _said(picture: Path) -> str | None:
    """What a picture says of what it was made of."""
    said = _SOURCE.search(picture.read_text(encoding="utf-8")) if picture.exists() else None
    return said and said[1]


def _draw_curve(curve: _Curve, made_from: str) -> None:
    title = f"{curve.history.parent.parent.name}: {curve.name}"
    figures.learning_curve(pd.read_csv(curve.history), title, curve.boxes).save(curve.target, made_from)


def _write_run(folder: Path, run: Run) -> set[Path]:
    return {_write(folder / f"{run.name}.md", run_page(run))} | _write_files(folder, run)


def _write_files(folder: Path, run: Recorded) -> set[Path]:
    """The executed notebooks as pages, and the files offered for download."""
    written = set()
    for kind in templates.TEMPLATES:
        executed = run.folder / f"{kind}.ipynb"
        if executed.exists():
            written.add(_write(folder / f"{run.name}-{kind}.ipynb", _notebook_page(executed, run, kind)))
    shared = folder / run.name  # the files offered for download
    for name in DOWNLOADS:
        if (run.folder / name).exists():
            shared.mkdir(parents=True, exist_ok=True)
            if not (shared / name).exists() or files.sha256(shared / name) != files.sha256(run.folder / name):
                shutil.copyfile(run.folder / name, shared / name)
            written.add(shared / name)
    return written


def _notebook_page(executed: Path, run: Recorded, kind: str) -> str:
    """The executed notebook as a page of its own: not executed again, its links one level deeper."""
    notebook, room = nbformat.read(executed, as_version=4), templates.template(run, kind).split("/")[0]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            deeper = _BESIDE.sub(rf"](../../{room}/\1", cell.source.replace("](../", "](../../"))
            cell.source = _SHOWN_SOURCE.sub(_OF_TODAY, deeper)
    verb = {"train": "trained", "transfer": "carried to other data", "finetune": "compared"}.get(kind, "tested")
    title = f"# {run.study.name}: how {run.name} was {verb}\n\n"
    title += f"The notebook as papermill executed it. Back to [the run]({run.name}.md)."
    notebook.cells[0].source = notebook.cells[0].source.replace("# ", "## ", 1)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(title, id="run-page"))
    notebook.metadata["orphan"] = notebook.metadata["nosearch"] = True
    notebook.metadata["mystnb"] = {"execution_mode": "off"}
    return nbformat.writes(notebook)
