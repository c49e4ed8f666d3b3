"""Where the paper can be read: its page at arXiv, and in its PDF the place of a section or table."""

import re

#: Of the version that was transcribed.
_PDF = "https://arxiv.org/pdf/1409.1556v6"
_SECTION_OF_TABLE = {
    "1": "2.2", "2": "2.2", "3": "4.1", "4": "4.2", "5": "4.3", "6": "4.4", "7": "4.5",
    "8": "A.2", "9": "A.2", "10": "A.2", "11": "B", "12": "B",
}  # fmt: skip
_NUMBER = r"[1-5A-C](?:\.[1-5])?"
_WORD = r"(?:Sections?|Appendix|Appendices)"
_NAMED = re.compile(rf"\b{_WORD} {_NUMBER}(?:(?:, | and | to ){_NUMBER})*(?!\w)")
_EACH = re.compile(rf"(?:{_WORD} |(?<= ))({_NUMBER})")


def section_url(section: str) -> str:
    """The address of a section, ``"3.1"`` or ``"A.2"``: the PDF, at the place that LaTeX named after it."""
    kind = "subsection" if "." in section else "appendix" if section.isalpha() else "section"
    return f"{_PDF}#nameddest={kind}.{section}"


def table_url(number: int | str) -> str:
    """The address of Table ``number`` (1-12): that of the section in which it stands."""
    return section_url(_SECTION_OF_TABLE[str(number)])


def sections(text: str) -> list[tuple[int, int, str]]:
    """Every section that a text names: from where to where, and its address; ``"(Sections 3.2 and 4)"`` names two."""
    return [
        (named.start() + number.start(), named.start() + number.end(), section_url(number[1]))
        for named in _NAMED.finditer(text)
        for number in _EACH.finditer(named[0])
    ]
