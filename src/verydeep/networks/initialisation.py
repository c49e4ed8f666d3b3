"""How weights start: the paper's normal and its readings, later schemes, and the transfer from A (Sect. 3.1)."""

import torch
from torch import nn

from verydeep.errors import UnknownName
from verydeep.networks.choices import SCHEMES
from verydeep.networks.network import Network

TRANSFERRED_CONVOLUTIONS = 4


def initialise(net: Network, scheme: str, generator: torch.Generator) -> None:
    """Draw all weights of ``net`` anew by one of ``choices.SCHEMES``, in place.

    Batch normalisations start with scale 1, shift 0 and fresh statistics, whatever the scheme.

    Raises
    ------
    UnknownName
        For a scheme that does not exist.
    """
    if scheme not in SCHEMES:
        raise UnknownName("initialisation", scheme, SCHEMES)
    for norm in net.normalisations().values():
        norm.reset_parameters()
    for layer in net.weighted():
        weight, bias = layer.weight, layer.bias
        if bias is not None:
            nn.init.zeros_(bias)
        match scheme:
            case "paper":
                nn.init.normal_(weight, std=0.1, generator=generator)
            case "paper-std":
                nn.init.normal_(weight, std=0.01, generator=generator)
            case "notes":
                linear = isinstance(layer, nn.Linear)
                nn.init.normal_(weight, std=0.005 if linear else 0.01, generator=generator)
                if linear:
                    nn.init.constant_(bias, 0.1)
            case "glorot":
                nn.init.xavier_uniform_(weight, generator=generator)
            case "he":
                nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


def transfer_from_a(net: Network, a: Network) -> list[str]:
    """Copy A's first four convolutions and three FC layers into ``net`` (Sect. 3.1).

    "The first four convolutional layers" cannot mean positions 1 to 4 in both nets, whose shapes differ.
    The reading by which shapes fit is by name: conv1_1, conv2_1, conv3_1, conv3_2. A layer whose shape
    differs (the 5x5 kernels of B-5x5) keeps its random weights. A batch normalisation goes with its convolution.

    Returns
    -------
    list of str
        The names of the layers that were copied.
    """
    source = dict(list(a.convolutions().items())[:TRANSFERRED_CONVOLUTIONS]) | a.fully_connected()
    target = net.convolutions() | net.fully_connected()
    norms, theirs = net.normalisations(), a.normalisations()
    copied = []
    with torch.no_grad():
        for name, layer in source.items():
            if name in target and target[name].weight.shape == layer.weight.shape:
                target[name].weight.copy_(layer.weight)
                target[name].bias.copy_(layer.bias)
                if name in norms and name in theirs:
                    norms[name].load_state_dict(theirs[name].state_dict())
                copied.append(name)
    return copied


def transfer_all_but_last(net: Network, parent: Network) -> None:
    """Copy every layer of ``parent`` into ``net`` but the last, which stays as it was drawn (A.1).

    The two differ in their outputs alone: class scores there, boxes here. The last of each side classifier stays too.
    """
    drawn = {id(tensor) for last in net.last_layers() for tensor in last.parameters()}
    kept = {name for name, tensor in net.named_parameters() if id(tensor) in drawn}
    net.load_state_dict(parent.state_dict() | {name: net.state_dict()[name] for name in kept})
