"""A network in the forms that other programs run: ONNX, the dense form as one graph (Sect. 3.2), and torchvision's."""

from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save
from torch import nn

from verydeep import files
from verydeep.errors import VerydeepError
from verydeep.networks import anatomy
from verydeep.networks.network import Network
from verydeep.networks.vgg import VGG, LocalResponseNorm

#: Of the ONNX operators, and of the file. Stated, not taken from the installed package: its newest may be too new for
#: the programs that read the file.
OPSET, IR_VERSION = 17, 8

INPUT, OUTPUT = "images", "scores"

#: Configuration -> what torchvision calls its constructor; with batch normalisation ``_bn`` follows.
CONSTRUCTORS = {"A": "vgg11", "B": "vgg13", "D": "vgg16", "E": "vgg19"}


class _Graph:
    """Nodes in their order, each reading what the last one wrote, and the weights that they name."""

    def __init__(self):
        self.nodes, self.weights, self.last = [], [], INPUT

    def add(self, kind: str, name: str, parameters: dict[str, torch.Tensor] | None = None, **attributes) -> None:
        """A node that reads the last one's output, then its own parameters."""
        names = [self._parameter(f"{name}.{key}", tensor) for key, tensor in (parameters or {}).items()]
        self.nodes.append(helper.make_node(kind, [self.last, *names], [name], name=name, **attributes))
        self.last = name

    def _parameter(self, name: str, tensor: torch.Tensor) -> str:
        """The weights in half precision where that loses nothing, which halves the file; computed with in float32."""
        kept = smallest(tensor)
        if kept.dtype != torch.float16:
            self.weights.append(numpy_helper.from_array(kept.numpy(), name))
            return name
        self.weights.append(numpy_helper.from_array(kept.numpy(), f"{name}.half"))
        cast = helper.make_node("Cast", [f"{name}.half"], [name], name=name, to=TensorProto.FLOAT)
        self.nodes.append(cast)
        return name


def write_onnx(net: Network, path: Path) -> None:
    """Write the dense form of ``net`` as ONNX: what :func:`verydeep.networks.dense.score_map` computes, in float32.

    The graph takes ``images``, float32 (batch, 3, height, width), normalised, both sides large enough for one window
    of FC6, and gives ``scores``, float32 (batch, classes, rows, columns). Weights that half precision can hold, as ours
    that are published (:func:`verydeep.networks.weights.publish`), are kept in it; the others, and running
    statistics of batch normalisation that it cannot hold, in float32. The same network gives the same bytes.

    Raises
    ------
    VerydeepError
        When the network is no chain of layers, or has one of another kind than ours have.
    """
    if not isinstance(net, VGG):
        raise VerydeepError(f"{net.config.name} is no chain of layers, and is not written as ONNX")
    graph = _Graph()
    names = {id(conv): name for name, conv in net.convolutions().items()}
    for place, layer in enumerate(net.features):
        _add(graph, layer, names.get(id(layer), f"features.{place}"))
    side = net.map_side
    if net.size.head == "average":
        graph.add("AveragePool", "avgpool", kernel_shape=[side, side])
    for name, layer in net.fully_connected().items():
        kernel = side if name == "fc6" else 1
        weight = layer.weight.unflatten(1, (-1, kernel, kernel))
        last = name == "fc8"
        graph.add(
            "Conv", OUTPUT if last else name, {"weight": weight, "bias": layer.bias}, kernel_shape=[kernel, kernel]
        )
        if not last:
            graph.add("Relu", f"{name}.relu")
    images = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", 3, "height", "width"])
    scores = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", net.num_classes, "rows", "columns"])
    made = helper.make_graph(graph.nodes, net.config.name, [images], [scores], graph.weights)
    model = helper.make_model(
        made, producer_name="verydeep", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    with files.atomic(path) as part:
        part.write_bytes(model.SerializeToString(deterministic=True))


def smallest(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor for a file: in half precision where that can hold it, else in its own."""
    kept = tensor.detach().cpu().contiguous()
    if not kept.is_floating_point():
        return kept
    half = kept.half()
    return half if torch.equal(half.to(kept.dtype), kept) else kept


def torchvision_fault(net: VGG) -> str:
    """Why no constructor of torchvision's loads the weights of ``net``; empty where one does.

    They are as wide as the paper's networks, and their first fully connected layer takes a map of 7x7.
    """
    if net.config.name not in CONSTRUCTORS:
        return f"torchvision has no {net.config.name}"
    if net.size.head == "average":
        return "it averages its last map, where torchvision's has three fully connected layers"
    if net.size.width_divisor != 1:
        return f"its widths are 1/{net.size.width_divisor} of torchvision's"
    if (window := anatomy.pooling_window(net.config, net.size)) != 2:
        return f"it pools windows of {window}x{window}, torchvision's 2x2"
    return "" if net.map_side == 7 else f"its last map is {net.map_side}x{net.map_side}, torchvision's 7x7"


def write_torchvision(net: VGG, folder: Path) -> Path:
    """Write ``net`` to ``folder`` as a state dict for one of torchvision's constructors; return the file.

    ``torchvision.models.vgg16(num_classes=...).load_state_dict(safetensors.torch.load_file(...))`` takes it. Its scores
    are those of ``net`` at the training crop; at other sizes torchvision resizes the last map to 7x7, which is not the
    paper's dense evaluation.

    Raises
    ------
    VerydeepError
        When no constructor does.
    """
    if fault := torchvision_fault(net):
        raise VerydeepError(f"{net.config.name}: torchvision cannot load it: {fault}")
    normalised = any(isinstance(layer, nn.BatchNorm2d) for layer in net.features)
    path = folder / f"{CONSTRUCTORS[net.config.name]}{'_bn' if normalised else ''}.safetensors"
    with files.atomic(path) as part:
        part.write_bytes(save({name: smallest(tensor) for name, tensor in net.state_dict().items()}))
    return path


def _add(graph: _Graph, layer: nn.Module, name: str) -> None:
    match layer:
        case nn.Conv2d():
            sides = {"kernel_shape": list(layer.kernel_size), "pads": 2 * list(layer.padding)}
            if layer.stride != (1, 1):  # left out where it is ONNX's own default, as in the files that lie in the book
                sides["strides"] = list(layer.stride)
            graph.add("Conv", name, {"weight": layer.weight, "bias": layer.bias}, **sides)
        case nn.BatchNorm2d():
            learned = {"scale": layer.weight, "shift": layer.bias}
            measured = {"mean": layer.running_mean, "variance": layer.running_var}
            graph.add("BatchNormalization", name, learned | measured, epsilon=layer.eps)
        case nn.ReLU():
            graph.add("Relu", name)
        case nn.MaxPool2d():
            sides = {"kernel_shape": 2 * [layer.kernel_size], "strides": 2 * [layer.stride]}
            graph.add("MaxPool", name, **sides, ceil_mode=int(layer.ceil_mode))
        case LocalResponseNorm():
            graph.add("LRN", name, size=layer.size, alpha=layer.alpha, beta=layer.beta, bias=layer.k)
        case _:
            raise VerydeepError(f"{name} is a {type(layer).__name__}, which is not written as ONNX")
