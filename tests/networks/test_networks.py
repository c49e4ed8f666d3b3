"""Table 1 as data, its arithmetic, and the torch modules: each held against the other."""

from dataclasses import replace

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from verydeep.errors import UnknownName
from verydeep.networks import anatomy, choices, dense, vgg
from verydeep.networks.choices import SCHEMES
from verydeep.networks.configurations import Size, all_configurations, chains, configuration
from verydeep.networks.dense import posteriors, score_map, strips, whole_positions
from verydeep.networks.initialisation import initialise, transfer_from_a

#: AlexNet needs larger crops than most tests take, and has tests of its own.
CONFIGS = [name for name in chains() if name != "AlexNet"]
QUARTER = Size(width_divisor=4, num_classes=200, crop=56)
FULL_COUNTS = {
    "A": 132863336,
    "A-LRN": 132863336,
    "B": 133047848,
    "C": 133638952,
    "D": 138357544,
    "E": 143667240,
}
TORCHVISION = {"A": "vgg11", "B": "vgg13", "D": "vgg16", "E": "vgg19"}


def test_depths_are_the_papers():
    depths = {name: config.weight_layers for name, config in all_configurations().items()}
    assert depths == {"A": 11, "A-LRN": 11, "B": 13, "C": 16, "D": 16, "E": 19, "B-5x5": 8, "AlexNet": 8,
                      "GoogLeNet": 22, "ResNet-18": 18, "ResNet-34": 34}  # fmt: skip


def test_the_shallow_variant_has_five_convolutions_of_5x5():
    shallow = configuration("B-5x5")
    assert [conv.kernel for block in shallow.blocks for conv in block] == [5] * 5
    assert [block[0].channels for block in shallow.blocks] == [64, 128, 256, 512, 512]


def test_an_unknown_configuration_is_named_with_the_known():
    with pytest.raises(UnknownName, match="'F': choose one of A, A-LRN, B"):
        configuration("F")


@pytest.mark.parametrize(("name", "count"), FULL_COUNTS.items())
def test_full_size_parameter_counts(name, count):
    assert anatomy.parameters(configuration(name)) == count
    with torch.device("meta"):  # the real module, without its half gigabyte
        net = vgg.build(name)
    assert sum(p.numel() for p in net.parameters()) == count


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("crop", "pooling"), [(224, "floor"), (256, "ceil"), (56, "ceil"), (56, "floor")])
def test_anatomy_agrees_with_the_module(name, crop, pooling):
    size = replace(QUARTER, crop=crop, pooling=pooling)
    net = vgg.build(name, size).eval()
    seen = []
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.Linear, nn.LocalResponseNorm)):
            module.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, crop, crop))
    layers = anatomy.layers(configuration(name), size)
    assert [layer.shape[: len(shape)] for layer, shape in zip(layers, seen, strict=True)] == seen
    assert anatomy.multiply_adds(configuration(name), size) * 2 == counter.get_total_flops()
    parameters = {"conv": net.convolutions(), "fc": net.fully_connected()}
    for layer in layers:
        if layer.kind in parameters:
            module = parameters[layer.kind][layer.name]
            assert (layer.weights, layer.biases) == (module.weight.numel(), module.bias.numel())


