"""The place at which a channel responds most is where the image says so, and its window is all that it depends on."""

import numpy as np
import pytest
import torch

from verydeep.networks import responses
from verydeep.networks.configurations import Size
from verydeep.networks.initialisation import initialise
from verydeep.networks.vgg import build


@pytest.fixture(scope="module")
def net():
    net = build("D", Size(crop=64, width_divisor=16, num_classes=4)).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    return net


LAYERS = ("conv1_2", "conv3_3", "conv4_3")


@pytest.fixture(scope="module")
def images():
    return torch.randn(5, 3, 96, 80, generator=torch.Generator().manual_seed(1))


def test_the_strongest_response_is_that_of_the_maps(net, images):
    for found in responses.strongest(net, images[:, None], LAYERS):
        end = len(responses.features_until(net, found.layer))
        with torch.inference_mode():
            maps = net.features[:end](images).numpy()
        assert found.values == pytest.approx(maps.max((2, 3)), abs=1e-5)
        image, channel = np.indices(found.values.shape)
        assert maps[image, channel, found.rows, found.columns] == pytest.approx(found.values, abs=1e-5)


@pytest.mark.parametrize("layer", LAYERS)
def test_what_lies_outside_the_window_does_not_matter(net, images, layer):
    found = responses.strongest(net, images[:1, None], (layer,))[0]
    row, column = int(found.rows[0, 0]), int(found.columns[0, 0])
    top, left, side = responses.window(net.config, net.size, layer, row, column)
    inside = torch.zeros(96, 80, dtype=torch.bool)
    inside[max(top, 0) : top + side, max(left, 0) : left + side] = True
    end = len(responses.features_until(net, layer))
    with torch.inference_mode():
        usual, changed, within = (
            float(net.features[:end](x)[0, 0, row, column])
            for x in (images[:1], torch.where(inside, images[:1], 9.0), torch.where(inside, 9.0, images[:1]))
        )
    assert changed == pytest.approx(usual, abs=1e-5) and within != pytest.approx(usual, abs=1e-3)


def test_channels_that_stand_out_are_chosen_and_those_with_the_same_images_are_not():
    values = np.ones((8, 4))
    values[:2, 0] = 9  # stands out
    values[:2, 1] = 8  # by the same images
    values[4:6, 2] = 3
    values[:, 3] = 0  # dead
    found = responses.Strongest("conv1_1", values, np.zeros_like(values, int), np.zeros_like(values, int))
    assert responses.telling_channels(found, 3, 2) == [0, 2]


def test_layers_out_of_order_are_refused(net, images):
    with pytest.raises(ValueError, match="from the first to the last, not conv3_3, conv1_2"):
        responses.strongest(net, images, ("conv3_3", "conv1_2"))
    with pytest.raises(ValueError, match="has no layer 'conv9_1'"):
        responses.strongest(net, images, ("conv9_1",))
