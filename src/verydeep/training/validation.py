"""Errors on the images held out from the training set, by which a recipe is chosen and its course is followed."""

import numpy as np
import torch
import torch.nn.functional as F

from verydeep.data.normaliser import Normaliser
from verydeep.data.store import Store
from verydeep.data.views import CentreCrop, centre_batches
from verydeep.networks.network import Network
from verydeep.training.accelerators import Accelerator

_BATCH = 256


def held_out_errors(
    net: Network, store: Store, rows: np.ndarray, centre: CentreCrop, normalise: Normaliser, accelerator: Accelerator
) -> dict[str, float]:
    """Loss and errors (percent) on the centre crops of the held-out images ``rows``, every process the same."""
    loss, wrong1, wrong5 = 0.0, 0, 0
    with torch.inference_mode():
        for images, labels in centre_batches(store, rows, centre, _BATCH):
            with accelerator.autocast():
                scores = net(normalise(images))
            target = torch.from_numpy(labels).to(accelerator.device)
            loss += F.cross_entropy(scores.float(), target, reduction="sum").item()
            hits = scores.topk(min(5, scores.shape[1])).indices == target[:, None]
            wrong1 += int((~hits[:, 0]).sum())
            wrong5 += int((~hits.any(1)).sum())
    n = len(rows)
    return {
        "held_out_loss": loss / n,
        "held_out_top1_error": 100 * wrong1 / n,
        "held_out_top5_error": 100 * wrong5 / n,
    }
