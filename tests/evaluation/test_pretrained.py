"""A network in one line: from a checkout, an address or a folder; what it says of a picture, as was recorded."""

import ast
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import verydeep
from conftest import REPOSITORY
from verydeep import assembly, files, paths, runs, studies
from verydeep.data.store import open_store
from verydeep.data.views import centre_position, rescale
from verydeep.errors import DataError, UnknownName, VerydeepError
from verydeep.evaluation import prediction
from verydeep.evaluation import pretrained as finding
from verydeep.results import cards
from verydeep.runs import remote
from verydeep.studies.measurements import Measurement

PUBLISHED = ["narrow/D-256", "quarter/D-jitter"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_the_published_network_with_its_transform_and_its_classes(repository, name):
    model = verydeep.pretrained(name)
    run = studies.plan.named_run(name)
    assert not model.network.training and model.name == run.address
    expected = assembly.load_network(run).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.network.state_dict().items())
    assert len(model.classes) == run.study.num_classes and "golden retriever" in model.classes
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8))
    colours = runs.read_record(run, "train").data.statistics
    scale, crop = model.transform.scale, run.size.crop
    assert scale == run.study.pixels(studies.measurements.single_scale(run.train_scale))
    image = rescale(np.asarray(picture), scale)
    top, left = (centre_position(side, crop) for side in image.shape[:2])
    image = (image[top : top + crop, left : left + crop] - colours.mean) / colours.deviation
    assert np.abs(model.transform(picture).numpy() - image.transpose(2, 0, 1)).max() < 1e-5
    assert model.transform.uncropped(picture).shape[1] == scale
    with torch.inference_mode():
        assert model.network(model.transform(picture)[None]).shape == (1, len(model.classes))


def test_a_picture_is_given_what_the_record_has_of_it(trained):
    """Every way of testing, of validation images of the smoke study, whose records are in float32 too."""
    model = verydeep.pretrained("smoke/A-256")
    store = open_store(assembly.sources.source("digits"))
    recorded = pd.read_parquet(model.run.folder / "predictions.parquet")
    ways = [Measurement.named(name) for name in recorded["measurement"].unique()]
    assert {way.method for way in ways} == {"centre-crop", "dense", "multi-crop", "both"}
    for row in store.rows("val")[:3]:
        of_image = recorded[recorded["image"] == store.manifest["name"].iat[row]].set_index("measurement")
        for way in ways:
            said = prediction.predict(model, store.image(row), way)
            best = of_image.loc[way.name]
            assert said.index[0] == model.classes[best["class_1"]]
            assert said.iloc[0] == pytest.approx(best["probability_1"], abs=1e-3) and said.sum() == pytest.approx(1)


def test_a_score_map_averages_to_the_dense_answer(repository):
    model = verydeep.pretrained("narrow/D-256")
    picture = REPOSITORY / "book/evaluation/touch/pictures/dog.jpg"
    best = prediction.predict(model, picture).index[0]
    found = prediction.score_map(model, picture, best)
    rows, columns = found.counted
    height, width = found.image.shape[:2]
    assert (rows, columns) == (height // 32 - 6, width // 32 - 6) and all(
        np.array(found.probabilities.shape) >= found.counted
    )
    assert found.scale == 256 and min(found.image.shape[:2]) == 256
    assert found.probabilities[:rows, :columns].mean() > 0.5 > found.probabilities.min()
    with pytest.raises(UnknownName, match="unknown class 'unicorn': choose one of tench"):
        prediction.score_map(model, picture, "unicorn")


@pytest.mark.parametrize("spoil", [lambda picture: picture / np.float32(255), lambda picture: picture[..., 0],
                                   lambda picture: np.concatenate([picture, picture[..., :1]], -1)])  # fmt: skip
def test_an_array_that_is_no_picture_is_refused_and_not_taken_for_one(repository, spoil):
    """A float picture that has its test scale already was not rescaled, and gave classes of what is nearly black."""
    model = verydeep.pretrained("narrow/A-256")
    picture = spoil(np.full((256, 300, 3), 128, np.uint8))
    for ask in (lambda: prediction.predict(model, picture), lambda: model.transform(picture),
                lambda: prediction.score_map(model, picture, model.classes[0])):  # fmt: skip
        with pytest.raises(DataError, match=r"a picture is a PIL image or RGB uint8 \(height, width, 3\), not "):
            ask()


