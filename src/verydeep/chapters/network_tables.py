"""Tables of the networks' architecture, computed from Table 1."""

import pandas as pd

from verydeep.chapters import display
from verydeep.errors import UnknownName
from verydeep.networks import anatomy
from verydeep.networks.configurations import PAPER_SIZE, Size, all_configurations, chains, configuration
from verydeep.networks.stacks import Stack
from verydeep.studies import load

#: The six columns of Table 1.
PAPERS = ("A", "A-LRN", "B", "C", "D", "E")


def layer_table(config: str, size: Size = PAPER_SIZE) -> pd.DataFrame:
    """Every layer of a configuration: output shape, weights, biases, activations, memory, work, receptive field.

    Memory is that of the activations in single precision, MiB; a last row has the totals.
    """
    layers = anatomy.layers(configuration(config), size)
    rows = [
        {
            "layer": layer.name,
            "channels": layer.shape[0],
            "height": layer.shape[1],
            "width": layer.shape[2],
            "weights": layer.weights,
            "biases": layer.biases,
            "activations": layer.activations,
            "memory (MiB)": layer.activations * 4 / 2**20,
            "multiply-adds": layer.multiply_adds,
            "receptive field": layer.receptive_field,
            "stride": layer.stride,
            "first pixel": layer.start,
        }
        for layer in layers
    ]
    frame = pd.DataFrame(rows).set_index("layer")
    counted = ["weights", "biases", "activations", "memory (MiB)", "multiply-adds"]
    total = frame[counted].sum().to_frame("all").T
    frame = pd.concat([frame, total]).astype({name: "Int64" for name in frame if name != "memory (MiB)"})
    units = dict.fromkeys(("receptive field", "stride"), "pixels") | dict.fromkeys(("height", "width"), "positions")
    return display.table(frame.rename_axis("layer").round(2), units=units, missing="")


def shapes(size: Size = PAPER_SIZE) -> pd.DataFrame:
    """The input and the output shape of every layer of all six configurations, a column each."""
    columns, side = {}, size.crop
    for name in PAPERS:
        layers = anatomy.layers(all_configurations()[name], size)
        outputs = {layer.name: "x".join(map(str, layer.shape[::-1])) for layer in layers}
        columns[name] = {"input": f"{side}x{side}x3"} | outputs
    order = ["input", *(layer.name for layer in anatomy.layers(all_configurations()["E"]))]
    order.insert(2, "lrn1")
    return display.table(pd.DataFrame(columns).reindex(order).fillna(""))


def fc_share() -> pd.DataFrame:
    """Weights in the FC layers of all six configurations, and their share of all weights in percent."""
    rows = {}
    for name in PAPERS:
        layers = anatomy.layers(all_configurations()[name])
        fc = {layer.name: layer.weights for layer in layers if layer.kind == "fc"}
        total = sum(layer.weights for layer in layers)
        rows[name] = fc | {"all FC": sum(fc.values()), "all": total, "FC share (%)": 100 * sum(fc.values()) / total}
    counts = ("fc6", "fc7", "fc8", "all FC", "all")
    frame = pd.DataFrame(rows).T.astype(dict.fromkeys(counts, int)).round(1)
    return display.table(frame, units=dict.fromkeys(counts, "weights"))


def study_parameters(*names: str) -> pd.DataFrame:
    """Parameters of all six configurations in the paper and in studies, in millions, a column each."""
    sizes = {"paper": PAPER_SIZE} | {name: load(name).size for name in names}
    columns = {
        of: {name: anatomy.parameters(configuration(name), size) / 1e6 for name in PAPERS} for of, size in sizes.items()
    }
    frame = pd.DataFrame(columns).round(2).rename_axis("network")
    return display.table(frame, units=dict.fromkeys(sizes, "millions"))


STACKS = ((Stack(3, 2), Stack(5, 1)), (Stack(3, 3), Stack(7, 1)))


