"""The networks of Table 1, and others that are chains of the same kinds of layers, as torch modules."""

import torch
import torch.nn.functional as F
from torch import nn

from verydeep.errors import UnknownName
from verydeep.networks import anatomy
from verydeep.networks.batch_norm import BatchNorm2d
from verydeep.networks.choices import HEADS, LRN_ALPHAS, POOLING_WINDOWS, POOLINGS
from verydeep.networks.configurations import PAPER_SIZE, Configuration, Size, chains, configuration
from verydeep.networks.network import Network

# Krizhevsky et al. (2012), as Sect. 2.1 refers to them.
LRN_SIZE, LRN_K, LRN_ALPHA, LRN_BETA = 5, 2.0, 1e-4, 0.75
#: Deviation of the pixels of photographs, by which a recipe with inputs of unit variance divides them.
LRN_DEVIATION = 70.0
#: Values of float32 that a processor keeps near while it works on them.
_IN_CACHE = 2**20
# torch's and torchvision's: what is added to a variance, and how far a running statistic moves towards each batch's.
# The convolution before a normalisation keeps its bias, as torchvision's does, though the mean takes it out again.
BATCH_NORM_EPS, BATCH_NORM_MOMENTUM = 1e-5, 0.1


class VGG(Network):
    """A network of Table 1 in its training form, with fully connected layers.

    Module names are torchvision's (``features``, ``classifier``), so the state dicts of its ``vgg11``,
    ``vgg13``, ``vgg16`` and ``vgg19`` load into A, B, D and E. torchvision's adaptive average pooling has
    no counterpart: at the training crop it does nothing, and elsewhere it resizes features, which is not
    the paper's dense evaluation (see :mod:`verydeep.networks.dense`).

    Input: float images (batch, 3, crop, crop), mean-subtracted. Output: class scores (batch, classes).
    """

    def __init__(self, config: Configuration, size: Size, *, dropout: float):
        super().__init__(config, size)
        self.features = features(config, size)
        self.classifier = classifier(config, size, self.map_side, dropout=dropout)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of training crops."""
        maps = self.features(images)
        return self.classifier(maps.mean((2, 3)) if self.size.head == "average" else torch.flatten(maps, 1))

    def window_scores(self, maps: torch.Tensor) -> torch.Tensor:
        """FC6 as a convolution as large as a window, FC7 and FC8 as 1x1, by the same weights reshaped (Sect. 3.2)."""
        fc8 = self.last_layers()[0]
        return F.conv2d(self.window_hidden(maps), fc8.weight[:, :, None, None], fc8.bias)

    def window_hidden(self, maps: torch.Tensor, relu: bool = True) -> torch.Tensor:
        """FC7 at every window, or the averages that stand in its place."""
        if self.size.head == "average":
            return self.window_averages(maps)
        fc6, fc7, _ = self.fully_connected().values()
        window = fc6.weight.unflatten(1, (-1, self.map_side, self.map_side))
        hidden = F.relu(F.conv2d(maps.to(fc6.weight.dtype), window, fc6.bias), inplace=True)
        hidden = F.conv2d(hidden, fc7.weight[:, :, None, None], fc7.bias)
        return F.relu(hidden, inplace=True) if relu else hidden

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """The convolutions by name, ``conv1_1`` onwards."""
        modules = [module for module in self.features if isinstance(module, nn.Conv2d)]
        return dict(zip(self.config.conv_names(), modules, strict=True))

    def normalisations(self) -> dict[str, nn.BatchNorm2d]:
        """The batch normalisations by the convolution that each follows; none in the paper's networks."""
        modules = [module for module in self.features if isinstance(module, nn.BatchNorm2d)]
        return dict(zip(self.config.conv_names(), modules, strict=True)) if modules else {}

    def fully_connected(self) -> dict[str, nn.Linear]:
        """The fully connected layers by name: ``fc6``, ``fc7``, ``fc8``, or the last alone behind averages."""
        modules = [module for module in self.classifier if isinstance(module, nn.Linear)]
        return dict(zip(("fc6", "fc7", "fc8")[-len(modules) :], modules, strict=True))

    @property
    def window_layer(self) -> str:
        """FC6, or the averages that stand in its place."""
        return "avgpool" if self.size.head == "average" else super().window_layer


def features(config: Configuration, size: Size) -> nn.Sequential:
    """The blocks of a configuration: convolutions, a ReLU after each, and a max-pooling at the end (Sect. 2.1)."""
    layers: list[nn.Module] = []
    channels, pool = 3, anatomy.pooling_window(config, size)
    for block in config.blocks:
        for conv in block:
            width = conv.channels // size.width_divisor
            layers.append(nn.Conv2d(channels, width, conv.kernel, conv.stride, conv.padding))
            if size.batch_norm:
                layers.append(BatchNorm2d(width, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM))
            layers.append(nn.ReLU(inplace=True))
            channels = width
        layers.append(nn.MaxPool2d(pool, stride=2, ceil_mode=size.pooling == "ceil"))
    if config.lrn:
        first_relu = next(k for k, layer in enumerate(layers) if isinstance(layer, nn.ReLU))
        layers.insert(first_relu + 1, response_norm(size.lrn_alpha))
    return nn.Sequential(*layers)


