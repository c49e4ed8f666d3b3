"""What of the input one output of a real network depends on, found by back-propagation."""

import copy

import numpy as np
import torch

from verydeep.networks import anatomy
from verydeep.networks.configurations import Configuration, Size
from verydeep.networks.initialisation import initialise
from verydeep.networks.vgg import VGG

#: What a Gaussian has within two standard deviations along a line.
_TWO_DEVIATIONS = 0.955


def features_until(net: VGG, layer: str) -> torch.nn.Sequential:
    """The first modules of ``net``, up to and with ``layer`` (``conv3_2`` or ``pool4``), its ReLU included.

    Raises
    ------
    ValueError
        When the network has no such layer.
    """
    names, convolutions, pools = {}, iter(net.config.conv_names()), iter(range(1, 1 + len(net.config.blocks)))
    for index, module in enumerate(net.features):
        if isinstance(module, torch.nn.Conv2d):
            name = next(convolutions)
        elif isinstance(module, torch.nn.MaxPool2d):
            name = f"pool{next(pools)}"
        names[name] = index  # the last module that belongs to the layer
    if layer not in names:
        raise ValueError(f"{net.config.name} has no layer {layer!r}; it has {', '.join(names)}")
    return net.features[: names[layer] + 1]


def gradient(net: VGG, layer: str, size: int) -> np.ndarray:
    """Mean absolute gradient of the central unit of ``layer`` with respect to each input pixel: float (size, size).

    Over all channels of the unit and over eight random inputs. Where it is zero the unit does not depend on the pixel.
    """
    part = features_until(net, layer)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 3, size, size, generator=generator, requires_grad=True)
    maps = part(x)
    centre = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
    weights = torch.randn(centre.shape, generator=generator)  # or gradients of opposite sign would cancel
    (centre * weights).sum().backward()
    return x.grad.abs().mean((0, 1)).numpy()


def dependence(net: VGG, layer: str, size: int) -> np.ndarray:
    """Which input pixels the central unit of ``layer`` depends on at all: bool (size, size).

    Every weight is made positive and every input equal, so that nothing cancels and every ReLU passes; max-pooling is
    made to average, since it would hide all inputs but the largest. The network itself stays as it is.
    """
    part = copy.deepcopy(features_until(net, layer))
    averaged = [_averaging(module) if isinstance(module, torch.nn.MaxPool2d) else module for module in part]
    with torch.no_grad():
        for module in averaged:
            if isinstance(module, torch.nn.Conv2d):
                module.weight.abs_().add_(1e-3).div_(module.weight[0].numel())
                module.bias.zero_()
    x = torch.ones(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    maps = torch.nn.Sequential(*averaged).double()(x)
    maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum().backward()
    return x.grad[0].abs().sum(0).numpy() > 0


def _averaging(pool: torch.nn.MaxPool2d) -> torch.nn.AvgPool2d:
    return torch.nn.AvgPool2d(pool.kernel_size, pool.stride, ceil_mode=pool.ceil_mode)


def bounds(
    config: Configuration, layer: str, side: int, pooling: str = "ceil", pooling_window: int = 2
) -> tuple[int, int]:
    """First and last input pixel, along a side, that the central unit of ``layer`` depends on, from the arithmetic.

    Pixels outside the image, where the unit sees padding, are cut off.
    """
    rows = anatomy.layers(config, Size(crop=side, pooling=pooling, pooling_window=pooling_window))
    row = next(row for row in rows if row.name == layer)
    first = row.start + (row.shape[1] // 2) * row.stride
    return max(0, first), min(side - 1, first + row.receptive_field - 1)


def effective(gradient: np.ndarray) -> float:
    """Side of the centred square that holds most of the squared gradient: the effective receptive field.

    As much as a Gaussian has within two standard deviations along a line.
    """
    power = gradient.astype(np.float64) ** 2
    rows, columns = (np.average(np.arange(len(power)), weights=power.sum(axis)) for axis in (1, 0))
    ys, xs = np.indices(power.shape)
    distance = np.maximum(np.abs(ys - rows), np.abs(xs - columns))
    order = np.argsort(distance, axis=None)
    reached = np.cumsum(power.ravel()[order]) / power.sum()
    return float(2 * distance.ravel()[order][np.searchsorted(reached, _TWO_DEVIATIONS)] + 1)


def initialised(net: VGG, scheme: str) -> VGG:
    """``net`` with weights drawn anew by one of ``choices.SCHEMES``."""
    initialise(net, scheme, torch.Generator().manual_seed(0))
    return net
