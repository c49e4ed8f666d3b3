"""Tables and pictures of the networks' architecture, computed from Table 1: no torch, no runs."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from verydeep import display, notes
from verydeep.figures import finished, use_style
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations, configuration
from verydeep.networks.stacks import Stack, lines

_KINDS = {"conv": "#1b6ca8", "maxpool": "#9aa1ab", "fc": "#5b5f97", "lrn": "#d9534f"}


def layer_table(config: str, crop: int = 224, **size) -> pd.DataFrame:
    """Every layer of a configuration: output shape, weights, biases, activations, memory, work, receptive field.

    Memory is that of the activations in single precision, MiB; a last row has the totals.

    Parameters
    ----------
    crop, size
        As in :func:`verydeep.networks.anatomy.layers`.
    """
    found = anatomy.layers(configuration(config), crop=crop, **size)
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
        for layer in found
    ]
    frame = pd.DataFrame(rows).set_index("layer")
    counted = ["weights", "biases", "activations", "memory (MiB)", "multiply-adds"]
    total = frame[counted].sum().to_frame("all").T
    frame = pd.concat([frame, total]).astype({name: "Int64" for name in frame if name != "memory (MiB)"})
    units = dict.fromkeys(("receptive field", "stride"), "pixels") | dict.fromkeys(("height", "width"), "positions")
    return display.table(frame.rename_axis("layer").round(2), units=units, missing="")


def shapes() -> pd.DataFrame:
    """The output shape of every layer of all six configurations at the paper's size, a column each."""
    columns = {}
    for name in ("A", "A-LRN", "B", "C", "D", "E"):
        found = anatomy.layers(all_configurations()[name])
        columns[name] = {layer.name: "x".join(map(str, layer.shape[::-1])) for layer in found}
    order = [layer.name for layer in anatomy.layers(all_configurations()["E"])]
    order.insert(1, "lrn1")
    return display.table(pd.DataFrame(columns).reindex(order).fillna(""))


def shares(config: str, crop: int = 224, **size) -> Figure:
    """Weights, activations and multiply-adds of each layer: where a network's size, memory and work lie."""
    use_style()
    found = [layer for layer in anatomy.layers(configuration(config), crop=crop, **size)]
    figure, panels = plt.subplots(1, 3, figsize=(11, 0.9 + 0.22 * len(found)), sharey=True, layout="constrained")
    values = {
        "weights (millions)": [layer.weights / 1e6 for layer in found],
        "activations (millions)": [layer.activations / 1e6 for layer in found],
        "multiply-adds (billions)": [layer.multiply_adds / 1e9 for layer in found],
    }
    places = np.arange(len(found))
    for axes, (label, numbers) in zip(panels, values.items(), strict=True):
        axes.barh(places, numbers, color=[_KINDS[layer.kind] for layer in found])
        axes.set(xlabel=label)
    panels[0].set_yticks(places, [layer.name for layer in found], fontsize=8)
    panels[0].invert_yaxis()
    figure.suptitle(f"{config}, input {crop}x{crop}", fontsize=11, fontweight="bold")
    return finished(figure)


def fc_share() -> pd.DataFrame:
    """Weights in the FC layers of all six configurations, and their share of all weights in percent."""
    rows = {}
    for name in ("A", "A-LRN", "B", "C", "D", "E"):
        found = anatomy.layers(all_configurations()[name])
        fc = {layer.name: layer.weights for layer in found if layer.kind == "fc"}
        total = sum(layer.weights for layer in found)
        rows[name] = fc | {"all FC": sum(fc.values()), "all": total, "FC share (%)": 100 * sum(fc.values()) / total}
    counts = ("fc6", "fc7", "fc8", "all FC", "all")
    frame = pd.DataFrame(rows).T.astype(dict.fromkeys(counts, int)).round(1)
    return display.table(frame, units=dict.fromkeys(counts, "weights"))


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
    return display.table(pd.DataFrame(rows).set_index("stack"), units=units)


