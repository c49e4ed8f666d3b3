"""How a reproduced number is cited: what it is in words, and an entry that leads back to its run."""

import contextlib
import json
from functools import cache
from pathlib import Path

import yaml

from verydeep import files, paths, runs
from verydeep.errors import VerydeepError
from verydeep.results import Number
from verydeep.results.differences import Difference
from verydeep.runs import provenance, publication
from verydeep.runs.records import TESTS
from verydeep.studies import load, table6_fusions, table9_fusions
from verydeep.studies.measurements import BOX_METHODS, METHODS
from verydeep.studies.names import RunName
from verydeep.studies.targets import TARGETS, TRANSFER_TABLES, target_of
from verydeep.studies.transfer import ON, PIXELS

_METRICS = {"top1": "top-1 error", "top5": "top-5 error", "parameters": "millions of parameters"}
#: In the tables of localisation (A.2).
_BOX_METRICS = {
    "true_class": "localisation error of the true class's box",
    "top1": "top-1 localisation error",
    "top5": "top-5 localisation error",
}


def software() -> dict:
    """The repository's ``CITATION.cff``.

    Raises
    ------
    VerydeepError
        When it is missing.
    """
    return _software(paths.root() / "CITATION.cff")


@cache
def _software(path: Path) -> dict:
    if not path.exists():
        raise VerydeepError(f"{path}: missing; numbers cannot be cited without it")
    said = files.read_yaml(path)
    if lacking := [key for key in ("title", "version", "license", "authors") if not said.get(key)]:
        raise VerydeepError(f"{path}: has no {lacking[0]}; restore it (git checkout)")
    return said


def page(number: Number) -> str:
    """Where a number stands in the built book: its run's page, or the list of numbers where it has no run."""
    if number.status == "done" and number.run:
        return f"runs/{number.study}/{number.run}.html#{number.id}"
    return f"runs/numbers.html#{number.id}"


#: Ways of testing whose names alone do not say what they are.
_SPOKEN = {"both": "dense and multi-crop"}


def describe(number: Number) -> str:
    """A number's meaning in words: metric, network, way of testing, study, data."""
    if number.table in TRANSFER_TABLES:
        return _describe_transfer(number)
    study, row = load(number.study), number.row
    metric = (_BOX_METRICS if number.table in ("table8", "table9", "table10") else _METRICS)[number.metric]
    if number.metric == "parameters":
        return f"{metric[0].upper()}{metric[1:]} of network {row} in the study {study.name}"
    method, _, scales = number.measurement.rpartition("-")
    method, scales = (
        (method, f", Q={scales.replace('+', ', ')}") if method in METHODS | BOX_METHODS else (number.measurement, "")
    )
    table = number.table.replace("table", "Table ")
    together = {"table6": table6_fusions, "table9": table9_fusions, "table10": table9_fusions}
    fusion = next(
        (made for made in together.get(number.table, lambda _: {})(study).values() if made.name == number.run), None
    )
    if fusion:
        row = f"{' and '.join(run.row for run in fusion.members)} together"
    return (
        f"{metric[0].upper()}{metric[1:]} of {row} ({table}: {_SPOKEN.get(method, method)} testing{scales}) on the "
        f"validation images of {study.data.source}, study {study.name}"
    )


def _describe_transfer(number: Number) -> str:
    metric = {"map": "Mean average precision", "recall": "Mean class recall"}[number.metric]
    networks, _, behind = number.row.partition(ON)
    source = target_of(behind)
    said = "pixels" if networks == PIXELS else f"the features of {networks}"
    table = number.table.replace("table", "Table ")
    return (
        f"{metric} of {said} ({table}: {number.measurement}) with a linear classifier on {TARGETS[source].title}, "
        f"study {number.study}"
    )