def test_pooling_makes_no_difference_at_multiples_of_32():
    up, down = (Size(pooling=pooling) for pooling in choices.POOLINGS)
    for side in (32, 224, 256, 384):
        assert {anatomy.map_side(configuration("A"), size, side) for size in (up, down)} == {side // 32}
    assert [anatomy.map_side(configuration("A"), size, 56) for size in (up, down)] == [2, 1]
    torch.manual_seed(0)
    up, down = (vgg.build("A", Size(16, num_classes=5, crop=64, pooling=p)).eval() for p in choices.POOLINGS)
    down.load_state_dict(up.state_dict())
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(up(images), down(images))


@pytest.mark.parametrize(("name", "theirs"), TORCHVISION.items())
def test_torchvision_state_dicts_load_and_agree(name, theirs):
    torch.manual_seed(0)
    reference = getattr(torchvision.models, theirs)(weights=None, num_classes=20).eval()
    net = vgg.build(name, Size(num_classes=20)).eval()
    net.load_state_dict(reference.state_dict())
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        expected = reference(images)
        assert (net(images) - expected).abs().max() < 1e-4
        assert (score_map(net, images)[:, :, 0, 0] - expected).abs().max() < 1e-4


@pytest.mark.parametrize(("bad", "message"), [
    ({"config": "F"}, "unknown config"),
    ({"config": "ResNet-18"}, "unknown chain of layers"),
    ({"size": Size(pooling="round")}, "unknown pooling"),
    ({"size": Size(lrn_alpha="none")}, "unknown lrn_alpha"),
    ({"size": Size(width_divisor=3)}, "does not divide"),
    ({"size": Size(crop=16, pooling="floor")}, "leaves nothing"),
    ({"size": Size(crop=56, pooling="floor", pooling_window=3)}, "leaves nothing"),
    ({"size": Size(pooling_window=4)}, "unknown pooling_window"),
    ({"size": Size(head="max")}, "unknown head"),
])  # fmt: skip
def test_impossible_networks_are_refused(bad, message):
    with pytest.raises((UnknownName, ValueError), match=message):
        vgg.build(**{"config": "A"} | bad)


def test_lrn_is_krizhevskys_formula():
    images = torch.rand(1, 12, 3, 3) * 50
    a = {alpha: vgg.build("A-LRN", Size(lrn_alpha=alpha)).features[2] for alpha in choices.LRN_ALPHAS}
    scales = {"krizhevsky": 1e-4, "caffe": 1e-4 / 5, "unit-variance": 70**2 * 1e-4 / 5}
    assert set(scales) == set(a)
    for alpha, scale in scales.items():
        expected = images.clone()
        for i in range(12):
            window = images[:, max(0, i - 2) : i + 3]
            expected[:, i] = images[:, i] / (2 + scale * window.square().sum(1)) ** 0.75
        assert torch.allclose(a[alpha](images), expected, rtol=1e-5)
    divided = images / vgg.LRN_DEVIATION
    assert torch.allclose(a["unit-variance"](divided) * vgg.LRN_DEVIATION, a["caffe"](images), rtol=1e-5)
    assert torch.allclose(a["caffe"](divided), divided / 2**0.75, rtol=1e-3), "of small activations it is a constant"


@pytest.mark.parametrize("size", [1, 4, 5])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["channels-first", "last"])
def test_lrn_is_torchs_in_value_and_gradient_and_works_in_half_precision(size, layout, monkeypatch):
    images = (torch.rand(5, 6, 4, 8) * 50).to(memory_format=layout).requires_grad_()
    reference = torch.nn.LocalResponseNorm(size, alpha=0.1, k=2.0)
    layer = vgg.LocalResponseNorm(size, alpha=0.1, k=2.0)
    assert torch.allclose(layer(images), reference(images), rtol=1e-5)
    assert layer(images).is_contiguous(memory_format=layout)
    given = torch.rand(5, 6, 4, 8)
    gradients = [torch.autograd.grad(one(images), images, given)[0] for one in (layer, reference)]
    assert torch.allclose(*gradients, atol=1e-5)
    monkeypatch.setattr(vgg, "_IN_CACHE", 2 * 6 * 4 * 8)  # two images at once, and one is left
    assert torch.equal(torch.autograd.grad(layer(images), images, given)[0], gradients[0])
    assert torch.equal(layer(images[:0]), images[:0])
    half = images.detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(half)
    assert out.dtype == torch.bfloat16 and torch.allclose(out.float(), reference(images), rtol=0.03)
    (rounded,) = torch.autograd.grad(out, half, given.bfloat16())
    assert rounded.dtype == torch.bfloat16 and torch.allclose(rounded.float(), gradients[1], atol=0.02)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("crop", [32, 56, 64, 112])
