"""Residual networks of basic blocks (He et al. 2016): the blocks are torchvision's, the widths a study's."""

from collections import OrderedDict

import torch
from torch import nn

from verydeep.networks import anatomy
from verydeep.networks.configurations import PAPER_SIZE, Residual, Size, configuration
from verydeep.networks.network import Averaging


class ResNet(Averaging):
    """A residual network. Module names are torchvision's, below ``features``, and ``fc`` is ``classifier``."""

    def __init__(self, config: Residual, size: Size):
        from torchvision.models.resnet import BasicBlock

        super().__init__(config, size)
        widths = [width // size.width_divisor for width in config.widths]
        blocks = OrderedDict(
            conv1=nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False),
            bn1=nn.BatchNorm2d(widths[0]),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, stride=2, padding=1),
        )
        channels = widths[0]
        for stage, (width, count) in enumerate(zip(widths, config.blocks, strict=True), 1):
            made = []
            for block in range(count):
                stride = 2 if stage > 1 and block == 0 else 1
                made.append(BasicBlock(channels, width, stride, _shortcut(channels, width, stride)))
                channels = width
            blocks[f"layer{stage}"] = nn.Sequential(*made)
        self.features = nn.Sequential(blocks)
        self.classifier = nn.Linear(channels, size.num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of training crops."""
        return self.classifier(self.features(images).mean((2, 3)))

    def normalisations(self) -> dict[str, nn.BatchNorm2d]:
        """The batch normalisations by the convolution that each follows: every one is followed by one."""
        norms = [module for module in self.features.modules() if isinstance(module, nn.BatchNorm2d)]
        return dict(zip(self.convolutions(), norms, strict=True))


def _shortcut(channels: int, width: int, stride: int) -> nn.Sequential | None:
    """A 1x1 convolution where a block changes the size of its maps, else what comes in itself (He et al., option B)."""
    if stride == 1 and channels == width:
        return None
    return nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))


def build(config: str, size: Size = PAPER_SIZE) -> ResNet:
    """Build a residual configuration, with torch's default weights.

    Its pooling is its own, whatever ``size`` says, and every convolution is normalised. The parameter count is
    asserted against the arithmetic of the configuration.

    Raises
    ------
    ValueError
        When a width is not divisible, or the crop is empty.
    """
    spec = configuration(config)
    anatomy.require_size(spec, size)
    net = ResNet(spec, size)
    counted, expected = sum(p.numel() for p in net.parameters()), anatomy.parameters(spec, size)
    assert counted == expected, f"{config} has {counted} parameters, its configuration gives {expected}"
    return net
