"""Passes over images, against naive loops, torchvision and timm."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import torchvision
from safetensors.numpy import save_file

from verydeep import assembly, files, studies
from verydeep.data.base import Images
from verydeep.data.normaliser import Normaliser
from verydeep.data.views import CentreView, TrainingViews, draw_epoch, grid_positions, rescale
from verydeep.errors import DataError, VerydeepError
from verydeep.evaluation import passes, tester
from verydeep.networks import building, dense, vgg
from verydeep.networks.configurations import Size, all_configurations
from verydeep.networks.network import Network
from verydeep.studies import schema


class Shapes(Images):
    """Random images of the given sizes, as a store."""

    def __init__(self, sizes):
        generator = np.random.default_rng(0)
        self.images = [generator.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
        self.manifest = pd.DataFrame({"name": [f"{height}x{width}.png" for height, width in sizes]})

    def image(self, row):
        return self.images[row]


def small(config="B") -> Network:
    """A network of a sixteenth of the widths with weights that give posteriors away from uniform."""
    torch.manual_seed(0)
    crop = 64 if config == "AlexNet" else 32  # the smallest multiple of 32 that leaves something to FC6
    net = building.build(config, Size(16, num_classes=7, crop=crop, pooling="floor")).eval()
    with torch.no_grad():
        for layer in (*net.convolutions().values(), *net.fully_connected().values()):
            torch.nn.init.kaiming_normal_(layer.weight)
    return net


def make(net=None, testing=None, **options) -> tester.Tester:
    normalise = Normaliser(torch.tensor([120.0, 115.0, 110.0]), 60.0)
    return tester.Tester(net or small(), normalise, testing or schema.Testing(), **options)


SIZES = [(40, 61), (61, 40), (40, 61), (50, 50), (33, 90), (40, 61), (61, 40)]


@pytest.mark.parametrize("average", ["scores", "posteriors"])
def test_dense_posteriors_are_those_of_one_image_at_a_time(average):
    store, rows = Shapes(SIZES), np.arange(len(SIZES))
    one = make(testing=schema.Testing(average=average), pixels_per_batch=2 * 64 * 100)
    found = one.make("dense", store, rows, 64)
    for row in rows:
        x = one.normalise(rescale(store.image(row), 64)[None])
        expected = 0
        for view in (x, x.flip(3)):
            scores = dense.score_map(one.net, view)
            if average == "scores":
                expected = expected + scores.mean((2, 3)).softmax(1) / 2
            else:
                expected = expected + scores.softmax(1).mean((2, 3)) / 2
        assert np.allclose(found.posteriors[row], expected.detach()[0], atol=1e-6)
    assert found.forward_passes == 2 * len(rows)


def test_without_flips_mirror_images_do_not_count():
    store, rows = Shapes(SIZES), np.arange(len(SIZES))
    plain, both = make(flip=False).make("dense", store, rows, 64), make().make("dense", store, rows, 64)
    assert not np.allclose(plain.posteriors, both.posteriors, atol=1e-3)
    one = make(flip=False)
    for row in rows:
        view = one.normalise(rescale(store.image(row), 64)[None])
        expected = dense.score_map(one.net, view).mean((2, 3)).softmax(1)[0].detach()
        assert np.allclose(plain.posteriors[row], expected, atol=1e-6)
    assert plain.forward_passes == len(rows)
    assert 2 * plain.multiply_adds == both.multiply_adds


@pytest.mark.parametrize(("testing", "shorter"), [
    (schema.Testing(), 45),
    (schema.Testing(), 33),  # one pixel of room: crops of the grid coincide
    (schema.Testing(grid="cells"), 45),
    (schema.Testing(crops_per_side=3, longer_side="floor"), 45),
    (schema.Testing(interpolation="bicubic", antialias=False), 45),
])  # fmt: skip
def test_multi_crop_agrees_with_a_naive_loop_over_crops(testing, shorter):
    store, rows = Shapes(SIZES), np.arange(len(SIZES))
    one = make(testing=testing, pixels_per_batch=7 * 32 * 32)
    found = one.make("multi-crop", store, rows, shorter)
    options = testing.model_dump(include={"longer_side", "interpolation", "antialias"})
    for row in rows:
        image = rescale(store.image(row), shorter, **options)
        total, crops = 0, 0
        tops, lefts = (grid_positions(side, 32, testing.crops_per_side, testing.grid) for side in image.shape[:2])
        for top in tops:
            for left in lefts:
                crop = image[top : top + 32, left : left + 32]
                for view in (crop, crop[:, ::-1].copy()):
                    total = total + one.net(one.normalise(view[None])).softmax(1)
                    crops += 1
        assert crops == 2 * testing.crops_per_side**2
        assert np.allclose(found.posteriors[row], (total / crops).detach()[0], atol=1e-4)


def test_crops_of_one_place_go_through_the_network_once():
    store = Shapes([(32, 32), (48, 48)])
    same, apart = (make().make("multi-crop", store, np.array([row]), side) for row, side in ((0, 32), (1, 48)))
    assert (same.forward_passes, apart.forward_passes) == (2, 50)
    assert apart.multiply_adds == 25 * same.multiply_adds


def test_the_centre_crop_is_torchvisions():
    store = Shapes([(60, 81), (90, 47), (51, 51)])
    resize, crop = torchvision.transforms.Resize(43), torchvision.transforms.CenterCrop(32)
    one = make(testing=schema.Testing(longer_side="floor"))
    found = one.make("centre-crop", store, np.arange(3), 43)
    for row in range(3):
        view = np.asarray(crop(resize(torchvision.transforms.functional.to_pil_image(store.image(row)))))
        expected = one.net(one.normalise(view[None])).softmax(1)[0].detach()
        assert np.allclose(found.posteriors[row], expected, atol=1e-6)


def test_memory_is_bounded_by_pixels_whatever_the_shapes():
    generator = np.random.default_rng(1)
    store = Shapes([(40, int(width)) for width in generator.integers(40, 200, 60)])
    one = make(pixels_per_batch=3 * 40 * 100)
    seen = []
    for positions, images in one.batches(store, np.arange(60), 40):
        assert len(images) == 1 or images[..., 0].size <= one.pixels_per_batch
        for position, image in zip(positions, images, strict=True):
            assert (image == store.image(position)).all()
        seen += positions.tolist()
    assert sorted(seen) == list(range(60))


def test_images_that_wait_for_their_shape_are_bounded_too():
    class Counting(Shapes):
        read = 0

        def image(self, row):
            self.read += 1
            return super().image(row)

    store = Counting([(40, 40 + k) for k in range(60)])  # no shape comes twice
    one = make(pixels_per_batch=3 * 40 * 100)
    given = 0
    for positions, _ in one.batches(store, np.arange(60), 40):
        given += len(positions)
        assert store.read - given <= 4 * one.pixels_per_batch / (40 * 40)
    assert given == 60


NARROW = [(40, 61), (4, 100), (50, 50), (100, 4), (61, 40)]


@pytest.mark.parametrize("method", ["dense", "multi-crop", "centre-crop"])
@pytest.mark.parametrize("options", [{}, {"flip": False}, {"testing": schema.Testing(average="posteriors")}])
def test_an_image_beyond_the_bound_has_the_posteriors_that_it_has_without(method, options):
    store, rows = Shapes(NARROW), np.arange(len(NARROW))
    most = 40 * 500
    bounded, free = (make(pixels_per_batch=pixels, **options) for pixels in (most, 2**30))
    seen = []
    bounded.net.features.register_forward_hook(lambda _, given, __: seen.append(given[0][:, 0].numel()))
    found, whole = (one.make(method, store, rows, 40) for one in (bounded, free))
    assert max(seen) <= most < 40 * 1000
    assert np.abs(found.posteriors - whole.posteriors).max() < 1e-5
    assert (found.forward_passes, found.multiply_adds) == (whole.forward_passes, whole.multiply_adds)


EXTREME = """
import sys
import numpy as np
from test_posteriors import Shapes, make

