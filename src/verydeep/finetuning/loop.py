"""The plain loop that trains a network on few images: crops, mirror images, SGD with momentum, a rate that falls."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from verydeep import machine, progress
from verydeep.assembly import load_network, untrained_network
from verydeep.data.base import Images
from verydeep.data.normaliser import Normaliser
from verydeep.data.views import Batch, TrainingBatches, TrainingViews, draw_epoch
from verydeep.errors import OutOfMemory, TrainingDiverged
from verydeep.networks.initialisation import transfer_all_but_last
from verydeep.networks.network import DTYPES, Network
from verydeep.studies import Run
from verydeep.studies.parts import Recipe

#: A precision that needs its losses scaled, and the one that stands for it here.
_WITHOUT_SCALER = {"float16": "bfloat16"}
#: Of the rate: what the layers that are there already learn at, when the last one is new.
GENTLE = 0.2


@dataclass(frozen=True)
class Lesson:
    """What a network is trained on: images as a store gives them, the rows of its manifest, and for how long."""

    images: Images
    rows: np.ndarray
    epochs: int
    seed: int

    def steps(self, batch: int) -> int:
        """Updates in an epoch."""
        return len(self.rows) // batch


def new_network(run: Run, classes: int, trained: bool) -> Network:
    """The network of a run with ``classes`` outputs: its weights but the last layer's, or random ones."""
    net = untrained_network(run, classes)
    if trained:
        transfer_all_but_last(net, load_network(run))
    return net


def batch_size(run: Run, images: int) -> int:
    """The study's batch, or less where it would leave fewer than four updates an epoch."""
    return max(1, min(run.recipe.batch, images // 4))


def fit(net: Network, run: Run, lesson: Lesson, normalise: Normaliser, trained: bool, rate: float) -> list[float]:
    """Train ``net`` in place; the mean loss of every epoch.

    Crops are of the scale S=256, mirrored where the study does so. ``trained`` says that all layers but the last were
    trained before: they learn at a fifth of ``rate``. After a warm-up over the first tenth the rate falls to
    nothing along a cosine. The gradient's norm is kept to the recipe's ``clip_norm``, or to 1 where that is none. What
    a recipe has in float16 is in bfloat16 here, in which no gradient is too small to be seen. Every draw hangs on the
    lesson's seed alone. A batch that a GPU has not the memory for goes through it in parts.

    Raises
    ------
    TrainingDiverged
        When the loss is no longer finite.
    OutOfMemory
        When a GPU has not the memory for one image, or for a batch that is normalised over.
    """
    recipe, batch = run.recipe, batch_size(run, len(lesson.rows))
    scale = run.study.pixels(256)
    views = TrainingViews(run.size.crop, scale, scale, recipe.flip)
    machine.keep_memory()
    device = normalise.mean.device
    net.to(device).train()
    fresh = [weight for layer in net.last_layers() for weight in layer.parameters()]
    fresh_ids = {id(weight) for weight in fresh}
    groups = [
        {
            "params": [weight for weight in net.parameters() if id(weight) not in fresh_ids],
            "gentle": GENTLE if trained else 1.0,
        },
        {"params": fresh, "gentle": 1.0},
    ]
    optimiser = torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    steps, losses, at_once = lesson.steps(batch), [], batch
    total, warmup = steps * lesson.epochs, max(1, steps * lesson.epochs // 10)
    torch.manual_seed(lesson.seed)
    for epoch in progress.bar(range(lesson.epochs), f"{run.row} epochs", unit="epoch"):
        draws, summed = draw_epoch(lesson.seed, epoch, len(lesson.rows)), 0.0
        batches = TrainingBatches(lesson.images, lesson.rows, views, draws, batch, 0, 1)
        for step in range(steps):
            done = epoch * steps + step
            falling = 0.5 * (1 + math.cos(math.pi * max(0, done - warmup) / max(1, total - warmup)))
            for group in optimiser.param_groups:
                group["lr"] = rate * group["gentle"] * min(1, (done + 1) / warmup) * falling
            loss, at_once = _gradients(net, batches[step], normalise, run, at_once)
            torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip_norm or 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            summed += loss
        losses.append(summed / steps)
    net.eval()
    return losses


def _gradients(net: Network, batch: Batch, normalise: Normaliser, run: Run, at_once: int) -> tuple[float, int]:
    """The loss over a batch, whose gradients are left in the network, and how many images went through at once.

    Half as many wherever the device has not the memory, which gives the same gradients but for rounding and for the
    units that are dropped.
    """
    while True:
        try:
            parts = range(0, len(batch.labels), at_once)
            return sum(
                _part(net, batch, slice(start, start + at_once), normalise, run.recipe) for start in parts
            ), at_once
        except torch.OutOfMemoryError:
            if run.normalises or at_once == 1:
                raise OutOfMemory(
                    f"{run.row}: the device has not the memory for {at_once} images at once, and they cannot be fewer: "
                    f"it takes a larger one"
                ) from None
        # only here, with the error gone, is what the part had allocated free
        net.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        at_once = at_once // 2


def _part(net: Network, batch: Batch, part: slice, normalise: Normaliser, recipe: Recipe) -> float:
    """What some images of a batch add to its loss; their gradients are added to those in the network."""
    labels = batch.labels[part].to(normalise.mean.device).long()
    precision = _WITHOUT_SCALER.get(recipe.precision, recipe.precision)
    with torch.autocast(labels.device.type, DTYPES[precision], enabled=precision != "float32"):
        made = net(normalise(batch.images[part]))
    scores, *_ = made if isinstance(made, tuple) else (made,)  # what classifiers at the side say is left out here
    loss = F.cross_entropy(scores.float(), labels, reduction="sum") / len(batch.labels)
    if not torch.isfinite(loss):
        raise TrainingDiverged(f"loss is {loss.item()} while a network was tuned; lower the learning rate")
    loss.backward()
    return loss.item()
