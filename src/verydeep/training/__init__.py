"""Training of one network by the study's recipe (Sect. 3.1), resumable to the bit.

Every random draw is a function of (seed, epoch, image) or (seed, step, place in the batch), so a run killed at any
instant and resumed gives the weights of the uninterrupted one on the same machine.
"""

from verydeep.training.launch import MICRO_BATCH, train

__all__ = ["MICRO_BATCH", "train"]
