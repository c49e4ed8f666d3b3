"""GoogLeNet (Szegedy et al. 2015) as its paper has it, its widths a study's: modules of four branches each.

torchvision's is another network: it normalises every convolution over the batch where the paper normalises responses
twice, and its "5x5" filters are 3x3. So its counts are not the paper's, and its published weights do not load here.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from verydeep.errors import UnknownName
from verydeep.networks import anatomy, vgg
from verydeep.networks.batch_norm import BatchNorm2d
from verydeep.networks.choices import LRN_ALPHAS
from verydeep.networks.configurations import PAPER_SIZE, Inception, Module, Size, configuration
from verydeep.networks.network import Averaging


class BasicConv2d(nn.Sequential):
    """A convolution whose padding keeps the size, batch normalisation where asked for, and a ReLU, as torchvision calls
    it."""

    def __init__(self, channels: int, width: int, kernel: int, size: Size, stride: int = 1):
        layers = OrderedDict(conv=nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2))
        if size.batch_norm:
            layers["bn"] = BatchNorm2d(width, eps=vgg.BATCH_NORM_EPS, momentum=vgg.BATCH_NORM_MOMENTUM)
        super().__init__(layers | {"relu": nn.ReLU(inplace=True)})


class Branches(nn.Module):
    """An inception module: what 1x1, 3x3, 5x5 filters and a pooling make of the same maps, one after the other."""

    def __init__(self, channels: int, module: Module, size: Size, large: int):
        super().__init__()
        self.branch1 = BasicConv2d(channels, module.one, 1, size)
        self.branch2 = nn.Sequential(
            BasicConv2d(channels, module.three_reduced, 1, size),
            BasicConv2d(module.three_reduced, module.three, 3, size),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(channels, module.five_reduced, 1, size),
            BasicConv2d(module.five_reduced, module.five, large, size),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), BasicConv2d(channels, module.pooled, 1, size)
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (batch, channels of all branches, height, width)."""
        return torch.cat([self.branch1(maps), self.branch2(maps), self.branch3(maps), self.branch4(maps)], 1)


class SideClassifier(nn.Module):
    """Class scores from the middle of the network, in training alone: averages, a 1x1 convolution, two FC layers."""

    def __init__(self, channels: int, map_side: int, config: Inception, size: Size):
        super().__init__()
        width, hidden = config.side_widths
        window = min(anatomy.SIDE_WINDOW, map_side)
        positions = (map_side - window) // anatomy.SIDE_STRIDE + 1
        self.pool = nn.AvgPool2d(window, stride=anatomy.SIDE_STRIDE)
        self.conv = BasicConv2d(channels, width, 1, size)
        self.fc1 = nn.Linear(width * positions**2, hidden)
        self.dropout = nn.Dropout(config.side_dropout)
        self.fc2 = nn.Linear(hidden, size.num_classes)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Class scores (batch, classes)."""
        hidden = F.relu(self.fc1(torch.flatten(self.conv(self.pool(maps)), 1)))
        return self.fc2(self.dropout(hidden))


class GoogLeNet(Averaging):
    """A network of inception modules. Module names are torchvision's, below ``features``, and ``fc`` is ``classifier``.

    In training it gives (scores, scores of each side classifier); in testing scores alone, as the others do. The side
    classifiers are published with it, since training at a further scale goes on with them.
    """

    def __init__(self, config: Inception, size: Size):
        super().__init__(config, size)
        self.side_weight = config.side_weight
        divided = config.divided(size.width_divisor)
        self.features = features(divided, size)
        modules = [module for group in divided.groups for module in group]
        sides = {layer.name: layer for layer in anatomy.layers(config, size)}
        self.sides = nn.ModuleDict({
            f"inception{module.name}": SideClassifier(
                module.channels, sides[f"inception{module.name}.branch1.0"].shape[1], divided, size
            )
            for module in modules if module.name in config.sides
        })  # fmt: skip
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(modules[-1].channels, size.num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Class scores of training crops, in training those of the side classifiers after them."""
        maps, beside = images, []
        for name, module in self.features.named_children():
            maps = module(maps)
            if self.training and name in self.sides:
                beside.append(self.sides[name](maps))
        scores = self.classifier(self.dropout(maps.mean((2, 3))))
        return (scores, *beside) if self.training else scores

    def normalisations(self) -> dict[str, nn.BatchNorm2d]:
        """The batch normalisations by the convolution that each follows, side classifiers' too; none in the paper."""
        named = [*self.features.named_modules(), *self.sides.named_modules(prefix="sides")]
        return {f"{name.removesuffix('bn')}conv": layer for name, layer in named if isinstance(layer, nn.BatchNorm2d)}

    def weighted(self) -> list[nn.Conv2d | nn.Linear]:
        """Every layer whose weights are drawn at the start, the side classifiers' last."""
        beside = [layer for layer in self.sides.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        return super().weighted() + beside

    def last_layers(self) -> list[nn.Linear]:
        """The layers that give class scores, the side classifiers' last."""
        return [self.classifier, *(side.fc2 for side in self.sides.values())]


def features(config: Inception, size: Size) -> nn.Sequential:
    """The blocks of a network whose widths were divided: its stem, and its groups of modules, each behind a pooling.

    Krizhevsky's normalisation stands where the paper's Fig. 3 has it. The paper does not say with which constants: they
    are those of A-LRN.
    """
    ceil = anatomy.INCEPTION_POOLING == "ceil"
    first, reduced, channels = config.stem
    blocks = OrderedDict(
        conv1=BasicConv2d(3, first, 7, size, stride=2),
        maxpool1=nn.MaxPool2d(3, stride=2, ceil_mode=ceil),
        lrn1=vgg.response_norm(size.lrn_alpha),
        conv2=BasicConv2d(first, reduced, 1, size),
        conv3=BasicConv2d(reduced, channels, 3, size),
        lrn2=vgg.response_norm(size.lrn_alpha),
    )
    for number, group in enumerate(config.groups, 2):
        blocks[f"maxpool{number}"] = nn.MaxPool2d(3, stride=2, ceil_mode=ceil)
        for module in group:
            blocks[f"inception{module.name}"] = Branches(channels, module, size, config.large)
            channels = module.channels
    return nn.Sequential(blocks)


def build(config: str, size: Size = PAPER_SIZE) -> GoogLeNet:
    """Build GoogLeNet, with torch's default weights.

    Its pooling, its rounding and its dropout are its own, whatever ``size`` and a recipe say. Every width of every
    branch is divided and rounded to the nearest whole number, upwards from the middle, and at least 1, so that every
    branch stays: at an eighth all of them divide, at a sixteenth 24 becomes 2. Where a map is smaller than the 5x5 that
    a side classifier averages, as with crops of 56 pixels, it averages the whole map. The parameter counts of the
    network and of its side classifiers are asserted against the arithmetic of the configuration.

    Raises
    ------
    UnknownName
        For an alpha scaling that does not exist.
    ValueError
        When the crop is too small to leave a last map.
    """
    spec = configuration(config)
    if size.lrn_alpha not in LRN_ALPHAS:
        raise UnknownName("lrn_alpha", size.lrn_alpha, LRN_ALPHAS)
    anatomy.require_size(spec, size)
    net = GoogLeNet(spec, size)
    beside = sum(p.numel() for p in net.sides.parameters())
    assert beside == sum(layer.parameters for layer in anatomy.side_layers(spec, size)), f"side classifiers: {beside}"
    counted, expected = sum(p.numel() for p in net.parameters()) - beside, anatomy.parameters(spec, size)
    assert counted == expected, f"{config} has {counted} parameters, its configuration gives {expected}"
    return net