def stacks_in_one_dimension(size: int = 8) -> Figure:
    """The notes' picture: stacks of width-3 layers beside one wide layer, on ``size`` inputs without padding.

    What the first output depends on is drawn strong.
    """
    use_style()
    drawn = [stack for pair in ((Stack(3, 3), Stack(7, 1)), (Stack(3, 2), Stack(5, 1))) for stack in pair]
    drawn = [stack for stack in drawn if stack.receptive_field <= size]
    figure, panels = plt.subplots(1, len(drawn), figsize=(3 * len(drawn), 3.1), sharey=True, layout="constrained")
    for axes, stack in zip(np.atleast_1d(panels), drawn, strict=True):
        layers = lines(size, stack)
        needed = {0}
        for level in range(stack.layers, -1, -1):
            below = set()
            offset = (size - len(layers[level])) / 2
            for unit in range(len(layers[level])):
                strong = unit in needed
                axes.plot(offset + unit, level, "o", color="#1b6ca8" if strong else "#c9d2dc", markersize=9)
                if level:
                    for step in range(stack.kernel):
                        start = (size - len(layers[level - 1])) / 2
                        axes.plot(
                            [offset + unit, start + unit + step],
                            [level, level - 1],
                            color="#1b6ca8" if strong else "#dde3ea",
                            linewidth=1.4 if strong else 0.7,
                            zorder=0,
                        )
                        if strong:
                            below.add(unit + step)
            needed = below
        outputs = len(layers[-1])
        axes.set_title(f"{stack.name}: {outputs} output{'s' if outputs > 1 else ''}", fontsize=10)
        axes.set_axis_off()
    return finished(figure)


def receptive_fields() -> Figure:
    """Receptive field after every layer of the six configurations, against how far along the network the layer is."""
    use_style()
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for colour, name in zip(sns.color_palette("colorblind", 5), "ABCDE", strict=True):
        found = [layer for layer in anatomy.layers(all_configurations()[name]) if layer.kind in ("conv", "maxpool")]
        axes.step(
            range(1, len(found) + 1), [one.receptive_field for one in found], where="mid", color=colour, label=name
        )
    axes.axhline(224, color="#777777", linewidth=0.8, linestyle=":")
    axes.text(1, 226, "the whole crop", fontsize=8, color="#555555", va="bottom")
    axes.set(xlabel="layer (convolutions and poolings)", ylabel="receptive field (pixels)")
    axes.legend(frameon=False, title="network", fontsize=8)
    return finished(figure)


def one_by_one(height: int = 224, channels: int = 100, reduced: int = 20, out: int = 64) -> pd.DataFrame:
    """A 1x1 convolution before a 3x3 or 5x5 one: weights and multiply-adds with and without the reduction.

    Parameters
    ----------
    height
        Side of the square map.
    channels, reduced, out
        Channels that come in, that the 1x1 convolution leaves, and that the larger convolution gives.
    """
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
    return display.table(pd.DataFrame(rows).set_index("convolution").round(1))


def pooling_table(config: str = "D", crop: int = 224) -> pd.DataFrame:
    """2x2 pooling with stride 2 against AlexNet's 3x3 with stride 2: map sizes, weights and receptive field.

    3x3 pooling is taken without padding and rounded down, as in AlexNet; smaller maps change the first FC layer.
    """
    spec = configuration(config)
    two = {layer.name: layer for layer in anatomy.layers(spec, crop=crop)}
    side, field, stride = crop, 1, 1
    rows = []
    for b, block in enumerate(spec.blocks, 1):
        field += sum(conv.kernel - 1 for conv in block) * stride
        side = (side - 3) // 2 + 1
        field, stride = field + 2 * stride, 2 * stride
        layer = two[f"pool{b}"]
        rows.append(
            {
                "layer": f"pool{b}",
                "map with 2x2": layer.shape[1],
                "map with 3x3": side,
                "receptive field with 2x2": layer.receptive_field,
                "with 3x3": field,
                "3x3: inputs in two windows (%)": round(100 * (side - 1) / (2 * side + 1), 1),
            }
        )
    frame = pd.DataFrame(rows).set_index("layer")
    channels = spec.blocks[-1][-1].channels
    frame.attrs["fc6"] = (two["fc6"].weights, channels * side**2 * spec.fc[0])
    units = dict.fromkeys(("map with 2x2", "map with 3x3"), "positions a side")
    return display.table(frame, units=units | dict.fromkeys(("receptive field with 2x2", "with 3x3"), "pixels"))


