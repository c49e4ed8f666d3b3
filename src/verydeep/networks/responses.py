"""What the maps of a trained network respond to: for each channel the places where its response is strongest."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from verydeep.networks import anatomy
from verydeep.networks.configurations import Configuration, Size
from verydeep.networks.footprints import features_until
from verydeep.networks.vgg import VGG


@dataclass(frozen=True)
class Strongest:
    """The strongest response of every channel of a layer in every image, after the ReLU, and where it is on the map.

    All are (images, channels): ``values`` float, ``rows`` and ``columns`` int.
    """

    layer: str
    values: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def strongest(net: VGG, images: Iterable[torch.Tensor], layers: tuple[str, ...]) -> list[Strongest]:
    """The strongest responses of the layers of a network, in the order of ``layers``.

    Parameters
    ----------
    images
        Normalised images, float (1, 3, height, width); each goes through the network once.
    layers
        Names of convolutions, ``conv3_2``, from the first to the last.

    Raises
    ------
    ValueError
        When the network has no such layer, or the layers are not in order.
    """
    ends = [len(features_until(net, layer)) for layer in layers]
    if ends != sorted(set(ends)):
        raise ValueError(f"layers must be named once and from the first to the last, not {', '.join(layers)}")
    parts = [net.features[begin:end] for begin, end in zip((0, *ends), ends, strict=False)]
    by_layer: list[list[tuple]] = [[] for _ in layers]
    with torch.inference_mode():
        for maps in images:
            for part, kept in zip(parts, by_layer, strict=True):
                maps = part(maps)  # noqa: PLW2901 - each part goes on where the last one stopped
                values, places = maps[0].flatten(1).max(1)
                kept.append((values.numpy(), places.numpy() // maps.shape[3], places.numpy() % maps.shape[3]))
    stacked = [[np.stack(part) for part in zip(*kept, strict=True)] for kept in by_layer]
    return [Strongest(layer, *parts) for layer, parts in zip(layers, stacked, strict=True)]


def window(config: Configuration, size: Size, layer: str, row: int, column: int) -> tuple[int, int, int]:
    """What one position of a map depends on: first row, first column and side of a square of input pixels.

    It reaches beyond the image where the position sees padding.
    """
    shape = next(made for made in anatomy.layers(config, size) if made.name == layer)
    return shape.start + row * shape.stride, shape.start + column * shape.stride, shape.receptive_field


def telling_channels(layer: Strongest, count: int, shown: int) -> list[int]:
    """The channels whose ``shown`` strongest images stand out most from all images, the one that does most first.

    One of whose images half or more are those of a channel before it is passed over; if too few are left, so be it.
    """
    order = np.argsort(-layer.values, axis=0, kind="stable")[:shown]
    best = np.take_along_axis(layer.values, order, axis=0).mean(0)
    usual = layer.values.mean(0)
    standing_out = np.divide(best, usual, out=np.zeros_like(best), where=usual > 0)
    chosen: list[int] = []
    for channel in np.argsort(-standing_out, kind="stable"):
        images = set(order[:, channel])
        if standing_out[channel] > 0 and all(2 * len(images & set(order[:, earlier])) < shown for earlier in chosen):
            chosen.append(int(channel))
        if len(chosen) == count:
            break
    return chosen
