"""AlexNet, GoogLeNet and ResNet beside the paper's networks: size, work, depth and memory of torchvision's modules."""

import time
from collections.abc import Callable

import pandas as pd
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from verydeep.networks import vgg
from verydeep.networks.configurations import Size

#: Name -> a constructor at full width, for 1000 classes and square inputs of so many pixels.
PEERS = {
    "AlexNet": lambda side: torchvision.models.alexnet(weights=None),
    "VGG-16 (D)": lambda side: vgg.build("D", Size(crop=side)),
    "VGG-19 (E)": lambda side: vgg.build("E", Size(crop=side)),
    "GoogLeNet": lambda side: torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False),
    "ResNet-50": lambda side: torchvision.models.resnet50(weights=None),
    "ResNet-152": lambda side: torchvision.models.resnet152(weights=None),
}


#: Side of the smallest image, pixels, of which the last pooling of AlexNet leaves anything.
SMALLEST = 63

# What autograd calls the layers with weights.
_WEIGHTED = ("ConvolutionBackward", "AddmmBackward")


def measure(net: torch.nn.Module, side: int = 224) -> dict:
    """Parameters, multiply-adds, depth, layers with weights, and their outputs, by hooks.

    Depth is the largest number of layers with weights on a way from the input to the scores, so of parallel branches
    the longest counts; the layers with weights are those of all branches. Counts alone, so the network may be on
    torch's meta device, where nothing is stored or computed.
    """
    net.eval()
    activations, layers = [], []
    hooks = []
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            layers.append(module)
            hooks.append(
                module.register_forward_hook(lambda module, inputs, output: activations.append(output.numel()))
            )
    x = torch.zeros(1, 3, side, side, device=next(net.parameters()).device)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net(x)
    for hook in hooks:
        hook.remove()
    weights = sum(p.numel() for p in net.parameters())
    fully = sum(p.numel() for m in net.modules() if isinstance(m, torch.nn.Linear) for p in m.parameters())
    return {
        "parameters (millions)": weights / 1e6,
        "of them FC (%)": 100 * fully / weights,
        "multiply-adds (billions)": counter.get_total_flops() / 2e9,
        "depth (layers)": depth(net, side),
        "layers with weights": len(layers),
        "outputs of those layers (millions)": sum(activations) / 1e6,
    }


def depth(net: torch.nn.Module, side: int = 224) -> int:
    """Layers with weights on the longest way from the input of ``net`` to its scores, from autograd's graph."""
    x = torch.zeros(1, 3, side, side, device=next(net.parameters()).device)
    with torch.enable_grad():
        last = net.eval()(x).grad_fn
    longest: dict = {}
    waiting = [last]
    while waiting:
        node = waiting[-1]
        inputs = [source for source, _ in node.next_functions if source is not None]
        if unknown := [source for source in inputs if source not in longest]:
            waiting += unknown
            continue
        longest[node] = max((longest[source] for source in inputs), default=0) + node.name().startswith(_WEIGHTED)
        waiting.pop()
    return longest[last]


def compare(side: int = 224, names: tuple[str, ...] = tuple(PEERS)) -> pd.DataFrame:
    """:func:`measure` for every network, a row each."""
    with torch.device("meta"):
        return pd.DataFrame({name: measure(PEERS[name](side), side) for name in names}).T


def speed(side: int = 224, seconds: float = 1.0) -> pd.DataFrame:
    """:func:`images_per_second` for every network, a row each."""
    rates = {name: images_per_second(_constant(PEERS[name], side), side, seconds=seconds) for name in PEERS}
    return pd.DataFrame({"images/s": rates})


def _constant(build: Callable[[int], torch.nn.Module], side: int) -> torch.nn.Module:
    """A network whose weights are all alike: drawing VGG-19's takes longer than timing it."""
    with torch.device("meta"):
        net = build(side)
    net = net.to_empty(device="cpu")
    for tensor in net.state_dict().values():
        tensor.fill_(1e-3 if tensor.is_floating_point() else 0)
    return net


def images_per_second(net: torch.nn.Module, side: int = 224, batch: int = 4, seconds: float = 1.0) -> float:
    """Forward passes a second on this machine, measured for about so many seconds."""
    net.eval()
    x = torch.zeros(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    net = net.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        net(x)
        done, begun = 0, time.monotonic()
        while time.monotonic() - begun < seconds:
            net(x)
            done += batch
    return done / (time.monotonic() - begun)