def test_dense_form_equals_the_fc_form_at_the_training_crop(name, crop):
    torch.manual_seed(0)
    net = vgg.build(name, Size(width_divisor=16, num_classes=7, crop=crop)).eval()
    images = torch.randn(2, 3, crop, crop)
    with torch.inference_mode():
        assert torch.allclose(score_map(net, images)[:, :, 0, 0], net(images), atol=1e-5)


def test_dense_form_equals_the_head_on_every_window_of_the_last_map_but_not_crops():
    torch.manual_seed(0)
    net = vgg.build("D", Size(width_divisor=16, num_classes=7, crop=64)).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    images = torch.randn(2, 3, 160, 128)
    with torch.inference_mode():
        scores, maps = score_map(net, images), net.features(images)
        assert scores.shape == (2, 7, 4, 3)
        for row in range(4):
            for column in range(3):
                window = maps[:, :, row : row + 2, column : column + 2]
                assert torch.allclose(scores[:, :, row, column], net.classifier(window.flatten(1)), atol=1e-5)
        crop = net(images[:, :, 32:96, 32:96])
        assert (scores[:, :, 1, 1] - crop).abs().max() > 1e-2  # a crop is padded with zeros, this window is not
        assert torch.allclose(posteriors(net, images), scores.mean((2, 3)).softmax(1))


@pytest.mark.parametrize(("length", "positions"), [(224, 1), (256, 2), (288, 3), (341, 4), (384, 6), (512, 10)])
def test_positions_that_see_a_whole_crop_are_the_papers(length, positions):
    assert whole_positions(length, 224, 32) == positions == length // 32 - 6


def test_a_position_whose_window_reaches_beyond_the_image_does_not_count():
    net = vgg.build("A", Size(16, num_classes=5, crop=56)).eval()  # pooling rounds up, as in the study quarter
    images = torch.randn(2, 3, 72, 72, generator=torch.Generator().manual_seed(0))
    scores = score_map(net, images)
    assert scores.shape[2:] == (2, 2)
    assert torch.allclose(posteriors(net, images), scores[:, :, 0, 0].softmax(1))
    assert torch.allclose(posteriors(net, images, positions="all"), scores.mean((2, 3)).softmax(1))
    assert dense.counted(net, 72, 130, "all") == tuple(score_map(net, torch.zeros(1, 3, 72, 130)).shape[2:]) == (2, 4)
    assert dense.counted(net, 72, 130, "whole") == (1, 3)
    assert not torch.allclose(posteriors(net, images), posteriors(net, images, positions="all"))


def test_an_image_smaller_than_the_window_is_refused():
    net = vgg.build("A", Size(width_divisor=16, num_classes=7, crop=64))
    with pytest.raises(ValueError, match="smaller than the 2x2 window"):
        score_map(net, torch.zeros(1, 3, 64, 32))
    with pytest.raises(ValueError, match="images of 900x32 give a last map of 29x1, smaller"):
        score_map(net, torch.zeros(1, 3, 900, 32), pixels=1000)


LENGTHS = [640, 641, 660, 687]  # a multiple of the stride, and one, twenty and all but one pixels more


@pytest.mark.parametrize("name", [*CONFIGS, "AlexNet"])
@pytest.mark.parametrize("pooling", choices.POOLINGS)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("portrait", [False, True])
def test_an_image_in_strips_has_the_scores_of_the_whole(name, pooling, length, portrait):
    torch.manual_seed(0)
    net = vgg.build(name, Size(width_divisor=16, num_classes=7, crop=64, pooling=pooling)).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    images = torch.randn(1, 3, 72, length)
    images = images.mT if portrait else images
    with torch.inference_mode():
        whole = score_map(net, images)
        assert whole.std() > 1e-2
        for pixels in (1, 72 * 400, 72 * 500, 72 * 640):
            cut = score_map(net, images, pixels)
            assert cut.shape == whole.shape
            assert (cut - whole).abs().max() < 1e-5 * whole.abs().max()