def value(number: Number) -> str:
    """The number as text with its interval, images and seeds, or that there is none, by its status."""
    if number.status != "done":
        return number.status
    if number.low is None:
        return f"{number.value:.3f} (an exact count)"
    seeds = f"{len(number.runs)} seeds: {', '.join(number.runs)}" if len(number.runs) > 1 else "one seed"
    return f"{number.value:.2f} % (95 % interval {number.low:.2f} to {number.high:.2f}, n = {number.n}, {seeds})"


def hover(number: Number) -> str:
    """What shows when a pointer rests on a number: its identity, what it is, and its value with the interval."""
    return f"{number.id}: {describe(number)}; {value(number)}"


def describe_difference(difference: Difference) -> str:
    """A difference in words: of which numbers, over how many images and which seeds."""
    if len(difference.pairs) > 1:
        study = difference.pairs[0][0].study
        pairs = "; ".join(
            f"{first.table}.{first.row} and {second.table}.{second.row}" for first, second in difference.pairs
        )
        said = f"How much better the second is than the first, on average over {pairs}, study {study}"
    else:
        ((first, second),) = difference.pairs
        less = "less that of" if first.is_error else "taken from that of"
        said = f"{describe(first)}, {less} {second.table}.{second.row}"
    seeds = "seed" if len(difference.seeds) == 1 else "seeds"
    return f"{said}; {difference.n:,} images, {seeds} {', '.join(map(str, difference.seeds))}"


def compared(difference: Difference) -> str:
    """The difference of a single pair, line by line: both numbers, how far apart and how sure."""
    ((first, second),) = difference.pairs
    ours = difference.interval
    lines = [f"{number.id}: {value(number)}" for number in (first, second)]
    lines += [
        f"{describe_difference(difference)}:",
        f"{ours.value:+.2f} points (95 % interval {ours.low:+.2f} to {ours.high:+.2f}); above zero the second is ahead",
    ]
    if difference.only_wrong:
        alone = "only the first is wrong on {:,} images, only the second on {:,}".format(*difference.only_wrong)
        lines.append(f"{alone}: McNemar's exact test, p = {difference.p:.2g}")
    if difference.detectable is not None:
        lines.append(f"a difference of {difference.detectable:.1f} points would be found four times in five")
    if len(difference.seeds) == 1:
        lines.append("of one seed; another may move it further")
    if difference.training:
        errors = "{:.1f} and {:.1f} %".format(*difference.training)
        lines.append(
            f"on their training crops: {errors}; where these differ, part of the difference may be one of training"
        )
    return "\n".join(lines)


def cite(number: Number, form: str) -> str:
    """A number cited in one of :data:`FORMATS`.

    Raises
    ------
    VerydeepError
        When there is no number yet.
    """
    if number.status != "done":
        raise VerydeepError(f"{number.id}: {number.status}, so there is no number to cite")
    return FORMATS[form](number)


def _plain(number: Number) -> str:
    """One sentence."""
    return (
        f"{describe(number)}: {value(number)}. {number.id}, in {' and '.join(authors())}, {software()['title']}, "
        f"{version()}, commit {_commit(number)}, {address(number)}."
    )


def _bibtex(number: Number) -> str:
    """A BibTeX entry, with version, commit and page."""
    fields = {
        "author": " and ".join(f"{{{name}}}" for name in authors()),
        "title": f"{{{describe(number)}}}",  # in braces of its own: styles put a title's names in lower case
        "howpublished": f"{{{software()['title']}}}, {version()}",
        "year": _made(number)[:4],
        "note": f"{value(number)}; {number.id}; commit {_commit(number)}; {page(number)}",
    }
    lines = [f"  {name} = {{{_escaped(text)}}}" for name, text in fields.items()]
    if url := publication.page_url(page(number)):
        lines.append(f"  url = {{{url}}}")
    return f"@misc{{{_key(number)},\n" + ",\n".join(lines) + "\n}"


