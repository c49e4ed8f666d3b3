"""What a page shows by a directive, and the links that sentences get by themselves.

``{result-table} 4 quarter`` shows Table 4 with the studies named beside the paper, ``{verdicts-in-short}`` the claims
by their verdicts.
"""

from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

from verydeep.book.makers import Definition
from verydeep.book.source_links import source_link
from verydeep.chapters import error_tables, findings, study_notes
from verydeep.data.sources import SOURCES
from verydeep.paper import addresses


class NotesChecked(SphinxDirective):
    """The study notes, each with what was computed and the verdict; the argument is the study that supplies runs."""

    required_arguments = 1

    def run(self):
        caption = "The study notes, sentence by sentence: what was computed or measured, and whether they hold."
        return self.parse_text_to_nodes(_captioned(study_notes.notes_markdown(self.arguments[0], root="/"), caption))


class VerdictsInShort(SphinxDirective):
    """The claims that come to each verdict, and in which of the recorded studies."""

    def run(self):
        return self.parse_text_to_nodes(findings.in_short(findings.recorded()))


class ErrorsOfOthers(SphinxDirective):
    """What others published on a data set; the argument is its name."""

    required_arguments = 1

    def run(self):
        title = SOURCES[self.arguments[0]].title
        caption = f"What others published on {title}, or on a part of it, each with its source."
        return self.parse_text_to_nodes(_captioned(findings.errors_of_others(self.arguments[0]), caption))


class ResultTable(SphinxDirective):
    """A table of the paper beside the studies named, with links to the runs.

    With ``:brief:`` it has only the top-1 errors.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"brief": directives.flag}

    def run(self):
        number, *studies = self.arguments[0].split()
        brief = "brief" in self.options
        form = "" if brief else " cell"
        text = error_tables.errors_markdown(int(number), studies, lambda cell: f"{{result}}`{cell.id}{form}`", brief)
        shown = self.parse_text_to_nodes(text)
        return (
            shown if brief else [*shown, source_link(Definition("verydeep.chapters.error_tables", "errors_markdown"))]
        )


class LinkedSections(SphinxTransform):
    """Every section of the paper that a sentence names leads to it."""

    default_priority = 700

    def apply(self, **kwargs):
        for text in list(self.document.findall(nodes.Text)):
            named = addresses.sections(text.astext())
            if not named or _has_parent(text, nodes.reference, nodes.literal, nodes.FixedTextElement, nodes.raw):
                continue
            parts, at, content = [], 0, text.astext()
            for begins, ends, url in named:
                parts += [nodes.Text(content[at:begins]), nodes.reference("", content[begins:ends], refuri=url)]
                at = ends
            text.parent.replace(text, [part for part in (*parts, nodes.Text(content[at:])) if part.astext()])


def _captioned(table: str, caption: str) -> str:
    """A Markdown table with a caption; Sphinx numbers it."""
    return f"```{{table}} {caption}\n\n{table}\n```"


def _has_parent(node: nodes.Node, *kinds: type[nodes.Node]) -> bool:
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


def setup(app: Sphinx) -> None:
    """Register the directives and the links with Sphinx."""
    app.add_transform(LinkedSections)
    app.add_directive("result-table", ResultTable)
    app.add_directive("errors-of-others", ErrorsOfOthers)
    app.add_directive("notes-checked", NotesChecked)
    app.add_directive("verdicts-in-short", VerdictsInShort)
