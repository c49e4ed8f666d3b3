"""The architecture, computed: the anatomy against real networks, receptive fields against gradients."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from verydeep.chapters.live import peers as live_peers
from verydeep.errors import VerydeepError
from verydeep.networks import anatomy, footprints, peers, signals, vgg
from verydeep.networks.choices import SCHEMES
from verydeep.networks.configurations import Size, configuration
from verydeep.networks.dense import score_map
from verydeep.networks.stacks import receptive_field

SIX = ["A", "A-LRN", "B", "C", "D", "E"]

#: The paper's size, a dense input at full size, and the study `quarter`.
SIZES = [
    (Size(), (224, 224)),
    (Size(), (256, 256)),
    (Size(width_divisor=4, num_classes=200, crop=56), (56, 56)),
]


@pytest.mark.parametrize("name", SIX)
@pytest.mark.parametrize(("size", "image"), SIZES, ids=["224", "256", "quarter"])
def test_the_anatomy_agrees_with_hooks_and_torchs_counter_to_the_unit(name, size, image):
    """On the meta device: shapes and counts are real, and nothing is multiplied."""
    with torch.device("meta"):
        net = vgg.build(name, size).eval()
        x = torch.empty(1, 3, *image)
    found = {layer.name: layer for layer in anatomy.layers(configuration(name), size, image=image)}
    shapes, pools = {}, iter(range(1, 6))
    named = {module: key for key, module in net.convolutions().items()}
    for module in net.features:
        if isinstance(module, torch.nn.MaxPool2d):
            named[module] = f"pool{next(pools)}"
        elif isinstance(module, torch.nn.LocalResponseNorm):
            named[module] = "lrn1"
    for module, key in named.items():
        module.register_forward_hook(lambda m, i, o, key=key: shapes.__setitem__(key, tuple(o.shape[1:])))
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        scores = score_map(net, x)
    assert {key: layer.shape for key, layer in found.items() if layer.kind != "fc"} == shapes
    assert found["fc8"].shape == tuple(scores.shape[1:])
    for key, module in (net.convolutions() | net.fully_connected()).items():
        assert (found[key].weights, found[key].biases) == (module.weight.numel(), module.bias.numel())
    assert 2 * sum(layer.multiply_adds for layer in found.values()) == counter.get_total_flops()


@pytest.mark.parametrize("name", ["A", "B", "C", "D", "B-5x5"])
@pytest.mark.parametrize("layer", ["conv1_1", "pool1", "conv3_1", "pool3", "conv4_1"])
def test_the_receptive_field_is_what_the_gradient_reaches(name, layer):
    size = 96
    net = vgg.build(name, Size(width_divisor=16, num_classes=5, crop=size, pooling="floor")).eval()
    depends = footprints.dependence(net, layer, size)
    first, last = footprints.bounds(configuration(name), layer, size, pooling="floor")
    expected = np.zeros((size, size), bool)
    expected[first : last + 1, first : last + 1] = True
    assert (depends == expected).all()


def test_a_network_stays_as_it_is_when_it_is_looked_at():
    net = vgg.build("A", Size(width_divisor=16, num_classes=5, crop=96)).eval()
    x = torch.randn(1, 3, 96, 96)
    before = net(x)
    footprints.dependence(net, "conv3_1", 96)
    assert torch.equal(net(x), before)


@pytest.mark.parametrize("pooling", ["ceil", "floor"])
@pytest.mark.parametrize("layer", ["pool1", "conv3_1", "pool3", "conv4_1"])
def test_the_receptive_field_under_pooling_of_3x3_is_what_the_gradient_reaches(layer, pooling):
    size = 96
    built = Size(width_divisor=16, num_classes=5, crop=size, pooling=pooling, pooling_window=3)
    depends = footprints.dependence(vgg.build("A", built).eval(), layer, size)
    first, last = footprints.bounds(configuration("A"), layer, size, pooling, pooling_window=3)
    expected = np.zeros((size, size), bool)
    expected[first : last + 1, first : last + 1] = True
    assert (depends == expected).all()


@pytest.mark.parametrize("layer", ["conv1_1", "pool1", "conv2_1", "conv3_3"])
def test_the_receptive_field_of_alexnet_is_what_the_gradient_reaches(layer):
    depends = footprints.dependence(vgg.build("AlexNet", Size(16, num_classes=5, crop=128)).eval(), layer, 128)
    first, last = footprints.bounds(configuration("AlexNet"), layer, 128)
    expected = np.zeros((128, 128), bool)
    expected[first : last + 1, first : last + 1] = True
    assert (depends == expected).all()


def test_receptive_fields_of_vgg16_are_the_known_ones():
    layers = {layer.name: layer for layer in anatomy.layers(configuration("D"))}
    fields = {
        name: layers[name].receptive_field for name in ("conv1_2", "pool1", "conv3_3", "pool4", "conv5_3", "pool5")
    }
    assert fields == {"conv1_2": 5, "pool1": 6, "conv3_3": 40, "pool4": 100, "conv5_3": 196, "pool5": 212}
    assert layers["fc6"].receptive_field == 212 + 6 * 32
    assert layers["pool5"].stride == 32


def test_the_notes_recursion_gives_the_same_field_as_the_anatomy():
    config = configuration("D")
    layers = [one for block in config.blocks for one in [*[(conv.kernel, 1) for conv in block], (2, 2)]]
    deep = receptive_field(layers)[-1]
    assert deep == next(one.receptive_field for one in anatomy.layers(config) if one.name == "pool5")
    assert receptive_field([(3, 1)] * 3) == [3, 5, 7]


def test_the_effective_field_is_smaller_than_the_theoretical_and_lies_within():
    net = vgg.build("D", Size(width_divisor=8, num_classes=5, crop=128, pooling="floor")).eval()
    net = footprints.initialised(net, "he")
    found = footprints.gradient(net, "conv4_3", 128)
    first, last = footprints.bounds(configuration("D"), "conv4_3", 128, pooling="floor")
    outside = found.copy()
    outside[first : last + 1, first : last + 1] = 0
    assert outside.max() == 0 < found.max()
    assert 0.2 < footprints.effective(found) / (last - first + 1) < 0.9
    with pytest.raises(ValueError, match="D has no layer 'conv9_1'"):
        footprints.gradient(net, "conv9_1", 128)


def test_the_effective_field_of_a_known_gradient():
    """A Gaussian of deviation s: the square that holds 95.5 % of its square has sides of 3.22 s (erf(x)^2 = 0.955)."""
    place = np.arange(201) - 100
    bell = np.exp(-(place**2) / (2 * 10**2))
    assert footprints.effective(np.outer(bell, bell)) == pytest.approx(32.2, abs=1.5)


def test_signals_grow_under_one_reading_and_die_under_the_other():
    found = signals.every_scheme("D", Size(width_divisor=4, crop=56, num_classes=200))
    assert list(found.columns.get_level_values(0).unique()) == list(SCHEMES)
    first, last = "conv1_1", "conv5_3"
    ratio = {
        scheme: found.loc[last, (scheme, "activation")] / found.loc[first, (scheme, "activation")] for scheme in SCHEMES
    }
    assert ratio["paper-std"] < 1e-4 and ratio["paper"] > 1 and 0.05 < ratio["he"] < 20
    backwards = {
        scheme: found.loc[first, (scheme, "gradient")] / found.loc[last, (scheme, "gradient")] for scheme in SCHEMES
    }
    assert backwards["paper-std"] < 1e-4 and backwards["paper"] > 1 and 0.05 < backwards["he"] < 20
    assert found["paper", "weight"].iloc[:13].to_numpy() == pytest.approx(np.full(13, 0.1), rel=0.1)


def test_peers_are_counted_as_their_papers_say():
    table = peers.compare(224, ("AlexNet", "VGG-16 (D)", "ResNet-50"))
    assert table.loc["VGG-16 (D)", "parameters (millions)"] == pytest.approx(138.36, abs=0.01)
    assert table.loc["VGG-16 (D)", "multiply-adds (billions)"] == pytest.approx(15.47, abs=0.01)
    assert table.loc["VGG-16 (D)", "layers with weights"] == 16
    assert table.loc["ResNet-50", "parameters (millions)"] == pytest.approx(25.56, abs=0.01)
    assert table.loc["ResNet-50", "multiply-adds (billions)"] == pytest.approx(4.09, abs=0.03)
    assert table.loc["AlexNet", "parameters (millions)"] == pytest.approx(61.1, abs=0.1)


def test_the_smallest_image_of_which_every_peer_leaves_something():
    assert live_peers.compared(peers.SMALLEST).notna().all(axis=None)
    with pytest.raises(RuntimeError):
        peers.compare(peers.SMALLEST - 1, ("AlexNet",))
    with pytest.raises(VerydeepError, match="size must be 63 pixels at least, of which AlexNet leaves one; not 62"):
        live_peers.compared(62)


def test_depth_counts_the_longest_way_and_not_the_branches():
    table = peers.compare(64, ("AlexNet", "VGG-16 (D)", "GoogLeNet", "ResNet-50", "ResNet-152"))
    # the depths that their papers give them
    assert table["depth (layers)"].tolist() == [8, 16, 22, 50, 152]
    assert table.loc["GoogLeNet", "layers with weights"] == 58
