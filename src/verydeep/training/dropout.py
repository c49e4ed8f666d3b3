"""Dropout of a whole batch, whichever part of it goes through the network at once (Sect. 3.1).

Which units of an image are dropped hangs on the seed, the step, the layer and the image's place in the batch. So
neither the number of processes nor of images that a device takes at once changes it.
"""

import torch
import torch.nn.functional as F
from torch import nn


class PartDropout(nn.Dropout):
    """Dropout of some of a batch's images: a mask is drawn for all, and each image takes its row.

    A whole batch is left to torch, which draws the same numbers for it, and in as many steps. ``batch`` is how many
    images a batch has, ``first`` the place in it of the first image that comes, and ``kept`` the mask (batch, units),
    until there is one ``None``.
    """

    batch = first = 0
    kept: torch.Tensor | None = None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (images, units) of any precision, those of the dropped units 0 and the others as much larger."""
        if not self.training or not self.p or len(values) == self.batch:
            return super().forward(values)
        if self.kept is None:
            # torch's own dropout of a whole batch of this type: another way may take other numbers from the generator
            self.kept = F.dropout(values.new_ones(self.batch, *values.shape[1:]), self.p) != 0
        kept = self.kept[self.first : self.first + len(values)]
        # rounded as torch does it: a CPU rounds the factor to the precision of the values, a GPU their product alone
        if values.device.type == "cpu":
            return values * kept.to(values.dtype).div_(1 - self.p)
        return values * kept * (1 / (1 - self.p))


class Dropout:
    """What a network in training drops: the dropout layers of ``net``, of whose batches of ``batch`` images this
    process has those from ``first`` on. They stay ``torch.nn.Dropout`` and hold no state that is saved."""

    def __init__(self, net: nn.Module, batch: int, first: int):
        self.first, self.layers = first, [layer for layer in net.modules() if isinstance(layer, nn.Dropout)]
        for layer in self.layers:
            layer.__class__, layer.batch = PartDropout, batch

    def begin(self, seed: int, device: torch.device) -> None:
        """Begin a step, whose units are drawn by ``seed``: the same in all processes.

        ``torch.manual_seed`` seeds those of all devices, and for each that is not in use it notes from where it was
        called: a fiftieth of the time of a step of small networks.
        """
        if device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)
        for layer in self.layers:
            layer.kept = None

    def begin_part(self, start: int) -> None:
        """Go on with the images from ``start`` on, counted within this process's part of the batch."""
        for layer in self.layers:
            layer.first = self.first + start