@pytest.mark.parametrize("name", [*CONFIGS, "AlexNet"])
@pytest.mark.parametrize("pooling", choices.POOLINGS)
def test_strips_take_every_position_once_and_are_as_short_as_asked(name, pooling):
    net = vgg.build(name, Size(width_divisor=16, num_classes=7, crop=64, pooling=pooling))
    fc6 = anatomy.layers(configuration(name), net.size)[-3]
    least = fc6.receptive_field + fc6.stride
    for length in range(64, 1400, 17):
        positions = net.last_map(length) - net.map_side + 1
        for most in (1, least, least + 100, 1000):
            cut = list(strips(net, length, most))
            kept = [part.start // 32 + k for part, kept in cut for k in range(kept.start, kept.stop)]
            assert kept == list(range(positions))
            assert all(0 <= part.start < part.stop <= length for part, _ in cut)
            assert max(part.stop - part.start for part, _ in cut) <= max(most, least)


def test_only_images_beyond_the_limit_are_cut_and_no_more_pixels_go_through_the_network():
    net = vgg.build("D", Size(width_divisor=16, num_classes=7, crop=64)).eval()
    seen = []
    net.features.register_forward_hook(lambda _, given, __: seen.append(tuple(given[0].shape)))
    few, long = torch.randn(3, 3, 64, 96), torch.randn(2, 3, 1000, 64)
    with torch.inference_mode():
        assert torch.equal(posteriors(net, few, pixels=3 * 64 * 96), posteriors(net, few))
        assert seen == [few.shape] * 2
        seen.clear()
        apart = posteriors(net, few, pixels=3 * 64 * 96 - 1)
        assert seen == [(1, *few.shape[1:])] * 3
        torch.testing.assert_close(apart, posteriors(net, few), atol=1e-5, rtol=0)
        seen.clear()
        cut = posteriors(net, long, pixels=64 * 500)
        assert len(seen) > 4 and all(n * height * width <= 64 * 500 for n, _, height, width in seen)
        torch.testing.assert_close(cut, posteriors(net, long), atol=1e-5, rtol=0)
        seen.clear()
        posteriors(net, long, pixels=1)  # less than a position sees
        assert max(n * height * width for n, _, height, width in seen) <= 64 * (212 + 32 + 32)


STD = {"paper": (0.1, 0.1), "paper-std": (0.01, 0.01), "notes": (0.01, 0.005)}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_initialisation_draws_what_its_name_says(scheme):
    net = vgg.build("A", Size(width_divisor=2, num_classes=100))
    initialise(net, scheme, torch.Generator().manual_seed(3))
    conv, fc = net.convolutions()["conv4_2"], net.fully_connected()["fc7"]
    for layer, which in ((conv, 0), (fc, 1)):
        fan_in, fan_out = layer.weight[0].numel(), layer.weight.shape[0] * layer.weight[0, 0].numel()
        derived = {"he": (2 / fan_in) ** 0.5, "glorot": (2 / (fan_in + fan_out)) ** 0.5}
        expected = derived[scheme] if scheme in derived else STD[scheme][which]
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.02)
        assert torch.all(layer.bias == (0.1 if scheme == "notes" and which else 0.0))


def test_units_are_dropped_behind_fc6_and_behind_fc7():
    """Each behind its ReLU (Sect. 3.1), with the probability that is asked for."""
    kinds = [type(layer) for layer in vgg.build("D", QUARTER, dropout=0.3).classifier]
    assert kinds == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [layer.p for layer in vgg.build("D", QUARTER, dropout=0.3).classifier if hasattr(layer, "p")] == [0.3, 0.3]


