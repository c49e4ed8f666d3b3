"""Fine-tuning on other images: three ways side by side on a data set, or a network for a folder of one's own images.

This room alone both trains and tests: what it makes is no network of a study.
"""

from verydeep.finetuning.comparison import compare
from verydeep.finetuning.kept import OwnNetwork, is_own, load
from verydeep.finetuning.own import Tuned, tune

__all__ = ["OwnNetwork", "Tuned", "compare", "is_own", "load", "tune"]
