"""Sphinx extension: pages for the runs, roles for what sentences say of them, the directive ``{result-table}``.

``{result}`quarter.table3.D-384.top1` `` prints a reproduced number and links to its run;
``{paper}`table3.D-384.top1` `` prints the published one. An unknown identity is a warning, which the
strict build turns into a failure. ``{verdict}`quarter.3` `` prints what a study says of the paper's
claim 3, and the difference that says it; ``{verdict}`quarter.3 centre-crop` `` what it says of the same
networks on one crop. ``{result-table} 4 quarter`` shows Table 4 with the
studies named beside the paper.
"""

import atexit
import contextlib
import os
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from verydeep import (
    architecture,
    chapters,
    citation,
    claim_tables,
    claims,
    kernels,
    lost_text,
    pages,
    paths,
    publication,
    results,
    runs,
    tables,
)
from verydeep.claims import history
from verydeep.errors import UnknownName, VerydeepError
from verydeep.paper import addresses
from verydeep.runs import provenance
from verydeep.studies import load, planned_runs

logger = logging.getLogger(__name__)


class BookRole(SphinxRole):
    """A role of this book; what it prints keeps the source, by which the check of lost text finds it.

    A role gives ``show()``: the nodes that it prints, and the messages of what is wrong with it.
    """

    def run(self):
        shown, messages = self.show()
        source = {lost_text.SOURCE: f"{{{self.name}}}`{self.text}`"}
        return [nodes.inline("", "", *shown, **source)] if shown else [], messages

    def _warn(self, message: str):
        return [], [self.inliner.reporter.warning(message, line=self.lineno)]


class ResultRole(BookRole):
    """A reproduced number with its spread, linked to its place on the run's page; what it is shows on hovering.

    After the identity may stand ``bare`` (the value alone), ``cell`` (the value with its interval, for a table), or
    ``required`` (a number that has not been run is a warning; otherwise it prints *not run*).
    """

    forms = frozenset({"bare", "cell", "required"})

    def show(self):
        identity, *asked = self.text.split()
        if unknown := sorted(set(asked) - self.forms):
            return self._warn(f"unknown option {unknown[0]!r} of {{result}}: choose of {', '.join(sorted(self.forms))}")
        try:
            found = results.number(identity)
        except VerydeepError as error:
            return self._warn(str(error))
        if found.status != "done":
            if "required" in asked:
                return self._warn(f"{identity} has not been run")
            return [nodes.inline(tables.NOT_RUN, tables.NOT_RUN, classes=["result"])], []
        text = f"{found.value:.1f}" if found.low is not None else f"{found.value:.3g}"
        shown = [nodes.inline(text, text, classes=["result"])]
        if found.low is not None and "cell" not in asked and "bare" not in asked:
            spread = f" ± {(found.high - found.low) / 2:.1f}"
            shown.append(nodes.inline(spread, spread, classes=["spread"]))
        page, _, anchor = citation.page(found).partition(".html")
        address = self.env.app.builder.get_relative_uri(self.env.docname, page) + anchor
        reference = nodes.reference("", "", *shown, internal=True, refuri=address)
        reference["reftitle"] = citation.hover(found)
        wrapped = [nodes.inline("", "", reference, classes=["result-link"])]
        if "cell" in asked and found.low is not None:
            interval = f" {found.low:.1f}–{found.high:.1f}"
            wrapped.append(nodes.inline(interval, interval, classes=["interval"]))
        return wrapped, []


class PaperRole(BookRole):
    """A number as the paper printed it."""

    def show(self):
        try:
            text = f"{results.paper_number(self.text)}"
        except VerydeepError as error:
            return self._warn(str(error))
        return [nodes.inline(text, text, classes=["paper-number"])], []


class VerdictRole(BookRole):
    """A study's verdict on one of the paper's claims, with the difference behind it, linked to the table of claims.

    After the claim may stand ``centre-crop``: the verdict on the same networks tested on one crop.
    """

    def show(self):
        claim, *asked = self.text.split()
        study, _, number = claim.partition(".")
        number = int(number) if number.isdigit() else number
        try:
            if unknown := sorted(set(asked) - {"centre-crop"}):
                raise VerydeepError(f"unknown option {unknown[0]!r} of {{verdict}}: it has centre-crop")
            found = _on_one_crop(study, number) if asked else claims.verdict(study, number)
        except VerydeepError as error:
            return self._warn(str(error))
        page = "results/table3" if asked else "results/claims"
        address = self.env.app.builder.get_relative_uri(self.env.docname, page)
        reference = nodes.reference("", "", nodes.inline("", found.verdict), internal=True, refuri=address)
        reference["reftitle"] = found.rule.reads if found.rule else "no study tests this claim"
        shown = [nodes.inline("", "", reference, classes=["verdict"])]
        if behind := claim_tables.in_parentheses(found):
            shown.append(nodes.inline("", f" ({behind})", classes=["interval"]))
        return shown, []


