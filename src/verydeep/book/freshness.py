"""What of an earlier build still holds: nothing that has changed is ever shown as it was.

A page is made from its chapter, and from what all pages are made from: the package, the records, the commit, the
versions of what is installed. Of the latter :func:`made_from` is one hash. While it is the same, a build reads the
chapters that have changed and no others; once it is another, every notebook is executed and every page made anew.
"""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx import addnodes
from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.environment import BuildEnvironment

from verydeep import files, paths, runs
from verydeep.runs import provenance

#: Files beside the book of which chapters show something.
_BESIDE = ("_config.yml", "book/_toc.yml", "book/references.bib", "CITATION.cff", "CONTRIBUTING.md", "constraints.txt")
#: In a folder of pages that the build wrote: the hash of what they were made from.
_MARK = ".made-from"
_UNFINISHED = "unfinished"  # lies beside the doctrees until a build ends well


def made_from() -> str:
    """One hash of everything, but for the chapters themselves, that a page of the book can show."""
    listed = [*files.listed(paths.package(), "**/*"), *files.listed(paths.runs(), "**/*")]
    listed += [*files.listed(paths.root() / "benchmarks", "*.json"), *(paths.root() / name for name in _BESIDE)]
    hashes = {str(path): files.sha256(path) for path in listed if path.is_file() and path.suffix != ".pyc"}
    variables = {name: value for name, value in os.environ.items() if name.startswith("VERYDEEP_")}
    installed = sorted(f"{one.name} {one.version}" for one in distributions())
    commit = [provenance.head(), {str(folder): provenance.is_committed(folder) for folder in runs.run_folders()}]
    said = [hashes, variables, commit, platform.python_version(), installed, list(_parameters())]
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
    """Whether the pages in a folder were all made from what has this hash."""
    mark = folder / _MARK
    return mark.exists() and mark.read_text() == made


def mark(folder: Path, made: str) -> None:
    """Say from what the pages in a folder were made, once all of them are there."""
    (folder / _MARK).write_text(made)


def forget_what_is_stale(app: Sphinx, made: str) -> None:
    """Keep executed notebooks under the hash of what they were made from, and begin anew after a build that failed.

    Sphinx reads all pages again when the place of that cache, one of its settings, is another. It would not say again
    what was wrong with a page that it need not read again.
    """
    cache = Path(app.doctreedir).parent / ".jupyter_cache" / made[:20]
    for other in cache.parent.glob("*"):
        if other != cache:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    app.config.nb_execution_cache_path = str(cache)
    unfinished = Path(app.doctreedir) / _UNFINISHED
    if unfinished.exists():
        (unfinished.parent / ENV_PICKLE_FILENAME).unlink(missing_ok=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()


def _ended(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and not app._warncount:
        (Path(app.doctreedir) / _UNFINISHED).unlink(missing_ok=True)


def _note_outline(app: Sphinx, document: nodes.document) -> None:
    """Keep of a page what others show of it and lead to: titles, captions, anchors, and which works it cites."""
    texts = [node.astext() for node in document.findall(lambda node: isinstance(node, nodes.title | nodes.caption))]
    cited = [node["reftarget"] for node in document.findall(addnodes.pending_xref) if node.get("refdomain") == "cite"]
    outlines, outline = _outlines(app.env), [*texts, *sorted(document.ids), *cited]
    if outlines.get(app.env.docname) != outline:
        outlines[app.env.docname] = outline
        app.env.verydeep_others_changed = True


def _outlines(env: BuildEnvironment) -> dict[str, list[str]]:
    if not hasattr(env, "verydeep_outlines"):
        env.verydeep_outlines = {}
    return env.verydeep_outlines


def _removed(app: Sphinx, env: BuildEnvironment, added, changed, removed) -> list[str]:
    env.verydeep_others_changed = bool(removed)
    for name in removed:
        _outlines(env).pop(name, None)
    return []


def _to_write(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write every page again where one has another title or anchor: links and the contents beside each name it."""
    return list(env.found_docs) if env.verydeep_others_changed else []


def setup(app: Sphinx) -> None:
    """Register with Sphinx what is noted while pages are read, and at the end."""
    app.connect("env-get-outdated", _removed)
    app.connect("doctree-read", _note_outline)
    app.connect("env-updated", _to_write)
    app.connect("build-finished", _ended)
