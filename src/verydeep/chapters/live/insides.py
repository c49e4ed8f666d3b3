"""What the testing notebook shows of the inside of one network: its first filters, and what its maps respond to."""

import numpy as np
from IPython.display import Markdown

from verydeep.assembly import load_network, normaliser, open_data
from verydeep.chapters import figures
from verydeep.chapters.figures import Picture
from verydeep.data.views import rescale
from verydeep.networks import responses
from verydeep.networks.configurations import Configuration
from verydeep.studies import Run
from verydeep.studies.measurements import single

#: Images that are looked at; channels shown of each layer, and their strongest responses.
_IMAGES, _CHANNELS, _SHOWN = 400, 2, 6


def first_filters(run: Run) -> Picture:
    """The filters of the first convolution; the strongest first, by the sum of their squared weights."""
    weights = next(iter(load_network(run).convolutions().values())).weight.detach().numpy()
    order = np.argsort(-(weights**2).sum((1, 2, 3)), kind="stable")
    return figures.filters(weights[order])


def responses_by_layer(run: Run) -> Picture | Markdown:
    """What makes channels of the last convolution of each block respond most: pieces of validation images.

    Of 400 images spread evenly over the validation set, tested at the scale of Table 3, those in which a channel has
    its strongest responses; each piece is what the position depends on, its receptive field. The channels are those
    whose strongest responses stand out most from their usual ones
    (:func:`verydeep.networks.responses.telling_channels`). Of a network that is no chain a sentence: what a position of
    it sees lies on several ways of different lengths.
    """
    if not isinstance(run.configuration, Configuration):
        return Markdown(
            f"Shown of chains of layers; in {run.config} several ways lead to a unit, and each sees another part."
        )
    store, net = open_data(run), load_network(run)
    normalise, config = normaliser(run), run.configuration
    every = store.rows("val")
    rows = every[np.linspace(0, len(every) - 1, min(_IMAGES, len(every)), dtype=int)]
    side = run.study.pixels(single(run.train_scale).test_scales[0])
    layers = tuple(f"conv{b}_{len(block)}" for b, block in enumerate(config.blocks, 1))
    by_layer = responses.strongest(net, (normalise(rescale(store.image(row), side)[None]) for row in rows), layers)
    pieces = {}
    for layer in by_layer:
        for channel in responses.telling_channels(layer, _CHANNELS, _SHOWN):
            best = np.argsort(-layer.values[:, channel], kind="stable")[:_SHOWN]
            pieces[f"{layer.layer}\nchannel {channel}"] = [
                _piece(
                    rescale(store.image(rows[k]), side),
                    *responses.window(config, run.size, layer.layer, layer.rows[k, channel], layer.columns[k, channel]),
                )
                for k in best
            ]
    return figures.patches(pieces)


def _piece(image: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    """A square cut out of an image; what lies beyond the image is grey."""
    piece = np.full((side, side, 3), 235, dtype=np.uint8)
    height, width = image.shape[:2]
    rows, columns = slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width))
    piece[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    return piece