def _csl(number: Number) -> str:
    """An item in CSL-JSON, which Zotero, Pandoc and other programs read."""
    item = {
        "id": _key(number),
        "type": "dataset",
        "title": describe(number),
        "author": [_csl_author(person) for person in software()["authors"]],
        "issued": {"date-parts": [[int(part) for part in _made(number)[:10].split("-")]]},
        "container-title": software()["title"],
        "version": f"{version().removeprefix('version ')}, commit {_commit(number)}",
        "note": f"{value(number)}; {number.id}; {page(number)}",
    }
    if url := publication.page_url(page(number)):
        item["URL"] = url
    return json.dumps([item], indent=2, ensure_ascii=False)


def _csl_author(person: dict) -> dict:
    if "name" in person:
        return {"literal": person["name"]}
    return {"family": person["family-names"], "given": person["given-names"]}


#: The forms of a citation: a sentence, BibTeX, CSL-JSON.
FORMATS = {"text": _plain, "bibtex": _bibtex, "csl": _csl}


def address(number: Number) -> str:
    """Where a number stands: the address of its page, or the page alone for a book that is not published."""
    return publication.page_url(page(number)) or f"page {page(number)}"


def version() -> str:
    """The version in words; a checkout between two releases says so."""
    released = str(software()["version"])
    return f"version {released}" + ("" if publication.is_released(released) else " (unreleased)")


def cff() -> str:
    """``CITATION.cff`` with the addresses of the book and of the repository, where they are known."""
    fields = dict(software()) | {"version": version().removeprefix("version ")}
    if date := provenance.head().date:
        fields["date-released"] = date
    for key, url in (("url", publication.book_url()), ("repository-code", publication.repository_url())):
        if url:
            fields[key] = url
    if commit := provenance.head().commit:
        fields["commit"] = commit
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)


def _key(number: Number) -> str:
    return f"verydeep:{number.id}"


def _escaped(text: str) -> str:
    for character in "%#_&":
        text = text.replace(character, f"\\{character}")
    return text


def authors() -> list[str]:
    """The names of the authors, as ``CITATION.cff`` has them."""
    return [
        person.get("name") or f"{person['given-names']} {person['family-names']}" for person in software()["authors"]
    ]


def _commit(number: Number) -> str:
    """The commit that has the number; one whose runs are not committed says so, and so does a checkout without git."""
    commit = provenance.head().commit
    if commit is None:
        return f"unknown ({provenance.git_unknown() or 'nothing is committed yet'})"
    lacking = [name for name in number.runs if not provenance.is_committed(paths.runs() / number.study / name)]
    if not lacking:
        gone = ", ".join(_seeds_gone(number))
        return f"{commit}, which has {gone} too" if gone else commit
    if provenance.git("ls-files", "--", f"runs/{number.study}/{lacking[0]}"):
        return f"{commit}, which has another {lacking[0]} than is here"
    return f"{commit}, which does not have the run {lacking[0]}"


def _seeds_gone(number: Number) -> list[str]:
    """The tests of the same network with other seeds that the commit has and that are not here: its mean is another."""
    rows = set()
    with contextlib.suppress(VerydeepError):  # several networks together have no seeds
        rows = {RunName.parse(run).row for run in number.runs}
    tests = [path for path in _gone(paths.root()) if path.match(f"runs/{number.study}/*/evaluate.json")]
    return [name for name in (path.parts[2] for path in tests) if RunName.parse(name).row in rows]


@cache
def _gone(root: Path) -> list[Path]:
    """Asked once for each checkout: the pages of a book cite every number."""
    return [Path(name) for name in provenance.gone()]


def _made(number: Number) -> str:
    """The date on which a number was measured; of an exact count, that of the sources it was computed from."""
    folders = [paths.runs() / number.study / run for run in number.runs or filter(None, [number.run])]
    paths_there = [folder / f"{kind}.json" for folder in folders for kind in TESTS]
    if finished := [runs.read_file(path).finished for path in paths_there if path.exists()]:
        return max(finished)  # a mean is as old as the last of its runs
    return provenance.head().date or provenance.now()
