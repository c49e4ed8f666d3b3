"""Parts that several pages have."""

from verydeep.results import METRICS
from verydeep.runs import Errors
from verydeep.runs.outputs import OUTPUTS

#: Commits are shown at this length.
SHORT = 10
#: The files of a run that its page offers for download; the executed notebooks are pages of their own.
DOWNLOADS = tuple(dict.fromkeys(name for names in OUTPUTS.values() for name in names if not name.endswith(".ipynb")))
#: A page of one run stands in no table of contents and is not searched: it is reached from its study and its numbers.
FRONT_MATTER = ("---", "orphan: true", "nosearch: true", "---")
#: The anchor at which the page of a run says how well it had learned its training images, and does on those held out.
LEARNED = "learned"


def errors(measured: Errors) -> list[str]:
    """The top-1 and top-5 error, percent, as cells."""
    return [f"{measured.error(metric):.1f}" for metric in METRICS]


def two_columns(rows: dict[str, str]) -> list[str]:
    """Names and what they stand for as a table in Markdown."""
    return ["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows.items())]
