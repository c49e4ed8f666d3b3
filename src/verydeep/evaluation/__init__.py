"""Testing of trained networks (Sect. 3.2, 4, A.1): alone, together, and once more to verify a record. Never trains."""

from verydeep.evaluation.measure import evaluate, is_current, require_trained
from verydeep.evaluation.passes import Passes, mean

__all__ = ["Passes", "evaluate", "is_current", "mean", "require_trained"]