def test_a_pil_image_is_taken_as_a_file_of_it_is(repository, tmp_path):
    """Upright, and refused where its values would be clipped: a grey one of 16 bits became all but white."""
    transform = verydeep.pretrained("narrow/A-256").transform
    for mode in ("I;16", "I", "F"):
        with pytest.raises(DataError, match=f"the picture: an image of mode {mode}; only 8 bits a channel are read"):
            transform(Image.new(mode, (300, 260), 1000))
    picture = Image.open(REPOSITORY / "book/evaluation/touch/pictures/tower.jpg")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(path := tmp_path / "turned.jpg", exif=exif)
    assert torch.equal(transform(Image.open(path)), transform(prediction.read_picture(path)))
    assert not torch.equal(transform(Image.open(path)), transform(picture))


def test_a_map_at_a_scale_below_the_crop_is_refused(repository):
    model = verydeep.pretrained("narrow/A-256")
    with pytest.raises(VerydeepError, match="the test scale 100 is smaller than the training crop of 224 pixels"):
        prediction.score_map(model, np.zeros((256, 300, 3), np.uint8), model.classes[0], 100)


def test_a_photograph_is_seen_upright(tmp_path, repository):
    picture = Image.open(REPOSITORY / "book/evaluation/touch/pictures/tower.jpg").convert("RGB")
    picture.save(tmp_path / "upright.png")
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(*(prediction.read_picture(tmp_path / f"{name}.png") for name in ("upright", "turned")))


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """No checkout anywhere, as for a package that was installed from a wheel, and an empty cache of its own."""
    monkeypatch.delenv("VERYDEEP_ROOT", raising=False)
    monkeypatch.delenv("VERYDEEP_REPOSITORY_URL", raising=False)
    monkeypatch.setattr(paths, "_is_checkout", lambda folder: False)
    monkeypatch.setenv("VERYDEEP_ARTIFACTS", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def address(outside, served, monkeypatch):
    """A server with one run, where a repository has it; gives the folder of the run there."""
    folder = outside / "site/owner/repository/raw/HEAD/runs/narrow/D-256-s0"
    folder.mkdir(parents=True)
    for name in (runs.SEAL, "train.json", "weights.safetensors"):
        shutil.copy(REPOSITORY / "runs/narrow/D-256-s0" / name, folder)
    with served(outside / "site") as site:
        monkeypatch.setenv("VERYDEEP_REPOSITORY_URL", f"{site}/owner/repository")
        yield folder


def test_without_a_checkout_weights_come_from_the_address_once(address, outside):
    model = verydeep.pretrained("narrow/D-256")
    assert repr(model) == f"<narrow/D-256-s0: 20 classes, weights {model.weights_sha256[:10]}>"
    kept = sorted(path.name for path in (outside / "cache").rglob("*") if path.is_file())
    assert kept == ["SHA256SUMS", "train.json", "weights.safetensors"]
    shutil.rmtree(address)
    again = verydeep.pretrained("narrow/D-256", sha256=model.weights_sha256)
    assert again.weights_sha256 == model.weights_sha256 and again.classes == model.classes


def changed(address):
    weights = address / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2] + b"\0\0")


def no_seal(address):
    (address / runs.SEAL).write_text("<!doctype html>\n")


def gone(address):
    shutil.rmtree(address)


def unpublished(address):
    seal = address / runs.SEAL
    lines = seal.read_text().splitlines(keepends=True)
    seal.write_text("".join(line for line in lines if "weights" not in line))


