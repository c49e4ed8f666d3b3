"""How a reproduced number is cited: what it is in words, and an entry that leads back to its run."""

import json
from functools import cache

import yaml

from verydeep import paths, runs
from verydeep.errors import VerydeepError
from verydeep.results import Number, publication
from verydeep.runs import provenance
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
    """One sentence that cites a number.

    Raises
    ------
    VerydeepError
        When the number has not been run: there is nothing to cite.
    """
    _refuse_not_run(found)
    return (
        f"{describe(found)}: {value(found)}. {found.id}, in {' and '.join(_names())}, {software()['title']}, "
        f"{version()}, commit {_commit(found)}, {address(found)}."
    )


def bibtex(found: Number) -> str:
    """A BibTeX entry that cites a number, with version, commit and page.

    Raises
    ------
    VerydeepError
        When the number has not been run.
    """
    _refuse_not_run(found)
    fields = {
        "author": f"{{{' and '.join(_names())}}}",
        "title": f"{describe(found)}",
        "howpublished": f"{{{software()['title']}}}, {version()}",
        "year": _made(found)[:4],
        "note": f"{value(found)}; {found.id}; commit {_commit(found)}; {page(found)}",
    }
    lines = [f"  {name} = {{{_escaped(text)}}}" for name, text in fields.items()]
    if url := publication.page_url(page(found)):
        lines.append(f"  url = {{{url}}}")
    return f"@misc{{{_key(found)},\n" + ",\n".join(lines) + "\n}"


def csl(found: Number) -> str:
    """An item in CSL-JSON, which Zotero, Pandoc and other programs read, that cites a number.

    Raises
    ------
    VerydeepError
        When the number has not been run.
    """
    _refuse_not_run(found)
    item = {
        "id": _key(found),
        "type": "dataset",
        "title": describe(found),
        "author": [{"literal": name} for name in _names()],
        "issued": {"date-parts": [[int(part) for part in _made(found)[:10].split("-")]]},
        "container-title": software()["title"],
        "version": f"{version().removeprefix('version ')}, commit {_commit(found)}",
        "note": f"{value(found)}; {found.id}; {page(found)}",
    }
    if url := publication.page_url(page(found)):
        item["URL"] = url
    return json.dumps([item], indent=2, ensure_ascii=False)


#: How ``verydeep cite --format`` prints a number.
FORMATS = {"text": plain, "bibtex": bibtex, "csl": csl}


def address(found: Number) -> str:
    """Where a number stands: the address of its page, or the page alone for a book that is not published."""
    return publication.page_url(page(found)) or f"page {page(found)}"


def version() -> str:
    """The version in words; a checkout between two releases says so."""
    number = str(software()["version"])
    return f"version {number}" + ("" if publication.is_released(number) else " (unreleased)")


def cff() -> str:
    """``CITATION.cff`` with the addresses of the book and of the repository, where they are known."""
    known = dict(software())
    for key, url in (("url", publication.book_url()), ("repository-code", publication.repository_url())):
        if url:
            known[key] = url
    if commit := provenance.head().commit:
        known["commit"] = commit
    return yaml.safe_dump(known, sort_keys=False, allow_unicode=True)


def _refuse_not_run(found: Number) -> None:
    if found.status != "done":
        raise VerydeepError(f"{found.id} has not been run: there is no number to cite")


def _key(found: Number) -> str:
    return f"verydeep:{found.id}"


def _escaped(text: str) -> str:
    for character in "%#_&":
        text = text.replace(character, f"\\{character}")
    return text


def _names() -> list[str]:
    return [one.get("name") or f"{one['given-names']} {one['family-names']}" for one in software()["authors"]]


def _commit(found: Number) -> str:
    """The commit that has the number; one whose runs are not committed says so, and so does a checkout without git."""
    commit = provenance.head().commit
    if commit is None:
        return f"unknown ({provenance.git_unknown() or 'nothing is committed yet'})"
    lacking = [name for name in found.runs if not provenance.is_committed(paths.runs() / found.study / name)]
    return f"{commit}, which does not have the run {lacking[0]}" if lacking else commit


def _made(found: Number) -> str:
    """The date on which a number was measured; of an exact count, that of the sources it was computed from."""
    if found.run:
        folder = paths.runs() / found.study / found.run
        for kind in ("evaluate", "fuse"):
            if (folder / f"{kind}.json").exists():
                return runs.read_file(folder / f"{kind}.json").finished
    return provenance.head().date or provenance.now()
