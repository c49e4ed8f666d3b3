"""A network is built from its configuration, of whatever kind that is."""

from verydeep.networks import residual, vgg
from verydeep.networks.configurations import PAPER_SIZE, Residual, Size, configuration
from verydeep.networks.network import Network


def build(config: str, size: Size = PAPER_SIZE, *, dropout: float = 0.5, lrn_alpha: str = "caffe") -> Network:
    """Build the configuration called ``config``, with torch's default weights.

    Parameters are those of :func:`verydeep.networks.vgg.build`, which raises the same. A residual network has no FC
    layer before its scores, so nothing that could be dropped, and no response normalisation.
    """
    if isinstance(configuration(config), Residual):
        return residual.build(config, size)
    return vgg.build(config, size, dropout=dropout, lrn_alpha=lrn_alpha)
