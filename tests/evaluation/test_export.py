"""A network written for other programs: the graph computes what the torch network does, the settings are the run's."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from conftest import REPOSITORY
from verydeep import assembly, files, studies
from verydeep.data.normaliser import Normaliser
from verydeep.data.sources import Imagenet20
from verydeep.errors import VerydeepError
from verydeep.evaluation import export as exporting
from verydeep.evaluation.pretrained import Pretrained, Transform, class_names
from verydeep.networks import dense

TOUCH = REPOSITORY / "book/evaluation/touch"


@pytest.fixture
def narrow(repository, monkeypatch):
    """The run whose network the book's page runs, in this repository and without its images."""
    monkeypatch.setattr(Imagenet20, "classes", lambda self: list(self.class_names))
    return studies.find_run("narrow", "D", 256)


def test_what_the_page_has_is_what_the_command_writes(narrow, tmp_path):
    """So the page's network is the published one, for as long as its weights are these."""
    for _ in range(2):  # the second time over the first
        exporting.export(narrow, tmp_path)
    for name in (exporting.NETWORK, exporting.SETTINGS):
        assert (tmp_path / name).read_bytes() == (TOUCH / name).read_bytes(), "run: verydeep export narrow D 256"
    settings = json.loads((TOUCH / exporting.SETTINGS).read_text())
    assert settings["weights_sha256"] == files.sha256(narrow.weights) and len(settings["classes"]) == 20


@pytest.mark.parametrize("size", [(224, 224), (256, 341), (385, 256)])
def test_its_scores_are_those_of_the_torch_network(narrow, size):
    session = onnxruntime.InferenceSession(TOUCH / exporting.NETWORK, providers=["CPUExecutionProvider"])
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    (scores,) = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        expected = dense.score_map(assembly.load_network(narrow), images).numpy()
    assert scores.shape == expected.shape and np.abs(scores - expected).max() < 1e-3
    assert np.ptp(expected) > 1  # scores that tell classes apart


REFUSED = {
    ("released", "torchvision"): "its weights are not ours",
    ("smoke", "256"): "tests otherwise",
    ("narrow", "384"): "shows narrow/D-256; name a folder with --to",
}


@pytest.mark.parametrize(("study", "scale"), REFUSED)
def test_what_the_page_would_test_wrongly_is_not_written_for_it(checkout, study, scale):
    run = studies.find_run(study, "D", scale)
    if study == "smoke":
        other = run.study.testing.model_copy(update={"average": "posteriors"})
        run = replace(run, study=run.study.model_copy(update={"testing": other}))
    with pytest.raises(VerydeepError, match=REFUSED[study, scale]):
        exporting.require_fits_page(run)


@pytest.mark.parametrize("written", ['{"classes": ["a"], "test_scale": 48}', "[]", "\xff", ""])
def test_a_note_of_another_network_is_not_written_over(narrow, tmp_path, written):
    (tmp_path / exporting.SETTINGS).write_text(written, "latin-1")
    with pytest.raises(VerydeepError, match=r"network.json: is there already, and of no export; name another folder"):
        exporting.export(narrow, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [exporting.SETTINGS]
    assert (tmp_path / exporting.SETTINGS).read_text("latin-1") == written


def test_what_is_not_trained_is_not_written(checkout):
    with pytest.raises(VerydeepError, match="not trained"):
        exporting.export(studies.find_run("wide", "D", 384), checkout)
    assert not (checkout / exporting.NETWORK).exists()


def test_a_network_that_torchvision_can_load_is_written_for_it_too(narrow, tmp_path, monkeypatch):
    """The check against a real constructor, at the widths that it takes, is in ``networks/test_interchange.py``."""
    monkeypatch.setattr(exporting.interchange, "torchvision_fault", lambda net: "")
    written = exporting.export(narrow, tmp_path)
    assert [path.name for path in written] == ["network.onnx", "network.json", "vgg16.safetensors"]
    state, expected = load_file(tmp_path / "vgg16.safetensors"), assembly.load_network(narrow).state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name].float(), value) for name, value in expected.items())


@pytest.mark.parametrize(("publisher", "mean", "divisor"), [
    ("authors", [123.68, 116.779, 103.939], 1.0),
    ("torchvision", [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
])  # fmt: skip
def test_what_weights_of_others_expect_is_stated(publisher, mean, divisor):
    run, normalise = studies.find_run("released", "D", publisher), Normaliser.published_by(publisher)
    transform = Transform(normalise, 384, 224, run.testing)
    settings = exporting._settings(Pretrained(None, transform, class_names(run), run, "0" * 64))
    assert settings["mean"] == pytest.approx(mean) and settings["divisor"] == pytest.approx(divisor)
    assert (settings["crop"], settings["classes"][0]) == (224, "tench")
