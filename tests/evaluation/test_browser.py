"""A network written for the browser: the graph computes what the torch network does, the settings are the run's."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from conftest import REPOSITORY
from verydeep import assembly, files, studies
from verydeep.data.sources import Imagenet20
from verydeep.errors import VerydeepError
from verydeep.evaluation import browser
from verydeep.networks import dense

TOUCH = REPOSITORY / "book/evaluation/touch"


@pytest.fixture
def narrow(monkeypatch):
    """The run whose network the book's page runs, in this repository and without its images."""
    monkeypatch.setenv("VERYDEEP_ROOT", str(REPOSITORY))
    monkeypatch.setattr(Imagenet20, "classes", lambda self: list(self.class_names))
    return studies.find_run("narrow", "D", 256)


def test_what_the_page_has_is_what_the_command_writes(narrow, tmp_path):
    """So the page's network is the published one, for as long as its weights are these."""
    browser.export(narrow, tmp_path)
    for name in (browser.NETWORK, browser.SETTINGS):
        assert (tmp_path / name).read_bytes() == (TOUCH / name).read_bytes(), "run: verydeep export narrow D 256"
    settings = json.loads((TOUCH / browser.SETTINGS).read_text())
    assert settings["weights_sha256"] == files.sha256(narrow.weights) and len(settings["classes"]) == 20


@pytest.mark.parametrize("size", [(224, 224), (256, 341), (385, 256)])
def test_its_scores_are_those_of_the_torch_network(narrow, size):
    session = onnxruntime.InferenceSession(TOUCH / browser.NETWORK, providers=["CPUExecutionProvider"])
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    (scores,) = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        expected = dense.score_map(assembly.load_network(narrow), images).numpy()
    assert scores.shape == expected.shape and np.abs(scores - expected).max() < 1e-3
    assert np.ptp(expected) > 1  # scores that tell classes apart


REFUSED = {
    ("released", "torchvision"): "its weights are not ours",
    ("smoke", "256"): "tests otherwise",
    ("wide", "384"): "not trained",
}


@pytest.mark.parametrize(("study", "scale"), REFUSED)
def test_what_cannot_be_written_is_refused(checkout, study, scale):
    run = studies.find_run(study, "D", scale)
    if study == "smoke":
        other = run.study.testing.model_copy(update={"average": "posteriors"})
        run = replace(run, study=run.study.model_copy(update={"testing": other}))
    with pytest.raises(VerydeepError, match=REFUSED[study, scale]):
        browser.export(run, checkout)
    assert not (checkout / browser.NETWORK).exists()
