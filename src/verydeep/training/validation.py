"""Errors on the images held out from the training set, by which a recipe is chosen and its course is followed."""

import torch

from verydeep.data.normaliser import Normaliser
from verydeep.data.views import centre_batches
from verydeep.networks.network import Network
from verydeep.training.accelerators import Accelerator
from verydeep.training.images import TrainingImages
from verydeep.training.objectives import Objective

_BATCH = 256


def held_out_errors(
    net: Network,
    images: TrainingImages,
    objective: Objective,
    normalise: Normaliser,
    accelerator: Accelerator,
    at_once: int,
) -> dict[str, float]:
    """Loss and errors (percent) on the centre crops of the held-out images, of which each process tests its share.

    No more than ``at_once`` images go through the network at once: as many as a device trains on it can test on.
    Of a network that gives boxes the class is given, so that its top-1 and top-5 errors are one.
    """
    loss, wrong = 0.0, {1: 0, 5: 0}
    rows = images.held_out_rows[accelerator.process_index :: accelerator.num_processes]
    with torch.inference_mode():
        for batch in centre_batches(images.store, rows, images.centre, min(_BATCH, at_once), images.boxes):
            with accelerator.autocast():
                outputs = net(normalise(batch.images))
            targets = objective.targets(batch, accelerator.device)
            loss += objective.measured(outputs.float(), targets).item()
            for k in wrong:
                wrong[k] += int((~objective.right(outputs.float(), targets, k)).sum())
    if accelerator.num_processes > 1:
        counted = torch.tensor([loss, *wrong.values()], dtype=torch.float64, device=accelerator.device)
        loss, *counts = accelerator.reduce(counted, "sum").tolist()
        wrong = dict(zip(wrong, counts, strict=True))
    n = len(images.held_out_rows)
    return {
        "held_out_loss": loss / n,
        "held_out_top1_error": 100 * wrong[1] / n,
        "held_out_top5_error": 100 * wrong[5] / n,
    }
