"""The authors' D and E from the files in which they are handed out: Keras's HDF5 and their own Caffe model.

Both hold the same network: its input is BGR, pixels of 0 to 255 less their mean. Here the channels of the first
kernels are put into the order RGB, so that it takes pixels as every network of ours does. Keras keeps kernels as
(height, width, inputs, outputs) and flattens the last map with its channels last; Caffe keeps both as torch does.

HDF5 is read by h5py, a Caffe model by protobuf, from the few fields that hold weights, so no Caffe is needed and
nothing is unpickled. protobuf would give packed floats as Python numbers, a hundred million of them; they are declared
here as the bytes that they are, and numpy reads those.
"""

from functools import cache
from pathlib import Path

import h5py
import numpy as np
import torch
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from verydeep.errors import VerydeepError, in_one_line
from verydeep.networks.vgg import VGG

#: A layer's weights and biases as they lie in a file.
Layers = dict[str, list[np.ndarray]]


def load(net: VGG, path: Path, layout: str) -> None:
    """Load a file of the authors' weights, whose hash was checked, into ``net``, in place.

    Parameters
    ----------
    layout
        ``"keras"`` or ``"caffe"``.

    Raises
    ------
    VerydeepError
        When the file is no such file, is cut short, or is of another network or size; the message names the layer.
    """
    read = {"keras": _read_keras, "caffe": _read_caffe}[layout]
    layers = net.convolutions() | net.fully_connected()
    arrays = read(path, net)
    if strange := sorted(layers.keys() ^ arrays.keys()):
        here = "lacks" if strange[0] in layers else "has"
        raise VerydeepError(f"{path}: weights of another network than {net.config.name}: it {here} {strange[0]}")
    with torch.no_grad():
        for name, module in layers.items():
            weight, bias = _of_layer(path, name, arrays[name], module)
            if name == "conv1_1":
                weight = weight[:, ::-1]  # from BGR to RGB
            module.weight.copy_(torch.tensor(np.ascontiguousarray(weight)))
            module.bias.copy_(torch.tensor(bias))


def _of_layer(path: Path, name: str, arrays: list[np.ndarray], module) -> list[np.ndarray]:
    """Weights and biases of a layer, once they are sure to be finite numbers of its shape."""
    expected = [tuple(module.weight.shape), tuple(module.bias.shape)]
    shapes = [array.shape for array in arrays]
    if shapes != expected:
        said = " and ".join(map(str, shapes)) or "nothing"
        raise VerydeepError(
            f"{path}: weights of another size: {name} is {said} there, {expected[0]} and {expected[1]} here"
        )
    if not all(np.isfinite(array).all() for array in arrays):
        raise VerydeepError(f"{path}: {name} holds values that are no finite numbers")
    return arrays


def _read_keras(path: Path, net: VGG) -> Layers:
    """The layers with weights of an HDF5 file as Keras writes it, by our names."""
    names = _keras_names(net)
    try:
        with h5py.File(path, "r") as file:
            top = file.get("model_weights", file)  # below which a whole model has them
            groups = {name: top[name] for name in _texts(top, "layer_names")}
            weights = {
                name: [np.asarray(group[weight], np.float32) for weight in _texts(group, "weight_names")]
                for name, group in groups.items()
            }
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise VerydeepError(f"{path}: not a file of weights by Keras, or cut short ({in_one_line(error)})") from None
    layers = {names.get(name, name): arrays for name, arrays in weights.items() if arrays}
    return {name: [_from_keras(name, array, net) for array in arrays] for name, arrays in layers.items()}


def _texts(group, attribute: str) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]


def _keras_names(net: VGG) -> dict[str, str]:
    """Keras's name of a layer -> ours."""
    convolutions = {f"block{name[4:].replace('_', '_conv')}": name for name in net.convolutions()}
    return convolutions | {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}


def _from_keras(name: str, array: np.ndarray, net: VGG) -> np.ndarray:
    """Kernels (height, width, in, out) -> (out, in, height, width); matrices (in, out) -> (out, in).

    The inputs of FC6 are the last map, flattened there with its channels last and here with its channels first.
    """
    side = net.map_side
    match array.ndim:
        case 4:
            return array.transpose(3, 2, 0, 1)
        case 2 if name == "fc6" and array.shape[0] % side**2 == 0:
            return array.reshape(side, side, -1, array.shape[1]).transpose(3, 2, 0, 1).reshape(array.shape[1], -1)
        case 2:
            return array.T
        case _:
            return array


def _read_caffe(path: Path, net: VGG) -> Layers:
    """The layers with weights of a Caffe model, of its older form (``layers``) or newer (``layer``)."""
    model = _net_parameter()()
    try:
        model.ParseFromString(path.read_bytes())
    except (message.DecodeError, OSError) as error:
        raise VerydeepError(f"{path}: not a Caffe model, or cut short ({in_one_line(error)})") from None
    layers = {layer.name: list(layer.blobs) for layer in [*model.layers, *model.layer] if layer.blobs}
    if not layers:
        raise VerydeepError(f"{path}: not a Caffe model with weights")
    try:
        return {name: [_blob(blob, first=k == 0) for k, blob in enumerate(blobs)] for name, blobs in layers.items()}
    except ValueError as error:
        raise VerydeepError(f"{path}: a Caffe model whose weights are not of the shapes it says ({error})") from None


def _blob(blob, first: bool) -> np.ndarray:
    """A blob's values in its shape, without the leading ones that Caffe's older form gives to four dimensions.

    A layer's first blob are its weights, which keep four dimensions where they are kernels.
    """
    dims = list(blob.shape.dim) or [blob.num, blob.channels, blob.height, blob.width]
    least = 2 if first else 1
    while len(dims) > least and dims[0] == 1:
        dims.pop(0)
    return np.frombuffer(b"".join(blob.data), "<f4").reshape(dims)


#: Of caffe.proto the messages and fields that hold weights: name -> (number, type), ``*`` where it is repeated.
_CAFFE = {
    "BlobShape": {"dim*": (1, "int64")},
    "BlobProto": {
        "num": (1, "int32"),
        "channels": (2, "int32"),
        "height": (3, "int32"),
        "width": (4, "int32"),
        "data*": (5, "bytes"),  # packed floats
        "shape": (7, "BlobShape"),
    },
    "V1LayerParameter": {"name": (4, "string"), "blobs*": (6, "BlobProto")},
    "LayerParameter": {"name": (1, "string"), "blobs*": (7, "BlobProto")},
    "NetParameter": {"layers*": (2, "V1LayerParameter"), "layer*": (100, "LayerParameter")},
}


@cache
def _net_parameter() -> type:
    """The class of Caffe's ``NetParameter``, with the fields of :data:`_CAFFE`; others are passed over."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="caffe_weights.proto", package="caffe", syntax="proto2")
    for name, fields in _CAFFE.items():
        described = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = kinds.LABEL_REPEATED if field.endswith("*") else kinds.LABEL_OPTIONAL
            added = described.field.add(name=field.rstrip("*"), number=number, label=label)
            added.type = kinds.TYPE_MESSAGE if kind in _CAFFE else getattr(kinds, f"TYPE_{kind.upper()}")
            if kind in _CAFFE:
                added.type_name = f".caffe.{kind}"
            elif kind == "int64":
                added.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))
