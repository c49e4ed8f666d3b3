"""What training and testing ask of a network, whatever kind of configuration it is built from."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import nn

from verydeep.networks import anatomy
from verydeep.networks.choices import PRECISIONS
from verydeep.networks.configurations import AnyConfiguration, Size

#: The arithmetic that a recipe or a way of testing names.
DTYPES = {name: getattr(torch, name) for name in PRECISIONS}


class Network(nn.Module, ABC):
    """A network built from a configuration: blocks that make maps, and a head that scores windows of the last map.

    Input: float images (batch, 3, crop, crop), mean-subtracted. Output: class scores (batch, classes).
    """

    features: nn.Module
    #: How much the loss of each side classifier counts in training; a network that has any gives, in training alone,
    #: (scores, scores of the first side classifier, ...).
    side_weight: float = 0.0

    def __init__(self, config: AnyConfiguration, size: Size):
        super().__init__()
        self.config, self.size = config, size
        self.crop, self.num_classes = size.crop, size.num_classes
        self.map_side = self.last_map(size.crop)

    @abstractmethod
    def window_scores(self, maps: torch.Tensor) -> torch.Tensor:
        """Class scores (batch, classes, rows, columns) of every window of a last map (batch, channels, height, width).

        A window is as large as the last map of a training crop, on which this is what the network itself says.
        """

    @abstractmethod
    def window_hidden(self, maps: torch.Tensor, relu: bool = True) -> torch.Tensor:
        """What the last layer is given at every window (batch, width, rows, columns); before the ReLU if not ``relu``.

        Maps and windows as in :meth:`window_scores`. It describes images of other data (Appendix B).
        """

    @abstractmethod
    def convolutions(self) -> dict[str, nn.Conv2d]:
        """The convolutions by name, in their order."""

    @abstractmethod
    def normalisations(self) -> dict[str, nn.BatchNorm2d]:
        """The batch normalisations by the convolution that each follows."""

    @abstractmethod
    def fully_connected(self) -> dict[str, nn.Linear]:
        """The fully connected layers by name, in their order."""

    def weighted(self) -> list[nn.Conv2d | nn.Linear]:
        """Every layer whose weights are drawn at the start, in their order, those of side classifiers last."""
        return [*self.convolutions().values(), *self.fully_connected().values()]

    def last_layers(self) -> list[nn.Linear]:
        """The layers that give class scores: one, and one of each side classifier."""
        return [list(self.fully_connected().values())[-1]]

    def window_averages(self, maps: torch.Tensor) -> torch.Tensor:
        """The averages (batch, channels, rows, columns) of every window of a last map, as :meth:`window_scores`."""
        return F.avg_pool2d(maps.to(self.last_layers()[0].weight.dtype), self.map_side, stride=1)

    @property
    def window_layer(self) -> str:
        """The layer that sees one window of the last map."""
        return self.config.window_layer

    @property
    def precision(self) -> torch.dtype:
        """In what the blocks are computed."""
        return next(iter(self.convolutions().values())).weight.dtype

    def last_map(self, length: int) -> int:
        """Side of the last feature map along a side of an image of so many pixels."""
        return anatomy.map_side(self.config, self.size, length)

    def lower(self, dtype: torch.dtype) -> None:
        """Compute the blocks in ``dtype``, all but batch normalisations, whose statistics would lose their digits."""
        for layer in self.features.modules():
            if not isinstance(layer, nn.BatchNorm2d) and not list(layer.children()):
                layer.to(dtype)


class Averaging(Network):
    """A network whose head is an average over the last map and one fully connected layer, ``classifier``."""

    classifier: nn.Linear

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """The convolutions by their names in ``features``; those of side classifiers are not among them."""
        return {name: module for name, module in self.features.named_modules() if isinstance(module, nn.Conv2d)}

    def fully_connected(self) -> dict[str, nn.Linear]:
        """The one fully connected layer that it is tested with, ``fc``."""
        return {"fc": self.classifier}

    def window_scores(self, maps: torch.Tensor) -> torch.Tensor:
        """The average over every window, and the last layer as a 1x1 convolution of it."""
        return F.conv2d(self.window_hidden(maps), self.classifier.weight[:, :, None, None], self.classifier.bias)

    def window_hidden(self, maps: torch.Tensor, relu: bool = True) -> torch.Tensor:
        """The average over every window, of maps that are behind their ReLU: there is no other to be had."""
        return self.window_averages(maps)
