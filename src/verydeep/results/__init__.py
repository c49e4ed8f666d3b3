"""From records to what may be said of them: numbers with their intervals, verdicts on claims, citations.

:func:`read` gives what a study's records say. Reads ``runs/`` and the paper's facts, and imports no torch.
"""

from verydeep.results.identity import NumberId
from verydeep.results.numbers import METRICS, Number, Row, as_dict, rows, wrong, wrong_images
from verydeep.results.printed import paper_number, paper_row, printed_numbers, printed_rows, printed_text, stars
from verydeep.results.snapshot import Snapshot, number, read, read_all

__all__ = [
    "METRICS",
    "Number",
    "NumberId",
    "Row",
    "Snapshot",
    "as_dict",
    "number",
    "paper_number",
    "paper_row",
    "printed_numbers",
    "printed_rows",
    "printed_text",
    "read",
    "read_all",
    "rows",
    "stars",
    "wrong",
    "wrong_images",
]
