"""Greedy merging: by hand, against a naive loop, and the overlap of boxes against torchvision's."""

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from conftest import EVERY
from verydeep.evaluation.merging import distances, merge, overlap
from verydeep.studies.localisation import Localisation


def test_overlap_by_hand_and_as_torchvision_has_it():
    square, half, apart = [0, 0, 1, 1], [0.5, 0, 1.5, 1], [2, 2, 3, 3]
    assert overlap([square], [square, half, apart])[0] == pytest.approx([1, 1 / 3, 0])
    drawn = np.random.default_rng(0).random((2, 7, 4))
    boxes = np.concatenate([drawn[..., :2], drawn[..., :2] + drawn[..., 2:]], -1)
    theirs = torchvision.ops.box_iou(*map(torch.from_numpy, boxes)).numpy()
    assert np.array_equal(overlap(*boxes), theirs)
    assert overlap([[1, 1, 1, 1]], [[1, 1, 1, 1]]).tolist() == [[0]]  # of nothing with nothing


def test_the_reading_of_overfeats_measure_by_hand():
    """Two squares of side 2, a quarter of a side apart: they share 3 of 5 parts."""
    one, other = [0, 0, 2, 2], [0.5, 0, 2.5, 2]
    assert distances([one], [other], "iou") == pytest.approx(np.array([[0.4]]))
    assert distances([one], [other], "overfeat") == pytest.approx(np.array([[0.4 + 0.25]]))


#: Three boxes about one object, and two about another.
FIVE = np.array([
    [0.0, 0.0, 1.0, 1.0], [0.1, 0.0, 1.1, 1.0], [0.0, 0.2, 1.0, 1.2], [3.0, 3.0, 4.0, 4.0], [3.0, 3.0, 4.0, 4.5],
])  # fmt: skip
SCORES = np.array([0.5, 0.2, 0.1, 0.6, 0.3])


def test_five_boxes_by_hand():
    """0 and 1 share 0.9 of 1.1 (0.182 apart), 3 and 4 are 1/3 apart, 0 and 2 share 0.8 of 1.2.

    So 0 and 1 go first, to [0.05, 0, 1.05, 1]. That and 2 share 0.95 x 0.8 = 0.76 of 1.24 and
    are 0.387 apart; so 3 and 4 are next, to [3, 3, 4, 4.25], and then the first two, to [0.025, 0.1, 1.025, 1.1].
    """
    found = merge(FIVE, SCORES, Localisation())
    assert [(step.first, step.second) for step in found.steps] == [(0, 1), (3, 4), (5, 2)]
    assert [step.distance for step in found.steps] == pytest.approx([1 - 0.9 / 1.1, 1 / 3, 1 - 0.76 / 1.24])
    assert found.boxes == pytest.approx(np.array([[3, 3, 4, 4.25], [0.025, 0.1, 1.025, 1.1]]))
    assert found.scores == pytest.approx([0.9, 0.8])


def test_each_key_changes_what_it_says():
    best = merge(FIVE, SCORES, Localisation(rating="best"))
    assert best.scores == pytest.approx([0.6, 0.5])
    members = merge(FIVE, SCORES, Localisation(average="members"))
    assert members.boxes[1] == pytest.approx([0.1 / 3, 0.2 / 3, 1 + 0.1 / 3, 1 + 0.2 / 3])
    strict = merge(FIVE, SCORES, Localisation(threshold=0.35))
    assert len(strict.boxes) == 3 and strict.scores == pytest.approx([0.9, 0.7, 0.1])
    none = merge(FIVE, SCORES, Localisation(threshold=1e-6))
    assert len(none.boxes) == 5 and none.scores.tolist() == sorted(SCORES, reverse=True) and not none.steps
    by_centres = merge(FIVE, SCORES, Localisation(match="overfeat", threshold=0.3))
    assert [(step.first, step.second) for step in by_centres.steps] == [(0, 1)]  # 3 and 4: 1/3, and their centres


def test_one_box_and_equal_boxes():
    one = merge(FIVE[:1], SCORES[:1], Localisation())
    assert one.boxes.tolist() == FIVE[:1].tolist() and one.steps == ()
    same = merge(np.repeat(FIVE[:1], 3, 0), np.array([0.1, 0.2, 0.3]), Localisation())
    assert same.boxes.tolist() == FIVE[:1].tolist() and same.scores == pytest.approx([0.6])
    empty = np.array([[0.5, 0, 0.5, 1], [0.5, 0, 0.5, 1], [0, 0, 0, 0], [0.5, 0, 0.5, 0.9]])
    assert distances(empty[:1], empty, "iou").tolist() == [[0, 0, 1, 1]]
    for match in ("iou", "overfeat"):
        with np.errstate(over="ignore"):  # in parts of no side
            itself = np.diag(distances(empty, empty, match))
        assert itself.tolist() == [0] * 4
        found = merge(np.zeros((3, 4)), np.array([0.1, 0.2, 0.3]), Localisation(match=match))
        assert found.boxes.tolist() == [[0] * 4] and found.scores == pytest.approx([0.6]) and len(found.steps) == 2


def naive(boxes, scores, options):
    """The same by plain loops over a list, each step looking at every pair anew."""
    kept = [(list(map(float, box)), float(score), 1) for box, score in zip(boxes, scores, strict=True)]
    while len(kept) > 1:
        least, pair = None, None
        for i in range(len(kept)):
            for j in range(i + 1, len(kept)):
                apart = distance(kept[i][0], kept[j][0], options.match)
                if least is None or apart < least:
                    least, pair = apart, (i, j)
        if least > options.threshold:
            break
        i, j = pair
        (one, mine, m), (other, theirs, n) = kept[i], kept[j]
        shares = (m, n) if options.average == "members" else (1, 1)
        box = [(shares[0] * a + shares[1] * b) / sum(shares) for a, b in zip(one, other, strict=True)]
        kept[i] = (box, max(mine, theirs) if options.rating == "best" else mine + theirs, m + n)
        del kept[j]
    return sorted(kept, key=lambda one: -one[1])


def distance(one, other, match):
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    union = areas - width * height
    apart = 1 - (width * height / union if union else 0)
    if match == "overfeat":
        x, y = ((one[k] + one[k + 2] - other[k] - other[k + 2]) / 2 for k in (0, 1))
        w, h = ((one[k + 2] - one[k] + other[k + 2] - other[k]) / 2 for k in (0, 1))
        apart += ((x / w) ** 2 + (y / h) ** 2) ** 0.5
    return apart


@EVERY
@given(
    seed=st.integers(0, 2**30), count=st.integers(1, 12), match=st.sampled_from(["iou", "overfeat"]),
    average=st.sampled_from(["pair", "members"]), rating=st.sampled_from(["sum", "best"]),
    threshold=st.sampled_from([0.2, 0.5, 0.9]),
)  # fmt: skip
def test_merging_is_what_a_naive_loop_does(seed, count, match, average, rating, threshold):
    draws = np.random.default_rng(seed)
    corners = draws.random((count, 2))
    boxes = np.concatenate([corners, corners + 0.2 + draws.random((count, 2))], 1)
    scores, options = (
        draws.random(count),
        Localisation(match=match, average=average, rating=rating, threshold=threshold),
    )
    found, expected = merge(boxes, scores, options), naive(boxes, scores, options)
    assert found.boxes == pytest.approx(np.array([box for box, _, _ in expected]))
    assert found.scores == pytest.approx([score for _, score, _ in expected])
    assert len(found.steps) == count - len(expected)