def stack_table(channels: int) -> pd.DataFrame:
    """Stacks of 3x3 layers against the one layer of the same receptive field, with C channels in and out.

    Raises
    ------
    ValueError
        When ``channels`` is not positive.
    """
    if channels < 1:
        raise ValueError(f"channels must be at least 1, not {channels}")
    rows = []
    for small, large in STACKS:
        few, many = small.weights(channels), large.weights(channels)
        rows.append(
            {
                "stack": small.name,
                "instead of": large.name,
                "receptive field": small.receptive_field,
                "weights of the stack": few,
                "of the one layer": many,
                "the one layer has more (%)": round(100 * (many / few - 1), 1),
                "ReLUs": f"{small.layers} instead of {large.layers}",
            }
        )
    units = {"receptive field": "pixels", "of the one layer": "weights"}
    return display.of_rows(rows, "stack", units=units)


def one_by_one(height: int = 224, channels: int = 100, reduced: int = 20, out: int = 64) -> pd.DataFrame:
    """A 1x1 convolution before a 3x3 or 5x5 one: weights and multiply-adds with and without the reduction.

    Parameters
    ----------
    height
        Side of the square map.
    channels, reduced, out
        Channels that come in, that the 1x1 convolution leaves, and that the larger convolution gives.

    Raises
    ------
    ValueError
        When one of them is not positive.
    """
    for name, value in {"height": height, "channels": channels, "reduced": reduced, "out": out}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    rows = []
    for kernel in (3, 5):
        direct = kernel**2 * channels * out
        less = channels * reduced + kernel**2 * reduced * out
        rows.append(
            {
                "convolution": f"{kernel}x{kernel}, {channels} to {out}",
                "weights directly": direct,
                f"weights after 1x1 to {reduced}": less,
                "multiply-adds directly (millions)": direct * height**2 / 1e6,
                "multiply-adds after 1x1 (millions)": less * height**2 / 1e6,
                "saved (%)": 100 * (1 - less / direct),
            }
        )
    return display.of_rows(rows, "convolution", digits=1)


def _by_pooling(config: str, crop: int) -> dict[str, dict[str, anatomy.Layer]]:
    """The layers of a network by their name, with 2x2 pooling and with AlexNet's; raises :class:`UnknownName`."""
    papers = [name for name in chains() if not configuration(name).pooling_window]
    if config not in papers:
        raise UnknownName("config", config, papers)
    sizes = {"2x2": Size(crop=crop)} | {
        f"3x3, rounded {way}": Size(crop=crop, pooling=pooling, pooling_window=3)
        for way, pooling in (("down", "floor"), ("up", "ceil"))
    }
    return {
        name: {layer.name: layer for layer in anatomy.layers(configuration(config), size)}
        for name, size in sizes.items()
    }


def pooled_fc6(config: str = "D", crop: int = 224) -> pd.DataFrame:
    """Weights of FC6, which sees the last map whole, by the pooling; raises as :func:`pooling_table`."""
    weights = {name: {"weights of FC6": layers["fc6"].weights} for name, layers in _by_pooling(config, crop).items()}
    return display.table(pd.DataFrame(weights).T.rename_axis("pooling"))


def pooling_table(config: str = "D", crop: int = 224) -> pd.DataFrame:
    """2x2 pooling with stride 2 against AlexNet's 3x3 with stride 2: map sizes, weights and receptive field.

    3x3 pooling is taken without padding. Rounded down, as in AlexNet, its maps are smaller and change the first FC
    layer; rounded up, as Caffe rounds, they are those of 2x2 where all sides are even.

    Raises
    ------
    UnknownName
        For a network without FC6, whose weights hang on the last map, and for one whose pooling is 3x3 itself.
    """
    two, down, up = _by_pooling(config, crop).values()
    rows = []
    for name in (name for name, layer in two.items() if layer.kind == "maxpool"):
        side = down[name].shape[1]
        rows.append(
            {
                "layer": name,
                "map with 2x2": two[name].shape[1],
                "with 3x3, rounded down": side,
                "with 3x3, rounded up": up[name].shape[1],
                "receptive field with 2x2": two[name].receptive_field,
                "with 3x3, as rounded down": down[name].receptive_field,
                "3x3, rounded down: inputs in two windows, along a line (%)": round(
                    100 * (side - 1) / (2 * side + 1), 1
                ),
            }
        )
    frame = pd.DataFrame(rows).set_index("layer")
    maps = dict.fromkeys(("map with 2x2", "with 3x3, rounded down", "with 3x3, rounded up"), "positions a side")
    return display.table(
        frame, units=maps | dict.fromkeys(("receptive field with 2x2", "with 3x3, as rounded down"), "pixels")
    )