WRONG = {
    changed: r"weights\.safetensors: cannot be fetched \(SHA256 hash of downloaded file",
    no_seal: r"SHA256SUMS: no seal of a run there; is the repository's address right\?",
    gone: r"SHA256SUMS: cannot be fetched \(404",
    unpublished: r"the run has no weights\.safetensors; its study does not publish its weights",
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_what_the_address_gives_wrongly_is_one_line_and_not_kept(address, outside, change):
    change(address)
    with pytest.raises(VerydeepError, match=WRONG[change]) as raised:
        verydeep.pretrained("narrow/D-256")
    assert "\n" not in str(raised.value)
    assert not list((outside / "cache").rglob("weights.safetensors"))


def test_a_run_that_was_made_anew_since_its_seal_was_kept_is_fetched_whole(address, outside):
    """An earlier fetch ended before the weights; they never fitted the seal that was kept."""
    weights = address / "weights.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    with pytest.raises(VerydeepError, match="cannot be fetched"):
        verydeep.pretrained("narrow/D-256")
    record = json.loads((address / "train.json").read_text())
    weights.write_bytes(content[:-2] + b"\0\0")
    record["artefacts"]["weights.safetensors"] = files.sha256(weights)
    (address / "train.json").write_text(json.dumps(record))
    runs.seal(address, ["train.json", "weights.safetensors"])
    assert verydeep.pretrained("narrow/D-256").weights_sha256 == files.sha256(weights)
    (kept,) = (outside / "cache").rglob("train.json")
    assert kept.read_bytes() == (address / "train.json").read_bytes()
    shutil.rmtree(address)
    with pytest.raises(VerydeepError, match="SHA256SUMS: cannot be fetched"):
        remote.fetch_run("narrow", "D-256-s0", ["history.csv"])
    assert verydeep.pretrained("narrow/D-256").weights_sha256  # what was fetched is still there


def test_two_that_fetch_one_run_do_not_meet(address, outside, monkeypatch):
    """They had one folder for the new seal, and the first to be done removed it."""
    met, read = [], remote.read_seal

    def slow(folder):
        if not met:
            met.append(folder)
            remote.fetch_run("narrow", "D-256-s0", ["train.json"])
        return read(folder)

    monkeypatch.setattr(remote, "read_seal", slow)
    folder = remote.fetch_run("narrow", "D-256-s0", ["train.json"])
    assert met and {path.name for path in folder.iterdir()} == {"SHA256SUMS", "train.json"}


def test_an_address_where_nobody_answers_is_one_short_line(outside, monkeypatch):
    monkeypatch.setenv("VERYDEEP_REPOSITORY_URL", "http://127.0.0.1:9/owner/repository")
    said = r"SHA256SUMS: cannot be fetched \(nothing answers there; see VERYDEEP_REPOSITORY_URL\); nothing of it was"
    with pytest.raises(VerydeepError, match=said):
        verydeep.pretrained("narrow/D-256")


def test_without_checkout_and_address_the_line_says_what_to_set(outside):
    with pytest.raises(VerydeepError, match=r"^narrow/D-256: no weights here; set VERYDEEP_ROOT .* run's folder$"):
        verydeep.pretrained("narrow/D-256")
    with pytest.raises(UnknownName, match="unknown study 'narow'"):
        verydeep.pretrained("narow/D-256")


@pytest.mark.parametrize("kind", [str, lambda path: path, lambda path: path / "weights.safetensors"])
def test_the_folder_of_a_run_or_its_weights_will_do(outside, kind):
    shutil.copytree(REPOSITORY / "runs/narrow/D-256-s0", outside / "sent by mail")
    assert verydeep.pretrained(kind(outside / "sent by mail")).name == "narrow/D-256-s0"


def test_weights_that_are_others_than_recorded_or_asked_for_are_refused(outside):
    folder = outside / "run"
    shutil.copytree(REPOSITORY / "runs/narrow/D-256-s0", folder)
    with pytest.raises(VerydeepError, match=r"its sha256 is 8aab8c9e42a5\.\.\., who asked for it says 000000000000"):
        verydeep.pretrained(folder, sha256="0" * 64)
    changed(folder)
    with pytest.raises(VerydeepError, match=r"the record of D-256-s0 says 8aab8c9e42a5"):
        verydeep.pretrained(folder)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(VerydeepError, match=r"weights.safetensors: no weights there"):
        verydeep.pretrained(folder)
    with pytest.raises(VerydeepError, match=r"no folder of a trained run, which has train.json and weights"):
        verydeep.pretrained(outside / "nothing")
    record = json.loads((folder / "train.json").read_text())
    record["parameters"]["network"]["pooling"] = "floor"
    (folder / "train.json").write_text(json.dumps(record))
    (folder / runs.SEAL).unlink()
    with pytest.raises(VerydeepError, match=r"than its study says now \(network.pooling: floor, now ceil\)"):
        verydeep.pretrained(folder)


def test_a_network_that_is_not_trained_here_says_how(checkout):
    with pytest.raises(VerydeepError, match=r"no weights in .*; run: verydeep run narrow E 384 .*, or set VERYDEEP"):
        verydeep.pretrained("narrow/E-384")


def test_a_network_whose_weights_are_gone_is_not_said_to_come_back_by_a_run(trained):
    """The command that was named found the run done, and did nothing."""
    studies.find_run("smoke", "A", "256").weights.unlink()
    with pytest.raises(
        VerydeepError,
        match="no weights there; restore them .*, or remove .* and give verydeep train smoke A 256 --seed 0",
    ):
        verydeep.pretrained("smoke/A-256")


HUB = """
import ast, sys, torch
model = torch.hub.load({repository!r}, "pretrained", {name!r}, source="local")
print(model.name)
for name, module in sorted(sys.modules.items()):
    if name.split(".")[0] == "verydeep" and getattr(module, "__file__", None):
        print(module.__file__)
"""


def test_torch_hub_gives_the_same_and_asks_for_what_is_imported(tmp_path):
    """In a process that has no package installed but those that hubconf.py asks for."""
    code = HUB.format(repository=str(REPOSITORY), name=PUBLISHED[0])
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    name, *modules = done.stdout.splitlines()
    assert name == "narrow/D-256-s0" and all(module.startswith(str(REPOSITORY / "src")) for module in modules)
    imported = set().union(*(third_party(module) for module in modules))
    asked = ast.literal_eval(
        next(
            ast.unparse(node.value)
            for node in ast.parse((REPOSITORY / "hubconf.py").read_text()).body
            if isinstance(node, ast.Assign)
        )
    )
    assert imported == {name.partition(".")[0] for name in asked}


def third_party(module: str) -> set[str]:
    """The packages that a module imports, at once or in a function, of those that do not come with Python."""
    names = set()
    with open(module) as file:
        for node in ast.walk(ast.parse(file.read())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"verydeep"}


def test_classes_are_those_of_the_data_sets():
    for name, source in assembly.sources.SOURCES.items():
        if source.class_names:
            assert len(source.class_names) == source.num_classes, name
    run = studies.find_run("released", "D", "authors")
    names = finding.class_names(run)
    assert len(names) == 1000 and names[0] == "tench" and names[207] == "golden retriever"


@pytest.mark.data
def test_the_classes_that_are_shipped_are_those_of_the_images():
    for name in ("tiny-imagenet", "imagenet20"):
        source = assembly.sources.source(name)
        try:
            source.require()
        except DataError:
            pytest.skip(f"{name} is not here")
        assert source.classes() == list(source.class_names) and source.words() == list(source.class_names.values())


def test_a_network_that_gives_boxes_names_no_classes():
    with pytest.raises(VerydeepError, match="quarter/D-384-pcr-all gives boxes and not classes; take quarter/D-384$"):
        verydeep.pretrained("quarter/D-384-pcr-all")
    with pytest.raises(VerydeepError, match="D-384-pcr-all-s0: gives boxes and not classes, so there is no card"):
        cards.card(studies.find_run("quarter", "D", 384, 0, "pcr-all"))


def test_a_picture_too_narrow_to_be_rescaled_is_refused(repository):
    model = verydeep.pretrained("narrow/D-256")
    with pytest.raises(DataError, match="the picture: 200000x1 pixels become 51200000x256 at the test scale 256"):
        model.transform(np.zeros((1, 200_000, 3), np.uint8))


def test_weights_that_are_not_published_are_said_to_lie_elsewhere(repository, tmp_path, monkeypatch):
    """Of a network that was trained, recorded and tested on another machine; its record alone came with the clone."""
    monkeypatch.setenv("VERYDEEP_ARTIFACTS", str(tmp_path))
    run = studies.find_run("narrow", "C", 384)
    assert runs.is_complete(run, "evaluate")
    said = r"C-384-s0: its weights are not published, and lie .*, remove .* and give verydeep train narrow C 384 "
    with pytest.raises(VerydeepError, match=said):
        assembly.load_network(run)
