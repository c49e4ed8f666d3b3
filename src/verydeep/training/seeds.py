"""Seeds of the separate random streams; that of the views is (seed, epoch) in :mod:`verydeep.data.views`.

numpy fills a seed up with zeros, so (seed, 1, 0) here is (seed, 1) there. Each goes into a generator of another kind,
so nothing that is drawn is the same.
"""

import numpy as np

WEIGHTS, DROPOUT = 1, 2


def seed(of_run: int, stream: int, index: int) -> int:
    """The seed of draw ``index`` of a stream, below 2^63."""
    return int(np.random.SeedSequence([of_run, stream, index]).generate_state(1, np.uint64)[0] >> 1)
