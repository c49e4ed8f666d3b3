"""The pages that the build writes itself: for every study, run and fusion, and for every number."""

from verydeep.book.pages.numbers import numbers_page
from verydeep.book.pages.runs import fusion_page, run_page, transfer_page, tuning_page
from verydeep.book.pages.studies import study_page
from verydeep.book.pages.writing import write_numbers, write_pages, write_reference

__all__ = [
    "fusion_page",
    "numbers_page",
    "run_page",
    "study_page",
    "transfer_page",
    "tuning_page",
    "write_numbers",
    "write_pages",
    "write_reference",
]