def test_initialisation_depends_on_the_generator_alone():
    first, second = vgg.build("A", QUARTER), vgg.build("A", QUARTER)
    for net in (first, second):
        initialise(net, "he", torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    with pytest.raises(UnknownName, match="unknown initialisation 'zeros'"):
        initialise(first, "zeros", torch.Generator())


@pytest.mark.parametrize("name", ["B", "C", "D", "E", "A-LRN", "B-5x5"])
def test_transfer_copies_four_convolutions_and_three_fc_layers_by_shape(name):
    a, net = vgg.build("A", QUARTER), vgg.build(name, QUARTER)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    copied = transfer_from_a(net, a)
    convolutions = [] if name == "B-5x5" else ["conv1_1", "conv2_1", "conv3_1", "conv3_2"]
    assert copied == [*convolutions, "fc6", "fc7", "fc8"]
    theirs = a.convolutions() | a.fully_connected()
    names = {id(value): key for key, value in net.named_parameters()}
    for key, layer in (net.convolutions() | net.fully_connected()).items():
        for part in ("weight", "bias"):
            mine = getattr(layer, part)
            assert torch.equal(mine, getattr(theirs[key], part) if key in copied else before[names[id(mine)]])


# -- what departs from Table 1: batch normalisation, pooling of 3x3 --------------------------------------------------

NORMALISED = {"A": 132868840, "B": 133053736, "D": 138365992, "E": 143678248}  # torchvision's own, with weights=None


def departing(name="A", **size) -> vgg.VGG:
    """A small network that departs from Table 1, whose running statistics are not those that it started with."""
    net = vgg.build(name, Size(16, num_classes=7, crop=64, **size))
    initialise(net, "he", torch.Generator().manual_seed(0))
    for norm in net.normalisations().values():
        torch.nn.init.uniform_(norm.running_mean, -1, 1, generator=torch.Generator().manual_seed(1))
        torch.nn.init.uniform_(norm.running_var, 0.2, 3, generator=torch.Generator().manual_seed(2))
    return net.eval()


@pytest.mark.parametrize(("name", "count"), NORMALISED.items())
def test_batch_normalisation_adds_two_parameters_a_channel_and_is_torchvisions(name, count):
    size = Size(batch_norm=True)
    added = 2 * sum(conv.channels for block in configuration(name).blocks for conv in block)
    assert anatomy.parameters(configuration(name), size) == count == FULL_COUNTS[name] + added
    with torch.device("meta"):
        net, theirs = vgg.build(name, size), getattr(torchvision.models, f"{TORCHVISION[name]}_bn")(weights=None)
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in theirs.parameters()) == count
    assert {key: t.shape for key, t in net.state_dict().items()} == {k: t.shape for k, t in theirs.state_dict().items()}
    for norm in net.normalisations().values():
        assert (norm.eps, norm.momentum) == (1e-5, 0.1) and norm.num_features == norm.weight.numel()


@pytest.mark.parametrize("name", ["A-LRN", "E"])
@pytest.mark.parametrize("pooling", choices.POOLINGS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_anatomy_knows_what_departs_from_table_1(name, pooling, batch_norm):
    """Shapes, parameters and multiply-adds of every layer, in the order in which they are computed."""
    size = replace(QUARTER, crop=128, pooling=pooling, pooling_window=3, batch_norm=batch_norm)
    with torch.device("meta"):
        net, seen, images = vgg.build(name, size).eval(), [], torch.zeros(1, 3, 128, 128)
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.Linear, nn.LocalResponseNorm, nn.BatchNorm2d)):
            module.register_forward_hook(
                lambda one, _, out: seen.append((tuple(out.shape[1:]), sum(p.numel() for p in one.parameters())))
            )
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net(images)
    layers = anatomy.layers(configuration(name), size)
    assert [(layer.shape[: len(shape)], layer.parameters) for layer, (shape, _) in zip(layers, seen, strict=True)] == [
        *seen
    ]
    assert anatomy.multiply_adds(configuration(name), size) * 2 == counter.get_total_flops()


