"""Residual networks beside Table 1's: torchvision's in count, work and scores, and tested as the others are."""

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from verydeep.networks import anatomy, building, weights
from verydeep.networks.choices import SCHEMES
from verydeep.networks.configurations import RESIDUAL, Size, configuration
from verydeep.networks.dense import posteriors, score_map, strips
from verydeep.networks.initialisation import initialise

NAMES = [config.name for config in RESIDUAL]
#: Millions of parameters and billions of multiply-adds; He et al. (2016) print 1.8 and 3.6 billion.
COUNTS = {"ResNet-18": (11_689_512, 1_814_073_344), "ResNet-34": (21_797_672, 3_663_761_408)}


def small(name, crop=64):
    net = building.build(name, Size(16, num_classes=7, crop=crop)).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    for norm in net.normalisations().values():
        torch.nn.init.uniform_(norm.running_mean, -0.5, 0.5, generator=torch.Generator().manual_seed(1))
        torch.nn.init.uniform_(norm.running_var, 0.5, 2, generator=torch.Generator().manual_seed(2))
    return net


@pytest.mark.parametrize("name", NAMES)
def test_at_full_width_it_is_torchvisions_in_every_count(name):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name.lower().replace("-", ""))(weights=None).eval()
        net, images = building.build(name).eval(), torch.zeros(1, 3, 224, 224)
    renamed = {key.replace("features.", "").replace("classifier", "fc"): t.shape for key, t in net.state_dict().items()}
    assert renamed == {key: t.shape for key, t in theirs.state_dict().items()}
    found = []
    for one in (net, theirs):
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            one(images)
        found.append(counter.get_total_flops())
    parameters, work = COUNTS[name]
    assert found == [2 * work] * 2 == [2 * anatomy.multiply_adds(configuration(name))] * 2
    assert anatomy.parameters(configuration(name)) == parameters == sum(p.numel() for p in theirs.parameters())
    assert configuration(name).weight_layers == int(name.rpartition("-")[2])


def test_its_scores_are_torchvisions():
    torch.manual_seed(0)
    reference = torchvision.models.resnet18(weights=None, num_classes=20).eval()
    net = building.build("ResNet-18", Size(num_classes=20)).eval()
    net.load_state_dict({("classifier" + key[2:] if key.startswith("fc.") else f"features.{key}"): value
                         for key, value in reference.state_dict().items()})  # fmt: skip
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.allclose(net(images), reference(images), atol=1e-4)
        assert torch.allclose(score_map(net, images)[:, :, 0, 0], reference(images), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sides", [(64, 64), (95, 131)])
def test_the_anatomy_agrees_with_the_module(name, sides):
    net, seen = small(name), []
    kinds = (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.MaxPool2d)
    for module in net.features.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(
                lambda one, _, out: seen.append((tuple(out.shape[1:]), sum(p.numel() for p in one.parameters())))
            )
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        scores = score_map(net, torch.zeros(1, 3, *sides))
    *blocks, pool, last = anatomy.layers(net.config, net.size, image=sides)
    assert [(layer.shape, layer.parameters) for layer in blocks] == seen
    assert last.shape == tuple(scores.shape[1:]) and pool.stride == net.config.stride == 32
    assert 2 * anatomy.multiply_adds(net.config, net.size, image=sides) == counter.get_total_flops()


@pytest.mark.parametrize("name", NAMES)
def test_the_dense_form_equals_the_head_on_every_window_and_strips_the_whole(name):
    net = small(name)
    side, images = net.map_side, torch.randn(1, 3, 72, 1207)
    with torch.inference_mode():
        crop = torch.randn(2, 3, 64, 64)
        assert torch.allclose(score_map(net, crop)[:, :, 0, 0], net(crop), atol=1e-5)
        whole, maps = score_map(net, images), net.features(images)
        for row in range(whole.shape[2]):
            for column in range(whole.shape[3]):
                window = maps[:, :, row : row + side, column : column + side].mean((2, 3))
                assert torch.allclose(whole[:, :, row, column], net.classifier(window), atol=1e-4)
        cut = score_map(net, images, 72 * 900)
        assert len(list(strips(net, 1207, 900))) > 1 and (cut - whole).abs().max() < 1e-4 * whole.abs().max()
        assert torch.allclose(posteriors(net, images, positions="all"), whole.mean((2, 3)).softmax(1))


def test_the_receptive_field_is_what_the_gradient_reaches():
    """Of ResNet-18's last map, every way through the blocks followed: weights positive, pooling an average."""
    net = small("ResNet-18", crop=640)
    net.features[3] = torch.nn.AvgPool2d(3, 2, 1)
    with torch.no_grad():
        for conv in net.convolutions().values():
            conv.weight.abs_().add_(1e-3)
            conv.weight.div_(conv.weight[0].numel())
        for norm in net.normalisations().values():
            norm.running_mean.zero_(), norm.running_var.fill_(1)
    images = torch.ones(1, 3, 640, 640, dtype=torch.float64, requires_grad=True)
    maps = net.features.double()(images)
    maps[0, :, 10, 10].sum().backward()
    reached = torch.nonzero(images.grad[0].abs().sum((0, 1))).flatten()
    layer = anatomy.layers(net.config, net.size)[-3]
    first = layer.start + 10 * layer.stride
    assert (reached[0].item(), reached[-1].item()) == (first, first + layer.receptive_field - 1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_initial_weights_are_of_the_scheme_and_a_normalised_convolution_has_no_bias(scheme):
    net = building.build("ResNet-18", Size(4, num_classes=7))
    initialise(net, scheme, torch.Generator().manual_seed(0))
    assert {conv.bias for conv in net.convolutions().values()} == {None}
    assert net.classifier.bias.unique().tolist() == [pytest.approx(0.1 if scheme == "notes" else 0.0)]


def test_it_is_published_in_half_precision_and_computed_in_it(tmp_path):
    net, other = small("ResNet-18"), building.build("ResNet-18", Size(16, num_classes=7, crop=64)).eval()
    weights.publish(net, tmp_path / "weights.safetensors")
    weights.load_into(other, tmp_path / "weights.safetensors")
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        expected = score_map(other, images)
        assert (score_map(net, images) - expected).abs().max() < 0.02 * expected.abs().max()
        other.lower(torch.bfloat16)
        assert other.precision == torch.bfloat16
        assert {value.dtype for name, value in other.named_buffers() if "running" in name} == {torch.float32}
        assert (score_map(other, images) - expected).abs().max() < 0.1 * expected.abs().max()


def test_a_width_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="width_divisor 3 does not divide every width of ResNet-18"):
        building.build("ResNet-18", Size(3))
