"""Layers in bfloat16 on a processor that has no instructions for it: products in float32 of rounded values.

What torch does there (oneDNN's fallback) is two to three times as slow as float32, and ten times without AVX-512. A
product of two bfloat16 numbers is exact in float32, in which those that do have the instructions add up too. So
nothing is rounded otherwise than there but the sums, in another order, and the gradients of a convolution's weights,
which stay in float32.
"""

import platform

import torch
import torch.nn.functional as F
from torch import nn

_GRADIENT = torch.ops.aten.convolution_backward


def multiplies_in_bfloat16() -> bool:
    """Whether this processor has instructions that multiply in bfloat16, and torch uses them."""
    if platform.machine() in {"x86_64", "AMD64"}:
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _asked_for(values: torch.Tensor) -> bool:
    """Whether a CPU is asked for bfloat16: by autocast, or where there is none by the values' own type."""
    asked = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else values.dtype
    return values.device.type == "cpu" and asked is torch.bfloat16


class _Layer:
    """A layer that is computed as this file's head says where a CPU is asked for it in bfloat16.

    It takes and gives the same tensors as torch's, and under any other precision or on a GPU it is that.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """As torch's layer. Values are in bfloat16 where asked for by autocast or by their own type."""
        if not _asked_for(values):
            return super().forward(values)
        with torch.autocast("cpu", enabled=False):
            return self._rounded(values)


class RoundedConv2d(_Layer, nn.Conv2d):
    """A convolution of maps (batch, channels, height, width), rounded where torch has no instructions for it."""

    def _rounded(self, maps: torch.Tensor) -> torch.Tensor:
        return _Convolution.apply(maps, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class RoundedLinear(_Layer, nn.Linear):
    """A fully connected layer of values (..., inputs), rounded where torch has no instructions for it."""

    def _rounded(self, values: torch.Tensor) -> torch.Tensor:
        values, weight, bias = (
            None if given is None else given.to(torch.bfloat16).float() for given in (values, self.weight, self.bias)
        )
        return F.linear(values, weight, bias).to(torch.bfloat16)


class _Convolution(torch.autograd.Function):
    """The convolution and its gradients. Kept for the way back are the rounded values, in two bytes each."""

    @staticmethod
    def forward(ctx, maps, weight, bias, stride, padding, dilation, groups):
        """The convolution of rounded maps (batch, channels, height, width), rounded; arguments as ``F.conv2d``'s."""
        maps, weight = maps.to(torch.bfloat16), weight.to(torch.bfloat16)
        ctx.save_for_backward(maps, weight)
        ctx.options = (stride, padding, dilation, False, (0, 0), groups)
        ctx.bias_sizes = None if bias is None else [len(bias)]
        rounded = None if bias is None else bias.to(torch.bfloat16).float()
        return F.conv2d(maps.float(), weight.float(), rounded, stride, padding, dilation, groups).to(torch.bfloat16)

    @staticmethod
    def backward(ctx, gradient):
        """The gradients by maps, rounded, and by weight and bias, in float32; by nothing else."""
        maps, weight = ctx.saved_tensors
        wanted = [*ctx.needs_input_grad[:2], ctx.bias_sizes is not None and ctx.needs_input_grad[2]]
        to_maps, *rest = _GRADIENT(gradient.float(), maps.float(), weight.float(), ctx.bias_sizes, *ctx.options, wanted)
        return None if to_maps is None else to_maps.to(torch.bfloat16), *rest, None, None, None, None


#: What each kind of layer is computed as. A layer of any other kind, one of these two's own included, stays as it is.
_ROUNDED = {nn.Conv2d: RoundedConv2d, nn.Linear: RoundedLinear}


def round_where_slow(net: nn.Module) -> None:
    """Have every layer with products computed so, where this processor has no instructions for bfloat16."""
    if multiplies_in_bfloat16():
        return
    for module in net.modules():
        module.__class__ = _ROUNDED.get(type(module), type(module))
