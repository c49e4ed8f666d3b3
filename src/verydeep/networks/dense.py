"""The dense form of a network: FC layers as convolutions, applied to an image of any size (Sect. 3.2)."""

import torch
import torch.nn.functional as F

from verydeep.networks.vgg import VGG


def score_map(net: VGG, images: torch.Tensor) -> torch.Tensor:
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

    Returns
    -------
    Tensor
        (batch, classes, rows, columns).

    Raises
    ------
    ValueError
        When the last feature map is smaller than the window of FC6.
    """
    fc6, fc7, fc8 = net.fully_connected().values()
    # The convolutions may be in half precision (verydeep.posteriors); class scores are always in that of the FC layers.
    maps = net.features(images.to(net.convolutions()["conv1_1"].weight.dtype)).to(fc6.weight.dtype)
    side = net.map_side
    if min(maps.shape[2:]) < side:
        raise ValueError(
            f"images of {images.shape[2]}x{images.shape[3]} give a last map of {maps.shape[2]}x{maps.shape[3]}, "
            f"smaller than the {side}x{side} window of FC6 (trained on crops of {net.crop})"
        )
    hidden = F.relu(F.conv2d(maps, fc6.weight.unflatten(1, (-1, side, side)), fc6.bias), inplace=True)
    hidden = F.relu(F.conv2d(hidden, fc7.weight[:, :, None, None], fc7.bias), inplace=True)
    return F.conv2d(hidden, fc8.weight[:, :, None, None], fc8.bias)


def whole_positions(length: int, crop: int, blocks: int = 5) -> int:
    """How many positions of the score map, along a side of ``length`` pixels, see a whole training crop.

    floor(Q/32) - 6 in the paper: positions lie 32 pixels apart. Where pooling rounds up and the side is no multiple of
    32 there is one more, whose window reaches beyond the image and is mostly empty. The paper's test scales are all
    multiples of 32, so it has none along the shorter side.
    """
    return (length - crop) // 2**blocks + 1


def posteriors(net: VGG, images: torch.Tensor, average: str = "scores", positions: str = "whole") -> torch.Tensor:
    """Class probabilities of whole images: (batch, classes).

    Parameters
    ----------
    positions
        ``"whole"``: the positions that see a whole training crop (:func:`whole_positions`). ``"all"``: every one.
    average
        ``"scores"``: class scores are averaged over the positions of the score map, then soft-maxed, as the paper's
        wording suggests (Sect. 3.2). ``"posteriors"``: the other way round.
    """
    scores = score_map(net, images)
    if positions == "whole":
        rows, columns = (whole_positions(side, net.crop, len(net.config.blocks)) for side in images.shape[2:])
        scores = scores[:, :, :rows, :columns]
    if average == "scores":
        return scores.mean((2, 3)).softmax(1)
    return scores.softmax(1).mean((2, 3))
