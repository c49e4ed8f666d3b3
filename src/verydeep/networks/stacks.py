"""Stacks of small filters against one large filter (Sect. 2.3), and receptive fields by recursion."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stack:
    """Convolutions of one kernel size on top of each other, stride 1, C channels in and out of each."""

    kernel: int
    layers: int

    @property
    def name(self) -> str:
        """As the tables have it: ``3 x conv3``."""
        return f"{self.layers} x conv{self.kernel}"

    @property
    def receptive_field(self) -> int:
        """Side of the input window that one output depends on."""
        return 1 + self.layers * (self.kernel - 1)

    def weights(self, channels: int) -> int:
        """Weights without biases: 27C^2 for three 3x3 layers, 49C^2 for one 7x7 layer."""
        return self.layers * self.kernel**2 * channels**2


def receptive_field(layers: list[tuple[int, int]]) -> list[int]:
    """The notes' recursion, from the deepest layer to the input: F(i) = (F(i+1) - 1) x stride + kernel.

    Parameters
    ----------
    layers
        (kernel, stride) from the first layer to the last.

    Returns
    -------
    list of int
        How many positions one output of the last layer depends on: in the last layer's input first, in the image last.
    """
    field, fields = 1, []
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
        fields.append(field)
    return fields


def ways(layers: list[tuple[int, int]]) -> np.ndarray:
    """In one dimension, in how many ways each input position reaches one output of the last layer, as shares of all.

    Parameters
    ----------
    layers
        (kernel, stride) from the first layer to the last.

    Returns
    -------
    ndarray
        float64 (positions that the output depends on,), which sum to one; none of them is zero.
    """
    counts, stride = np.ones(1), 1
    for kernel, step in layers:
        taps = np.zeros((kernel - 1) * stride + 1)
        taps[::stride] = 1 / kernel
        counts, stride = np.convolve(counts, taps), stride * step
    return counts


def lines(size: int, stack: Stack) -> list[np.ndarray]:
    """A one-dimensional stack without padding on ``size`` inputs: which inputs each unit of every layer depends on.

    Found by passing ones through, not by a formula.

    Returns
    -------
    list of ndarray
        bool (units of the layer, size), the input first.

    Raises
    ------
    ValueError
        When the input is too short for the stack.
    """
    if size < stack.receptive_field:
        raise ValueError(f"{size} inputs are too few for {stack.name}, which needs {stack.receptive_field}")
    levels = [np.eye(size, dtype=bool)]
    for _ in range(stack.layers):
        below = levels[-1]
        units = len(below) - stack.kernel + 1
        levels.append(np.stack([below[i : i + stack.kernel].any(0) for i in range(units)]))
    return levels
