"""How large activations and gradients are through the depth of a network under each way of drawing its weights.

The paper trains A first because deeper networks did not learn from random weights (Sect. 3.1); this is why.
"""

import pandas as pd
import torch
import torch.nn.functional as F

from verydeep.networks import vgg
from verydeep.networks.choices import SCHEMES
from verydeep.networks.configurations import PAPER_SIZE, Size
from verydeep.networks.initialisation import initialise


def scales(config: str, size: Size, scheme: str, pixel_deviation: float, *, seed: int = 0) -> pd.DataFrame:
    """Standard deviation of every layer's output and of the loss's gradient with respect to it, at the first step.

    Of eight random images.

    Parameters
    ----------
    pixel_deviation
        Standard deviation of the random input: about 70 for pixels in 0-255 less their mean, as in the paper, and 1
        for pixels divided by theirs.

    Returns
    -------
    DataFrame
        A row a weight layer: ``activation`` (before the ReLU), ``gradient``, and ``weight`` (standard deviation).
    """
    net = vgg.build(config, size, dropout=0.0)
    generator = torch.Generator().manual_seed(seed)
    initialise(net, scheme, generator)
    layers = net.convolutions() | net.fully_connected()
    kept: dict[str, torch.Tensor] = {}

    def keep(name):
        def hook(module, inputs, output):
            output.retain_grad()
            kept[name] = output

        return hook

    for module in net.features:  # a ReLU in place would change what is kept
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    for module in net.classifier:
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    hooks = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    x = pixel_deviation * torch.randn(8, 3, net.crop, net.crop, generator=generator)
    labels = torch.randint(net.num_classes, (len(x),), generator=generator)
    F.cross_entropy(net(x), labels).backward()
    for hook in hooks:
        hook.remove()
    rows = [
        {
            "layer": name,
            "activation": float(kept[name].detach().std()),
            "gradient": float(kept[name].grad.std()),
            "weight": float(layer.weight.detach().std()),
        }
        for name, layer in layers.items()
    ]
    return pd.DataFrame(rows).set_index("layer")


def every_scheme(config: str, size: Size = PAPER_SIZE, *, seed: int = 0) -> pd.DataFrame:
    """:func:`scales` for each scheme: the paper's pixels for readings of the paper, unit variance for the others.

    Columns (scheme, quantity), rows layers.
    """
    deviations = dict.fromkeys(SCHEMES, 70.0) | {"glorot": 1.0, "he": 1.0}
    by_scheme = {scheme: scales(config, size, scheme, deviations[scheme], seed=seed) for scheme in SCHEMES}
    return pd.concat(by_scheme, axis=1)
