"""The study of published weights, on generated images in ImageNet's layout and files as others would hand them out."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
import torchvision
import yaml
from PIL import Image

import authors_files
from conftest import enter, make_checkout
from verydeep import assembly, evaluation, files, results, runs, studies, training
from verydeep.book import pages
from verydeep.chapters import testing_tables
from verydeep.data import sources, store, views
from verydeep.data.normaliser import Normaliser
from verydeep.errors import DataError, VerydeepError
from verydeep.evaluation import fusion as fusing
from verydeep.networks import published, vgg, weights
from verydeep.networks.configurations import Size
from verydeep.studies import schema

CLASSES, WIDTH = 4, 16
STATED = published.published_weights


def test_the_table_of_weights_is_torchvisions():
    known = published.published_weights()
    torchvisions = [one for one in known.values() if one.publisher == published.TORCHVISION]
    assert len(torchvisions) == 8
    for one in torchvisions:
        stated = torchvision.models.get_model_weights(one.name).IMAGENET1K_V1
        accuracies = stated.meta["_metrics"]["ImageNet-1K"]
        assert one.url == stated.url
        assert one.top1_error == pytest.approx(100 - accuracies["acc@1"])
        assert one.top5_error == pytest.approx(100 - accuracies["acc@5"])
        assert f"sha256:{one.file.removesuffix('.pth').rpartition('-')[2]}" == one.origins[0].checksum


def test_inputs_are_normalised_as_every_published_network_expects():
    ours = Normaliser.published_by("torchvision")
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    for one in (one for one in published.published_weights().values() if one.publisher == published.TORCHVISION):
        preset = torchvision.models.get_model_weights(one.name).IMAGENET1K_V1.transforms()
        assert (preset.resize_size, preset.crop_size) == ([256], [224])
        theirs = preset(torchvision.transforms.functional.to_pil_image(image[0]))
        assert torch.allclose(ours(image[:, 16:240, 16:240])[0], theirs, atol=1e-5)


def pass_off(monkeypatch, publisher: str, config: str, path) -> None:
    """Let ``path`` be the file of its name that a publisher handed out of a network."""
    known = dict(published.published_weights())
    one = known[publisher, config, False]
    stated = f"sha256:{files.sha256(path)}"
    origins = [dataclasses.replace(o, checksum=stated) if o.file == path.name else o for o in one.origins]
    known[publisher, config, False] = dataclasses.replace(one, origins=tuple(origins))
    monkeypatch.setattr(published, "published_weights", lambda: known)


@pytest.fixture
def ilsvrc(checkout, tmp_path, monkeypatch):
    """Images of several shapes and kinds in ILSVRC's layout, the published networks narrow, a coarser grid of crops."""
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
    keys = yaml.safe_load((schema.FOLDER / "released.yaml").read_text())
    keys["testing"] = {"crops_per_side": 2}
    keys["settings"]["authors"] = {"network": {"width_divisor": WIDTH}}
    keys["settings"]["torchvision"]["network"]["width_divisor"] = WIDTH
    keys["why"] |= {"testing.crops_per_side": "150 crops take minutes an image", "width_divisor": "the same"}
    folder = tmp_path / "studies"
    shutil.copytree(schema.FOLDER, folder)
    (folder / "released.yaml").write_text(yaml.safe_dump(keys))
    monkeypatch.setattr(schema, "FOLDER", folder)
    schema.load.cache_clear()
    yield checkout
    schema.load.cache_clear()


@pytest.fixture
def released(ilsvrc, monkeypatch):
    """A network of torchvision's, its weights drawn there, and the run that tests it."""
    run = studies.find_run("released", "A", "torchvision")
    torch.manual_seed(0)
    reference = narrow_vgg11()
    run.weights.parent.mkdir(parents=True)
    torch.save(reference.state_dict(), run.weights)
    pass_off(monkeypatch, "torchvision", "A", run.weights)
    return run, reference


