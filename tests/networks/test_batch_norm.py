"""Batch normalisation of few channels against torch's."""

import copy

import pytest
import torch
from torch import nn

from verydeep.networks import batch_norm, vgg
from verydeep.networks.batch_norm import BatchNorm2d
from verydeep.networks.configurations import Size


def _pair(channels, dtype=torch.float32):
    """Ours and torch's with the same weights and statistics, none of them as they are at the start."""
    generator = torch.Generator().manual_seed(channels)
    ours = BatchNorm2d(channels, eps=1e-3, momentum=0.3).to(dtype)
    for name, values in ours.state_dict().items():
        if values.is_floating_point():
            values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
        else:
            assert name == "num_batches_tracked"
    theirs = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.3).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def _maps(channels, height, width, dtype=torch.float32):
    generator = torch.Generator().manual_seed(height)
    rows = torch.arange(height)[:, None]  # pixels beside each other must not be alike in mean or deviation
    maps = torch.randn(3, channels, height, width, generator=generator) * (1 + rows) + torch.arange(width)
    return maps.to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()


def _learnt(layer, maps):
    """What a layer makes of maps and of a gradient, and its state after."""
    maps = maps.detach().requires_grad_()
    made = layer(maps)
    generator = torch.Generator().manual_seed(0)
    made.backward((torch.rand(made.shape, generator=generator) - 0.2).to(made.dtype))
    assert made.is_contiguous(memory_format=torch.channels_last)
    return [made.detach(), maps.grad, layer.weight.grad, layer.bias.grad, *layer.state_dict().values()]


@pytest.mark.parametrize("channels", [1, 3, 4, 8])
def test_it_is_torchs_but_for_the_order_of_sums(channels, monkeypatch):
    ours, theirs = _pair(channels, torch.float64)
    maps = _maps(channels, 8, 20 if channels == 3 else 8, torch.float64)
    expected = _learnt(theirs, maps)
    monkeypatch.setattr(nn.BatchNorm2d, "forward", None)  # so that torch's own way would not pass
    for made, wanted in zip(_learnt(ours, maps), expected, strict=True):
        torch.testing.assert_close(made, wanted, rtol=1e-10, atol=1e-10)


def test_in_bfloat16_it_is_as_near_to_double_precision_as_torchs():
    ours, theirs = _pair(8)
    maps = _maps(8, 32, 32, torch.bfloat16)
    exact = _learnt(copy.deepcopy(theirs).double(), maps.double())
    made, wanted = _learnt(ours, maps), _learnt(theirs, maps)
    for one, other, true in zip(made, wanted, exact, strict=True):
        off, allowed = ((values.double() - true).norm() / true.double().norm() for values in (one, other))
        assert off <= 1.5 * allowed + 1e-6


def test_a_channel_that_is_constant_stays_finite():
    ours, theirs = _pair(8)
    maps = torch.full((2, 8, 4, 4), 3.0).contiguous(memory_format=torch.channels_last)
    for made, wanted in zip(_learnt(ours, maps), _learnt(theirs, maps), strict=True):
        torch.testing.assert_close(made, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("maps", "training"),
    [
        (_maps(16, 8, 8), True),  # many channels
        (_maps(8, 5, 5), True),  # pixels that are no whole number of columns
        (_maps(8, 8, 8).contiguous(), True),  # another layout
        (_maps(8, 8, 8), False),  # a network that is tested
    ],
)
def test_elsewhere_it_is_torchs_own(maps, training, monkeypatch):
    monkeypatch.setattr(batch_norm._Normalised, "apply", None)
    ours, theirs = (layer.train(training) for layer in _pair(maps.shape[1]))
    assert torch.equal(ours(maps), theirs(maps))
    for made, wanted in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(made, wanted)


@pytest.mark.parametrize("frozen", ["weights", "maps"])
def test_what_does_not_learn_gets_no_gradient(frozen):
    ours, _ = _pair(8)
    ours.requires_grad_(frozen != "weights")
    maps = _maps(8, 8, 8).detach().requires_grad_(frozen != "maps")
    ours(maps).sum().backward()
    assert (maps.grad is None) == (frozen == "maps")
    assert (ours.weight.grad is None) == (frozen == "weights")


def test_a_narrow_network_learns_by_it_as_by_torchs():
    net = vgg.build("A", Size(num_classes=4, crop=32, width_divisor=8, batch_norm=True), dropout=0.0)
    net = net.double().to(memory_format=torch.channels_last)
    torchs = copy.deepcopy(net)
    for layer in torchs.modules():
        layer.__class__ = {BatchNorm2d: nn.BatchNorm2d}.get(type(layer), type(layer))
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    for one in (net, torchs):
        one(images).square().sum().backward()
    for made, wanted in zip(net.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(made.grad, wanted.grad, rtol=1e-8, atol=1e-10)
