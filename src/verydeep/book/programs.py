"""Pages that run a program in the reader's browser: ``{in-browser} touch`` shows ``touch/page.html``.

The folder ``touch`` lies beside the chapter, and is copied beside its page, but for ``page.html``, which is a part
of the chapter's and no page by itself. What it loads it names from there, as the chapter would: ``touch/...``.
"""

import shutil
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_MARKUP = "page.html"
_FOLDER = "verydeep_program"  # where a node keeps the folder that its page needs


class Program(SphinxDirective):
    """The program of a folder beside the chapter; the argument is the folder's name."""

    required_arguments = 1

    def run(self):
        folder = Path(self.env.doc2path(self.env.docname)).parent / self.arguments[0]
        try:
            markup = (folder / _MARKUP).read_text(encoding="utf-8")
        except OSError as error:
            raise self.error(f"{folder}: no program there ({error.strerror})") from None
        for path in filter(Path.is_file, folder.rglob("*")):
            self.env.note_dependency(str(path))  # a change of it copies the folder again
        return [nodes.raw("", markup, format="html", **{_FOLDER: str(folder)})]


def _copy_folder(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Put the folder of a page's program beside the page, while that is written."""
    for node in doctree.findall(nodes.raw) if doctree else ():
        if folder := node.get(_FOLDER):
            beside = (Path(app.outdir) / pagename).parent
            copied = beside / Path(folder).name
            shutil.copytree(folder, copied, ignore=shutil.ignore_patterns(_MARKUP), dirs_exist_ok=True)


def setup(app: Sphinx) -> None:
    """Register the directive with Sphinx, and the copying of its folders."""
    app.add_directive("in-browser", Program)
    app.connect("html-page-context", _copy_folder)
