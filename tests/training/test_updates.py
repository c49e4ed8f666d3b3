"""One update, against the arithmetic of Sect. 3.1 written out: the step, the rate, what is dropped, what is shifted."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import tiny_run

from verydeep import assembly
from verydeep.training import updates as updating
from verydeep.training.accelerators import accelerator
from verydeep.training.images import TrainingImages
from verydeep.training.updates import Updates


def ready(run) -> tuple[Updates, list]:
    """A training before its first update, and its first three batches."""
    images = TrainingImages.of(run)
    made = Updates(run, images, accelerator(run), 32)
    made.learn()
    batches = iter(images.loader(1, 0, 0, 1))
    return made, [next(batches) for _ in range(3)]


def test_an_update_is_sgd_with_momentum_weight_decay_and_a_clipped_gradient(checkout):
    """Two steps of the warm-up and the first after it; the second epoch begins at step 41."""
    run = tiny_run(momentum=0.8, weight_decay=0.1, clip_norm=0.5, colour_shift=0.0)
    made, batches = ready(run)
    by_hand = assembly.network(run)
    by_hand.load_state_dict(made.plain.state_dict())
    velocity = [torch.zeros_like(weight) for weight in by_hand.parameters()]
    rates = (0.05 * 1 / 42, 0.05 * 2 / 42, 0.05)
    for (epoch, step), batch, rate in zip(((0, 0), (0, 1), (1, 0)), batches, rates, strict=True):
        assert made.update(batch, epoch, step).rate == pytest.approx(rate)
        weights = list(by_hand.parameters())
        scores = by_hand(made.normalise(batch.images))
        gradients = torch.autograd.grad(F.cross_entropy(scores, batch.labels), weights)
        norm = math.sqrt(sum(float(one.square().sum()) for one in gradients))
        assert norm > 0.5  # or nothing would be clipped
        with torch.no_grad():
            for weight, gradient, moved in zip(weights, gradients, velocity, strict=True):
                moved.mul_(0.8).add_(gradient * 0.5 / norm + 0.1 * weight)
                weight.sub_(rate * moved)
        for ours, expected in zip(made.plain.parameters(), weights, strict=True):
            assert torch.allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_other_units_of_fc6_and_fc7_are_dropped_at_every_step(checkout):
    made, batches = ready(tiny_run(dropout=0.5))
    seen = []
    layers = [layer for layer in made.plain.modules() if isinstance(layer, torch.nn.Dropout)]
    for layer in layers:
        layer.register_forward_hook(lambda one, given, out: seen.append((given[0] != 0, out == 0)))
    for where in ((0, 0), (0, 1), (1, 0), (1, 1)):
        made.update(batches[0], *where)
    assert len(layers) == 2 and len(seen) == 8
    for of_layer in (seen[::2], seen[1::2]):
        for k, (active, dropped) in enumerate(of_layer):
            assert float(dropped[active].float().mean()) == pytest.approx(0.5, abs=0.05)
            for before, then in of_layer[:k]:  # half of the units that are active at both are treated otherwise
                assert float((dropped != then)[active & before].float().mean()) == pytest.approx(0.5, abs=0.05)


def test_a_batch_reaches_the_network_less_its_mean_with_krizhevskys_shift(checkout, monkeypatch):
    """Pixels of 0 to 1 plus the eigenvectors times eigenvalue times draw, then less the mean, over the deviation."""
    run = tiny_run(colour_shift=0.1)
    made, (batch, *_) = ready(run)
    statistics = made.images.store.statistics
    object.__setattr__(statistics, "eigenvectors", np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2)[0].tolist())
    object.__setattr__(statistics, "eigenvalues", [900.0, 2500.0, 100.0])
    seen = []
    made.plain.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    made.update(batch, 0, 0)
    vectors, values = np.array(statistics.eigenvectors), np.array([900.0, 2500.0, 100.0]) / 255**2
    for x, pixels, draw in zip(seen[0], batch.images.numpy(), batch.colour, strict=True):
        shifted = pixels / 255 + sum(vectors[:, k] * values[k] * 0.1 * draw[k] for k in range(3))
        expected = (255 * shifted - statistics.mean) / statistics.deviation
        assert np.abs(x.permute(1, 2, 0).numpy() - expected).max() < 1e-4
    assert np.abs(updating.colour_shifts(statistics, batch.colour, 0.1)).max() > 0.5  # levels: it is seen


def test_without_unit_variance_pixels_are_not_divided(checkout):
    made, (batch, *_) = ready(tiny_run(unit_variance=False, colour_shift=0.0))
    expected = batch.images.numpy() - np.array(made.images.store.statistics.mean)
    assert np.abs(made._input(batch).permute(0, 2, 3, 1).numpy() - expected).max() < 1e-3
