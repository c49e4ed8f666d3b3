"""A network is built from its configuration, of whatever kind that is."""

from verydeep.networks import inception, residual, rounded, vgg
from verydeep.networks.configurations import PAPER_SIZE, Inception, Residual, Size, configuration
from verydeep.networks.network import Network


def build(config: str, size: Size = PAPER_SIZE, *, dropout: float = 0.5) -> Network:
    """Build the configuration called ``config``, with torch's default weights.

    Parameters are those of :func:`verydeep.networks.vgg.build`, which raises the same. A residual network has no FC
    layer before its scores, so nothing that could be dropped, and no response normalisation. GoogLeNet has no FC6 and
    FC7, which ``dropout`` is about: it drops its own shares elsewhere. On a processor that has no instructions for
    bfloat16 its convolutions and FC layers are those of :mod:`verydeep.networks.rounded`.
    """
    match configuration(config):
        case Residual():
            net = residual.build(config, size)
        case Inception():
            net = inception.build(config, size)
        case _:
            net = vgg.build(config, size, dropout=dropout)
    rounded.round_where_slow(net)
    return net
