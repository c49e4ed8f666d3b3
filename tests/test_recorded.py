"""The runs that are in git: whole, made from committed sources, and repeatable from their published weights."""

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import REPOSITORY
from verydeep import results, runs, studies
from verydeep.data import sources
from verydeep.data.images import decode
from verydeep.data.views import rescale
from verydeep.networks.dense import mean_scores
from verydeep.training import Normaliser, load_network

STUDIES = ("quarter", "imagenette", "full", "released")


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.setenv("VERYDEEP_ROOT", str(REPOSITORY))


def recorded(kind: str) -> list[studies.Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERYDEEP_ROOT", str(REPOSITORY))
        found = [run for name in STUDIES for run in runs.recorded_runs(studies.load(name))]
        return [run for run in found if runs.record_path(run, kind).exists()]


@pytest.mark.parametrize("run", recorded("train"), ids=lambda run: f"{run.study.name}-{run.name}")
def test_a_recorded_run_holds_and_was_made_from_committed_sources(run):
    assert runs.check_folder(run.folder) == []
    record = runs.read_record(run, "train")
    assert record.sources["dirty"] is False
    assert record.parameters["recipe"] == run.recipe.model_dump(mode="json"), "the study's recipe has changed since"


def test_every_folder_in_git_is_a_run_of_its_study():
    known = {run.folder for run in recorded("train")}
    assert {folder for folder in runs.run_folders() if folder.parent.name != "smoke"} == known


def test_one_study_has_one_data_fingerprint():
    for name in STUDIES:
        prints = {
            (record.data["manifest_sha256"], record.data["held_out"]["sha256"])
            for run in recorded("train")
            if run.study.name == name and (record := runs.read_record(run, "train"))
        }
        assert len(prints) <= 1


def test_a_at_quarter_size_learns():
    number = results.number("quarter.table3.A-256.top1")
    assert number.status == "done" and number.n == 10_000 and number.value < 75


@pytest.mark.data
@pytest.mark.parametrize("run", recorded("evaluate"), ids=lambda run: f"{run.study.name}-{run.name}")
def test_published_weights_give_the_recorded_predictions(run, images=256):
    source = sources.source(run.study.data.source)
    if not source.folder.is_dir():
        pytest.skip(f"{source.name} is not at {source.folder}; verydeep data get {source.name}")
    record = runs.read_record(run, "train")
    statistics = record.data["statistics"]
    normalise = Normaliser(
        torch.tensor(statistics["mean"]), statistics["deviation"] if run.recipe.unit_variance else 1.0
    )
    table = pd.read_parquet(run.folder / "predictions.parquet")
    names = {entry.name: entry for entry in source.entries() if entry.split == "val"}
    net = load_network(run)
    for measurement, part in table.groupby("measurement", observed=True):
        shorter = runs.read_record(run, "evaluate").parameters["test_scales"][measurement]
        sample = part.iloc[np.linspace(0, len(part) - 1, images, dtype=int)]
        views = [rescale(decode(source.read(names[name]), name), shorter) for name in sample["image"]]
        with torch.inference_mode():
            x = normalise(np.stack(views))
            posteriors = (mean_scores(net, x).softmax(1) + mean_scores(net, x.flip(3)).softmax(1)) / 2
        best, index = posteriors.max(1)
        assert np.allclose(best.numpy(), sample["probability_1"], atol=1e-4)
        assert (index.numpy() == sample["class_1"].to_numpy()).mean() > 0.99  # ties may fall otherwise elsewhere
