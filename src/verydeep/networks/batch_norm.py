"""Batch normalisation (Ioffe and Szegedy 2015) that is as quick on a processor with few channels as with many.

torch's, on a processor, works along the channels, a register's worth at once, and what does not fill a register value
by value. The narrow networks have eight channels where their maps are largest, and there it took a third of a training
step. Here pixels that lie beside each other are taken for further channels, and what is counted of those is put
together: the same sums, in another order.
"""

import torch
from torch import nn

#: Values of bfloat16 in the widest register of a processor (512 bits).
_LANES = 32
_GRADIENT = torch.ops.aten.native_batch_norm_backward


class BatchNorm2d(nn.BatchNorm2d):
    """torch's layer for maps (batch, channels, height, width), with its weights, names and running statistics.

    It differs where it learns on a processor, of maps in channels-last layout whose channels fill less than half a
    register: in the order of sums, and in that a gradient by maps in half precision is rounded twice.
    """

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The maps, each channel with the mean and the deviation of its bias and weight."""
        beside = self._beside(maps)
        if beside == 1:
            return super().forward(maps)
        self.num_batches_tracked.add_(1)
        return _Normalised.apply(maps, self.weight, self.bias, self, beside)

    def _beside(self, maps: torch.Tensor) -> int:
        """How many pixels stand beside each other as one of more channels; 1: torch's own way."""
        channels, pixels = maps.shape[1], maps.shape[2:].numel()
        beside = max(1, _LANES // channels)
        few = channels < _LANES // 2 and pixels % beside == 0
        learns = self.training and maps.device.type == "cpu"
        return beside if few and learns and maps.is_contiguous(memory_format=torch.channels_last) else 1

    def follow(self, mean: torch.Tensor, variance: torch.Tensor, values: int) -> None:
        """Move the running statistics towards those of a batch with so many values a channel."""
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (values / (values - 1)), self.momentum)


class _Normalised(torch.autograd.Function):
    """The normalisation by a batch's own mean and variance, and its gradients."""

    @staticmethod
    def forward(ctx, maps, weight, bias, layer, beside):
        """The maps, normalised; ``layer`` keeps the running statistics."""
        wide = _widened(maps, beside)
        # wanted are what it counts, of each of the columns alone, and not its maps
        repeated = (part.repeat(beside) for part in (weight, bias))
        _, means, inverse = torch.native_batch_norm(wide, *repeated, None, None, True, 0.0, layer.eps)
        means, variances = means.view(beside, -1), (inverse.view(beside, -1) ** -2 - layer.eps).clamp_min(0)
        mean = means.mean(0)
        variance = (variances + (means - mean) ** 2).mean(0)
        layer.follow(mean, variance, maps.numel() // len(mean))
        ctx.save_for_backward(maps, weight, mean, variance)
        ctx.eps, ctx.beside = layer.eps, beside
        made = torch.empty_like(maps)  # no view, or the ReLU behind it could not work in place
        _by(wide, mean, variance, weight, bias, ctx, _widened(made, beside))
        return made

    @staticmethod
    def backward(ctx, gradient):
        """The gradients by maps, weight and bias."""
        maps, weight, mean, variance = ctx.saved_tensors
        wide = _widened(maps, ctx.beside)
        given = _widened(gradient.contiguous(memory_format=torch.channels_last), ctx.beside)
        repeated = (part.repeat(ctx.beside) for part in (weight, mean, variance))
        # as though mean and variance were constants; what they do is taken from it after
        by_maps, by_weight, by_bias = _GRADIENT(given, wide, *repeated, None, None, False, ctx.eps, [True] * 3)
        by_weight, by_bias = (sums.view(ctx.beside, -1).sum(0) for sums in (by_weight, by_bias))
        each = weight * (variance + ctx.eps).rsqrt() / (maps.numel() // len(mean))
        made = torch.empty_like(maps)
        into = _widened(made, ctx.beside)
        _by(wide, mean, variance, each * by_weight, each * by_bias, ctx, into)
        torch.sub(by_maps, into, out=into)
        return made, by_weight, by_bias, None, None


def _widened(maps: torch.Tensor, beside: int) -> torch.Tensor:
    """The same memory, as maps (batch, beside * channels, height * width / beside, 1)."""
    batch, channels, height, width = maps.shape
    rows = maps.permute(0, 2, 3, 1).view(batch, height * width // beside, 1, beside * channels)
    return rows.permute(0, 3, 1, 2)


def _by(wide: torch.Tensor, mean, variance, weight, bias, ctx, into: torch.Tensor) -> None:
    """Every channel normalised by the mean and variance that are given."""
    repeated = (part.repeat(ctx.beside) for part in (weight, bias, mean, variance))
    torch.native_batch_norm(wide, *repeated, False, 0.0, ctx.eps, out=(into, mean.new_empty(0), mean.new_empty(0)))
