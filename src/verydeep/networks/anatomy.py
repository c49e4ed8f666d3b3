"""Shapes, weights and multiply-adds of a configuration, layer by layer: plain arithmetic on Table 1.

The tests hold every figure against real torch modules.
"""

from dataclasses import dataclass, replace

from verydeep.networks.configurations import (
    PAPER_SIZE,
    AnyConfiguration,
    Configuration,
    Inception,
    Module,
    Residual,
    Size,
)

POOLINGS = ("ceil", "floor")
#: Sides of pooled squares, at stride 2: Table 1's and AlexNet's.
POOLING_WINDOWS = (2, 3)
HEADS = ("fc", "average")
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
        return self.weights + self.biases

    @property
    def activations(self) -> int:
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


def last_map(size: int, pooling: str = "ceil", blocks: int = 5, window: int = 2) -> int:
    """Side of the last feature map for an input of ``size`` pixels: 7 at 224 (Sect. 2.1)."""
    for _ in range(blocks):
        size = pooled(size, pooling, window)
    return size


def pooling_window(config: Configuration, size: Size) -> int:
    """Side of the pooled squares of a network: its own where it has one, else as it is built."""
    return config.pooling_window or size.pooling_window


def map_side(config: AnyConfiguration, size: Size, length: int) -> int:
    """Side of the last feature map along a side of an image of ``length`` pixels; 0 where nothing is left."""
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
    if isinstance(config, Residual):
        return _residual(config, size, image or (size.crop, size.crop))
    if isinstance(config, Inception):
        return _inception(config, size, image or (size.crop, size.crop))
    listed: list[Layer] = []
    channels, (height, width) = 3, image or (size.crop, size.crop)
    field, stride, start = 1, 1, 0
    window, pool = map_side(config, size, size.crop), pooling_window(config, size)
    for b, block in enumerate(config.blocks, 1):
        for i, conv in enumerate(block, 1):
            out = conv.channels // size.width_divisor
            weights = conv.kernel**2 * channels * out
            height, width = conv.output(height), conv.output(width)
            shape = (out, height, width)
            field, start = field + (conv.kernel - 1) * stride, start - conv.padding * stride
            stride *= conv.stride
            cost = weights * height * width
            listed.append(Layer(f"conv{b}_{i}", "conv", shape, weights, out, cost, field, stride, start))
            channels = out
            if size.batch_norm:
                listed.append(Layer(f"norm{b}_{i}", "norm", shape, out, out, 0, field, stride, start))
            if config.lrn and (b, i) == (1, 1):
                listed.append(Layer("lrn1", "lrn", shape, 0, 0, 0, field, stride, start))
        height, width = (pooled(side, size.pooling, pool) for side in (height, width))
        field, stride = field + (pool - 1) * stride, 2 * stride
        listed.append(Layer(f"pool{b}", "maxpool", (channels, height, width), 0, 0, 0, field, stride, start))
    rows, columns = height - window + 1, width - window + 1
    if min(rows, columns) < 1:
        raise ValueError(f"an image of {image} leaves a last map smaller than the {window}x{window} window of FC6")
    inputs = channels * window**2
    field += (window - 1) * stride
    outputs = [n // size.width_divisor for n in config.fc[:-1]] + [size.num_classes]
    if size.head == "average":
        listed.append(Layer("avgpool", "avgpool", (channels, rows, columns), 0, 0, 0, field, stride, start))
        inputs, outputs = channels, outputs[-1:]
    for i, out in enumerate(outputs, 9 - len(outputs)):
        cost = inputs * out * rows * columns
        listed.append(Layer(f"fc{i}", "fc", (out, rows, columns), inputs * out, out, cost, field, stride, start))
        inputs = out
    return listed


def _residual(config: Residual, size: Size, image: tuple[int, int]) -> list[Layer]:
    """The layers of a residual network; receptive fields are those of the way through the blocks, not the shortcuts."""
    listed: list[Layer] = []
    (height, width), field, stride, start = image, 1, 1, 0

    def add(name: str, kernel: int, step: int, channels: int, out: int, kind: str = "conv") -> None:
        nonlocal height, width, field, stride, start
        height, width = (-(-side // step) for side in (height, width))
        field, start, stride = field + (kernel - 1) * stride, start - kernel // 2 * stride, stride * step
        shape = (out, height, width)
        if kind == "maxpool":
            listed.append(Layer(name, kind, shape, 0, 0, 0, field, stride, start))
            return
        weights = kernel**2 * channels * out
        listed.append(Layer(name, "conv", shape, weights, 0, weights * height * width, field, stride, start))
        listed.append(Layer(f"{name}.norm", "norm", shape, out, out, 0, field, stride, start))

    widths = [whole // size.width_divisor for whole in config.widths]
    channels = widths[0]
    add("conv1", 7, 2, 3, channels)
    add("maxpool", 3, 2, channels, channels, "maxpool")
    for stage, (out, count) in enumerate(zip(widths, config.blocks, strict=True), 1):
        for block in range(count):
            name, step = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            add(f"{name}.conv1", 3, step, channels, out)
            add(f"{name}.conv2", 3, 1, out, out)
            if step == 2 or channels != out:
                shape, weights = (out, height, width), channels * out
                work = weights * height * width
                listed.append(Layer(f"{name}.downsample", "conv", shape, weights, 0, work, field, stride, start))
                listed.append(Layer(f"{name}.downsample.norm", "norm", shape, out, out, 0, field, stride, start))
            channels = out
    window = map_side(config, size, size.crop)
    rows, columns = height - window + 1, width - window + 1
    if min(rows, columns) < 1:
        raise ValueError(f"an image of {image} leaves a last map smaller than the {window}x{window} window")
    field += (window - 1) * stride
    classes, weights = size.num_classes, channels * size.num_classes
    listed.append(Layer("avgpool", "avgpool", (channels, rows, columns), 0, 0, 0, field, stride, start))
    work = weights * rows * columns
    return [*listed, Layer("fc", "fc", (classes, rows, columns), weights, classes, work, field, stride, start)]


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

    def pooled(self) -> "_Map":
        """The map behind a max-pooling of 3x3 at stride 2."""
        height, width = (pooled(side, INCEPTION_POOLING, 3) for side in (self.height, self.width))
        return self._behind(3, 2, self.channels, height, width, 0)

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


def _inception_maps(config: Inception, size: Size, image: tuple[int, int]) -> tuple[list[Layer], dict[str, _Map]]:
    """The layers of a network of inception modules before its averages, and the map behind each module by its name."""
    first, reduced, second = config.stem
    listed, at = _convolution("conv1", _Map(3, *image), 7, first, size, step=2)
    at = at.pooled()
    listed += [at.layer("maxpool1", "maxpool"), at.layer("lrn1", "lrn")]
    for name, kernel, out in (("conv2", 1, reduced), ("conv3", 3, second)):
        made, at = _convolution(name, at, kernel, out, size)
        listed += made
    listed.append(at.layer("lrn2", "lrn"))
    behind = {}
    for number, group in enumerate(config.groups, 2):
        at = at.pooled()
        listed.append(at.layer(f"maxpool{number}", "maxpool"))
        for module in group:
            made, at = _module(module, at, size, config.large)
            listed += made
            behind[module.name] = at
    return listed, behind


def _inception(config: Inception, size: Size, image: tuple[int, int]) -> list[Layer]:
    """The layers of a network of inception modules as it is tested, without its side classifiers."""
    listed, behind = _inception_maps(config.divided(size.width_divisor), size, image)
    window, last = map_side(config, size, size.crop), list(behind.values())[-1]
    averages = last.windows(window)
    if not averages.height * averages.width:
        raise ValueError(f"an image of {image} leaves a last map smaller than the {window}x{window} window")
    scores = replace(averages, channels=size.num_classes)
    fc = scores.layer("fc", "fc", averages.channels * size.num_classes, size.num_classes)
    return [*listed, averages.layer("avgpool", "avgpool"), fc]


def side_layers(config: AnyConfiguration, size: Size = PAPER_SIZE) -> list[Layer]:
    """The layers of the side classifiers that stand beside a network in training alone; none but GoogLeNet has any."""
    if not isinstance(config, Inception):
        return []
    divided = config.divided(size.width_divisor)
    _, behind = _inception_maps(divided, size, (size.crop, size.crop))
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
