"""Numbers and captions for the tables that cells show, as MyST-NB gives them to figures.

A cell's metadata says ``"table": {"caption": ..., "name": ...}``; a template has no name, as each run has a copy. In
a caption, of a figure too, ``{study}`` stands for the value of the notebook's parameter of that name, as it was run;
what stands between backticks is code. Tables in Markdown have ``{table}``; all are numbered together. ``Tab. 3`` is
the book's, ``Table 3`` the paper's.
"""

import ast
import re
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.writers.html5 import HTML5Translator

from verydeep.chapters import display
from verydeep.errors import VerydeepError

#: What stands for a parameter in a caption.
_PARAMETER = re.compile(r"\{(\w+)\}")


class NumberedTable(nodes.General, nodes.Element):
    """What a cell shows, with its caption and the id by which it is linked to."""


class Captions(SphinxTransform):
    """Put the outputs of every cell that has a caption for a table into a :class:`NumberedTable`.

    And what the notebook's parameters are into the captions of tables and figures.
    """

    default_priority = 710  # after the outputs are there, before references are resolved

    def apply(self, **kwargs):
        for cell in [part for part in self.document.findall(nodes.container) if part.get("nb_element") == "cell_code"]:
            for text in [text for caption in cell.findall(nodes.caption) for text in caption.findall(nodes.Text)]:
                text.parent.replace(text, nodes.Text(self._named(text)))  # of a figure
            wanted = cell.get("cell_metadata", {}).get("table")
            if wanted is None:
                continue
            shown = [part for part in cell.children if part.get("nb_element") == "cell_code_output"]
            if not shown:
                continue  # a template, which was not executed
            names = [wanted["name"]] if "name" in wanted else []
            numbered = NumberedTable(caption=self._named(wanted["caption"]), names=names)
            numbered.source, numbered.line = cell.source, cell.line
            if numbered["names"]:
                self.document.note_explicit_target(numbered)
            else:
                self.document.set_id(numbered)
            numbered.extend(shown[0].children)
            shown[0].children = []
            shown[0] += numbered

    def _named(self, caption: str) -> str:
        """A caption with what the notebook's parameters are, where it names them."""
        notebook = Path(self.env.doc2path(self.env.docname))
        return _PARAMETER.sub(lambda found: str(asked_for(notebook, found[1])), caption)


def asked_for(notebook: Path, parameter: str) -> object:
    """What a notebook's cell of parameters gives one of them.

    Raises
    ------
    VerydeepError
        When it has no such parameter.
    """
    for cell in nbformat.read(notebook, as_version=4).cells:
        if "parameters" in cell.metadata.get("tags", ()):
            for line in ast.parse(cell.source).body:
                if isinstance(line, ast.Assign) and [target.id for target in line.targets] == [parameter]:
                    return ast.literal_eval(line.value)
    raise VerydeepError(f"{notebook}: a caption names {{{parameter}}}, and its parameters have none")


def _caption(node: NumberedTable) -> str:
    return node["caption"]


def _visit(translator: HTML5Translator, node: NumberedTable) -> None:
    translator.body.append(translator.starttag(node, "figure", CLASS="numbered-table"))
    translator.body.append("<figcaption>")
    translator.add_fignumber(node)
    caption = display.with_code(translator.encode(node["caption"]))
    translator.body.append(f'<span class="caption-text">{caption}</span>')
    translator.add_permalink_ref(node, "Link to this table")
    translator.body.append("</figcaption>\n")


def _depart(translator: HTML5Translator, node: NumberedTable) -> None:
    translator.body.append("</figure>\n")


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.add_enumerable_node(NumberedTable, "table", _caption, html=(_visit, _depart))
    app.add_transform(Captions)