def _on_one_crop(study: str, number: int | str) -> claims.Verdict:
    tested = claims.on_one_crop(study)
    if number not in tested:
        raise UnknownName("claim about Table 3", number, list(tested))
    return tested[number][1]


class NotesChecked(SphinxDirective):
    """The study notes, each with what was computed and the verdict; the argument is the study that supplies runs."""

    required_arguments = 1

    def run(self):
        return self.parse_text_to_nodes(architecture.notes_markdown(self.arguments[0], root="/"))


class ResultTable(SphinxDirective):
    """A table of the paper beside the studies named, with links to the runs.

    With ``:others:`` it has the rows that the paper lacks too, with ``:brief:`` only the top-1 errors.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"others": directives.flag, "brief": directives.flag}

    def run(self):
        number, *studies = self.arguments[0].split()
        for study in studies:
            for run in planned_runs(load(study)):
                self.env.note_dependency(str(run.folder / "evaluate.json"))
        others, brief = ("others" in self.options), ("brief" in self.options)
        form = "" if brief else " cell"
        text = tables.errors_markdown(int(number), studies, lambda one: f"{{result}}`{one.id}{form}`", others, brief)
        return self.parse_text_to_nodes(text)


class LinkedSections(SphinxTransform):
    """Every section of the paper that a sentence names leads to it."""

    default_priority = 700

    def apply(self, **kwargs):
        for text in list(self.document.findall(nodes.Text)):
            named = addresses.sections(text.astext())
            if not named or _has_parent(text, nodes.reference, nodes.literal, nodes.FixedTextElement, nodes.raw):
                continue
            parts, at, whole = [], 0, text.astext()
            for begins, ends, url in named:
                parts += [nodes.Text(whole[at:begins]), nodes.reference("", whole[begins:ends], refuri=url)]
                at = ends
            text.parent.replace(text, [part for part in (*parts, nodes.Text(whole[at:])) if part.astext()])


def _has_parent(node: nodes.Node, *kinds: type[nodes.Node]) -> bool:
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


def write_run_pages(app: Sphinx, config) -> None:
    """Check ``runs/`` and write its pages before the sources are read; a fault stops the build."""
    _own_kernels()
    os.environ[chapters.BUILDING] = "1"
    if faults := runs.check_all() + history.undisclosed_changes():
        raise VerydeepError("; ".join(faults))
    pages.write_pages(paths.book() / "runs")
    pages.write_numbers(paths.book() / "runs" / "numbers")
    config.html_extra_path = [*config.html_extra_path, "runs/numbers"]


def _own_kernels() -> None:
    """Have the build's chapters run in kernels of our own, until this process ends."""
    world = contextlib.ExitStack()
    world.enter_context(kernels.own_world())
    atexit.register(world.close)


def publish(app: Sphinx, config) -> None:
    """Put the addresses of the book and of the repository, where they are set, into the configuration of the theme."""
    if found := publication.book_url():
        config.html_baseurl = f"{found}/"
    found = publication.repository_url()
    if found and any(host in found for host in ("github", "gitlab", "bitbucket")):  # the theme knows how these link
        config.html_theme_options |= {
            "repository_url": found,
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
    if not pagename.startswith("runs/"):
        return
    context["header_buttons"] = kept = [
        button for button in context.get("header_buttons", []) if button.get("label") not in _SOURCE_BUTTONS
    ]
    for group in kept:
        if "buttons" in group:
            group["buttons"] = [one for one in group["buttons"] if one.get("label") not in _SOURCE_BUTTONS]


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


def setup(app: Sphinx) -> dict:
    """Register with Sphinx, before the table of contents is read (priority 900 in sphinx_external_toc)."""
    app.add_role("result", ResultRole())
    app.add_role("paper", PaperRole())
    app.add_role("verdict", VerdictRole())
    app.add_transform(LinkedSections)
    app.add_directive("result-table", ResultTable)
    app.add_directive("notes-checked", NotesChecked)
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math, None))
    app.connect("config-inited", publish, priority=90)
    app.connect("config-inited", write_run_pages, priority=100)
    app.connect("builder-inited", _static_path)
    app.connect("env-get-outdated", _outdated)
    app.connect("doctree-read", _warn_of_lost_text)
    app.connect("html-page-context", _without_thebe, priority=900)
    app.connect("html-page-context", _without_absent_sources, priority=900)
    app.add_css_file("verydeep.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _without_thebe(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Leave out the scripts of sphinx-thebe, which Jupyter Book always loads.

    This book has no live cells, and the scripts declare one constant twice, an error in every page's console.
    """
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(script).lower() and "THEBE" not in str(getattr(script, "attributes", {}).get("body", ""))
    ]


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


def _outdated(app: Sphinx, env, added, changed, removed) -> list[str]:
    """Read every chapter again at each build: what it shows depends on ``runs/``, not only on its own text."""
    return [name for name in env.found_docs if not name.startswith("runs/")]


def _static_path(app: Sphinx) -> None:
    app.config.html_static_path.append(str(Path(__file__).parent / "static"))
