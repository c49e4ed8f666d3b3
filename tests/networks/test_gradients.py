"""Gradients by this processor's kernels are those of float64: a wrong one would train another network, silently."""

import copy

import pytest
import torch
import torch.nn.functional as F

from verydeep.networks import building
from verydeep.networks.configurations import Size
from verydeep.networks.initialisation import initialise


@pytest.mark.parametrize("width_divisor", [16, 8])
@pytest.mark.parametrize("config", ["A", "A-LRN", "C", "B-5x5", "AlexNet", "ResNet-18", "GoogLeNet"])
def test_gradients_are_those_of_float64(config, width_divisor):
    """In the widths of ``smoke`` and ``narrow``, with the maps laid out as in training.

    oneDNN's gradient of a strided 1x1 convolution of few channels is wrong without AVX-512 (its issue 6035).
    """
    size = Size(width_divisor=width_divisor, num_classes=5, crop=64, batch_norm=config == "A")
    net = building.build(config, size, dropout=0.0).to(memory_format=torch.channels_last)
    initialise(net, "he", torch.Generator().manual_seed(0))
    net.train()
    for module in net.modules():  # GoogLeNet drops by shares of its own
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    exact = copy.deepcopy(net).double().to(memory_format=torch.contiguous_format)
    images = torch.randn(16, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for one, maps in ((net, images.contiguous(memory_format=torch.channels_last)), (exact, images.double())):
        scores = one(maps)
        scores = scores if isinstance(scores, tuple) else (scores,)  # those of GoogLeNet's classifiers beside it
        sum(F.cross_entropy(each, torch.arange(16) % 5) for each in scores).backward()
    pairs = zip(net.named_parameters(), exact.parameters(), strict=True)
    gradients = {name: (ours.grad.double(), theirs.grad) for (name, ours), theirs in pairs}
    largest = max(theirs.norm() for _, theirs in gradients.values())
    for name, (ours, theirs) in gradients.items():
        # Normalised over few images, rounding grows to percents; a kernel that is wrong is wrong by all of it. A bias
        # before a normalisation has no gradient: what is found there is rounding.
        assert (ours - theirs).norm() <= 0.05 * theirs.norm() + 1e-5 * largest, name
