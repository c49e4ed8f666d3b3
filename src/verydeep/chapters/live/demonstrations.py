"""What the architecture chapters compute on real networks: receptive fields, signals, normalisation, the dense form."""

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from torch import nn

from verydeep.chapters import display, figures
from verydeep.chapters.figures import Picture, finished, use_style
from verydeep.networks import anatomy, footprints, signals, vgg
from verydeep.networks.configurations import Size, configuration
from verydeep.networks.dense import score_map
from verydeep.networks.vgg import LRN_ALPHA, LRN_BETA, LRN_K, LRN_SIZE, LocalResponseNorm

_NARROW = 8  # a receptive field does not depend on the width, and a narrow network is quick


def _narrow(config: str, size: int) -> vgg.VGG:
    return vgg.build(config, Size(width_divisor=_NARROW, num_classes=10, crop=size, pooling="floor")).eval()


def receptive_field(config: str, layer: str, size: int) -> pd.DataFrame:
    """First and last pixel that the central unit of a layer depends on, by arithmetic and by back-propagation.

    Raises
    ------
    ValueError
        When the network has no such layer.
    """
    net = _narrow(config, size)
    depends = footprints.dependence(net, layer, size).any(0).nonzero()[0]
    first, last = footprints.bounds(configuration(config), layer, size, pooling="floor")
    rows = {
        "recursion": {"first pixel": first, "last pixel": last, "pixels": last - first + 1},
        "gradient": {
            "first pixel": int(depends[0]),
            "last pixel": int(depends[-1]),
            "pixels": len(depends),
        },
    }
    return display.table(pd.DataFrame(rows).T)


def effective_field(config: str, layer: str, size: int, scheme: str) -> tuple[Picture, pd.DataFrame]:
    """The gradient of the central unit as a picture, and the sides of the theoretical and the effective field."""
    net = footprints.initialised(_narrow(config, size), scheme)
    field = footprints.gradient(net, layer, size)
    first, last = footprints.bounds(configuration(config), layer, size, pooling="floor")
    picture = figures.footprint(field, first, last, f"{layer} of {config}")
    side = footprints.effective(field)
    theoretical = last - first + 1
    frame = pd.DataFrame(
        {"theoretical (pixels)": [theoretical], "effective (pixels)": [side], "share (%)": [100 * side / theoretical]},
        index=[layer],
    )
    return picture, display.table(frame.round(1))


def first_step(config: str, width_divisor: int, crop: int, seed: int) -> pd.DataFrame:
    """How large signals are at the first step by each way of drawing weights, for 200 classes as `quarter` has them.

    As :func:`verydeep.networks.signals.every_scheme` gives them.
    """
    return signals.every_scheme(config, Size(width_divisor, num_classes=200, crop=crop), seed=seed)


def lrn_response(neighbours: tuple[float, ...] = (0, 50, 100, 200)) -> Picture:
    """Output against input of the layer, when the four neighbouring channels all have one of the values given."""
    use_style()
    figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
    layer = LocalResponseNorm(LRN_SIZE, alpha=LRN_ALPHA * LRN_SIZE, beta=LRN_BETA, k=LRN_K)
    values = np.linspace(0, 300, 200)
    for colour, other in zip(sns.color_palette("crest", len(neighbours)), neighbours, strict=True):
        x = torch.full((1, LRN_SIZE, 1, len(values)), float(other))
        x[0, LRN_SIZE // 2, 0] = torch.from_numpy(values).float()
        axes.plot(values, layer(x)[0, LRN_SIZE // 2, 0], color=colour, label=f"{other:g}")
    axes.plot(values, values / LRN_K**LRN_BETA, ":", color="#777777", label="divided by the constant alone")
    axes.set(xlabel="value before", ylabel="value after")
    axes.legend(frameon=False, fontsize=8, title="neighbours")
    return finished(figure)


def lrn_cost(crop: int, width_divisor: int) -> pd.DataFrame:
    """Milliseconds and memory of A-LRN's normalisation beside the convolution before it, on this machine.

    Of four images, the better of two turns after a first.
    """
    channels, batch, turns = 64 // width_divisor, 4, 2
    layers = {
        "conv1_1": (nn.Conv2d(3, channels, 3, padding=1), torch.randn(batch, 3, crop, crop)),
        "LRN": (LocalResponseNorm(LRN_SIZE, LRN_ALPHA, LRN_BETA, LRN_K), torch.randn(batch, channels, crop, crop)),
    }
    rows = {}
    for name, (layer, x) in layers.items():
        seconds = []
        with torch.inference_mode():
            for _ in range(turns + 1):
                begun = time.monotonic()
                y = layer(x)
                seconds.append(time.monotonic() - begun)
        rows[name] = {"milliseconds": 1000 * min(seconds[1:]), "output (MiB)": y.numel() * 4 / 2**20}
    return display.table(pd.DataFrame(rows).T.round(1))


def dense_equality(config: str, width_divisor: int = 1) -> pd.DataFrame:
    """The largest difference of class scores between the FC form and the dense form on a random crop of 224."""
    torch.manual_seed(0)
    net = vgg.build(config, Size(width_divisor=width_divisor)).eval()
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        fc, dense = net(x), score_map(net, x)
    frame = pd.DataFrame(
        {
            "FC form": ["x".join(map(str, fc.shape))],
            "dense form": ["x".join(map(str, dense.shape))],
            "largest difference": [f"{float((fc - dense[:, :, 0, 0]).abs().max()):.1e}"],
            "scores' standard deviation": [f"{float(fc.std()):.1e}"],
        },
        index=[config],
    )
    return display.table(frame)


def score_maps(config: str, sizes: list[int], width_divisor: int = 1) -> pd.DataFrame:
    """The score map of square images of several sizes, as torch makes it, and its cost from the arithmetic.

    Shapes alone, so the network is on torch's meta device, where nothing is stored or computed.

    Raises
    ------
    ValueError
        When an image is too small for one window of FC6.
    """
    with torch.device("meta"):
        net = vgg.build(config, Size(width_divisor=width_divisor)).eval()
    rows = {}
    for side in sizes:
        with torch.inference_mode():
            scores = score_map(net, torch.zeros(1, 3, side, side, device="meta"))
        positions = scores.shape[2] * scores.shape[3]
        work = anatomy.multiply_adds(configuration(config), net.size, image=(side, side)) / 1e9
        rows[side] = {
            "score map": f"{scores.shape[2]}x{scores.shape[3]}x{scores.shape[1]}",
            "positions": positions,
            "multiply-adds (billions)": round(work, 2),
            "for each position": round(work / positions, 2),
        }
    frame = pd.DataFrame(rows).T.rename_axis("image (pixels)")
    return display.table(frame, units={"for each position": "billions"})
