"""Tables are numbered through the whole book, by what is kept of its pages for that."""

import pickle
import re
from urllib.parse import unquote

import nbformat
import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.core import publish_doctree
from sphinx import addnodes

from verydeep.book.captions import NumberedTable, asked_for
from verydeep.book.numbering import skeleton
from verydeep.errors import VerydeepError

PAGE = """
Title
=====

A word.

.. table:: One

   = =
   a b
   = =

Section
-------

.. figure:: a.svg

   Two

.. figure:: b.svg

   Three

   .. table:: Four

      = =
      a b
      = =

.. code-block:: python

   five = 5
"""


def test_what_is_kept_has_what_is_numbered_in_its_sections_and_nothing_else():
    page = publish_doctree(PAGE, settings_overrides={"doctitle_xform": False})
    listing = nodes.container("", nodes.caption("", "Five"), nodes.literal_block("", "five = 5"), literal_block=True)
    shown = NumberedTable(caption="Six", ids=["six"])
    contents = addnodes.toctree(entries=[("", "other")])
    page[0].extend([nodes.container("", listing), nodes.paragraph("", "", shown), contents])
    bones = skeleton(page, {nodes.table, nodes.figure, nodes.container, NumberedTable})
    again = pickle.loads(pickle.dumps(bones))
    assert again.document is None and "A word" not in again.astext() and "a b" not in again.astext()

    def form(node):
        return [(part.__class__, part.get("ids", []), part.get("entries")) for part in node.findall(nodes.Element)
                if isinstance(part, nodes.section | nodes.table | nodes.figure | NumberedTable | addnodes.toctree)
                or part.get("literal_block")]  # fmt: skip

    assert form(again) == form(page) and len(form(again)) == 9
    titles = [next(part.findall(lambda node: isinstance(node, nodes.title | nodes.caption))).astext() for part in
              again.findall(lambda node: isinstance(node, nodes.table | nodes.figure))]  # fmt: skip
    assert titles == ["One", "Two", "Three", "Four"]
    kept = next(part for part in again.findall(nodes.container) if part.get("literal_block"))
    assert kept[0].astext() == "Five" and isinstance(kept[1], nodes.literal_block) and not kept[1].astext()
    assert next(again.findall(NumberedTable))["caption"] == "Six"


@pytest.mark.book
def test_tables_are_numbered_in_the_order_of_the_contents(html):
    first = BeautifulSoup((html / "index.html").read_text(), "html.parser")
    pages = ["index.html", *(unquote(link["href"]) for link in first.select("nav.bd-links a"))]
    numbers = []
    for page in pages:
        captions = BeautifulSoup((html / page).read_text(), "html.parser").select("article .caption-number")
        numbers += [int(found[1]) for caption in captions if (found := re.match(r"Tab\. (\d+)", caption.get_text()))]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 60


def test_a_caption_names_what_the_notebooks_parameters_are(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('study = "narrow"  # which\nrows = [1]')])
    nbformat.write(notebook, tmp_path / "page.ipynb")
    with pytest.raises(VerydeepError, match=r"page.ipynb: a caption names \{study\}, and its parameters have none"):
        asked_for(tmp_path / "page.ipynb", "study")
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, tmp_path / "page.ipynb")
    assert asked_for(tmp_path / "page.ipynb", "study") == "narrow"
    assert asked_for(tmp_path / "page.ipynb", "rows") == [1]


@pytest.mark.book
@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("results/table4", "in smoke: Table 3 less Table 4"),
        ("results/classes", "error of each class of narrow,"),
        ("networks/peers", "of one image of 64x64"),
    ],
)
def test_tables_and_figures_say_what_was_asked_for(html, page, said):
    shown = BeautifulSoup((html / f"{page}.html").read_text(), "html.parser")
    captions = [caption.get_text() for caption in shown.find_all("figcaption")]
    assert any(said in caption for caption in captions)
    assert not any("{" in caption for caption in captions)
