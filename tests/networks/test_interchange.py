"""Networks as ONNX and for torchvision, against torch."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torchvision
from onnx import numpy_helper
from safetensors.torch import load_file

from verydeep.errors import VerydeepError
from verydeep.networks import building, interchange, vgg
from verydeep.networks.configurations import Size, chains
from verydeep.networks.dense import score_map
from verydeep.networks.initialisation import initialise


@pytest.mark.parametrize("pooling", ["ceil", "floor"])
@pytest.mark.parametrize("config", chains())
def test_the_graph_computes_the_score_map(config, pooling, tmp_path):
    """Of weights in half precision, of sides that are no multiples of 32, of every configuration."""
    net = vgg.build(config, Size(16, num_classes=7, crop=64, pooling=pooling)).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    net.half().float()
    interchange.write_onnx(net, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for size in ((64, 64), (95, 131), (96, 64)):
        images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
        (scores,) = session.run(None, {"images": images.numpy()})
        with torch.inference_mode():
            expected = score_map(net, images).numpy()
        assert scores.shape == expected.shape and np.abs(scores - expected).max() < 1e-3


@pytest.mark.parametrize("pooling", ["ceil", "floor"])
@pytest.mark.parametrize("size", [{"batch_norm": True}, {"pooling_window": 3}, {"head": "average", "batch_norm": True}])
def test_the_graph_computes_what_departs_from_table_1(size, pooling, tmp_path):
    """Running variances that half precision cannot hold among them."""
    net = vgg.build("A", Size(16, num_classes=7, crop=64, pooling=pooling, **size)).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    for norm in net.normalisations().values():
        torch.nn.init.uniform_(norm.running_mean, -1, 1, generator=torch.Generator().manual_seed(1))
        torch.nn.init.uniform_(norm.running_var, 0.5, 2, generator=torch.Generator().manual_seed(2))
        norm.running_var[0], norm.running_var[1] = 1e6, 1e-7
    for parameter in net.parameters():
        parameter.data = parameter.data.half().float()
    interchange.write_onnx(net, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for sides in ((64, 64), (95, 131)):
        images = torch.randn(2, 3, *sides, generator=torch.Generator().manual_seed(1))
        (scores,) = session.run(None, {"images": images.numpy()})
        with torch.inference_mode():
            expected = score_map(net, images).numpy()
        assert scores.shape == expected.shape
        assert np.abs(scores - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        torch.manual_seed(0)
        interchange.write_onnx(vgg.build("A", Size(16, num_classes=7, crop=32)), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("name", ["ResNet-18", "GoogLeNet"])
def test_a_network_that_branches_is_refused(name, tmp_path):
    with pytest.raises(VerydeepError, match=f"{name} is no chain of layers, and is not written as ONNX"):
        interchange.write_onnx(building.build(name, Size(16, num_classes=7, crop=64)), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_layer_that_no_network_of_ours_has_is_refused(tmp_path):
    net = vgg.build("A", Size(16, num_classes=7, crop=32))
    net.features[1] = torch.nn.GELU()
    with pytest.raises(VerydeepError, match="GELU, which is not written as ONNX"):
        interchange.write_onnx(net, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


SIZES = [(224, 224), (224, 256), (256, 224)]


def test_torchvision_loads_a_network_of_full_width_and_agrees_at_three_sizes(tmp_path):
    """Its scores at the training crop; elsewhere its layers, as convolutions: it resizes the last map, we do not."""
    with torch.device("meta"):
        net, theirs = vgg.build("A", Size(num_classes=7)), torchvision.models.vgg11(num_classes=7)
    net, generator = net.to_empty(device="cpu").eval(), torch.Generator().manual_seed(0)
    for weight in net.parameters():
        weight.data.normal_(0, 0.02 if weight.ndim < 4 else (2 / weight[0].numel()) ** 0.5, generator=generator)
    path = interchange.write_torchvision(net, tmp_path)
    theirs.load_state_dict(load_file(path), assign=True)
    theirs.eval()
    assert path.name == "vgg11.safetensors"
    for height, width in SIZES:
        images = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            maps = theirs.features(images)
            windows = maps.unfold(2, 7, 1).unfold(3, 7, 1).permute(0, 2, 3, 1, 4, 5)
            scores = theirs.classifier(windows.flatten(3)).permute(0, 3, 1, 2)
            assert (score_map(net, images) - scores).abs().max() < 1e-4
            if (height, width) == (224, 224):
                assert (net(images) - theirs(images)).abs().max() < 1e-4


def test_what_torchvision_has_no_constructor_for_is_told():
    with torch.device("meta"):
        built = {
            "its widths are 1/8 of torchvision's": vgg.build("D", Size(8, num_classes=20)),
            "torchvision has no C": vgg.build("C"),
            "it averages its last map, where torchvision's has three fully connected layers": vgg.build(
                "D", Size(head="average")
            ),
            "its last map is 4x4, torchvision's 7x7": vgg.build("E", Size(crop=128)),
            "it pools windows of 3x3, torchvision's 2x2": vgg.build("A", Size(pooling_window=3)),
            "": vgg.build("D", Size(batch_norm=True)),
        }
    assert {fault: interchange.torchvision_fault(net) for fault, net in built.items()} == {key: key for key in built}


def test_weights_lose_nothing_in_a_file(tmp_path):
    """Half precision where it can hold them, as ours that are published; full precision for those of others."""
    net = vgg.build("A", Size(16, num_classes=7, crop=32)).eval()
    sizes = {}
    for kind in ("full", "half"):
        if kind == "half":
            net.half().float()
        interchange.write_onnx(net, tmp_path / kind)
        stored = onnx.load(tmp_path / kind).graph.initializer
        kept = {tensor.name.removesuffix(".half"): numpy_helper.to_array(tensor) for tensor in stored}
        assert np.array_equal(kept["conv1_1.weight"].astype(np.float32), net.features[0].weight.detach().numpy())
        sizes[kind] = (tmp_path / kind).stat().st_size
    assert sizes["half"] < 0.6 * sizes["full"]
    assert interchange.smallest(torch.tensor(3)).dtype == torch.int64
