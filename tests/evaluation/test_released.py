"""The study of torchvision's weights, on generated images in ImageNet's layout and weights of its constructors."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
import torchvision
import yaml
from PIL import Image

from verydeep import assembly, evaluation, files, results, runs, studies, training
from verydeep.book import pages
from verydeep.chapters import testing_tables
from verydeep.data import sources, store
from verydeep.data.normaliser import Normaliser
from verydeep.errors import DataError, VerydeepError
from verydeep.networks import published, vgg, weights
from verydeep.networks.configurations import Size
from verydeep.studies import plan, schema

CLASSES = 4


def test_the_table_of_weights_is_torchvisions():
    known = published.published_weights()
    assert len(known) == 8
    for one in known.values():
        stated = torchvision.models.get_model_weights(one.name).IMAGENET1K_V1
        accuracies = stated.meta["_metrics"]["ImageNet-1K"]
        assert one.url == stated.url
        assert one.top1_error == pytest.approx(100 - accuracies["acc@1"])
        assert one.top5_error == pytest.approx(100 - accuracies["acc@5"])
        assert one.file.endswith(f"-{one.sha256_prefix}.pth")


def test_inputs_are_normalised_as_every_published_network_expects():
    ours = Normaliser.torchvision()
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    for one in published.published_weights().values():
        preset = torchvision.models.get_model_weights(one.name).IMAGENET1K_V1.transforms()
        assert (preset.resize_size, preset.crop_size) == ([256], [224])
        theirs = preset(torchvision.transforms.functional.to_pil_image(image[0]))
        assert torch.allclose(ours(image[:, 16:240, 16:240])[0], theirs, atol=1e-5)


@pytest.fixture
def released(checkout, tmp_path, monkeypatch):
    """Images of several shapes and kinds, weights drawn by torchvision, and a coarser grid of crops."""
    monkeypatch.setenv("VERYDEEP_DATA", str(tmp_path / "data"))
    generator = np.random.default_rng(0)
    kinds = [((300, 450), "RGB"), ((400, 300), "RGB"), ((257, 256), "L"), ((290, 310), "CMYK")]
    for label in range(CLASSES):
        folder = tmp_path / "data/imagenet/val" / f"n{label:08d}"
        folder.mkdir(parents=True)
        (height, width), mode = kinds[label % len(kinds)]
        coarse = Image.fromarray(generator.integers(0, 256, (6, 6, 3), np.uint8)).resize((width, height))
        coarse.convert(mode).save(folder / f"ILSVRC2012_val_{label:08d}.JPEG")
    monkeypatch.setattr(sources.ImagenetValidation, "num_classes", CLASSES)
    monkeypatch.setattr(sources.ImagenetValidation, "counts", {"val": CLASSES})
    text = (schema.FOLDER / "released.yaml").read_text()
    keys = yaml.safe_load(text)
    keys["testing"]["crops_per_side"] = 2
    keys["why"]["testing.crops_per_side"] = "150 crops of 224 pixels take minutes an image"
    folder = tmp_path / "studies"
    shutil.copytree(schema.FOLDER, folder)
    (folder / "released.yaml").write_text(yaml.safe_dump(keys))
    monkeypatch.setattr(schema, "FOLDER", folder)
    schema.load.cache_clear()
    run = plan.Run(schema.load("released"), "A", "torchvision", 0)
    torch.manual_seed(0)
    reference = torchvision.models.vgg11(num_classes=CLASSES).eval()
    run.weights.parent.mkdir(parents=True)
    torch.save(reference.state_dict(), run.weights)
    digest = files.sha256(run.weights)[:8]
    known = dict(published.published_weights())
    known["A", False] = dataclasses.replace(known["A", False], sha256_prefix=digest)
    monkeypatch.setattr(plan, "published_weights", lambda: known)
    yield run, reference
    schema.load.cache_clear()


def test_published_weights_are_tested_in_every_way_and_the_gap_is_parted(released, capsys):
    run, reference = released
    evaluation.evaluate(run, report=lambda line: None)
    record = runs.read_record(run, "evaluate")
    assert list(record.measurements) == [
        "dense-256", "centre-crop-256", "dense-384", "dense-512", "dense-256+384+512", "multi-crop-256+384+512",
        "both-256+384+512",
    ]  # fmt: skip
    assert record.data.model_dump() == {
        "source": "imagenet-val",
        "counts": {"train": 0, "val": CLASSES},
        "manifest_sha256": assembly.open_data(run).manifest_sha256,
    }
    assert runs.check_all() == []
    # the centre crop is torchvision's own evaluation, from the file to the class
    preset = torchvision.models.VGG11_Weights.IMAGENET1K_V1.transforms()
    passes = evaluation.Passes(run, record=record)
    ours = passes.posteriors(studies.Measurement("centre-crop", (256,)))
    for name, row in zip(passes.names, ours, strict=True):
        image = Image.open(sources.source("imagenet-val").folder / name).convert("RGB")
        with torch.inference_mode():
            theirs = reference(preset(image)[None]).softmax(1)[0]
        assert np.allclose(row, theirs, atol=1e-4)
    # and it reaches the table of the gap
    gap = testing_tables.protocol_gap()
    measured = record.measurements
    assert gap.loc["vgg11", "centre crop"] == pytest.approx(measured["centre-crop-256"].top1_error, abs=0.01)
    parts = gap.loc["vgg11", ["of it testing", "of it training"]].sum()
    assert parts == pytest.approx(gap.loc["vgg11", "gap"], abs=0.02)
    assert gap.loc["vgg19", ["of it testing"]].isna().all()
    number = results.number("released.table5.A-torchvision-both.top1")
    assert (number.status, number.n) == ("done", CLASSES)
    # a page for the run, which has no training
    page = pages.run_page(run)
    assert "vgg11-" in page and "Learning curve" not in page
    assert "A-torchvision-s0.md" in pages.study_page(run.study)


def test_a_cmyk_image_counts_as_the_colours_a_viewer_shows(released):
    found = assembly.open_data(released[0])
    assert {found.image(row).shape[2] for row in range(CLASSES)} == {3}


def test_training_a_study_that_trains_nothing_is_refused(checkout):
    with pytest.raises(VerydeepError, match="the study released trains nothing: it tests published weights"):
        training.train(studies.find_run("released", "D", "torchvision"))


def test_absent_images_say_where_they_belong(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError, match=r"ILSVRC2012_img_val.tar.*data/imagenet/val/<wnid>"):
        store.open_store(sources.source("imagenet-val"))


def test_weights_with_another_hash_are_refused_before_they_are_read(tmp_path):
    one = published.published_weights()["A", False]
    path = tmp_path / one.file
    path.write_bytes(b"not these")
    with pytest.raises(VerydeepError, match="its sha256 does not begin 8a719046; delete it and try again"):
        weights.download(one, path)


def test_a_failed_download_says_what_to_fetch(tmp_path, monkeypatch):
    def fail(*arguments, **keywords):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    one = published.published_weights()["A", False]
    with pytest.raises(
        VerydeepError, match=r"download of https://download.pytorch.org/models/vgg11-8a719046.pth failed"
    ):
        weights.download(one, tmp_path / "new" / one.file)


def test_a_pickle_in_disguise_is_not_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    torch.save({"features.0.weight": Bomb()}, tmp_path / "bad.pth")
    net = vgg.build("A", Size(width_divisor=16, num_classes=3, crop=32))
    with pytest.raises(VerydeepError, match="not the weights of torchvision's A"):
        weights.load_torchvision(net, tmp_path / "bad.pth")
    assert not (tmp_path / "exploded").exists()
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "small.pth")
    with pytest.raises(VerydeepError, match="not the weights of torchvision's A"):
        weights.load_torchvision(net, tmp_path / "small.pth")
