"""A link to the source below every figure and table that code made, and below every piece of source that is shown.

It leads to the page on which ``sphinx.ext.viewcode`` shows the module. A notebook in Jupyter has none.
"""

from pathlib import Path

from docutils import nodes
from myst_nb.core.read import read_myst_markdown_notebook
from sphinx.application import Sphinx
from sphinx.directives.code import LiteralInclude

from verydeep import paths
from verydeep.book.makers import Definition, maker


class SourceLink(nodes.General, nodes.Element):
    """Where a link to the source is to stand: ``module``, and ``name`` in it. Made a link when all pages are read."""


def source_link(definition: Definition) -> SourceLink:
    """A place for the link to the source of a function or class."""
    return SourceLink("", module=definition.module, name=definition.name)


class ShownSource(LiteralInclude):
    """Sphinx's ``literalinclude``, and below it a link to the whole of a module of this package."""

    def run(self):
        path = Path(self.env.relfn2path(self.arguments[0])[1]).resolve()
        self.options["class"] = [*self.options.get("class", []), "shown-source"]
        shown = super().run()
        if path.suffix == ".py" and path.is_relative_to(paths.package()):
            module = ".".join(("verydeep", *path.relative_to(paths.package()).with_suffix("").parts))
            shown.append(source_link(Definition(module, self.options.get("pyobject", ""))))
        return shown


def _below_cells(app: Sphinx, document: nodes.document, docname: str) -> None:
    """Put a link below every cell that shows a picture or a table which a function of this package made."""
    path, sources = Path(app.env.doc2path(docname)), []
    hidden = None
    for cell in document.findall(lambda node: _is(node, "cell_code")):
        code = next(cell.findall(lambda node: _is(node, "cell_code_source")), None)
        if path.suffix == ".md":  # its cells may be hidden
            hidden = hidden or read_myst_markdown_notebook(path.read_text(encoding="utf-8")).cells
            sources = [above.source for above in hidden[: cell["cell_index"] + 1] if above.cell_type == "code"]
        elif code is not None:
            sources.append(code.astext())
        if sources and _shows_more_than_text(cell) and (made := maker(sources)):
            cell.append(source_link(made))


def _is(node: nodes.Node, part: str) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == part


def _shows_more_than_text(cell: nodes.Element) -> bool:
    """Whether a cell's output has a picture or a table."""
    for output in cell.findall(lambda node: _is(node, "cell_code_output")):
        for part in output.findall(lambda node: isinstance(node, nodes.image | nodes.table | nodes.raw)):
            if not isinstance(part, nodes.raw) or "<table" in part.astext():
                return True
    return False


def _resolve(app: Sphinx, document: nodes.document, docname: str) -> None:
    if app.builder.format == "html":
        _below_cells(app, document, docname)
    for place in list(document.findall(SourceLink)):
        shown = _link(app, docname, place) if app.builder.format == "html" else None
        place.replace_self([shown] if shown else [])


def _link(app: Sphinx, docname: str, place: SourceLink) -> nodes.paragraph | None:
    """The link, to the innermost part that the module's page has an anchor for: what is private has none."""
    shown = getattr(app.env, "_viewcode_modules", {}).get(place["module"])
    if not shown:
        return None
    _, _, anchors, _ = shown
    name = place["name"]
    while name and name not in anchors:
        name = name.rpartition(".")[0]
    page = app.builder.get_relative_uri(docname, f"_modules/{place['module'].replace('.', '/')}")
    file = f"{place['module'].removeprefix('verydeep.').replace('.', '/')}.py"
    label = nodes.literal("", place["name"] or file)
    link = nodes.reference("", "", label, internal=True, refuri=f"{page}#{name}" if name else page, reftitle=file)
    return nodes.paragraph("", "", nodes.Text("source: "), link, classes=["source-link"])


def setup(app: Sphinx) -> None:
    """Register the directive with Sphinx, and what is done when all pages are read."""
    app.add_node(SourceLink)
    app.add_directive("literalinclude", ShownSource, override=True)
    app.connect("doctree-resolved", _resolve)
