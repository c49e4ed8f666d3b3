"""Shapes, weights and multiply-adds of a configuration, layer by layer: plain arithmetic on Table 1.

The tests hold every figure against real torch modules.
"""

from dataclasses import dataclass, replace

from verydeep.networks.configurations import (
    PAPER_SIZE,
    AnyConfiguration,
    Configuration,
    Convolution,
    Inception,
    Module,
    Residual,
    Size,
)

#: Rounding in GoogLeNet, whatever a study says: by no other does its 3x3 at stride 2 make the maps of its Table 1.
INCEPTION_POOLING = "ceil"
#: A side classifier averages squares of so many units, or a whole map where that is smaller, so many apart.
SIDE_WINDOW, SIDE_STRIDE = 5, 3


@dataclass(frozen=True)
class Layer:
    """One row of the anatomy. Shapes are (channels, height, width); counts are for one image.

    ``receptive_field`` is the side of the square of input pixels that one output depends on, ``stride`` the distance
    in input pixels of two neighbouring outputs, and ``start`` the first pixel that the first output depends on, below
    zero where it lies in the padding.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    weights: int
    biases: int
    multiply_adds: int
    receptive_field: int
    stride: int
    start: int

    @property
    def parameters(self) -> int:
        """Weights and biases together."""
        return self.weights + self.biases

    @property
    def activations(self) -> int:
        """Outputs for one image: channels x height x width."""
        channels, height, width = self.shape
        return channels * height * width


def pooled(size: int, pooling: str = "ceil", window: int = 2) -> int:
    """Side of a map after max-pooling of ``window`` x ``window`` with stride 2; 0 where no window fits.

    Caffe, in which the paper's networks were trained, rounds up (``"ceil"``); torch rounds down by default
    (``"floor"``). At 2x2 the two agree wherever the side is even, so at every multiple of 32 pixels throughout. At 3x3
    rounding up gives the maps of 2x2 there, and rounding down smaller ones.
    """
    span = size - window
    return max(0, (-(-span // 2) if pooling == "ceil" else span // 2) + 1)


def pooling_window(config: Configuration, size: Size) -> int:
    """Side of the pooled squares of a network: its own where it has one, else as it is built."""
    return config.pooling_window or size.pooling_window


def map_side(config: AnyConfiguration, size: Size, length: int) -> int:
    """Side of the last feature map along a side of ``length`` pixels: 7 at 224 (Sect. 2.1); 0 where nothing is left."""
    if isinstance(config, Residual):
        for _ in range(5):  # each halves: the first convolution, its pooling, and three stages
            length = -(-length // 2)
        return length
    if isinstance(config, Inception):
        length = -(-length // 2)
        for _ in range(1 + len(config.groups)):
            length = pooled(length, INCEPTION_POOLING, 3)
        return length
    for block in config.blocks:
        for conv in block:
            length = conv.output(length)
        length = pooled(length, size.pooling, pooling_window(config, size))
    return max(0, length)


def size_fault(config: AnyConfiguration, size: Size) -> str | None:
    """Why a configuration cannot be built in a size: a width is not divided, or nothing is left of a crop."""
    match config:
        case Residual():
            widths, poolings = config.widths, 1
        case Inception():  # whose widths are rounded
            widths, poolings = (), 1 + len(config.groups)
        case _:
            widths = [*(conv.channels for block in config.blocks for conv in block), *config.fc[:-1]]
            poolings = len(config.blocks)
    if any(width % size.width_divisor for width in widths):
        return f"width_divisor {size.width_divisor} does not divide every width of {config.name}: {widths}"
    if map_side(config, size, size.crop) < 1:
        return f"a crop of {size.crop} pixels leaves nothing after {poolings} poolings"
    return None


def require_size(config: AnyConfiguration, size: Size) -> None:
    """Raise :class:`ValueError` where :func:`size_fault` finds one."""
    if fault := size_fault(config, size):
        raise ValueError(fault)


def layers(config: AnyConfiguration, size: Size = PAPER_SIZE, *, image: tuple[int, int] | None = None) -> list[Layer]:
    """Every layer of ``config`` at the given size, from conv1_1 to the class scores.

    A normalisation counts the parameters that it learns, a scale (as weights) and a shift (as biases) for each channel,
    and no multiply-adds; the running means and variances of batch normalisation are not learned and not counted.

    Parameters
    ----------
    image
        (height, width) of the input in the dense form, in which the FC layers are convolutions (Sect. 3.2). The
        training crop by default.

    Raises
    ------
    ValueError
        When the image is too small for one window of the head.
    """
    image = image or (size.crop, size.crop)
    if isinstance(config, Residual):
        listed, last = _residual(config, size, image)
    elif isinstance(config, Inception):
        listed, behind = _inception(config.divided(size.width_divisor), size, image)
        last = list(behind.values())[-1]
    else:
        listed, last = _chain(config, size, image)
    return listed + _head(config, size, image, last)


@dataclass(frozen=True)
class _Map:
    """What lies between two layers: its shape, and what of the input one position of it sees."""

    channels: int
    height: int
    width: int
    field: int = 1
    stride: int = 1
    start: int = 0

    def padded(self, kernel: int, step: int = 1, channels: int | None = None) -> "_Map":
        """The map behind a layer whose padding keeps the size, but for its stride."""
        height, width = (-(-side // step) for side in (self.height, self.width))
        return self._behind(kernel, step, channels or self.channels, height, width, kernel // 2)

    def convolved(self, conv: Convolution, channels: int) -> "_Map":
        """The map of so many channels behind a convolution."""
        height, width = (conv.output(side) for side in (self.height, self.width))
        return self._behind(conv.kernel, conv.stride, channels, height, width, conv.padding)

    def pooled(self, pooling: str, window: int) -> "_Map":
        """The map behind a max-pooling at stride 2."""
        height, width = (pooled(side, pooling, window) for side in (self.height, self.width))
        return self._behind(window, 2, self.channels, height, width, 0)

    def windows(self, side: int, step: int = 1) -> "_Map":
        """The map of what is computed of squares of it, without padding."""
        height, width = (max(0, (length - side) // step + 1) for length in (self.height, self.width))
        return self._behind(side, step, self.channels, height, width, 0)

    def _behind(self, kernel: int, step: int, channels: int, height: int, width: int, padding: int) -> "_Map":
        field, start = self.field + (kernel - 1) * self.stride, self.start - padding * self.stride
        return _Map(channels, height, width, field, self.stride * step, start)

    def layer(self, name: str, kind: str, weights: int = 0, biases: int = 0) -> Layer:
        """The layer behind which it lies."""
        work = weights * self.height * self.width if kind in ("conv", "fc") else 0
        shape = (self.channels, self.height, self.width)
        return Layer(name, kind, shape, weights, biases, work, self.field, self.stride, self.start)


def _chain(config: Configuration, size: Size, image: tuple[int, int]) -> tuple[list[Layer], _Map]:
    """The layers of a chain of convolutions and poolings, and the last map."""
    listed, at = [], _Map(3, *image)
    for b, block in enumerate(config.blocks, 1):
        for i, conv in enumerate(block, 1):
            inputs, out = at.channels, conv.channels // size.width_divisor
            at = at.convolved(conv, out)
            listed.append(at.layer(f"conv{b}_{i}", "conv", conv.kernel**2 * inputs * out, out))
            if size.batch_norm:
                listed.append(at.layer(f"norm{b}_{i}", "norm", out, out))
            if config.lrn and (b, i) == (1, 1):
                listed.append(at.layer("lrn1", "lrn"))
        at = at.pooled(size.pooling, pooling_window(config, size))
        listed.append(at.layer(f"pool{b}", "maxpool"))
    return listed, at


def _residual(config: Residual, size: Size, image: tuple[int, int]) -> tuple[list[Layer], _Map]:
    """The layers of a residual network; receptive fields are those of the way through the blocks, not the shortcuts."""
    listed, at = [], _Map(3, *image)

    def add(name: str, kernel: int, step: int, out: int) -> None:
        nonlocal at
        inputs, at = at.channels, at.padded(kernel, step, out)
        normalised(name, kernel**2 * inputs * out)

    def normalised(name: str, weights: int) -> None:
        listed.append(at.layer(name, "conv", weights))
        listed.append(at.layer(f"{name}.norm", "norm", at.channels, at.channels))

    widths = [width // size.width_divisor for width in config.widths]
    add("conv1", 7, 2, widths[0])
    at = at.padded(3, 2)
    listed.append(at.layer("maxpool", "maxpool"))
    for stage, (out, count) in enumerate(zip(widths, config.blocks, strict=True), 1):
        for block in range(count):
            name, step, inputs = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1, at.channels
            add(f"{name}.conv1", 3, step, out)
            add(f"{name}.conv2", 3, 1, out)
            if step == 2 or inputs != out:
                normalised(f"{name}.downsample", inputs * out)
    return listed, at


def _convolution(name: str, before: _Map, kernel: int, out: int, size: Size, step: int = 1) -> tuple[list[Layer], _Map]:
    """A convolution of a network of inception modules, and the map behind it."""
    after = before.padded(kernel, step, out)
    made = [after.layer(name, "conv", kernel**2 * before.channels * out, out)]
    return made + [after.layer(f"{name}.norm", "norm", out, out)] * size.batch_norm, after


def _module(module: Module, before: _Map, size: Size, large: int) -> tuple[list[Layer], _Map]:
    """The layers of an inception module by branch, and the map behind it, which sees what its largest filter does."""
    name, listed = f"inception{module.name}", []
    branches = {"branch1": (before, ((1, module.one),)),
                "branch2": (before, ((1, module.three_reduced), (3, module.three))),
                "branch3": (before, ((1, module.five_reduced), (large, module.five))),
                "branch4": (before.padded(3), ((1, module.pooled),))}  # fmt: skip
    for branch, (inputs, convolutions) in branches.items():
        at = inputs
        if branch == "branch4":
            listed.append(at.layer(f"{name}.{branch}.pool", "maxpool"))
        for place, (kernel, out) in enumerate(convolutions):
            made, at = _convolution(f"{name}.{branch}.{place}", at, kernel, out, size)
            listed += made
    return listed, before.padded(large, channels=module.channels)


def _inception(config: Inception, size: Size, image: tuple[int, int]) -> tuple[list[Layer], dict[str, _Map]]:
    """The layers of a network of inception modules, and the map behind each module by its name.

    Without its side classifiers, which have no part in testing.
    """
    first, reduced, second = config.stem
    listed, at = _convolution("conv1", _Map(3, *image), 7, first, size, step=2)
    at = at.pooled(INCEPTION_POOLING, 3)
    listed += [at.layer("maxpool1", "maxpool"), at.layer("lrn1", "lrn")]
    for name, kernel, out in (("conv2", 1, reduced), ("conv3", 3, second)):
        made, at = _convolution(name, at, kernel, out, size)
        listed += made
    listed.append(at.layer("lrn2", "lrn"))
    behind = {}
    for number, group in enumerate(config.groups, 2):
        at = at.pooled(INCEPTION_POOLING, 3)
        listed.append(at.layer(f"maxpool{number}", "maxpool"))
        for module in group:
            made, at = _module(module, at, size, config.large)
            listed += made
            behind[module.name] = at
    return listed, behind


def _head(config: AnyConfiguration, size: Size, image: tuple[int, int], last: _Map) -> list[Layer]:
    """The layers behind the last map in the dense form: its averages or FC6 and FC7, then the class scores."""
    chain = isinstance(config, Configuration)
    hidden = config.fc[:-1] if chain and size.head == "fc" else ()
    window = map_side(config, size, size.crop)
    at, seen_by = last.windows(window), "fc6" if hidden else "avgpool"
    if not at.height * at.width:
        raise ValueError(
            f"an image of {image} leaves a last map smaller than the {window}x{window} window of {seen_by}"
        )
    listed, inputs = [], last.channels * window**2
    if not hidden:
        listed, inputs = [at.layer("avgpool", "avgpool")], last.channels
    outputs = [*(width // size.width_divisor for width in hidden), size.num_classes]
    for i, out in enumerate(outputs, 9 - len(outputs)):
        at = replace(at, channels=out)
        listed.append(at.layer(f"fc{i}" if chain else "fc", "fc", inputs * out, out))
        inputs = out
    return listed


def side_layers(config: AnyConfiguration, size: Size = PAPER_SIZE) -> list[Layer]:
    """The layers of the side classifiers that stand beside a network in training alone; none but GoogLeNet has any."""
    if not isinstance(config, Inception):
        return []
    divided = config.divided(size.width_divisor)
    _, behind = _inception(divided, size, (size.crop, size.crop))
    (width, hidden), listed = divided.side_widths, []
    for name in config.sides:
        averages = behind[name].windows(min(SIDE_WINDOW, behind[name].height), SIDE_STRIDE)
        made, at = _convolution(f"side{name}.conv", averages, 1, width, size)
        inputs, at = width * at.height**2, replace(at.windows(at.height), channels=hidden)
        fc1 = at.layer(f"side{name}.fc1", "fc", inputs * hidden, hidden)
        at = replace(at, channels=size.num_classes)
        fc2 = at.layer(f"side{name}.fc2", "fc", hidden * size.num_classes, size.num_classes)
        listed += [averages.layer(f"side{name}.avgpool", "avgpool"), *made, fc1, fc2]
    return listed


def parameters(config: AnyConfiguration, size: Size = PAPER_SIZE) -> int:
    """Weights and biases together (Table 2)."""
    return sum(layer.parameters for layer in layers(config, size))


def multiply_adds(config: AnyConfiguration, size: Size = PAPER_SIZE, *, image: tuple[int, int] | None = None) -> int:
    """Multiply-adds of one forward pass over one crop, or over an image of (height, width) in the dense form."""
    return sum(layer.multiply_adds for layer in layers(config, size, image=image))
