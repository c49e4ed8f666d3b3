"""The table of bad inputs: every module adds its cases to :data:`faults.cases.CASES`."""

from faults import leftovers
from faults.cases import CASES
from faults.inputs import archives, boxes, datasets, images, parameters, records, studies, weights

__all__ = [
    "CASES",
    "archives",
    "boxes",
    "datasets",
    "images",
    "leftovers",
    "parameters",
    "records",
    "studies",
    "weights",
]
