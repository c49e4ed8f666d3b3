"""Residual networks of basic blocks (He et al. 2016): the blocks are torchvision's, the widths a study's."""

from collections import OrderedDict

import torch
from torch import nn

from verydeep.networks import anatomy
from verydeep.networks.batch_norm import BatchNorm2d
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
            bn1=BatchNorm2d(widths[0]),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, stride=2, padding=1),
        )
        channels = widths[0]
        for stage, (width, count) in enumerate(zip(widths, config.blocks, strict=True), 1):
            made = []
            for block in range(count):
                stride = 2 if stage > 1 and block == 0 else 1
                made.append(
                    BasicBlock(channels, width, stride, _shortcut(channels, width, stride), norm_layer=BatchNorm2d)
                )
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


class Shortcut(nn.Sequential):
    """A 1x1 convolution with a stride, normalised: what comes in, in the size of what a block makes of it.

    The positions that the stride leaves are taken first, and convolved without one. It is the same sum; but where the
    instructions of a processor end with AVX2, oneDNN's gradient of a strided 1x1 convolution of fewer than eight
    channels is wrong, and writes past its memory (oneDNN's issue 6035).
    """

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__(nn.Conv2d(channels, width, 1, bias=False), BatchNorm2d(width))
        self.stride = stride

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """From maps (batch, channels, height, width) to maps of ``1 / stride`` of their sides, rounded up."""
        return super().forward(maps[..., :: self.stride, :: self.stride])


def _shortcut(channels: int, width: int, stride: int) -> Shortcut | None:
    """A convolution where a block changes the size of its maps, else what comes in itself (He et al., option B)."""
    return None if stride == 1 and channels == width else Shortcut(channels, width, stride)


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
