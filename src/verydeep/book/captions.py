"""Numbers and captions for the tables that cells show, as MyST-NB gives them to figures.

A cell's metadata says ``"table": {"caption": ..., "name": ...}``; a template has no name, as each run has a copy. In
a caption ``{study}`` stands for what the notebook's parameters say, so that a table names the study that it shows.
Tables in Markdown have ``{table}``; all are numbered together. ``Tab. 3`` is the book's, ``Table 3`` the paper's.
"""

import ast
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.writers.html5 import HTML5Translator

from verydeep.errors import VerydeepError

#: What stands for the study in a caption.
STUDY = "{study}"


class NumberedTable(nodes.General, nodes.Element):
    """What a cell shows, with its caption and the id by which it is linked to."""


class TableCaptions(SphinxTransform):
    """Put the outputs of every cell that has a caption for a table into a :class:`NumberedTable`."""

    default_priority = 710  # after the outputs are there, before references are resolved

    def apply(self, **kwargs):
        study = None  # read from the notebook once, where a caption asks for it
        for cell in list(self.document.findall(nodes.container)):
            wanted = cell.get("cell_metadata", {}).get("table") if cell.get("nb_element") == "cell_code" else None
            if wanted is None:
                continue
            shown = [part for part in cell.children if part.get("nb_element") == "cell_code_output"]
            if not shown:
                continue  # a template, which was not executed
            caption = wanted["caption"]
            if STUDY in caption:
                study = study or asked_for(Path(self.env.doc2path(self.env.docname)), "study")
                caption = caption.replace(STUDY, study)
            numbered = NumberedTable(caption=caption, names=[wanted["name"]] if "name" in wanted else [])
            numbered.source, numbered.line = cell.source, cell.line
            if numbered["names"]:
                self.document.note_explicit_target(numbered)
            else:
                self.document.set_id(numbered)
            numbered.extend(shown[0].children)
            shown[0].children = []
            shown[0] += numbered


def asked_for(notebook: Path, parameter: str) -> str:
    """The text that a notebook's cell of parameters gives one of them.

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
    translator.body.append(f'<span class="caption-text">{translator.encode(node["caption"])}</span>')
    translator.add_permalink_ref(node, "Link to this table")
    translator.body.append("</figcaption>\n")


def _depart(translator: HTML5Translator, node: NumberedTable) -> None:
    translator.body.append("</figure>\n")


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.add_enumerable_node(NumberedTable, "table", _caption, html=(_visit, _depart))
    app.add_transform(TableCaptions)
