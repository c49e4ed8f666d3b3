"""Pictures of the networks, drawn from Table 1."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

from verydeep import paper
from verydeep.chapters.figures.style import BLOCKS, Picture, finished, ink_on, use_style
from verydeep.networks import anatomy
from verydeep.networks.configurations import PAPER_SIZE, Configuration, Size, all_configurations, configuration
from verydeep.networks.stacks import Stack, lines

_ONE_BY_ONE, _LRN, _POOL, _FC = "#e8a33d", "#eab0ad", "#e4e6ea", "#5b5f97"
_KINDS = {"conv": "#1b6ca8", "maxpool": "#9aa1ab", "fc": "#5b5f97", "lrn": "#d9534f",
          "avgpool": "#c4c9d0", "norm": "#e8a33d"}  # fmt: skip


def shares(config: str, size: Size = PAPER_SIZE) -> Picture:
    """Weights, activations and multiply-adds of each layer: where a network's size, memory and work lie."""
    use_style()
    layers = anatomy.layers(configuration(config), size)
    figure, panels = plt.subplots(1, 3, figsize=(11, 0.9 + 0.22 * len(layers)), sharey=True, layout="constrained")
    values = {
        "weights (millions)": [layer.weights / 1e6 for layer in layers],
        "activations (millions)": [layer.activations / 1e6 for layer in layers],
        "multiply-adds (billions)": [layer.multiply_adds / 1e9 for layer in layers],
    }
    places = np.arange(len(layers))
    for axes, (label, numbers) in zip(panels, values.items(), strict=True):
        axes.barh(places, numbers, color=[_KINDS[layer.kind] for layer in layers])
        axes.set(xlabel=label)
    panels[0].set_yticks(places, [layer.name for layer in layers], fontsize=8)
    panels[0].invert_yaxis()
    figure.suptitle(f"{config}, input {size.crop}x{size.crop}", fontsize=11, fontweight="bold")
    return finished(figure)


def stacks_in_one_dimension(size: int = 8) -> Picture:
    """The notes' picture: stacks of width-3 layers beside one wide layer, on ``size`` inputs without padding.

    What the first output depends on is drawn strong.

    Raises
    ------
    ValueError
        When there are fewer inputs than the smallest stack sees.
    """
    drawn = [stack for pair in ((Stack(3, 3), Stack(7, 1)), (Stack(3, 2), Stack(5, 1))) for stack in pair]
    least = min(stack.receptive_field for stack in drawn)
    if size < least:
        raise ValueError(f"there must be at least {least} inputs, not {size}")
    use_style()
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


def receptive_fields() -> Picture:
    """Receptive field after every layer of the six configurations, against how far along the network the layer is."""
    use_style()
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for colour, name in zip(sns.color_palette("colorblind", 5), "ABCDE", strict=True):
        layers = [layer for layer in anatomy.layers(all_configurations()[name]) if layer.kind in ("conv", "maxpool")]
        axes.step(
            range(1, len(layers) + 1),
            [layer.receptive_field for layer in layers],
            where="mid",
            color=colour,
            label=name,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axhline(224, color="#777777", linewidth=0.8, linestyle=":")
    axes.text(1, 226, "the whole crop", fontsize=8, color="#555555", va="bottom")
    axes.set(xlabel="layer (convolutions and poolings)", ylabel="receptive field (pixels)")
    axes.legend(frameon=False, title="network", fontsize=8)
    return finished(figure)


def signals(deviations: pd.DataFrame, quantity: str, title: str) -> Picture:
    """``activation`` or ``gradient`` of :func:`verydeep.networks.signals.every_scheme`, by layer, a line a scheme."""
    use_style()
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    schemes = deviations.columns.get_level_values(0).unique()
    for colour, scheme in zip(sns.color_palette("colorblind", len(schemes)), schemes, strict=True):
        values = deviations[scheme, quantity]
        axes.plot(range(len(deviations)), values, "o-", color=colour, markersize=4, label=scheme)
    axes.set_xticks(range(len(deviations)), deviations.index, rotation=60, fontsize=8)
    axes.set(yscale="log", ylabel=f"standard deviation of the {quantity}", title=title)
    axes.legend(frameon=False, fontsize=8)
    return finished(figure)


def footprint(gradient: np.ndarray, first: int, last: int, title: str) -> Picture:
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


def peers_picture(compared: pd.DataFrame) -> Picture:
    """Parameters against multiply-adds of :func:`verydeep.networks.peers.compare`, the area of a mark its depth."""
    use_style()
    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for name, row in compared.iterrows():
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


def configurations_diagram() -> Picture:
    """All six configurations of Table 1 side by side, drawn from the data."""
    use_style()
    names = list(dict.fromkeys(paper.table(1)["config"]))
    depth = [max(_rows(all_configurations()[name], block) for name in names) for block in range(5)]
    figure, axes = plt.subplots(figsize=(10.5, 8.2), layout="constrained")
    for column, name in enumerate(names):
        _draw_configuration(axes, all_configurations()[name], column, depth)
    total = sum(depth) + 5 + 3
    axes.set(xlim=(-0.6, len(names) - 0.4), ylim=(total + 0.2, -1.8))
    axes.set_axis_off()
    return finished(figure)


def _rows(config: Configuration, block: int) -> int:
    return len(config.blocks[block]) + (config.lrn and block == 0)


def _draw_configuration(axes, config: Configuration, column: int, depth: list[int]) -> None:
    axes.text(column, -1.3, config.name, ha="center", fontsize=13, fontweight="bold")
    axes.text(column, -0.65, f"{config.weight_layers} weight layers", ha="center", fontsize=8)
    y = 0
    for b, block in enumerate(config.blocks):
        top = y
        for i, conv in enumerate(block):
            colour = _ONE_BY_ONE if conv.kernel == 1 else BLOCKS[b]
            _box(axes, column, top, f"conv{conv.kernel}-{conv.channels}", colour)
            top += 1
            if config.lrn and (b, i) == (0, 0):
                _box(axes, column, top, "LRN", _LRN)
                top += 1
        y += depth[b]
        _box(axes, column, y, "maxpool", _POOL)
        y += 1
    for width in config.fc:
        _box(axes, column, y, f"FC-{width}", _FC)
        y += 1


def _box(axes, column: int, row: int, text: str, colour: str) -> None:
    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch((column - 0.42, row + 0.08), 0.84, 0.8, boxstyle=style, facecolor=colour, edgecolor="none")
    )
    axes.text(column, row + 0.5, text, ha="center", va="center", fontsize=8, color=ink_on(colour))