@pytest.mark.parametrize("window", choices.POOLING_WINDOWS)
@pytest.mark.parametrize("pooling", choices.POOLINGS)
def test_pooled_sides_are_torchs(window, pooling):
    pool = nn.MaxPool2d(window, stride=2, ceil_mode=pooling == "ceil")
    for side in range(window, 60):
        assert anatomy.pooled(side, pooling, window) == pool(torch.zeros(1, 1, side, side)).shape[2]
    assert all(anatomy.pooled(side, "floor", window) == 0 for side in range(window))
    if pooling == "ceil":  # the maps of 224, and so the weights of FC6, are Table 1's
        assert anatomy.map_side(configuration("A"), Size(pooling_window=window), 224) == 7


@pytest.mark.parametrize("name", ["A", "E"])
@pytest.mark.parametrize("pooling", choices.POOLINGS)
@pytest.mark.parametrize("size", [{"batch_norm": True}, {"pooling_window": 3}])
def test_dense_form_of_what_departs_equals_the_head_on_every_window_and_strips_the_whole(name, pooling, size):
    net = departing(name, pooling=pooling, **size)
    side = net.map_side
    assert torch.allclose(score_map(net, x := torch.randn(2, 3, 64, 64))[:, :, 0, 0], net(x), atol=1e-5)
    images = torch.randn(1, 3, 72, 660)
    with torch.inference_mode():
        whole, maps = score_map(net, images), net.features(images)
        assert whole.shape[2:] == (maps.shape[2] - side + 1, maps.shape[3] - side + 1) and whole.std() > 1e-2
        for row in range(whole.shape[2]):
            for column in range(whole.shape[3]):
                window = maps[:, :, row : row + side, column : column + side].flatten(1)
                assert torch.allclose(whole[:, :, row, column], net.classifier(window), atol=1e-4)
        for pixels in (1, 72 * 550):
            cut = score_map(net, images, pixels)
            assert (cut - whole).abs().max() < 1e-5 * whole.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_blocks_in_half_precision_keep_their_running_statistics_in_float32(dtype):
    net, exact = departing(batch_norm=True), departing(batch_norm=True)
    statistics = {name: value.clone() for name, value in net.named_buffers()}
    net.lower(dtype)
    assert {conv.weight.dtype for conv in net.convolutions().values()} == {dtype}
    assert all(torch.equal(value, statistics[name]) for name, value in net.named_buffers())
    with torch.inference_mode():
        images = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
        scores, expected = score_map(net, images), score_map(exact, images)
    assert (scores - expected).abs().max() < 0.1 * expected.abs().max()


def test_the_transfer_from_a_takes_a_normalisation_with_its_convolution():
    a, net = departing("A", batch_norm=True), vgg.build("D", Size(16, num_classes=7, crop=64, batch_norm=True))
    transfer_from_a(net, a)
    for name, norm in net.normalisations().items():
        copied = name in ("conv1_1", "conv2_1", "conv3_1", "conv3_2")
        assert torch.equal(norm.running_var, torch.ones_like(norm.running_var)) is not copied
        if copied:
            assert all(torch.equal(mine, a.normalisations()[name].state_dict()[key])
                       for key, mine in norm.state_dict().items())  # fmt: skip


def test_a_draw_of_weights_forgets_what_a_normalisation_has_seen():
    net = departing(batch_norm=True)
    initialise(net, "glorot", torch.Generator().manual_seed(0))
    fresh = vgg.build("A", net.size).normalisations()
    for name, norm in net.normalisations().items():
        assert all(torch.equal(value, fresh[name].state_dict()[key]) for key, value in norm.state_dict().items())


# -- AlexNet: a chain of the same kinds of layers --------------------------------------------------------------------


