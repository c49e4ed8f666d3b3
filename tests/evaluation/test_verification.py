"""Verifying a run: agreement on this machine is exact, and whatever differs is said."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from verydeep import assembly, evaluation, files, runs, studies, training
from verydeep.errors import VerydeepError
from verydeep.evaluation import verification
from verydeep.evaluation.passes import Passes


@pytest.fixture
def run(trained):
    return studies.find_run("smoke", "A", 256)


def test_the_published_weights_give_the_recorded_predictions_exactly(run):
    before = {path.name: files.sha256(path) for path in run.folder.iterdir()}
    table = verification.verify(run)
    assert table["identical"].all() and (table["recorded"] == table["again"]).all()
    assert table["same best class (%)"].min() == 100
    assert {path.name: files.sha256(path) for path in run.folder.iterdir()} == before
    assert len(table) == 7


def test_a_part_of_the_images_is_verified_alone(run, monkeypatch):
    parts, passes_of = [], verification.passes_of
    monkeypatch.setattr(
        verification, "passes_of", lambda *given, part: (parts.append(part), passes_of(*given, part=part))[1]
    )
    table = verification.verify(run, images=50)
    (part,) = parts
    every = len(assembly.open_data(run).rows("val"))
    assert len(part) == 50 and (part[0], part[-1]) == (0, every - 1) and np.ptp(np.diff(part)) <= 1
    assert table["same best class (%)"].min() >= 98


@pytest.mark.parametrize(("config", "departing"), [
    ("A", {"batch_norm": True}), ("A", {"pooling_window": 3, "pooling": "ceil"}), ("ResNet-18", {}), ("GoogLeNet", {}),
    ("A", {"head": "average"}),
])  # fmt: skip
def test_a_network_that_departs_from_table_1_is_tested_and_verified(checkout, config, departing):
    """Trained in one precision, published, tested in another: the predictions come again to the bit."""
    smoke = studies.load("smoke")
    study = smoke.model_copy(
        update={
            "network": smoke.network.model_copy(update=departing),
            "recipe": smoke.recipe | {"epochs": 1},
            "testing": smoke.testing.model_copy(update={"precision": "bfloat16"}),
            "multi_crop": "paper",
        }
    )
    run = studies.Run(study, config, "256", 0)
    training.train(run, report=lambda line: None)
    assert runs.read_record(run, "train").parameters["network"].items() >= departing.items()
    evaluation.evaluate(run, report=lambda line: None)
    assert verification.verify(run)["identical"].all()


def edit(run, change):
    """Alter the published weights and pass them off as the ones that were tested."""
    state = load_file(run.weights)
    change(state)
    save_file(state, run.weights)
    digest = files.sha256(run.weights)
    trained, tested = (runs.read_record(run, kind) for kind in ("train", "evaluate"))
    artefacts = trained.artefacts | {"weights.safetensors": digest}
    write(run, trained.model_copy(update={"artefacts": artefacts}))
    write(run, tested.model_copy(update={"weights_sha256": digest}))


def write(run, record):
    """A record and its line in the seal."""
    runs.write_record(run, record)
    runs.seal(run.folder, [f"{record.kind}.json"])


def test_other_weights_are_found_out(run):
    edit(run, lambda state: state["classifier.6.bias"].add_(torch.linspace(-3, 3, 10).half()))
    with pytest.raises(VerydeepError, match="of the recorded type, and its predictions differ"):
        verification.verify(run)
    with pytest.raises(VerydeepError, match="by more than the tolerance"):
        verification.verify(run, images=100)


def test_on_another_machine_a_stated_tolerance_holds(run, monkeypatch):
    edit(run, lambda state: state["classifier.6.bias"].add_(torch.linspace(0, 0.01, 10).half()))
    monkeypatch.setattr(verification, "machine_type", lambda environment, device: id(environment))
    table = verification.verify(run)
    assert not table["identical"].all()
    assert table["largest difference"].max() < verification.PROBABILITY


@pytest.mark.parametrize("changed", [{"instruction_set": "VSX"}, {"instruction_set": None}, {"variables": None},
                                     {"variables": {"OPENBLAS_CORETYPE": "Haswell"}}, {"threads": 64}])  # fmt: skip
def test_a_machine_of_the_same_name_that_computes_otherwise_is_another(run, changed):
    """Many clouds say AMD EPYC of processors with and without AVX-512."""
    edit(run, lambda state: state["classifier.6.bias"].add_(torch.linspace(0, 0.01, 10).half()))
    tested = runs.read_record(run, "evaluate")
    write(run, tested.model_copy(update={"device": tested.device.model_copy(update=changed)}))
    assert not verification.verify(run)["identical"].all()


def test_how_threads_wait_makes_no_other_machine(run):
    tested = runs.read_record(run, "evaluate")
    variables = tested.device.variables | {"OMP_WAIT_POLICY": "of another launch", "CUBLAS_WORKSPACE_CONFIG": ":16:8"}
    write(run, tested.model_copy(update={"device": tested.device.model_copy(update={"variables": variables})}))
    edit(run, lambda state: state["classifier.6.bias"].add_(torch.linspace(0, 0.01, 10).half()))
    with pytest.raises(VerydeepError, match="of the recorded type, and its predictions differ"):
        verification.verify(run)
    verification.verify(run, images=100)  # of a part the tolerance holds


def test_a_network_whose_weights_are_not_here_is_refused_before_any_image_is_stored(run, monkeypatch):
    """The whole data set was stored first, and then it was advised to remove the record that was to be compared."""
    monkeypatch.setattr(verification, "open_data", lambda run: pytest.fail("opened"))
    run.weights.unlink()
    with pytest.raises(VerydeepError, match="testing .* anew needs A-256-s0, whose weights are not there; restore"):
        verification.verify(run)
    again = dataclasses.replace(run, seed=1)
    shutil.copytree(run.folder, again.folder)
    for kind in ("train", "evaluate"):
        runs.write_record(again, runs.read_record(run, kind).model_copy(update={"seed": 1}))
    runs.seal(again.folder, ["train.json", "evaluate.json"])
    with pytest.raises(VerydeepError, match="A-256-s1 anew needs A-256-s1, whose weights are not published and lie"):
        verification.verify(again)


def test_weights_that_were_trained_since_are_refused_before_any_image_goes_through_them(run, monkeypatch):
    monkeypatch.setattr(Passes, "table", lambda *_: pytest.fail("tested"))
    tested = runs.read_record(run, "evaluate")
    edit(run, lambda state: state["classifier.6.bias"].add_(1))
    write(run, tested)
    with pytest.raises(VerydeepError, match="A-256-s0 was trained anew since it was tested; test it again"):
        verification.verify(run)
    run.weights.write_bytes(run.weights.read_bytes()[:-1])
    with pytest.raises(VerydeepError, match="not the weights that A-256-s0 was trained to"):
        verification.verify(run)


def test_what_cannot_be_compared_is_refused(run):
    record = runs.read_record(run, "evaluate")
    write(run, record.model_copy(update={"data": record.data.model_copy(update={"manifest_sha256": "0" * 64})}))
    with pytest.raises(VerydeepError, match="tested on other images"):
        verification.verify(run)
    write(run, record.model_copy(update={"protocol": record.protocol | {"grid": "cells"}}))
    with pytest.raises(VerydeepError, match="tested by another protocol"):
        verification.verify(run)
    (run.folder / "evaluate.json").unlink()
    with pytest.raises(VerydeepError, match="has not been tested"):
        verification.verify(run)
    evaluation.evaluate(run, report=lambda line: None)
    verification.verify(run)