def peak():  # MB; getrusage would count the process that started this one
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) / 1024

store, rows = Shapes([(40, 61), (61, 40), (4, 400), (50, 50), (40, 61)]), np.arange(5)
bounded, free = make(pixels_per_batch=2**17), make(pixels_per_batch=2**30)
bounded.make("dense", store, np.array([0, 1, 3, 4]), 256)
peaks, found = [peak()], []
for method in ("dense", "multi-crop", "centre-crop"):
    bounded.make(method, store, rows, 256)
peaks.append(peak())
apart = bounded.make("dense", store, rows, 256).posteriors - free.make("dense", store, rows, 256).posteriors
peaks.append(peak())
print(*np.diff(peaks), np.abs(apart).max())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_one_image_of_4x400_pixels_takes_little_memory_among_ordinary_ones():
    done = subprocess.run([sys.executable, "-c", EXTREME], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bounded, free, apart = map(float, done.stdout.split()[-3:])
    # at 256x25600 its 6.5 million pixels are 20 MB in 8 bits, 79 MB in float32, and 105 MB in each map of this network
    assert bounded < 200 < free
    assert apart < 1e-5


def test_an_image_that_would_be_rescaled_beyond_all_measure_is_named():
    store = Shapes([(40, 40), (1, 4000)])
    with pytest.raises(DataError, match="1x4000.png: 4000x1 pixels become 1024000x256 at the test scale"):
        make().make("centre-crop", store, np.arange(2), 256)


def test_training_views_of_a_narrow_image_take_only_the_pixels_of_a_crop(monkeypatch):
    from PIL import Image

    sizes, resize = [], Image.Image.resize
    monkeypatch.setattr(
        Image.Image, "resize", lambda im, size, *a, **k: (sizes.append(size), resize(im, size, *a, **k))[1]
    )
    draws = draw_epoch(0, 0, 8)
    for size in ((4, 400), (400, 4), (1, 60000)):
        image = Shapes([size]).image(0)
        views = [TrainingViews(224, 256, 512, True)(image, draws, i) for i in range(8)] + [CentreView(224, 384)(image)]
        assert {view.shape for view in views} == {(224, 224, 3)}
    assert set(sizes) == {(224, 224)}


@pytest.mark.parametrize("config", all_configurations())
def test_half_precision_convolutions_change_little_and_scores_stay_exact(config):
    store, rows = Shapes(SIZES), np.arange(len(SIZES))
    full = make(small(config)).make("dense", store, rows, 64)
    half = make(small(config), schema.Testing(precision="bfloat16"))
    found = half.make("dense", store, rows, 64)
    assert {conv.weight.dtype for conv in half.net.convolutions().values()} == {torch.bfloat16}
    assert {layer.weight.dtype for layer in half.net.fully_connected().values()} == {torch.float32}
    assert found.posteriors.dtype == np.float32
    assert 0 < np.abs(found.posteriors - full.posteriors).max() < 0.05


@pytest.mark.parametrize(("name", "theirs"), [("A", "vgg11"), ("D", "vgg16")])
def test_dense_scores_agree_with_timm_at_full_size(name, theirs):
    """timm's VGG is fully convolutional: on larger images it averages the score map, as the paper does."""
    torch.manual_seed(0)
    reference = timm.create_model(theirs, pretrained=False, num_classes=100).eval()
    state = reference.state_dict()
    net = vgg.build(name, Size(num_classes=100)).eval()
    ours = {key: value for key, value in state.items() if key.startswith("features")}
    for place, key in ((0, "pre_logits.fc1"), (3, "pre_logits.fc2"), (6, "head.fc")):
        ours[f"classifier.{place}.weight"] = state[f"{key}.weight"].flatten(1)
        ours[f"classifier.{place}.bias"] = state[f"{key}.bias"]
    net.load_state_dict(ours)
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        for side, positions in ((224, 1), (256, 4), (384, 36)):
            x = torch.randn(1, 3, side, side, generator=generator)
            scores = dense.score_map(net, x)
            assert scores[0, 0].numel() == positions
            expected = reference(x)
            assert expected.std() > 1e-3  # not all alike, or agreement would mean nothing
            assert torch.allclose(scores.mean((2, 3)), expected, atol=1e-4)
            assert torch.allclose(dense.posteriors(net, x), expected.softmax(1), atol=1e-4)


def test_a_batch_normalised_network_is_tested_as_torchvisions():
    torch.manual_seed(0)
    reference = torchvision.models.vgg11_bn(weights=None, num_classes=20).eval()
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    net = vgg.build("A", Size(num_classes=20, pooling="floor", batch_norm=True)).eval()
    net.load_state_dict(reference.state_dict())
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.allclose(net(x), reference(x), atol=1e-4)
        assert torch.allclose(dense.score_map(net, x)[:, :, 0, 0], reference(x), atol=1e-4)


def test_every_pass_of_a_study_is_of_its_own_scale(trained):
    run = studies.find_run("smoke", "A", 256)
    store, net = assembly.open_data(run), assembly.load_network(run)
    one = tester.Tester(net, assembly.normaliser(run), run.study.testing, run.recipe.flip)
    rows = store.rows("val")[:8]
    found = [np.log(one.make("dense", store, rows, run.study.pixels(scale)).posteriors) for scale in (224, 256, 288)]
    for one_scale, another in itertools.pairwise(found):  # logarithms, for nearly all posteriors are near 0 or 1
        assert not np.allclose(one_scale, another, atol=0.01)


def test_a_network_that_says_no_numbers_is_refused():
    broken = small()
    with torch.no_grad():
        broken.fully_connected()["fc8"].bias.fill_(torch.nan)
    with pytest.raises(VerydeepError, match="B says nothing that is a number of an image"):
        make(broken).make("dense", Shapes([(40, 40)]), np.array([0]), 40)


KEY = {"weights": "a", passes.MADE_WITH: "here"}


@pytest.mark.parametrize("metadata", [
    None, {}, {"format": "pt"}, {"key": json.dumps(KEY)}, {"cost": "{}"}, {"key": "{cut", "cost": "{}"},
    {"key": json.dumps(KEY), "cost": "{cut"}, {"key": "[1]", "cost": "{}"}, {"key": json.dumps(KEY), "cost": "3"},
    {"key": json.dumps(KEY | {"weights": "b"}), "cost": "{}"}, {"key": "[" * 100_000, "cost": "{}"},
], ids=lambda metadata: str(metadata)[:40])  # fmt: skip
def test_a_pass_that_does_not_say_of_what_it_was_made_is_made_anew(tmp_path, metadata):
    """What another program wrote there, without metadata, stopped a test."""
    path, made = tmp_path / "dense-256.safetensors", {"posteriors": np.ones((2, 3), np.float32)}
    save_file({"posteriors": np.zeros((2, 3), np.float32)}, path, metadata)
    for recorded in ((), {files.sha256(path)}):
        save_file({"posteriors": np.zeros((2, 3), np.float32)}, path, metadata)
        arrays, cost = passes.kept_or_made(path, KEY, recorded, lambda: (made, {"seconds": 3}))
        assert arrays["posteriors"].all() and cost == {"seconds": 3, "posteriors_sha256": files.sha256(path)}
    again, _ = passes.kept_or_made(path, KEY, (), lambda: pytest.fail("made again"))
    assert again["posteriors"].all()