def test_alexnet_is_torchvisions_in_count_work_and_scores():
    """torchvision drops units before FC6 and FC7 and not after, so its classifier counts from 1; in testing none is."""
    torch.manual_seed(0)
    reference = torchvision.models.alexnet(weights=None, num_classes=20).eval()
    net = vgg.build("AlexNet", Size(num_classes=20)).eval()
    renamed = {key.replace("classifier.1", "classifier.0").replace("classifier.4", "classifier.3"): value
               for key, value in reference.state_dict().items()}  # fmt: skip
    net.load_state_dict(renamed)
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        expected = reference(images)
    with torch.inference_mode():
        assert (net(images) - expected).abs().max() < 1e-4
        assert (score_map(net, images)[:, :, 0, 0] - expected).abs().max() < 1e-4
    assert anatomy.multiply_adds(configuration("AlexNet"), net.size) * 2 == counter.get_total_flops()
    # at full width 61.1 million; Krizhevsky et al. (2012) say 60 million of two towers that see half of each other
    assert anatomy.parameters(configuration("AlexNet")) == 61_100_840
    assert anatomy.multiply_adds(configuration("AlexNet")) == 714_188_480


@pytest.mark.parametrize("pooling", choices.POOLINGS)
@pytest.mark.parametrize("size", [{}, {"batch_norm": True}])
def test_alexnet_is_tested_densely_as_the_others_are(pooling, size):
    net = vgg.build("AlexNet", Size(16, num_classes=7, crop=96, pooling=pooling, **size)).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    assert net.config.stride == 32 and anatomy.pooling_window(net.config, net.size) == 3
    images, side = torch.randn(1, 3, 160, 230), net.map_side
    with torch.inference_mode():
        scores, maps = score_map(net, images), net.features(images)
        assert scores.shape[2:] == (maps.shape[2] - side + 1, maps.shape[3] - side + 1)
        for row in range(scores.shape[2]):
            for column in range(scores.shape[3]):
                window = maps[:, :, row : row + side, column : column + side].flatten(1)
                assert torch.allclose(scores[:, :, row, column], net.classifier(window), atol=1e-5)
        crop = torch.randn(2, 3, 96, 96)
        assert torch.allclose(score_map(net, crop)[:, :, 0, 0], net(crop), atol=1e-5)
    layers = anatomy.layers(configuration("AlexNet"), net.size, image=(160, 230))
    assert layers[-1].shape == (7, *scores.shape[2:])
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in net.parameters())


# -- averages of the last map in place of FC6 and FC7 ----------------------------------------------------------------


@pytest.mark.parametrize("pooling", choices.POOLINGS)
def test_averages_in_place_of_fc6_and_fc7_are_counted_and_tested_densely(pooling):
    net = vgg.build("D", Size(16, num_classes=7, crop=64, pooling=pooling, head="average", batch_norm=True)).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    side, images = net.map_side, torch.randn(1, 3, 72, 1207)
    with torch.inference_mode():
        crop = torch.randn(2, 3, 64, 64)
        assert torch.allclose(score_map(net, crop)[:, :, 0, 0], net(crop), atol=1e-5)
        with FlopCounterMode(display=False) as counter:
            whole = score_map(net, images)
        maps = net.features(images)
        for row in range(whole.shape[2]):
            for column in range(whole.shape[3]):
                window = maps[:, :, row : row + side, column : column + side].mean((2, 3))
                assert torch.allclose(whole[:, :, row, column], net.classifier(window), atol=1e-4)
        cut = score_map(net, images, 72 * 600)
    assert len(list(strips(net, 1207, 600))) > 1 and (cut - whole).abs().max() < 1e-4 * whole.abs().max()
    assert counter.get_total_flops() == 2 * anatomy.multiply_adds(net.config, net.size, image=(72, 1207))
    *_, pool, last = anatomy.layers(net.config, net.size, image=(72, 1207))
    assert (pool.name, last.name, last.shape) == ("avgpool", "fc8", tuple(whole.shape[1:]))
    assert list(net.fully_connected()) == ["fc8"] and last.parameters == 32 * 7 + 7
    with pytest.raises(ValueError, match="window of avgpool"):
        score_map(net, images[:, :, :32, :64])


def test_at_full_width_averages_leave_d_its_convolutions_and_its_class_scores():
    assert anatomy.parameters(configuration("D"), Size(head="average")) == 14_714_688 + 512 * 1000 + 1000
