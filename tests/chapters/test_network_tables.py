"""Tables of the networks against real layers."""

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from verydeep.chapters import network_tables
from verydeep.chapters.figures import networks
from verydeep.errors import UnknownName
from verydeep.networks.configurations import Size, all_configurations
from verydeep.networks.stacks import Stack, lines, receptive_field, ways


def test_one_dimension_has_the_notes_outputs():
    units = {stack.name: [len(layer) for layer in lines(8, stack)] for pair in network_tables.STACKS for stack in pair}
    assert units == {"2 x conv3": [8, 6, 4], "1 x conv5": [8, 4], "3 x conv3": [8, 6, 4, 2], "1 x conv7": [8, 2]}
    assert lines(8, Stack(3, 3))[-1][0].tolist() == [True] * 7 + [False]
    with pytest.raises(ValueError, match="6 inputs are too few for 1 x conv7"):
        lines(6, Stack(7, 1))


@pytest.mark.parametrize("channels", [1, 64, 512])
def test_stacks_are_real_convolutions(channels):
    table = network_tables.stack_table(channels)
    for small, large in network_tables.STACKS:
        with torch.device("meta"):
            few = [torch.nn.Conv2d(channels, channels, small.kernel) for _ in range(small.layers)]
            many = torch.nn.Conv2d(channels, channels, large.kernel)
        row = table.loc[small.name]
        assert row["weights of the stack"] == sum(one.weight.numel() for one in few)
        assert row["of the one layer"] == many.weight.numel()
    assert table.loc["3 x conv3", "the one layer has more (%)"] == 81.5
    with pytest.raises(ValueError, match="channels must be at least 1"):
        network_tables.stack_table(0)


def test_the_table_of_layers_has_the_notes_values_and_its_totals():
    table = network_tables.layer_table("D")
    assert table.loc["fc6", "weights"] == 102_760_448 and table.loc["fc7", "weights"] == 16_777_216
    assert table.loc["conv3_1", "activations"] == 802_816
    assert table.loc["all", "weights"] + table.loc["all", "biases"] == 138_357_544
    assert table.loc["all", "memory (MiB)"] == pytest.approx(table.loc["all", "activations"] * 4 / 2**20, abs=0.01)
    small = network_tables.shapes(Size(crop=56, width_divisor=8))
    assert small.loc[["input", "conv1_1", "pool1"], "A"].tolist() == ["56x56x3", "56x56x8", "28x28x8"]
    assert network_tables.shapes().loc["conv5_3", "A"] == "" != network_tables.shapes().loc["conv5_3", "D"]


def test_the_share_of_the_fc_layers_is_that_of_torchvisions_networks():
    table = network_tables.fc_share()
    for name, theirs in {"A": "vgg11", "B": "vgg13", "D": "vgg16", "E": "vgg19"}.items():
        with torch.device("meta"):
            net = getattr(torchvision.models, theirs)(weights=None)
        every, fc = (sum(one.weight.numel() for one in part.modules() if hasattr(one, "weight"))
                     for part in (net, net.classifier))  # fmt: skip
        assert table.loc[name, ["all", "all FC"]].tolist() == [every, fc]
        assert table.loc[name, "FC share (%)"] == pytest.approx(100 * fc / every, abs=0.051)


def test_a_one_by_one_reduction_costs_what_real_layers_cost():
    table = network_tables.one_by_one(32, 100, 20, 64)
    with torch.device("meta"):
        net = torch.nn.Sequential(
            torch.nn.Conv2d(100, 20, 1, bias=False), torch.nn.Conv2d(20, 64, 3, padding=1, bias=False)
        )
        with FlopCounterMode(display=False) as counter:
            assert net(torch.empty(1, 100, 32, 32)).shape == (1, 64, 32, 32)
    row = table.iloc[0]
    assert row["weights after 1x1 to 20"] == sum(p.numel() for p in net.parameters())
    assert row["multiply-adds after 1x1 (millions)"] == pytest.approx(counter.get_total_flops() / 2e6, abs=0.1)


@pytest.mark.parametrize("layers", [[(3, 1)], [(3, 1), (2, 2), (3, 1)], [(3, 1), (3, 1), (2, 2), (5, 1), (3, 2)]])
def test_ways_are_the_gradient_of_averages(layers):
    size = receptive_field(layers)[-1]
    x = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)
    y = x
    for kernel, stride in layers:
        y = torch.nn.functional.avg_pool1d(y, kernel, stride)
    assert y.shape[2] == 1
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert ways(layers) == pytest.approx(gradient[0, 0].numpy())


@pytest.mark.parametrize("name", ["height", "channels", "reduced", "out"])
@pytest.mark.parametrize("value", [0, -100])
def test_a_convolution_of_nothing_is_refused(name, value):
    """Weights below nothing stood in the table, and savings of more than all."""
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not {value}"):
        network_tables.one_by_one(**{name: value})


def test_networks_that_a_chapter_cannot_show_are_refused_and_all_others_are_shown():
    with pytest.raises(UnknownName, match="unknown config 'GoogLeNet': choose one of A, A-LRN"):
        network_tables.pooling_table("GoogLeNet")
    with pytest.raises(UnknownName, match="unknown config 'AlexNet'"):  # whose columns of 2x2 were those of 3x3
        network_tables.pooling_table("AlexNet")
    for config in all_configurations():
        assert len(networks.shares(config).figure.axes) == 3
    with pytest.raises(ValueError, match="there must be at least 5 inputs, not 3"):
        networks.stacks_in_one_dimension(3)


def test_pooling_3x3_gives_the_sizes_of_real_layers():
    table = network_tables.pooling_table("D", 224)
    for way, up in (("down", False), ("up", True)):
        x = torch.empty(1, 1, 224, 224, device="meta")
        for layer in table.index:
            x = torch.nn.functional.max_pool2d(x, 3, 2, ceil_mode=up)
            assert table.loc[layer, f"with 3x3, rounded {way}"] == x.shape[2]
    assert table["map with 2x2"].tolist() == table["with 3x3, rounded up"].tolist() == [112, 56, 28, 14, 7]
    assert network_tables.pooled_fc6("D", 224)["weights of FC6"].to_dict() == {
        "2x2": 102_760_448, "3x3, rounded down": 6 * 6 * 512 * 4096, "3x3, rounded up": 102_760_448,
    }  # fmt: skip
