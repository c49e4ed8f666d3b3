"""What most chapters would do first, each for itself."""

import matplotlib.pyplot as plt

from verydeep import results
from verydeep.chapters.figures import loss_curve


def ready() -> None:
    """Read the records of every study, judge the claims by them, and draw a picture, for which fonts are read.

    Raises
    ------
    RecordError
        For a record that does not fit its schema.
    """
    with plt.rc_context():
        loss_curve([1.0, 0.5]).svg()
    results.read_all()
