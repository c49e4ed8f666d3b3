"""Files in the layouts of the authors' weights, of small networks with random weights: by Keras, and by Caffe.

And Keras' forward pass, naively, on what lies in such a file.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from verydeep.networks import anatomy
from verydeep.networks.configurations import Size, configuration

#: What Keras and Caffe subtract, in their order of the channels.
BGR_MEAN = np.array([103.939, 116.779, 123.68])


@dataclass(frozen=True)
class Layer:
    """A layer with weights as Caffe has them: (out, in, height, width) for BGR, or (out, in) from maps (in, h, w)."""

    name: str
    weight: np.ndarray
    bias: np.ndarray


def random_layers(config: str, size: Size, seed: int = 0) -> list[Layer]:
    """The layers of a network, drawn so that values keep their size from layer to layer."""
    generator = np.random.default_rng(seed)
    spec, layers, channels = configuration(config), [], 3
    names = iter(spec.conv_names())
    for block in spec.blocks:
        for conv in block:
            shape = (conv.channels // size.width_divisor, channels, conv.kernel, conv.kernel)
            layers.append(_drawn(next(names), shape, generator))
            channels = shape[0]
    inputs = channels * anatomy.map_side(spec, size, size.crop) ** 2
    outputs = [width // size.width_divisor for width in spec.fc[:-1]] + [size.num_classes]
    for name, out in zip(("fc6", "fc7", "fc8"), outputs, strict=True):
        layers.append(_drawn(name, (out, inputs), generator))
        inputs = out
    return layers


def _drawn(name: str, shape: tuple, generator) -> Layer:
    deviation = np.sqrt(2 / np.prod(shape[1:]))
    deviation /= 100 if name == "conv1_1" else 1  # pixels are some hundred, scores then about one
    weight = generator.normal(0, deviation, shape).astype(np.float32)
    return Layer(name, weight, generator.normal(0, 0.1, shape[0]).astype(np.float32))


def write_keras(path: Path, layers: list[Layer], side: int, names: str = "{layer}_W_1:0 {layer}_b_1:0") -> None:
    """An HDF5 file as Keras writes it: a group a layer, kernels (h, w, in, out), the last map flattened (h, w, in).

    Layers without weights have groups too. ``names`` are those of a layer's weights and biases.
    """
    with h5py.File(path, "w") as file:
        listed = ["input_1"]
        file.create_group("input_1").attrs["weight_names"] = np.array([], "S1")
        for layer in layers:
            name = keras_name(layer.name)
            weight = layer.weight
            if weight.ndim == 4:
                weight = weight.transpose(2, 3, 1, 0)
            elif layer.name == "fc6":
                weight = weight.reshape(len(weight), -1, side, side).transpose(2, 3, 1, 0).reshape(-1, len(weight))
            else:
                weight = weight.T
            group, called = file.create_group(name), names.format(layer=name).split()
            for key, values in zip(called, (weight, layer.bias), strict=True):
                group.create_dataset(key, data=values)
            group.attrs["weight_names"] = np.array([key.encode() for key in called])
            listed.append(name)
        file.attrs["layer_names"] = np.array([name.encode() for name in listed])


def keras_name(name: str) -> str:
    """What Keras calls a layer."""
    if name.startswith("conv"):
        block, place = name.removeprefix("conv").split("_")
        return f"block{block}_conv{place}"
    return {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}[name]


def write_caffe(path: Path, layers: list[Layer], *, newer: bool = False) -> None:
    """A Caffe model, byte by byte by the rules of protobuf; in the older form that the authors' have, or the newer."""
    layer_field, name_field, blob_field = (100, 1, 7) if newer else (2, 4, 6)
    data = _text(1, "VGG_ILSVRC") + _text(3, "data") + _number(4, 10)
    for layer in layers:
        blobs = b"".join(_within(blob_field, _blob(values, newer)) for values in (layer.weight, layer.bias))
        data += _within(layer_field, _text(name_field, layer.name) + blobs)
        data += _within(layer_field, _text(name_field, f"relu_{layer.name}"))
    path.write_bytes(data)


def _blob(values: np.ndarray, newer: bool) -> bytes:
    if newer:
        shape = _within(7, _within(1, b"".join(_varint(side) for side in values.shape)))
    else:
        sides = (1,) * (4 - values.ndim) + values.shape
        shape = b"".join(_number(field, side) for field, side in enumerate(sides, 1))
    return shape + _within(5, struct.pack(f"<{values.size}f", *values.ravel()))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _within(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _within(field, text.encode())


def keras_forward(path, images: np.ndarray) -> np.ndarray:
    """Keras' forward pass over the file's own arrays: (n, height, width, 3) RGB -> scores before the soft-max."""
    maps = images[..., ::-1].astype(np.float64) - BGR_MEAN
    with h5py.File(path) as file:
        block = None
        for name in (name.decode() for name in file.attrs["layer_names"]):
            arrays = [np.asarray(file[name][key.decode()], np.float64) for key in file[name].attrs["weight_names"]]
            if not arrays:
                continue
            kernel, bias = arrays
            if kernel.ndim == 4:
                if block is not None and name[:6] != block:
                    maps = pooled(maps)
                block = name[:6]
                maps = np.maximum(same_convolution(maps, kernel) + bias, 0)
                continue
            if maps.ndim == 4:
                maps = pooled(maps).reshape(len(maps), -1)
            maps = maps @ kernel + bias
            if name != "predictions":
                maps = np.maximum(maps, 0)
    return maps


def same_convolution(maps: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation with zeros around, (n, h, w, in) and (kh, kw, in, out) -> (n, h, w, out)."""
    height, width = maps.shape[1:3]
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)
    )  # fmt: skip


def pooled(maps: np.ndarray) -> np.ndarray:
    n, height, width, channels = maps.shape
    return maps[:, : height // 2 * 2, : width // 2 * 2].reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))
