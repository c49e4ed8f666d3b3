"""What of an earlier build still holds: nothing that has changed is ever shown as it was.

A page is made from its source, by what makes every page: the package, the configuration, the versions of what is
installed. A chapter shows what there is besides: the records, the commit, benchmarks, parameters of other chapters.
:func:`made_from` gives a hash of the first, and one of both. While both are the same, a build reads the pages whose
source has changed and no others. Once the second is another, every notebook is executed and every chapter made anew;
pages whose whole content stands in a file that the build has written for them are read if that file has changed. Once
the first is another, everything is made anew.
"""

import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

import nbformat
from docutils import nodes
from sphinx import addnodes
from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.environment import BuildEnvironment

from verydeep import files, paths, runs
from verydeep.book.lost_text import OWN_ROLES
from verydeep.runs import provenance

#: Files beside the book by which pages are made, and those of which chapters show something.
_MAKES = ("_config.yml", "book/_toc.yml", "book/references.bib", "constraints.txt")
_SHOWN = ("CITATION.cff", "CONTRIBUTING.md")
#: In a folder of pages that the build wrote, or of executed notebooks: the hash of what they were made from.
_MARK = ".made-from"
_UNFINISHED = "unfinished"  # lies beside the doctrees until a build ends well
#: Pages whose content stands in the files that the build writes for them: those of one run, and the reference.
_WRITTEN = re.compile(r"runs/[^/]+/|reference/")


class Made(NamedTuple):
    """What pages are made from, as hashes: ``by`` what makes every page, ``of`` that and all that chapters show."""

    by: str
    of: str


def made_from() -> Made:
    """The hashes of everything, but for the chapters themselves, that a page of the book is made from."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("VERYDEEP_")}
    installed = sorted(f"{package.name} {package.version}" for package in distributions())
    makes = [*files.listed(paths.package(), "**/*"), *(paths.root() / name for name in _MAKES)]
    by = _hash([_hashes(makes), variables, platform.python_version(), installed])
    shown = [*files.listed(paths.runs(), "**/*"), *files.listed(paths.root() / "benchmarks", "*.json")]
    commit = [
        provenance.head(),
        provenance.history_unknown(),
        {str(folder): provenance.is_committed(folder) for folder in runs.run_folders()},
    ]
    shown += [paths.root() / name for name in _SHOWN]
    return Made(by, _hash([by, _hashes(shown), commit, list(_parameters())]))


def _hashes(listed: list[Path]) -> dict[str, str]:
    return {str(path): files.sha256(path) for path in listed if path.is_file() and path.suffix != ".pyc"}


def _hash(said: list) -> str:
    return files.sha256_bytes(json.dumps(said, sort_keys=True).encode())


def _parameters() -> Iterator[tuple[str, str]]:
    """What a chapter shows of the others: their parameters."""
    for path in files.listed(paths.book(), "**/*.ipynb"):
        name = path.relative_to(paths.book()).as_posix()
        if not name.startswith("runs/"):
            for cell in nbformat.read(path, nbformat.NO_CONVERT).cells:
                if "parameters" in cell.metadata.get("tags", []):
                    yield name, cell.source


def holds(folder: Path, made: str) -> bool:
    """Whether what lies in a folder was all made from what has this hash."""
    mark = folder / _MARK
    return mark.exists() and mark.read_text() == made


def unmark(folder: Path) -> None:
    """Before any of it is made anew: what an interruption leaves is of one thing in part, and in part of another."""
    (folder / _MARK).unlink(missing_ok=True)


def mark(folder: Path, made: str) -> None:
    """Say from what it was made, once all of it is there."""
    (folder / _MARK).write_text(made)


def forget_what_is_stale(app: Sphinx, made: Made) -> None:
    """Keep executed notebooks that show what there is now and no others, and begin anew after a build that failed.

    Sphinx reads all pages again when the place of that cache, one of its settings, is another: when what makes them is.
    It would not say again what was wrong with a page that it need not read again.
    """
    kept = Path(app.doctreedir).parent / ".jupyter_cache"
    if not holds(kept, made.of):
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        mark(kept, made.of)
    app.config.nb_execution_cache_path = str(kept / made.by[:20])
    app.verydeep_made = made
    unfinished = Path(app.doctreedir) / _UNFINISHED
    if unfinished.exists():
        (unfinished.parent / ENV_PICKLE_FILENAME).unlink(missing_ok=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()


def _ended(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and not app._warncount:
        (Path(app.doctreedir) / _UNFINISHED).unlink(missing_ok=True)


def _to_read(app: Sphinx, env: BuildEnvironment, added, changed, removed) -> list[str]:
    """Read every page again that can show something which is another now, whatever its source."""
    env.verydeep_others_changed = bool(removed)
    for name in removed:
        _outlines(env).pop(name, None)
    made, before = app.verydeep_made, getattr(env, "verydeep_made", None)
    env.verydeep_made = made
    if made == before:
        return []
    if before is None or made.by != before.by:
        _forget_pages_of_modules(app)
    return [name for name in env.found_docs if not _WRITTEN.match(name) or _asks(Path(env.doc2path(name)))]


def _asks(source: Path) -> bool:
    """Whether a page asks the records itself while it is read."""
    text = source.read_text(encoding="utf-8")
    return any(f"{{{role}}}" in text for role in OWN_ROLES)


def _note_outline(app: Sphinx, document: nodes.document) -> None:
    """Keep of a page what others show of it and lead to: titles, captions, anchors, and which works it cites.

    The pages of a run stand in no contents, and what leads to them has words of its own.
    """
    cited = [node["reftarget"] for node in document.findall(addnodes.pending_xref) if node.get("refdomain") == "cite"]
    outlines, outline = _outlines(app.env), cited
    if not _WRITTEN.match(app.env.docname) or app.env.docname.startswith("reference/"):
        titles = document.findall(lambda node: isinstance(node, nodes.title | nodes.caption))
        outline = [*(node.astext() for node in titles), *sorted(document.ids), *cited]
    if outlines.get(app.env.docname) != outline:
        outlines[app.env.docname] = outline
        app.env.verydeep_others_changed = True


def _outlines(env: BuildEnvironment) -> dict[str, list[str]]:
    if not hasattr(env, "verydeep_outlines"):
        env.verydeep_outlines = {}
    return env.verydeep_outlines


def _to_write(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write every page again where one has another title or anchor: links and the contents beside each name it."""
    if not env.verydeep_others_changed:
        return []
    _forget_pages_of_modules(app)
    return list(env.found_docs)


def _forget_pages_of_modules(app: Sphinx) -> None:
    """Have them made: Sphinx leaves the page of a module that has not changed as it is, whatever it shows besides."""
    shutil.rmtree(Path(app.outdir) / "_modules", ignore_errors=True)


def setup(app: Sphinx) -> None:
    """Register with Sphinx what is noted while pages are read, and at the end."""
    app.connect("env-get-outdated", _to_read)
    app.connect("doctree-read", _note_outline)
    app.connect("env-updated", _to_write)
    app.connect("build-finished", _ended)
