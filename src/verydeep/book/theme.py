"""What the theme shows: addresses, buttons, formulas, style."""

import html
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from verydeep.runs import provenance, publication

_STATIC = Path(__file__).parent / "static"


def publish(app: Sphinx, config) -> None:
    """Put the addresses of the book and of the repository, where they are set, into the configuration of the theme."""
    if book := publication.book_url():
        config.html_baseurl = f"{book}/"
    repository = publication.repository_url()
    if repository and any(
        host in repository for host in ("github", "gitlab", "bitbucket")
    ):  # the theme knows how these link
        config.html_theme_options |= {
            "repository_url": repository,
            "repository_branch": provenance.head().commit or "main",
            "path_to_docs": "book",
            "use_repository_button": True,
            "use_source_button": True,
            "use_issues_button": True,
            "launch_buttons": {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"},
        }


#: Buttons that lead to the source of a page in the repository.
_SOURCE_BUTTONS = {"source-file-button", "launch-buttons"}


def _without_absent_sources(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Leave out buttons to a source that the repository does not have: on pages that the build writes itself."""
    if not pagename.startswith(("runs/", "reference/", "_modules/")):
        return
    context["header_buttons"] = kept = [
        button for button in context.get("header_buttons", []) if button.get("label") not in _SOURCE_BUTTONS
    ]
    for group in kept:
        if "buttons" in group:
            group["buttons"] = [button for button in group["buttons"] if button.get("label") not in _SOURCE_BUTTONS]


def _visit_math(translator, node: nodes.Element) -> None:
    """A formula as MathML, which browsers show by themselves: MathJax would be a script from elsewhere."""
    block = isinstance(node, nodes.math_block)
    try:
        formula = tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        node.document.reporter.warning(f"formula {node.astext()!r}: {error}", base_node=node)
        raise nodes.SkipNode from None
    translator.body.append(f'<div class="math-block">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def _visit_image(translator: HTML5Translator, node: nodes.image) -> None:
    """A picture leads to its own file: on a phone a wide one is too small to be read, and alone it can be enlarged."""
    before = len(translator.body)
    HTML5Translator.visit_image(translator, node)
    if not isinstance(node.parent, nodes.reference):
        title = 'title="The picture alone, to enlarge it"'
        translator.body.insert(before, f'<a class="picture" href="{html.escape(node["uri"])}" {title}>')


def _depart_image(translator: HTML5Translator, node: nodes.image) -> None:
    HTML5Translator.depart_image(translator, node)
    if not isinstance(node.parent, nodes.reference):
        translator.body.append("</a>")


def _without_thebe(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Leave out the scripts of sphinx-thebe, which Jupyter Book always loads.

    This book has no live cells, and the scripts declare one constant twice, an error in every page's console.
    """
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(script).lower() and "THEBE" not in str(getattr(script, "attributes", {}).get("body", ""))
    ]


def _static_path(app: Sphinx) -> None:
    app.config.html_static_path.append(str(_STATIC))
    app.config.html_search_scorer = str(_STATIC / "search.js")


def setup(app: Sphinx) -> None:
    """Register with Sphinx what the theme needs; the addresses come before the theme reads them."""
    app.add_node(nodes.image, override=True, html=(_visit_image, _depart_image))
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math, None))
    app.connect("config-inited", publish, priority=90)
    app.connect("builder-inited", _static_path)
    app.connect("html-page-context", _without_thebe, priority=900)
    app.connect("html-page-context", _without_absent_sources, priority=900)
    app.add_css_file("verydeep.css")
    app.add_js_file("accessible.js")
    app.add_js_file("vendor/sortable-tablesort-4.1.7/sortable.min.js", loading_method="defer")
    app.add_js_file("tables.js", loading_method="defer")
