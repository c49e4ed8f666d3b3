"""Words of a chapter's source that its rendered page does not show.

Sphinx drops some text without a warning: a line that begins with ``%`` is a comment in MyST, so is
``<!-- ... -->``, and what follows is read as if it had never been written. Here the words of every line
are looked for in the page, in their order, one after the other.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from docutils import nodes

#: Roles of this book: what they print is found by the text they were given (see :func:`rendered`).
OWN_ROLES = ("result", "paper", "verdict", "held-out", "difference")
#: A rendered node that stands for a role keeps here what stood in the source.
SOURCE = "verydeep_source"

_FENCE = re.compile(r"^\s*(`{3,}|~{3,}|:{3,})\s*(\{[\w:-]+\})?(.*)$")
#: Directives whose argument is a title that the page shows, and those whose lines are not prose.
_TITLED = {"{admonition}", "{dropdown}", "{card}", "{tab-item}", "{table}"}
_NOT_PROSE = {"{code-cell}", "{math}", "{eval-rst}"}
#: Blocks in which nothing but their end means anything: code.
_LITERAL = {None, *_NOT_PROSE}
_OPTION = re.compile(r"\s*:[\w-]+:")
_ITEM = re.compile(r"\s*(?:\d+[.)]|[-*+])\s")
_WORD = re.compile(r"[^\W_]+")
#: What is no text of the page: a link's target, a tag of HTML, the target behind the words of a role, an image.
_SYNTAX = [
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), " "),
    (re.compile(r"\]\([^)]*\)"), "] "),
    (re.compile(r"(?<!`)</?[a-zA-Z][\w-]*(?:\s[^>]*)?/?>(?!`)"), " "),
]
#: Where what the page shows is not what the source says: other roles, formulas.
_OTHER = re.compile(r"(?<!`)\{[\w:-]+\}`[^`]*`|\$\$.*?\$\$|\$[^$`]+\$")
_OWN = re.compile(r"\{(?:" + "|".join(OWN_ROLES) + r")\}`[^`]*`")
_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")


class Lost(NamedTuple):
    """Words of the source that the page lacks, and the line on which they begin."""

    line: int
    words: str


def words(text: str) -> list[str]:
    """The words and numbers of a text, without punctuation and marks."""
    return _WORD.findall(text)


def prose(path: Path) -> list[str]:
    """The Markdown sources of a chapter: the file, or each Markdown cell of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return [text]
    return [cell.source for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "markdown"]


def pieces(markdown: str, own_roles: bool = True) -> Iterator[list[tuple[int, str]]]:
    """Runs of words that must stand one after the other in the page, each word with its line.

    A run ends at a blank line, and at a role or formula that prints something else than its source. With ``own_roles``
    the roles of this book count as words of their source, as in :func:`rendered`; without, they end a run too.
    """
    run: list[tuple[int, str]] = []
    for line, text in _lines(markdown):
        if text is None:
            if run:
                yield run
            run = []
            continue
        for k, part in enumerate(_parts(text, own_roles)):
            if k and run:
                yield run
                run = []
            run += [(line, word) for word in words(part)]
    if run:
        yield run


def _lines(markdown: str) -> Iterator[tuple[int, str | None]]:
    """Each line with its number; ``None`` where a run of words ends."""
    lines = markdown.split("\n")
    first = lines.index("---", 1) + 1 if lines[0] == "---" and "---" in lines[1:] else 0
    fences: list[tuple[str, str | None]] = []  # the mark that closes each, and its directive
    options = False
    for number, text in enumerate(lines[first:], first + 1):
        fence, literal = _FENCE.match(text), bool(fences) and fences[-1][1] in _LITERAL
        if fence and fences and fence[1].startswith(fences[-1][0]) and not (fence[2] or fence[3].strip()):
            fences.pop()
            yield number, None
        elif fence and not literal:
            fences.append((fence[1], fence[2]))
            options = bool(fence[2])
            yield number, None
            if fence[2] in _TITLED:
                yield number, fence[3]
                yield number, None
        elif (fences and fences[-1][1] in _NOT_PROSE) or (options and _OPTION.match(text)):
            continue
        else:
            options = options and not text.strip()
            if literal or not text.strip():
                yield number, text.strip() or None
                continue
            if item := _ITEM.match(text):
                yield number, None
            yield number, text[item.end() :] if item else text


def _restored(text: str, kept: list[str]) -> str:
    """A text with what was kept aside put back in its place."""
    return re.sub("\x00(\\d+)\x00", lambda place: kept[int(place[1])], text)


def _parts(text: str, own_roles: bool) -> list[str]:
    """One line, divided where the page shows something else than the source."""
    kept: list[str] = []

    def keep(literal: re.Match) -> str:
        kept.append(_restored(literal[0], kept))
        return f" \x00{len(kept) - 1}\x00 "

    if own_roles:
        text = _OWN.sub(keep, text)
    text = _OTHER.sub("\x01", text)
    text = _CODE.sub(keep, text)
    for pattern, instead in _SYNTAX:
        text = pattern.sub(instead, text)
    text = _restored(text, kept)
    return text.split("\x01")


def rendered(document: nodes.Node) -> str:
    """The text of a document tree; a role of this book as it stands in the source."""
    texts = []

    def walk(node: nodes.Node) -> None:
        if isinstance(node, nodes.comment | nodes.system_message):
            return
        if isinstance(node, nodes.Element) and SOURCE in node:
            texts.append(node[SOURCE])
        elif isinstance(node, nodes.Text):
            texts.append(str(node))
        elif not isinstance(node, nodes.raw):
            if isinstance(node, nodes.superscript | nodes.subscript):
                texts.append(" ")
            for child in node.children:
                walk(child)
            if not isinstance(node, nodes.Inline):
                texts.append("\n")
            elif isinstance(node, nodes.superscript | nodes.subscript):
                texts.append(" ")

    walk(document)
    return "".join(texts)


def lost(markdown: str, page: str, own_roles: bool = True) -> list[Lost]:
    """What of a source is missing in the text of its page.

    Returns
    -------
    list of Lost
        For each run of words that the page lacks, its first line that is not there by itself, or the whole run where
        each line is there but not after the other.
    """
    shown = f" {' '.join(words(page))} "
    missing = []
    for run in pieces(markdown, own_roles):
        if f" {' '.join(word for _, word in run)} " in shown:
            continue
        lines = {line: " ".join(word for at, word in run if at == line) for line, _ in run}
        lost_line = next((Lost(*line) for line in lines.items() if f" {line[1]} " not in shown), None)
        missing.append(lost_line or Lost(run[0][0], " ".join(lines.values())))
    return missing