def narrow_vgg11() -> torchvision.models.VGG:
    """torchvision's VGG-11 with layers that are narrow; its way through them stays torchvision's own."""
    wide = torchvision.models.vgg.cfgs["A"]
    features = torchvision.models.vgg.make_layers([one if one == "M" else one // WIDTH for one in wide])
    net = torchvision.models.VGG(features, num_classes=CLASSES)
    units = 4096 // WIDTH
    for place, (before, after) in {0: (512 // WIDTH * 49, units), 3: (units, units), 6: (units, CLASSES)}.items():
        net.classifier[place] = torch.nn.Linear(before, after)
        torch.nn.init.kaiming_normal_(net.classifier[place].weight)  # so that its answers differ from image to image
    return net.eval()


@pytest.fixture
def authors(ilsvrc, monkeypatch):
    """The runs of the authors' D, from a file as Keras writes it, and E, from a Caffe model."""
    size = Size(WIDTH, CLASSES)
    made = {}
    for config, layout in (("D", "keras"), ("E", "caffe")):
        run = studies.find_run("released", config, "authors")
        path = run.weights.with_name(next(one.file for one in run.published.origins if one.layout == layout))
        path.parent.mkdir(parents=True, exist_ok=True)
        layers = authors_files.random_layers(config, size)
        if layout == "keras":
            authors_files.write_keras(path, layers, side=7)
        else:
            authors_files.write_caffe(path, layers)
        pass_off(monkeypatch, "authors", config, path)
        made[config] = (studies.find_run("released", config, "authors"), path)
    return made


def centre(image: np.ndarray) -> np.ndarray:
    """The centre of an image, its shorter side rescaled to 384."""
    rescaled = views.rescale(image, 384)
    top, left = (round((side - 224) / 2) for side in rescaled.shape[:2])
    return rescaled[top : top + 224, left : left + 224]


def contributed(folder, other, monkeypatch):
    """The record of a run in ``folder``, sent to another checkout, which is then the one at work."""
    target = enter(make_checkout(other), monkeypatch)
    shutil.copytree(folder / "runs/released", target / "runs/released")
    return target


def test_the_authors_networks_fill_the_papers_tables_and_their_records_can_be_sent(authors, tmp_path, monkeypatch):
    quiet = {"report": lambda line: None}
    for run, _ in authors.values():
        evaluation.evaluate(run, **quiet)
    run, file = authors["D"]
    # from the file to the class as Keras has it, on the crops as we take them
    record = runs.read_record(run, "evaluate")
    passes = evaluation.Passes(run, record=record)
    ours = passes.posteriors(studies.Measurement("centre-crop", (384,)))
    found = assembly.open_data(run)
    scores = authors_files.keras_forward(file, np.stack([centre(found.image(row)) for row in range(CLASSES)]))
    theirs = np.exp(scores - scores.max(1, keepdims=True))
    assert np.ptp(scores) > 0.1 and np.abs(ours - theirs / theirs.sum(1, keepdims=True)).max() < 1e-4
    # Tables 3 to 6, beside the rows of the networks trained with jitter
    for fusion in studies.table6_fusions(run.study).values():
        fusing.fuse(fusion, **quiet)
    numbers = {number.id: number for number in results.read("released").numbers}
    for row, table in {"D-authors": 3, "E-authors": 4, "E-authors-both": 5, "2-both": 6}.items():
        number = numbers[f"released.table{table}.{row}.top1"]
        printed = results.paper_number(f"table{table}.{row.replace('authors', 'jitter')}.top1")
        assert (number.status, number.n, number.paper) == ("done", CLASSES, printed)
    # sent to somebody who has neither images nor weights
    target = contributed(tmp_path / "checkout", tmp_path / "theirs", monkeypatch)
    assert runs.check_all() == []
    assert results.number("released.table6.2-both.top1").value == numbers["released.table6.2-both.top1"].value
    assert "VGG_ILSVRC_16_layers" in pages.run_page(studies.find_run("released", "D", "authors"))
    changed = target / "runs/released/D-authors-s0/predictions.parquet"
    changed.write_bytes(changed.read_bytes()[:-1])
    assert runs.check_all() == [
        "runs/released/D-authors-s0/predictions.parquet: content differs from its sha256 in SHA256SUMS"
    ]


def test_published_weights_are_tested_in_every_way_and_the_gap_is_parted(released, capsys, monkeypatch):
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
    # densely every image goes through with its mirror image, the crop alone
    assert record.passes["dense-256"].forward_passes == 2 * CLASSES
    assert record.passes["centre-crop-256"].forward_passes == CLASSES
    # the centre crop is torchvision's own evaluation, from the file to the class
    preset = torchvision.models.VGG11_Weights.IMAGENET1K_V1.transforms()
    passes = evaluation.Passes(run, record=record)
    ours = passes.posteriors(studies.Measurement("centre-crop", (256,)))
    assert np.ptp(ours, axis=0).max() > 0.01
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
    assert "A-torchvision-s0.md" in (page := pages.study_page(run.study))
    assert "|\n\nFeatures on other data" in page, "a table ends before what follows it"
    # and a record that tested other weights than torchvision's is told from one that did not
    monkeypatch.setattr(published, "published_weights", STATED)
    (fault,) = runs.check_folder(run.folder)
    assert fault.endswith("; vgg11's is 8a719046") and ": tested weights whose sha256 begins " in fault


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
    (one,) = published.published_weights()["torchvision", "A", False].origins
    path = tmp_path / one.file
    path.write_bytes(b"not these")
    with pytest.raises(VerydeepError, match=r"its sha256 does not begin 8a719046, .*; delete it and try again"):
        weights.download(one, path)


def test_a_failed_download_says_what_to_fetch(tmp_path, monkeypatch):
    def fail(*arguments, **keywords):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    (one,) = published.published_weights()["torchvision", "A", False].origins
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
