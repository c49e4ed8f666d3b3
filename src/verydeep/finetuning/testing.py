"""What a tuned network says of images, asked in one way by all that tunes; kept, it is asked in float32."""

import numpy as np

from verydeep.data.base import Images
from verydeep.data.normaliser import Normaliser
from verydeep.evaluation.tester import Tester
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.networks.network import Network
from verydeep.studies import Run


def posteriors(
    net: Network,
    run: Run,
    normalise: Normaliser,
    images: Images,
    rows: np.ndarray,
    pixels_per_batch: int = PIXELS_PER_BATCH,
) -> np.ndarray:
    """Probabilities (n, classes) of the images in ``rows``, densely at Q=256, as the study of ``run`` tests."""
    tester = Tester(net, normalise, run.testing, run.recipe.flip, pixels_per_batch)
    return tester.make("dense", images, rows, run.study.pixels(256)).posteriors
