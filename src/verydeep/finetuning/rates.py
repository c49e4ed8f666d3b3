"""The learning rate, chosen on training images kept aside: it decides most of what a few updates teach."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from verydeep.data.examples import aside, of_one_class
from verydeep.data.normaliser import Normaliser
from verydeep.errors import TrainingDiverged
from verydeep.finetuning.loop import Lesson, fit, new_network
from verydeep.finetuning.testing import posteriors
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.studies import Run
from verydeep.studies.tuning import FURTHER, RATES, first_rate


def rates_of(run: Run) -> list[float]:
    """The rates tried first, from the study's own upwards: a new last layer has much to learn in few updates."""
    return [times * first_rate(run) for times in RATES]


def best_rate(
    run: Run,
    lesson: Lesson,
    classes: int,
    normalise: Normaliser,
    trained: bool,
    pixels_per_batch: int = PIXELS_PER_BATCH,
    keep: Callable[[float, Callable[[], float]], float] = lambda rate, left: left(),
) -> float:
    """The rate that leaves the least cross-entropy on a share of the lesson's images, which are kept aside meanwhile.

    The share is the one on which C is chosen where features stay frozen. While the best is the smallest or the largest
    of those tried, one beyond it is tried too (``FURTHER`` times at most); a rate at which training diverges is none.

    Parameters
    ----------
    keep
        Receives a rate and what finds out what it leaves, which takes a whole training; gives what is left, perhaps
        from before.

    Raises
    ------
    TrainingDiverged
        When training diverges at every rate.
    """
    manifest = lesson.images.manifest.iloc[lesson.rows]
    labels = manifest["label"].to_numpy()
    kept = aside(of_one_class(labels, classes), manifest["name"].to_numpy(), run.study.transfer.aside)

    def left_at(rate: float) -> float:
        net = new_network(run, classes, trained)
        try:
            fit(net, run, replace(lesson, rows=lesson.rows[~kept]), normalise, trained, rate)
        except TrainingDiverged:
            return math.inf
        said = torch.from_numpy(posteriors(net, run, normalise, lesson.images, lesson.rows[kept], pixels_per_batch))
        return float(F.nll_loss(said.float().clamp_min(1e-12).log(), torch.from_numpy(labels[kept])))

    left = {rate: keep(rate, partial(left_at, rate)) for rate in rates_of(run)}
    step = RATES[1] / RATES[0]
    for _ in range(FURTHER):
        best = _best(left)
        beyond = {max(left): best * step, min(left): best / step}.get(best)
        if beyond is None:
            break
        left[beyond] = keep(beyond, partial(left_at, beyond))
    best = _best(left)
    if left[best] == math.inf:
        tried = ", ".join(f"{rate:g}" for rate in sorted(left))
        raise TrainingDiverged(f"training diverges at every rate that was tried: {tried}")
    return best


def _best(left: dict[float, float]) -> float:
    """The rate that leaves least, the smallest where several do: when all diverge, the next is smaller still."""
    return min(sorted(left), key=left.get)
