"""The dense form of a network: FC layers as convolutions, applied to an image of any size (Sect. 3.2)."""

from collections.abc import Callable, Iterator

import torch

from verydeep.networks import anatomy
from verydeep.networks.network import Network


def score_map(net: Network, images: torch.Tensor, pixels: int | None = None) -> torch.Tensor:
    """Class scores at every position of the last feature map.

    FC6 becomes a convolution as large as the last map of a training crop (7x7 in the paper), FC7 and FC8
    become 1x1 convolutions. The weights are the network's own, reshaped, so nothing is copied. At the
    training crop this equals ``net(images)``; elsewhere it equals the FC head applied to every window of the
    last feature map. It does not equal cropping the image at that window, because the convolutions saw the
    neighbouring pixels where a crop has zero padding.

    Parameters
    ----------
    images
        (batch, 3, height, width), both sides large enough for one window.
    pixels
        The most that go through the network at once; no limit by default. A larger batch goes image by image, and a
        larger image in overlapping :func:`strips` along its longer side, with the same scores up to the rounding of
        sums. A strip with a single position is cut no further, however few pixels are allowed.

    Returns
    -------
    Tensor
        (batch, classes, rows, columns).

    Raises
    ------
    ValueError
        When the last feature map is smaller than the window of FC6.
    """
    return _over_images(net, images, pixels, _scores)


def hidden_map(net: Network, images: torch.Tensor, pixels: int | None = None, relu: bool = True) -> torch.Tensor:
    """Activations of the last hidden layer, FC7 in the paper, at every position of the last feature map (Appendix B).

    After its ReLU, or before where ``relu`` is false. Otherwise as :func:`score_map`: (batch, width of the layer, rows,
    columns).
    """

    def hidden(net: Network, part: torch.Tensor) -> torch.Tensor:
        return net.window_hidden(net.features(part.to(net.precision)), relu)

    return _over_images(net, images, pixels, hidden)


def _over_images(
    net: Network, images: torch.Tensor, pixels: int | None, outputs: Callable[[Network, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """A map of outputs over whole images, as :func:`score_map` says."""
    count, _, height, width = images.shape
    side, last = net.map_side, [net.last_map(length) for length in (height, width)]
    if min(last) < side:
        raise ValueError(
            f"images of {height}x{width} give a last map of {last[0]}x{last[1]}, "
            f"smaller than the {side}x{side} window of {net.window_layer} (trained on crops of {net.crop})"
        )
    if pixels is None or count * height * width <= pixels:
        return outputs(net, images)
    if count > 1:
        return torch.cat([_over_images(net, image, pixels, outputs) for image in images.split(1)])
    axis = 2 if height > width else 3

    def along(part: slice) -> tuple[slice, ...]:
        return tuple(part if k == axis else slice(None) for k in range(4))

    cut = strips(net, max(height, width), pixels // min(height, width))
    return torch.cat([outputs(net, images[along(part)])[along(kept)] for part, kept in cut], axis)


def _scores(net: Network, images: torch.Tensor) -> torch.Tensor:
    """What :func:`score_map` gives, of images that are neither too small nor too large."""
    # The blocks may be in half precision (evaluation.tester); scores are always in that of the FC layers.
    return net.window_scores(net.features(images.to(net.precision)))


def strips(net: Network, length: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Cut a side of ``length`` pixels: (pixels of a strip, positions of the strip's score map that are kept).

    Together the kept positions are those of the uncut side, each once. A strip begins at a multiple of the stride, so
    that pooling pairs the same pixels, and holds the whole receptive field of every position that is kept, so that
    none of them sees a border which the image does not have. At most ``most`` pixels long, or as long as a single
    position needs: less than its receptive field and one stride (436 pixels for D of the paper).
    """
    layer = next(layer for layer in anatomy.layers(net.config, net.size) if layer.name == net.window_layer)
    stride, reach = layer.stride, layer.start + layer.receptive_field  # the first position sees pixels below ``reach``
    before = -(layer.start // stride)  # whole strides that a position sees before its own place
    positions, first = net.last_map(length) - net.map_side + 1, 0
    while first < positions:
        skipped = max(0, first - before)
        begin = skipped * stride
        if begin + most >= length:
            end, after = length, positions
        else:
            after = max(first, (begin + most - reach) // stride) + 1
            end = min(length, (after - 1) * stride + reach)
        yield slice(begin, end), slice(first - skipped, after - skipped)
        first = after


def whole_positions(length: int, crop: int, stride: int) -> int:
    """How many positions of the score map, along a side of ``length`` pixels, see a whole training crop.

    floor(Q/32) - 6 in the paper: positions lie ``stride`` pixels apart, 32 there. Where pooling rounds up and the side
    is no multiple of 32 there is one more, whose window reaches beyond the image and is mostly empty. The paper's test
    scales are all multiples of 32, so it has none along the shorter side.
    """
    return (length - crop) // stride + 1


def counted(net: Network, height: int, width: int, positions: str) -> tuple[int, int]:
    """Rows and columns of the score map of an image of ``height`` x ``width`` pixels that count, from the first on.

    Parameters
    ----------
    positions
        ``"whole"``: the positions that see a whole training crop (:func:`whole_positions`). ``"all"``: every one.
    """
    if positions == "whole":
        return tuple(whole_positions(side, net.crop, net.config.stride) for side in (height, width))
    return tuple(net.last_map(side) - net.map_side + 1 for side in (height, width))


def posteriors(
    net: Network, images: torch.Tensor, average: str = "scores", positions: str = "whole", pixels: int | None = None
) -> torch.Tensor:
    """Class probabilities of whole images: (batch, classes).

    Parameters
    ----------
    positions
        Those that count, ``"whole"`` or ``"all"``, as in :func:`counted`.
    average
        ``"scores"``: class scores are averaged over the positions of the score map, then soft-maxed, as the paper's
        wording suggests (Sect. 3.2). ``"posteriors"``: the other way round.
    pixels
        The most that go through the network at once, as in :func:`score_map`.
    """
    scores = score_map(net, images, pixels)
    rows, columns = counted(net, *images.shape[2:], positions)
    scores = scores[:, :, :rows, :columns]
    if average == "scores":
        return scores.mean((2, 3)).softmax(1)
    return scores.softmax(1).mean((2, 3))
