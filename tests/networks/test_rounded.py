"""Layers in bfloat16 without instructions for it: rounded as those that have them, and nothing else changed."""

import copy

import pytest
import torch
import torch.nn.functional as F

from verydeep.networks import building, rounded
from verydeep.networks.configurations import Size
from verydeep.networks.initialisation import initialise


@pytest.fixture
def without_instructions(monkeypatch):
    monkeypatch.setattr(rounded, "multiplies_in_bfloat16", lambda: False)


@pytest.fixture
def with_instructions(monkeypatch):
    monkeypatch.setattr(rounded, "multiplies_in_bfloat16", lambda: True)


def test_where_torch_has_no_onednn_nothing_multiplies_in_bfloat16(monkeypatch):
    """As on a Mac: torch then does not have the question to ask either."""
    monkeypatch.setattr(rounded.platform, "machine", lambda: "arm64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", None, raising=False)
    assert rounded.multiplies_in_bfloat16() is False


def layer(**options):
    made = rounded.RoundedConv2d(6, 10, 3, padding=1, **options)
    made.load_state_dict(torch.nn.Conv2d(6, 10, 3, padding=1, **options).state_dict())
    return made


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"bias": False}, {"groups": 2}])
def test_sums_are_those_of_rounded_numbers_rounded_once(options):
    torch.manual_seed(0)
    convolution, maps = layer(**options), torch.randn(2, 6, 9, 8)
    kept = {name: value.bfloat16().double() for name, value in convolution.state_dict().items()}
    stride, groups = options.get("stride", 1), options.get("groups", 1)
    exact = F.conv2d(maps.bfloat16().double(), kept["weight"], kept.get("bias"), stride, 1, 1, groups)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = convolution(maps)
    assert made.dtype is torch.bfloat16
    # float32's own error decides at most which way a number halfway between two is rounded
    assert ((made.double() - exact).abs() <= exact.abs() * 2**-8 + 1e-6).all()
    assert (made == exact.bfloat16()).float().mean() > 0.99


def test_gradients_are_those_of_rounded_numbers():
    torch.manual_seed(0)
    convolution, maps = layer(), torch.randn(2, 6, 9, 8, dtype=torch.bfloat16, requires_grad=True)
    seen = torch.randn(2, 10, 9, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        convolution(maps).backward(seen)
    exact = [
        value.detach().bfloat16().double().requires_grad_() for value in (maps, convolution.weight, convolution.bias)
    ]
    F.conv2d(*exact, padding=1).backward(seen.double())
    made = [maps.grad, convolution.weight.grad, convolution.bias.grad]
    assert [value.dtype for value in made] == [torch.bfloat16, torch.float32, torch.float32]
    torch.testing.assert_close(made[0].double(), exact[0].grad, rtol=2**-8, atol=1e-6)
    for value, expected in zip(made[1:], exact[1:], strict=True):
        torch.testing.assert_close(value.double(), expected.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_a_fully_connected_layer_rounds_what_it_multiplies_and_its_sums_once(bias):
    torch.manual_seed(0)
    made, values = rounded.RoundedLinear(40, 6, bias=bias), torch.randn(5, 40)
    weight, *rest = [value.detach().bfloat16().double() for value in made.parameters()]
    exact = F.linear(values.bfloat16().double(), weight, *rest)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = made(values)
    assert scores.dtype is torch.bfloat16
    assert ((scores.double() - exact).abs() <= exact.abs() * 2**-8 + 1e-5).all()
    assert torch.equal(made(values), F.linear(values, *made.parameters()))  # in float32 nothing is rounded


def test_gradients_of_a_fully_connected_layer_are_torchs_own():
    torch.manual_seed(0)
    made, seen = rounded.RoundedLinear(40, 6), torch.randn(5, 6).bfloat16()
    own = torch.nn.Linear(40, 6)
    own.load_state_dict(made.state_dict())
    gradients, given = [], torch.randn(5, 40)
    for either in (made, own):
        values = given.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            either(values).backward(seen)
        gradients.append([values.grad, *(weight.grad for weight in either.parameters())])
    for gradient, theirs in zip(*gradients, strict=True):
        assert gradient.dtype is torch.float32
        torch.testing.assert_close(gradient, theirs, rtol=2**-6, atol=1e-3)


@pytest.mark.parametrize("config", ["A", "GoogLeNet", "ResNet-18"])
def test_a_network_is_as_near_to_torchs_own_bfloat16_as_that_is_to_itself(config, without_instructions, monkeypatch):
    size = Size(crop=64, width_divisor=16, num_classes=4)
    made = building.build(config, size).eval()
    initialise(made, "he", torch.Generator().manual_seed(0))
    replaced = {type(module) for module in made.weighted()}
    assert replaced == {rounded.RoundedConv2d, rounded.RoundedLinear}
    monkeypatch.setattr(rounded, "multiplies_in_bfloat16", lambda: True)
    own = building.build(config, size).eval()
    own.load_state_dict(made.state_dict())
    assert not replaced & {type(module) for module in own.modules()}
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        exact = own(images)
        assert torch.equal(made(images), exact)  # in float32 nothing is rounded
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores, theirs = made(images).float(), own(images).float()
    assert (scores - exact).norm() <= 1.5 * (theirs - exact).norm() + 0.01 * exact.norm()
    assert not torch.equal(scores, exact)


def test_lowered_weights_are_multiplied_so_too(without_instructions):
    """As networks are tested: without autocast, their blocks in bfloat16."""
    net = building.build("A", Size(crop=64, width_divisor=16, num_classes=4)).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        expected = net.features(images)
    lowered = copy.deepcopy(net)
    lowered.lower(torch.bfloat16)
    with torch.inference_mode():
        assert torch.equal(lowered.features(images.bfloat16()), expected)


def test_the_same_batch_gives_the_same_gradients_to_the_bit(without_instructions):
    net = building.build("A", Size(crop=64, width_divisor=16, num_classes=4), dropout=0.0)
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    gradients = []
    for _ in range(2):
        net.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = net(images).float().square().mean()
        loss.backward()
        gradients.append([weight.grad.clone() for weight in net.parameters()])
    assert all(map(torch.equal, *gradients))


def test_where_there_are_instructions_nothing_is_replaced(with_instructions):
    net = building.build("A", Size(crop=64, width_divisor=16, num_classes=4))
    assert {type(module) for module in net.weighted()} == {torch.nn.Conv2d, torch.nn.Linear}
