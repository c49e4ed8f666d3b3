"""How a reproduced number is cited: what it is in words, and an entry that leads back to its run."""

from functools import cache

import yaml

from verydeep import paths, provenance, runs
from verydeep.errors import VerydeepError
from verydeep.results import Number
from verydeep.studies import load
from verydeep.studies.measurements import METHODS

_METRICS = {"top1": "top-1 error", "top5": "top-5 error", "parameters": "millions of parameters"}


@cache
def software() -> dict:
    """The repository's ``CITATION.cff``.

    Raises
    ------
    VerydeepError
        When it is missing.
    """
    path = paths.root() / "CITATION.cff"
    if not path.exists():
        raise VerydeepError(f"{path}: missing; numbers cannot be cited without it")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def page(found: Number) -> str:
    """Where a number stands in the built book: its run's page, or the list of numbers where it has no run."""
    if found.status == "done" and found.run:
        return f"runs/{found.study}/{found.run}.html#{found.id}"
    return f"runs/numbers.html#{found.id}"


def describe(found: Number) -> str:
    """A number's meaning in words: metric, network, way of testing, study, data."""
    study, row = load(found.study), found.row
    metric = _METRICS[found.metric]
    if found.metric == "parameters":
        return f"{metric[0].upper()}{metric[1:]} of network {row} in the study {study.name}"
    method, _, scales = found.measurement.rpartition("-")
    method, scales = (method, f", Q={scales.replace('+', ', ')}") if method in METHODS else (found.measurement, "")
    table = found.table.replace("table", "Table ")
    return (
        f"{metric[0].upper()}{metric[1:]} of {row} ({table}: {method} testing{scales}) on the validation images of "
        f"{study.data.source}, study {study.name}"
    )


def value(found: Number) -> str:
    """The number as text with its interval, images and seeds, or that it has not been run."""
    if found.status != "done":
        return "not run"
    if found.low is None:
        return f"{found.value:.3f} (an exact count)"
    seeds = f"{len(found.runs)} seeds" if len(found.runs) > 1 else "one seed"
    return f"{found.value:.2f} % (95 % interval {found.low:.2f} to {found.high:.2f}, n = {found.n}, {seeds})"


def hover(found: Number) -> str:
    """What shows when a pointer rests on a number: its identity, what it is, and its value with the interval."""
    return f"{found.id}: {describe(found)}; {value(found)}"


def plain(found: Number) -> str:
    """One sentence that cites a number."""
    known = software()
    return (
        f"{describe(found)}: {value(found)}. {found.id}, in {_authors()}, {known['title']}, version "
        f"{known['version']}, commit {_commit()}, {page(found)}."
    )


def bibtex(found: Number) -> str:
    """A BibTeX entry that cites a number, with version, commit and page anchor."""
    known = software()
    fields = {
        "author": f"{{{_authors()}}}",
        "title": f"{describe(found)}",
        "howpublished": f"{{{known['title']}}}, version {known['version']}",
        "year": _made(found)[:4],
        "note": f"{value(found)}; {found.id}; commit {_commit()}; {page(found)}",
    }
    key = f"verydeep:{found.id}"
    lines = [f"  {name} = {{{_escaped(text)}}}" for name, text in fields.items()]
    return f"@misc{{{key},\n" + ",\n".join(lines) + "\n}"


def _escaped(text: str) -> str:
    for character in "%#_&":
        text = text.replace(character, f"\\{character}")
    return text


def _authors() -> str:
    people = software()["authors"]
    return " and ".join(one.get("name") or f"{one['given-names']} {one['family-names']}" for one in people)


def _commit() -> str:
    return provenance.git("rev-parse", "HEAD") or "unknown"


def _made(found: Number) -> str:
    """When the number was measured, or the version released where there is no measurement."""
    if found.status == "done" and found.run:
        folder = paths.runs() / found.study / found.run
        for kind in ("evaluate", "fuse"):
            if (folder / f"{kind}.json").exists():
                return runs.read_file(folder / f"{kind}.json").finished
    return str(software()["date-released"])
