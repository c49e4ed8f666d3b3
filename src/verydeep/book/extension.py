"""The Sphinx extension of the book: pages for the runs, roles for what sentences say of them, and what they need."""

import atexit
import contextlib
import os
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from verydeep import paths, runs
from verydeep.book import (
    captions,
    contents,
    directives,
    examples,
    execution,
    freshness,
    lost_text,
    numbering,
    pages,
    programs,
    roles,
    side_by_side,
    source_links,
    theme,
)
from verydeep.chapters import display
from verydeep.errors import VerydeepError
from verydeep.notebooks import warm
from verydeep.results.claims import history

logger = logging.getLogger(__name__)


def write_run_pages(app: Sphinx, config) -> None:
    """Check ``runs/`` and write its pages before the sources are read; a fault stops the build.

    What an earlier build checked and wrote, from the same package, records and commit, is left as it is.
    """
    os.environ[display.BUILDING] = "1"
    made = freshness.made_from()
    of_runs, of_reference = (paths.book() / name for name in ("runs", "reference"))
    holds = freshness.holds(of_runs, made.of)
    _own_kernels(at_once=not holds and config.nb_execution_mode != "off")
    if faults := runs.check_chapters() if holds else runs.check_all() + history.undisclosed_changes():
        raise VerydeepError("; ".join(faults))
    if not holds:
        freshness.unmark(of_runs)
        pages.write_pages(of_runs)
        pages.write_numbers(of_runs / "numbers")
        freshness.mark(of_runs, made.of)
    if not freshness.holds(of_reference, made.by):
        freshness.unmark(of_reference)
        pages.write_reference(of_reference)
        freshness.mark(of_reference, made.by)
    freshness.forget_what_is_stale(app, made)
    config.html_extra_path = [*config.html_extra_path, "runs/numbers"]


def _own_kernels(at_once: bool) -> None:
    """Have the build's chapters run in kernels of our own, until this process ends; ``at_once`` if all will be."""
    world = contextlib.ExitStack()
    world.enter_context(warm.own_world(execution.modules(), execution.READY))
    if at_once:
        warm.begin()
    atexit.register(world.close)


def _warn_of_lost_text(app: Sphinx, document: nodes.document) -> None:
    """Warn of words of a source that its page lacks; the strict build fails on it."""
    path = Path(app.env.doc2path(app.env.docname))
    page = lost_text.rendered(document)
    for source in lost_text.prose(path):
        for line, words in lost_text.lost(source, page):
            logger.warning(
                "not shown by the page: %r (what begins with %% or stands in <!-- --> is a comment)",
                words,
                location=(app.env.docname, line if path.suffix != ".ipynb" else None),
            )


def _index_words(app: Sphinx, document: nodes.document) -> None:
    """Enter the words that a page's metadata lists as ``index``: a search for one of them finds this page first."""
    words = app.env.metadata[app.env.docname].get("index", "")
    entries = [("single", word.strip(), "", "main", None) for word in words.split(",") if word.strip()]
    if entries:
        document.insert(0, addnodes.index(entries=entries))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx, before the table of contents is read (priority 900 in sphinx_external_toc)."""
    for extension in ("sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"):
        app.setup_extension(extension)
    roles.setup(app)
    captions.setup(app)
    directives.setup(app)
    source_links.setup(app)
    examples.setup(app)
    execution.setup(app)
    freshness.setup(app)
    numbering.setup(app)
    programs.setup(app)
    side_by_side.setup(app)
    contents.setup(app)
    theme.setup(app)
    app.connect("config-inited", write_run_pages, priority=100)
    app.connect("doctree-read", _warn_of_lost_text)
    app.connect("doctree-read", _index_words)
    return {"parallel_read_safe": False, "parallel_write_safe": True}  # outlines are kept in this process
