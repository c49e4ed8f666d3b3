"""Greedy merging of many boxes into few (Appendix A.1), after Sermanet et al. (2014), and the overlap of boxes.

Boxes are float arrays (..., 4): left, top, right, bottom.
"""

from dataclasses import dataclass

import numpy as np
import torch

from verydeep.studies.localisation import Localisation


@dataclass(frozen=True)
class Step:
    """One merging: the places of the two boxes among all that there were and were made, and how far apart they were."""

    first: int
    second: int
    distance: float


@dataclass(frozen=True)
class Merged:
    """What merging leaves: ``boxes`` (m, 4) with their class scores (m,), best first, and the steps that led there."""

    boxes: np.ndarray
    scores: np.ndarray
    steps: tuple[Step, ...]


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of each of (n, 4) with each of (m, 4): (n, m); 0 where both are empty."""
    from torchvision.ops import box_iou

    ious = box_iou(torch.from_numpy(np.asarray(first, np.float64)), torch.from_numpy(np.asarray(second, np.float64)))
    return np.nan_to_num(ious.numpy())


def distances(first: np.ndarray, second: np.ndarray, match: str) -> np.ndarray:
    """How far apart boxes are by the study's measure: (n, m), 0 for the same box.

    Sermanet et al. take the sum of "the distance between centers of the two bounding boxes and the intersection area
    of the boxes", which as printed would be larger the more two boxes share. ``"overfeat"`` is our reading: the
    distance in parts of their mean width and height, and what of their union they do not share.
    """
    boxes, others = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    # two of no area have nothing to share, and are one all the same
    apart = np.where((boxes == others).all(-1), 0, 1 - overlap(first, second))
    if match == "iou":
        return apart
    centres = (boxes[..., :2] + boxes[..., 2:] - others[..., :2] - others[..., 2:]) / 2
    sides = (boxes[..., 2:] - boxes[..., :2] + others[..., 2:] - others[..., :2]) / 2
    return apart + np.linalg.norm(centres / np.maximum(sides, np.finfo(np.float64).tiny), axis=-1)


def merge(boxes: np.ndarray, scores: np.ndarray, options: Localisation) -> Merged:
    """Merge the two nearest boxes, again and again, until the nearest are further apart than the study's threshold.

    Of pairs equally near, that of the earliest boxes goes first. A merged box takes the place of its first part.

    Parameters
    ----------
    boxes
        Of one class, from every window (n, 4), n at least 1.
    scores
        What the classification network says of that class at each window, (n,).
    """
    kept, rated = np.array(boxes, np.float64), np.array(scores, np.float64)
    weights, names = np.ones(len(kept)), np.arange(len(kept))
    apart = distances(kept, kept, options.match)
    apart[np.tril_indices(len(kept))] = np.inf
    steps: list[Step] = []
    while len(kept) > 1:
        i, j = np.unravel_index(np.argmin(apart), apart.shape)
        if apart[i, j] > options.threshold:
            break
        steps.append(Step(int(names[i]), int(names[j]), float(apart[i, j])))
        weight, other = (weights[i], weights[j]) if options.average == "members" else (1, 1)
        kept[i] = (weight * kept[i] + other * kept[j]) / (weight + other)
        rated[i] = max(rated[i], rated[j]) if options.rating == "best" else rated[i] + rated[j]
        weights[i], names[i] = weights[i] + weights[j], len(boxes) + len(steps) - 1
        kept, rated, weights, names = (np.delete(values, j, 0) for values in (kept, rated, weights, names))
        apart = np.delete(np.delete(apart, j, 0), j, 1)
        anew = distances(kept[i : i + 1], kept, options.match)[0]
        apart[i, i + 1 :], apart[:i, i] = anew[i + 1 :], anew[:i]
    order = np.argsort(-rated, kind="stable")
    return Merged(kept[order], rated[order], tuple(steps))
