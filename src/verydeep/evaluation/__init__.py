"""Testing of trained networks (Sect. 3.2, 4): alone, together, and once more to verify a record. Never trains."""

from verydeep.evaluation.measure import Passes, evaluate, is_current, mean, require_trained, write_predictions

__all__ = ["Passes", "evaluate", "is_current", "mean", "require_trained", "write_predictions"]
