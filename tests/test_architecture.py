"""The architecture, computed: anatomy against real networks, receptive fields against gradients, and the notes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from verydeep.chapters import network_tables, study_notes
from verydeep.chapters.live import demonstrations
from verydeep.networks import anatomy, footprints, peers, signals, vgg
from verydeep.networks.configurations import configuration
from verydeep.networks.dense import score_map
from verydeep.networks.initialisation import SCHEMES
from verydeep.networks.stacks import Stack, lines, receptive_field
from verydeep.results import claims

SIX = ["A", "A-LRN", "B", "C", "D", "E"]
#: The paper's size, a dense input at full size, and the study `quarter`.
SIZES = [
    ({}, (224, 224)),
    ({}, (256, 256)),
    ({"width_divisor": 4, "num_classes": 200, "crop": 56}, (56, 56)),
]


@pytest.mark.parametrize("name", SIX)
@pytest.mark.parametrize(("size", "image"), SIZES, ids=["224", "256", "quarter"])
def test_the_anatomy_agrees_with_hooks_and_torchs_counter_to_the_unit(name, size, image):
    """On the meta device: shapes and counts are real, and nothing is multiplied."""
    with torch.device("meta"):
        net = vgg.build(name, **size).eval()
        x = torch.empty(1, 3, *image)
    found = {layer.name: layer for layer in anatomy.layers(configuration(name), **size, image=image)}
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
    net = vgg.build(name, width_divisor=16, num_classes=5, crop=size, pooling="floor").eval()
    depends = footprints.dependence(net, layer, size)
    first, last = footprints.bounds(configuration(name), layer, size, pooling="floor")
    expected = np.zeros((size, size), bool)
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
    net = footprints.initialised(vgg.build("D", width_divisor=8, num_classes=5, crop=128, pooling="floor").eval(), "he")
    found = footprints.gradient(net, "conv4_3", 128)
    first, last = footprints.bounds(configuration("D"), "conv4_3", 128, pooling="floor")
    outside = found.copy()
    outside[first : last + 1, first : last + 1] = 0
    assert outside.max() == 0 < found.max()
    assert 0.2 < footprints.effective(found) / (last - first + 1) < 0.9
    with pytest.raises(ValueError, match="D has no layer 'conv9_1'"):
        footprints.gradient(net, "conv9_1", 128)


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
    assert network_tables.shapes().loc["conv5_3", "A"] == "" != network_tables.shapes().loc["conv5_3", "D"]


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


def test_pooling_3x3_gives_the_sizes_of_real_layers():
    table = network_tables.pooling_table("D", 224)
    x = torch.empty(1, 1, 224, 224, device="meta")
    for layer in table.index:
        x = torch.nn.functional.max_pool2d(x, 3, 2)
        assert table.loc[layer, "map with 3x3"] == x.shape[2]
    assert table["map with 2x2"].tolist() == [112, 56, 28, 14, 7]


def test_signals_grow_under_one_reading_and_die_under_the_other():
    found = signals.every_scheme("D", width_divisor=4, crop=56, num_classes=200)
    assert list(found.columns.get_level_values(0).unique()) == list(SCHEMES)
    first, last = "conv1_1", "conv5_3"
    ratio = {
        scheme: found.loc[last, (scheme, "activation")] / found.loc[first, (scheme, "activation")] for scheme in SCHEMES
    }
    assert ratio["paper-std"] < 1e-4 and ratio["paper"] > 1 and 0.05 < ratio["he"] < 20
    assert found["paper", "weight"].iloc[:13].to_numpy() == pytest.approx(np.full(13, 0.1), rel=0.1)


def test_peers_are_counted_as_their_papers_say():
    table = peers.compare(224, ("AlexNet", "VGG-16 (D)", "ResNet-50"))
    assert table.loc["VGG-16 (D)", "parameters (millions)"] == pytest.approx(138.36, abs=0.01)
    assert table.loc["VGG-16 (D)", "multiply-adds (billions)"] == pytest.approx(15.47, abs=0.01)
    assert table.loc["VGG-16 (D)", "layers with weights"] == 16
    assert table.loc["ResNet-50", "parameters (millions)"] == pytest.approx(25.56, abs=0.01)
    assert table.loc["ResNet-50", "multiply-adds (billions)"] == pytest.approx(4.09, abs=0.03)
    assert table.loc["AlexNet", "parameters (millions)"] == pytest.approx(61.1, abs=0.1)


def test_the_dense_form_is_shown_to_be_equal():
    table = demonstrations.dense_equality("A", width_divisor=8)
    assert float(table["largest difference"].iloc[0]) < 1e-4 * float(table["scores' standard deviation"].iloc[0]) + 1e-6
    maps = demonstrations.score_maps("A", [224, 256, 320], width_divisor=8)
    assert maps["positions"].tolist() == [1, 4, 16]


def test_normalisation_is_drawn_and_timed():
    cost = demonstrations.lrn_cost(32, 8)
    assert (cost["milliseconds"] >= 0).all() and cost["output (MiB)"].nunique() == 1
    axes = demonstrations.lrn_response().axes[0]
    constant = axes.lines[-1].get_ydata()
    alone = axes.lines[0].get_ydata()
    assert alone[1] == pytest.approx(constant[1], rel=1e-3) and alone[-1] < constant[-1]


# -- the notes -----------------------------------------------------------------------------------------


def test_every_note_is_checked_and_every_check_is_used(checkout):
    found = study_notes.notes("quarter")
    assert [one.id for one in found] == [f"N{k}" for k in range(1, 23)]
    assert len({one["check"] for one in study_notes._statements()}) == 22 == len(study_notes.CHECKS)
    assert {one.verdict for one in found} == {"right", "wrong", "depends", "undecided"}
    assert all(one.computed for one in found)
    assert all(one.why for one in found if one.verdict != "right")


def test_a_note_that_the_computation_contradicts_fails_the_build(checkout, monkeypatch):
    stated = [dict(one) for one in study_notes._statements()]
    next(one for one in stated if one["id"] == "N10")["verdict"] = "right"
    monkeypatch.setattr(study_notes, "_statements", lambda: stated)
    with pytest.raises(AssertionError, match="N10: stated right, computed: conv3_1 is 56x56x256 = 802,816"):
        study_notes.notes("quarter")


def test_the_notes_page_has_an_anchor_and_a_link_for_each(checkout):
    text = study_notes.notes_markdown("quarter", root="/")
    for k in range(1, 23):
        assert f'<span id="N{k}"></span>[N{k}](/' in text


@pytest.mark.parametrize(("verdict", "said"), [
    (claims.REPRODUCED, "right"), (claims.NOT_REPRODUCED, "wrong"), (claims.UNDECIDED, "undecided"),
    (claims.UNFAIR, "undecided"), (claims.NOT_TESTED, "undecided"),
])  # fmt: skip
def test_a_note_that_runs_decide_has_their_verdict(monkeypatch, verdict, said):
    made_up = SimpleNamespace(number=1, verdict=verdict)
    monkeypatch.setattr(claims, "verdict", lambda study, number: made_up)
    note = next(one for one in study_notes.notes("quarter") if one.id == "N9")
    assert note.verdict == said
    assert "A 29.6, A-LRN 29.7" in note.computed and note.computed.endswith(f"in quarter: {verdict}")


def test_depth_counts_the_longest_way_and_not_the_branches():
    table = peers.compare(64, ("AlexNet", "VGG-16 (D)", "GoogLeNet", "ResNet-50", "ResNet-152"))
    # the depths that their papers give them
    assert table["depth (layers)"].tolist() == [8, 16, 22, 50, 152]
    assert table.loc["GoogLeNet", "layers with weights"] == 58