def classifier(config: Configuration, size: Size, map_side: int, *, dropout: float) -> nn.Sequential:
    """FC6 and FC7, each with a ReLU and dropout, and FC8, which gives the class scores (Sect. 2.1, 3.1)."""
    channels = config.blocks[-1][-1].channels // size.width_divisor
    if size.head == "average":
        return nn.Sequential(nn.Linear(channels, size.num_classes))
    fc6, fc7 = (width // size.width_divisor for width in config.fc[:-1])
    return nn.Sequential(
        nn.Linear(channels * map_side**2, fc6),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(fc6, fc7),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(fc7, size.num_classes),
    )


class LocalResponseNorm(nn.LocalResponseNorm):
    """Krizhevsky's normalisation, for maps (batch, channels, height, width) in any precision, computed in float32.

    torch's own averages by a pooling in three dimensions, which is slow and which a CPU does not do in half precision.
    """

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The maps, each value divided by a power of its bracket."""
        return _Divided.apply(maps, self)

    def bracket(self, maps: torch.Tensor) -> torch.Tensor:
        """For every value k, and alpha times the mean over the window of the squares beside it in channel direction."""
        total = _over_channels(maps.square(), self.size // 2, (self.size - 1) // 2)
        return self.k + self.alpha / self.size * total


class _Divided(torch.autograd.Function):
    """:class:`LocalResponseNorm`, and its gradient in closed form: what autograd would keep is several times the maps.

    A processor takes as many images at once as its caches hold, which is four times as fast.
    """

    @staticmethod
    def forward(ctx, maps: torch.Tensor, layer: LocalResponseNorm) -> torch.Tensor:
        """The maps, divided."""
        ctx.save_for_backward(maps)
        ctx.layer, divided = layer, torch.empty_like(maps)
        for part, into in zip(_in_parts(maps), _in_parts(divided), strict=True):
            precise = part.float()
            into.copy_(precise / layer.bracket(precise) ** layer.beta)
        return divided

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient with respect to the maps; the layer has no weights."""
        (maps,), layer = ctx.saved_tensors, ctx.layer
        size, beta, result = layer.size, layer.beta, torch.empty_like(maps)
        for part, given, into in zip(_in_parts(maps), _in_parts(gradient), _in_parts(result), strict=True):
            precise = part.float()
            bracket = layer.bracket(precise)
            own = given.float() / bracket**beta
            # a value is in the windows of the channels in whose windows it is: those beside it, the other way round
            others = _over_channels(own * precise / bracket, (size - 1) // 2, size // 2)
            into.copy_(own - 2 * layer.alpha / size * beta * precise * others)
        return result, None


def _over_channels(values: torch.Tensor, before: int, after: int) -> torch.Tensor:
    """For every channel the sum of ``values`` over it and the channels before and after it, as many as there are."""
    padded = F.pad(values, (0, 0, 0, 0, before, after))
    return sum(padded.narrow(1, start, values.shape[1]) for start in range(before + 1 + after))


def _in_parts(maps: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The images a few at a time on a processor, all at once elsewhere."""
    images = max(1, _IN_CACHE // maps.shape[1:].numel()) if maps.device.type == "cpu" else max(1, len(maps))
    return maps.split(images)


def response_norm(alpha: str) -> LocalResponseNorm:
    """The normalisation that ``lrn_alpha`` says: ``"caffe"`` divides alpha by the window, as torch does too.

    Alpha is for activations of pixels from 0 to 255. Where those are divided by their deviation every square is some
    4,900 times smaller and the layer divides by a constant; ``"unit-variance"`` makes alpha as much larger, which is
    ``"caffe"`` on pixels that were not divided, but for a factor of what comes out.
    """
    scale = {"caffe": 1, "krizhevsky": LRN_SIZE, "unit-variance": LRN_DEVIATION**2}[alpha]
    return LocalResponseNorm(LRN_SIZE, alpha=LRN_ALPHA * scale, beta=LRN_BETA, k=LRN_K)


def build(config: str, size: Size = PAPER_SIZE, *, dropout: float = 0.5) -> VGG:
    """Build a configuration of Table 1 (or ``"B-5x5"``, or ``"AlexNet"``), with torch's default weights.

    Parameters
    ----------
    config
        ``"A"``, ``"A-LRN"``, ``"B"``, ``"B-5x5"``, ``"C"``, ``"D"``, ``"E"`` or ``"AlexNet"``.
    size
        Its ``width_divisor`` must leave whole numbers.
    dropout
        Probability of dropping a unit of FC6 and FC7 in training (Sect. 3.1).

    Raises
    ------
    UnknownName
        For a configuration, rounding or window of pooling, head, or alpha scaling that does not exist.
    ValueError
        When a width is not divisible or the crop is too small to reach FC6.
    """
    spec = configuration(config)
    if not isinstance(spec, Configuration):
        raise UnknownName("chain of layers", config, chains())
    if size.pooling not in POOLINGS:
        raise UnknownName("pooling", size.pooling, POOLINGS)
    if size.pooling_window not in POOLING_WINDOWS:
        raise UnknownName("pooling_window", size.pooling_window, POOLING_WINDOWS)
    if size.head not in HEADS:
        raise UnknownName("head", size.head, HEADS)
    if size.lrn_alpha not in LRN_ALPHAS:
        raise UnknownName("lrn_alpha", size.lrn_alpha, LRN_ALPHAS)
    anatomy.require_size(spec, size)
    net = VGG(spec, size, dropout=dropout)
    counted = sum(p.numel() for p in net.parameters())
    expected = anatomy.parameters(spec, size)
    assert counted == expected, f"{config} has {counted} parameters, Table 1 gives {expected}"
    return net
