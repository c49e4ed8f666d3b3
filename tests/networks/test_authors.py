"""The authors' weights from files in their layouts, against naive forward passes in the layouts' own conventions."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import authors_files
from verydeep import files
from verydeep.data.normaliser import Normaliser
from verydeep.errors import VerydeepError
from verydeep.networks import authors, dense, published, vgg, weights
from verydeep.networks.configurations import Size

#: A last map of 2x2, so that the order in which it is flattened matters.
SIZE = Size(16, num_classes=5, crop=64)
SIDE = 2
NEWER_NAMES = "{layer}/kernel:0 {layer}/bias:0"
WRITERS = {
    "keras": lambda path, layers: authors_files.write_keras(path, layers, SIDE),
    "keras, newer names": lambda path, layers: authors_files.write_keras(path, layers, SIDE, NEWER_NAMES),
    "caffe": authors_files.write_caffe,
    "caffe, newer form": lambda path, layers: authors_files.write_caffe(path, layers, newer=True),
}  # fmt: skip


def caffe_dense(layers, images: np.ndarray) -> torch.Tensor:
    """Caffe's forward pass in fully convolutional form: pooling rounds up. (n, height, width, 3) RGB -> score maps."""
    maps = torch.from_numpy(images[..., ::-1] - authors_files.BGR_MEAN).permute(0, 3, 1, 2)
    block = "1"
    for layer in layers:
        weight, bias = torch.from_numpy(layer.weight).double(), torch.from_numpy(layer.bias).double()
        if layer.name.startswith("conv"):
            if layer.name[4] != block:
                maps, block = torch.nn.functional.max_pool2d(maps, 2, ceil_mode=True), layer.name[4]
            maps = torch.nn.functional.conv2d(maps, weight, bias, padding=1).relu()
            continue
        if layer.name == "fc6":
            maps = torch.nn.functional.max_pool2d(maps, 2, ceil_mode=True)
        side = SIDE if layer.name == "fc6" else 1
        maps = torch.nn.functional.conv2d(maps, weight.reshape(len(weight), -1, side, side), bias)
        maps = maps if layer.name == "fc8" else maps.relu()
    return maps


def pictures(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, height, width, 3), np.uint8)


@pytest.mark.parametrize("config", ["D", "E"])
@pytest.mark.parametrize("form", WRITERS)
def test_scores_are_those_of_a_naive_forward_pass(config, form, tmp_path):
    layers = authors_files.random_layers(config, SIZE)
    WRITERS[form](tmp_path / "file", layers)
    net = vgg.build(config, SIZE).eval()
    authors.load(net, tmp_path / "file", form.partition(",")[0])
    normalise = Normaliser.published_by("authors")
    images = pictures(SIZE.crop, SIZE.crop)
    with torch.inference_mode():
        scores = net(normalise(images)).numpy()
    if form == "keras":
        expected = authors_files.keras_forward(tmp_path / "file", images)
    else:
        expected = caffe_dense(layers, images).mean((2, 3)).numpy()
    assert np.ptp(expected) > 1 and np.abs(scores - expected).max() < 1e-4


def test_maps_of_odd_sides_are_rounded_up_as_in_caffe(tmp_path):
    layers = authors_files.random_layers("D", SIZE)
    authors_files.write_caffe(tmp_path / "file", layers)
    images = pictures(95, 131)
    expected = caffe_dense(layers, images)
    found = {}
    for pooling in ("ceil", "floor"):
        net = vgg.build("D", dataclasses.replace(SIZE, pooling=pooling)).eval()
        authors.load(net, tmp_path / "file", "caffe")
        with torch.inference_mode():
            found[pooling] = dense.score_map(net, Normaliser.published_by("authors")(images))
    assert found["ceil"].shape == expected.shape != found["floor"].shape
    assert (found["ceil"] - expected).abs().max() < 1e-4


def known(config: str, path, layout: str) -> published.Published:
    """The authors' weights of a configuration, of which ``path`` is passed off as the published file."""
    one = published.published_weights()["authors", config, False]
    origins = tuple(
        dataclasses.replace(origin, checksum=f"sha256:{files.sha256(path)}") if origin.layout == layout else origin
        for origin in one.origins
    )
    return dataclasses.replace(one, origins=origins)


