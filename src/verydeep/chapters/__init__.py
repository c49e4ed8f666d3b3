"""What the chapters' notebooks call: tables, pictures, the check of their parameters.

Plain data in, a table or a figure out; what runs torch is in :mod:`verydeep.chapters.live`.
"""

from verydeep.chapters.parameters import check
from verydeep.chapters.result_tables import result_table

__all__ = ["check", "result_table"]
