"""The learning rate, chosen on training images kept aside: it decides most of what a few updates teach."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from verydeep.data.normaliser import Normaliser
from verydeep.data.targets import aside, of_one_class
from verydeep.errors import TrainingDiverged
from verydeep.evaluation.tester import PIXELS_PER_BATCH
from verydeep.finetuning.loop import Lesson, fit, new_network
from verydeep.finetuning.testing import posteriors
from verydeep.studies import Run
from verydeep.studies.tuning import RATES


def rates_of(run: Run) -> list[float]:
    """The rates that are tried, from the study's own upwards: a new last layer has much to learn in few updates."""
    return [times * run.study.resolve("256").learning_rate for times in RATES]


def best_rate(
    run: Run,
    lesson: Lesson,
    classes: int,
    normalise: Normaliser,
    trained: bool,
    pixels_per_batch: int = PIXELS_PER_BATCH,
) -> float:
    """The rate that leaves the least cross-entropy on a share of the lesson's images, which are kept aside meanwhile.

    The share is the one on which C is chosen where features stay frozen. A rate at which training diverges is none.

    Raises
    ------
    TrainingDiverged
        When training diverges at every rate.
    """
    manifest = lesson.images.manifest.iloc[lesson.rows]
    labels = manifest["label"].to_numpy()
    kept = aside(of_one_class(labels, classes), manifest["name"].to_numpy(), run.study.transfer.aside)
    reached = {}
    for rate in rates_of(run):
        net = new_network(run, classes, trained)
        try:
            fit(net, run, replace(lesson, rows=lesson.rows[~kept]), normalise, trained, rate)
        except TrainingDiverged as error:
            diverged = error
            continue
        said = torch.from_numpy(posteriors(net, run, normalise, lesson.images, lesson.rows[kept], pixels_per_batch))
        reached[rate] = float(F.nll_loss(said.float().clamp_min(1e-12).log(), torch.from_numpy(labels[kept])))
    if not reached:
        raise diverged
    return min(reached, key=reached.get)