def test_both_files_of_a_network_are_converted_to_the_same_bytes_and_once(tmp_path, monkeypatch):
    layers, hashes = authors_files.random_layers("D", SIZE), []
    for layout in ("keras", "caffe"):
        folder = tmp_path / layout
        folder.mkdir()
        one = published.published_weights()["authors", "D", False]
        source = folder / next(origin.file for origin in one.origins if origin.layout == layout)
        WRITERS[layout](source, layers)
        net, path = vgg.build("D", SIZE), folder / one.file
        weights.obtain(known("D", source, layout), net, path)
        hashes.append(files.sha256(path))
        assert json.loads(path.with_suffix(".json").read_text())["made_from"] == source.name
        source.unlink()
        again = vgg.build("D", SIZE)
        weights.obtain(one, again, path)
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
        with pytest.raises(VerydeepError, match=r"not the file that was converted; delete it and .*\.json, and try"):
            weights.obtain(one, again, path)
    assert hashes[0] == hashes[1]


def test_a_file_whose_hash_is_not_the_stated_one_is_not_read(tmp_path, monkeypatch):
    one = published.published_weights()["authors", "D", False]
    source = tmp_path / one.origins[0].file
    WRITERS["keras"](source, authors_files.random_layers("D", SIZE))
    monkeypatch.setattr(authors, "load", lambda *arguments: pytest.fail("was read"))
    with pytest.raises(VerydeepError, match=r"its md5 does not begin 64373286, so it is not the file that was publish"):
        weights.obtain(one, vgg.build("D", SIZE), tmp_path / one.file)
    assert not (tmp_path / one.file).exists()


def test_what_is_downloaded_and_wrong_is_not_kept(tmp_path, monkeypatch):
    one = published.published_weights()["authors", "E", False]
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda url, path, **_: Path(path).write_text("a page"))
    with pytest.raises(VerydeepError, match=r"vgg19_\S+ gave another file than was published: its md5 .*; nothing was"):
        weights.obtain(one, vgg.build("E", SIZE), tmp_path / one.file)
    assert {path.name for path in tmp_path.iterdir()} <= {f".{one.file}.lock"}


def swapped(path, write):
    write(path, authors_files.random_layers("E", SIZE))


def of_another_size(path, write):
    write(path, authors_files.random_layers("D", dataclasses.replace(SIZE, num_classes=6)))


def without_top(path, write):
    write(path, authors_files.random_layers("D", SIZE)[:-3])


def cut_short(path, write):
    write(path, authors_files.random_layers("D", SIZE))
    path.write_bytes(path.read_bytes()[:-1000])


def not_finite(path, write):
    layers = authors_files.random_layers("D", SIZE)
    layers[4].weight[0, 0, 0, 0] = np.nan
    write(path, layers)


def nothing(path, write):
    path.write_bytes(b"")


def a_page(path, write):
    path.write_text("<!doctype html>")


FAULTS = {
    swapped: r"weights of another network than D: it has (block3_conv|conv3_)4",
    of_another_size: r"weights of another size: fc8 is \(6, 256\) and \(6,\) there, \(5, 256\) and \(5,\) here",
    without_top: r"weights of another network than D: it lacks fc6",
    cut_short: r"not a (file of weights by Keras|Caffe model), or cut short \(",
    not_finite: r"conv3_1 holds values that are no finite numbers",
    nothing: r"not a (file of weights by Keras, or cut short|Caffe model)",
    a_page: r"not a (file of weights by Keras, or cut short|Caffe model)",
}


@pytest.mark.parametrize("layout", ["keras", "caffe"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_wrong_file_is_one_line(fault, layout, tmp_path):
    path = tmp_path / "file"
    fault(path, WRITERS[layout])
    with pytest.raises(VerydeepError, match=FAULTS[fault]) as raised:
        authors.load(vgg.build("D", SIZE), path, layout)
    assert str(raised.value).startswith(str(path)) and "\n" not in str(raised.value)