def signals(found: pd.DataFrame, quantity: str, title: str) -> Figure:
    """``activation`` or ``gradient`` of :func:`verydeep.networks.signals.every_scheme`, by layer, a line a scheme."""
    use_style()
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    schemes = found.columns.get_level_values(0).unique()
    for colour, scheme in zip(sns.color_palette("colorblind", len(schemes)), schemes, strict=True):
        values = found[scheme, quantity]
        axes.plot(range(len(found)), values, "o-", color=colour, markersize=4, label=scheme)
    axes.set_xticks(range(len(found)), found.index, rotation=60, fontsize=8)
    axes.set(yscale="log", ylabel=f"standard deviation of the {quantity}", title=title)
    axes.legend(frameon=False, fontsize=8)
    return finished(figure)


def footprint(gradient: np.ndarray, first: int, last: int, title: str) -> Figure:
    """The gradient of one unit with respect to the input, its theoretical receptive field drawn as a square."""
    use_style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
    left.imshow(gradient, cmap="magma")
    side = last - first + 1
    left.add_patch(
        plt.Rectangle((first - 0.5, first - 0.5), side, side, fill=False, edgecolor="#7fb7de", linewidth=1.5)
    )
    left.set_axis_off()
    left.set_title(f"{title}: gradient, and the theoretical field of {side} pixels", fontsize=9)
    middle = len(gradient) // 2
    right.plot(gradient[middle], color="#1b6ca8")
    right.axvspan(first, last, color="#7fb7de", alpha=0.25, linewidth=0)
    right.set(xlabel="pixel along the middle row", ylabel="mean absolute gradient")
    return finished(figure)


def peers_picture(found: pd.DataFrame) -> Figure:
    """Parameters against multiply-adds of :func:`verydeep.networks.peers.compare`, the area of a mark its depth."""
    use_style()
    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for name, row in found.iterrows():
        colour = "#1b6ca8" if name.startswith("VGG") else "#e8a33d"
        x, y = row["multiply-adds (billions)"], row["parameters (millions)"]
        axes.scatter(x, y, s=6 * row["depth (layers)"], color=colour, alpha=0.7)
        place = (-6, -14) if name == "VGG-16 (D)" else (6, 6)  # the two VGGs lie close together
        axes.annotate(
            f"{name} ({row['depth (layers)']:.0f})",
            (x, y),
            xytext=place,
            textcoords="offset points",
            ha="right" if place[0] < 0 else "left",
            fontsize=8,
        )
    axes.set(xscale="log", yscale="log", xlabel="multiply-adds an image (billions)", ylabel="parameters (millions)")
    axes.margins(0.25)
    return finished(figure)


def notes_markdown(study: str = "quarter", root: str = "") -> str:
    """The notes, checked: a Markdown table, a row each with an anchor of its id and a link to its section."""
    lines_ = ["| note | the notes say | computed | verdict |", "|:--|:--|:--|:--|"]
    for one in notes.notes(study):
        verdict = f"**{one.verdict}**" + (f": {one.why}" if one.why else "")
        name = f'<span id="{one.id}"></span>[{one.id}]({root}{one.see.replace(".html", ".ipynb")})'
        lines_.append(f"| {name} | {one.statement} | {one.computed} | {verdict} |")
    return "\n".join(lines_)
