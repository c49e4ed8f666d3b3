"""Networks as ONNX, against torch."""

import numpy as np
import onnxruntime
import pytest
import torch

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
    for size in ((64, 64), (95, 131)):
        images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
        (scores,) = session.run(None, {"images": images.numpy()})
        with torch.inference_mode():
            expected = score_map(net, images).numpy()
        assert scores.shape == expected.shape and np.abs(scores - expected).max() < 1e-3


@pytest.mark.parametrize("pooling", ["ceil", "floor"])
@pytest.mark.parametrize("size", [{"batch_norm": True}, {"pooling_window": 3}])
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


def test_a_network_that_branches_is_refused(tmp_path):
    with pytest.raises(VerydeepError, match="ResNet-18 is no chain of layers, and is not written as ONNX"):
        interchange.write_onnx(building.build("ResNet-18", Size(16, num_classes=7, crop=64)), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_layer_that_no_network_of_ours_has_is_refused(tmp_path):
    net = vgg.build("A", Size(16, num_classes=7, crop=32))
    net.features[1] = torch.nn.GELU()
    with pytest.raises(VerydeepError, match="GELU, which is not written as ONNX"):
        interchange.write_onnx(net, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
