"""Several networks together: the arithmetic by hand, the record, and what is refused."""

import gc
import shutil
import weakref

import numpy as np
import pandas as pd
import pytest

from conftest import enter, gone_on
from verydeep import evaluation, results, runs, studies
from verydeep.chapters import testing_tables
from verydeep.chapters.live import illustrations
from verydeep.errors import UnknownName, VerydeepError
from verydeep.evaluation import fusion, measure, passes
from verydeep.results import citation
from verydeep.runs import predictions, templates
from verydeep.runs.parts import DataFingerprint
from verydeep.studies.fusions import Fusion, find_fusion, table6_fusions
from verydeep.studies.plan import named_run


def quiet(line):
    """No report."""


def test_the_arithmetic_of_averaging_by_hand():
    """Three classes, two networks, three images: averaging changes the first and the last answer."""
    first = np.array([[0.50, 0.30, 0.20], [0.10, 0.80, 0.10], [0.40, 0.35, 0.25]], np.float32)
    second = np.array([[0.10, 0.20, 0.70], [0.30, 0.60, 0.10], [0.05, 0.50, 0.45]], np.float32)
    together = evaluation.mean([first, second])
    assert together == pytest.approx(np.array([[0.30, 0.25, 0.45], [0.20, 0.70, 0.10], [0.225, 0.425, 0.35]]))
    labels = np.array([2, 1, 0])
    tables = [predictions.table("m", ["a", "b", "c"], labels, p) for p in (first, second, together)]
    assert [table["class_1"].tolist() for table in tables] == [[0, 1, 0], [2, 1, 1], [2, 1, 1]]
    assert [predictions.errors(t)["top1_error"] for t in tables] == pytest.approx([100 / 3, 100 / 3, 100 / 3])


def test_averaging_is_not_a_vote():
    sure, unsure = np.array([[0.98, 0.01, 0.01]]), np.array([[0.45, 0.55, 0.0]])
    assert evaluation.mean([sure, unsure, unsure]).argmax() == 0


@pytest.fixture(scope="session")
def pair_checkout(trained_checkout, tmp_path_factory):
    """A checkout with two evaluated networks: A with seed 0 and, its record moved, the same as seed 1 with noise."""
    return gone_on(trained_checkout, tmp_path_factory, "pair", _evaluate_another)


@pytest.fixture
def pair(pair_checkout, tmp_path, monkeypatch):
    """The two networks, in a private copy of that checkout."""
    enter(shutil.copytree(pair_checkout, tmp_path / "copy"), monkeypatch)
    return studies.find_run("smoke", "A", 256), studies.find_run("smoke", "A", 256, seed=1)


def _evaluate_another():
    from verydeep import assembly
    from verydeep.networks import weights

    one = studies.find_run("smoke", "A", 256)
    other = studies.find_run("smoke", "A", 256, seed=1)
    shutil.copytree(one.folder, other.folder)
    for name in (
        "evaluate.json",
        "predictions.parquet",
        "evaluate.ipynb",
        "train.ipynb",
        "weights.safetensors",
        runs.SEAL,
    ):
        (other.folder / name).unlink()
    record = runs.read_record(one, "train")
    net = assembly.load_network(one)
    for weight in net.parameters():
        weight.data += 0.02 * weight.std() * np.sign(np.sin(weight.numel()))
    digest = weights.publish(net, other.weights)
    artefacts = record.artefacts | {"weights.safetensors": digest}
    runs.write_record(other, record.model_copy(update={"seed": 1, "artefacts": artefacts}))
    runs.seal(other.folder, ["train.json", "history.csv"])  # its weights are in the workspace: they are not published
    evaluation.evaluate(other, report=quiet)


NAMES = ["smoke/A-256", "smoke/A-256-s1"]


@pytest.mark.parametrize("method", ["dense", "multi-crop", "both"])
def test_a_fusion_is_the_average_of_its_members_posteriors(pair, method):
    asked = find_fusion(NAMES, method)
    measured = fusion.fuse(asked, report=quiet)
    every = [evaluation.Passes(run) for run in pair]
    posteriors = [one.average(asked.measurement(run)) for one, run in zip(every, pair, strict=True)]
    expected = predictions.errors(
        predictions.table(method, every[0].names, every[0].labels, (posteriors[0] + posteriors[1]) / 2)
    )
    assert dict(runs.read_record(asked).measurements[method]) == expected
    assert dict(measured["together"]) == expected
    assert list(measured) == ["A-256-s0", "A-256-s1", "together"]
    assert runs.check_all() == []


def test_a_finished_fusion_is_left_alone_and_made_again_when_a_member_changes(pair):
    asked = find_fusion(NAMES, "dense")
    fusion.fuse(asked, report=quiet)
    before = (asked.folder / "fuse.json").read_bytes()
    fusion.fuse(asked, report=quiet)
    assert (asked.folder / "fuse.json").read_bytes() == before
    record = runs.read_record(asked)
    changed = {name: member.model_copy(update={"weights_sha256": "0" * 64}) for name, member in record.members.items()}
    runs.write_record(asked, record.model_copy(update={"members": changed}))
    runs.seal(asked.folder, ["fuse.json"])
    assert any("made from other weights of A-256-s0" in fault for fault in runs.check_all())
    fusion.fuse(asked, report=quiet)
    assert runs.read_record(asked).members == record.members
    assert runs.check_all() == []
    runs.write_record(asked, record.model_copy(update={"protocol": record.protocol | {"average": "posteriors"}}))
    runs.seal(asked.folder, ["fuse.json"])
    assert any("A-256-s0 has been tested by another protocol since" in fault for fault in runs.check_all())
    fusion.fuse(asked, report=quiet)
    assert runs.read_record(asked).protocol == record.protocol and runs.check_all() == []


def test_seeds_of_one_network_together_are_told_apart(pair):
    """Each had the other's name, and the last one's error stood for all."""
    fusion.fuse(find_fusion(NAMES, "dense"), report=quiet)
    (networks, _), gains = next(testing_tables.fusion_gains("smoke").iterrows())
    assert networks == "A-256 + A-256-s1" and gains["best alone"] < gains["worst alone"]
    (picture,) = illustrations.disagreement(find_fusion(NAMES, "dense")).figure.axes[:1]
    assert [label.get_text() for label in picture.get_xticklabels()] == ["A-256", "A-256-s1"]


def test_what_was_measured_of_networks_that_are_others_now_is_no_number(pair):
    """Only the check knew of it, and a claim compared the new network with the old ones together."""
    asked, (_, other) = find_fusion(NAMES, "dense"), pair
    fusion.fuse(asked, report=quiet)
    assert len(testing_tables.fusion_gains("smoke")) == 1
    assert len(results.number("smoke.table3.A-256.top1").runs) == 2
    trained = runs.read_record(other, "train")
    runs.write_record(
        other, trained.model_copy(update={"artefacts": trained.artefacts | {other.weights.name: "0" * 64}})
    )
    runs.seal(other.folder, ["train.json"])
    assert results.number("smoke.table3.A-256.top1").runs == ("A-256-s0",)
    record = runs.read_record(other, "evaluate")
    runs.write_record(other, record.model_copy(update={"weights_sha256": "0" * 64}))
    runs.seal(other.folder, ["evaluate.json"])
    assert len(results.number("smoke.table3.A-256.top1").runs) == 2
    assert testing_tables.fusion_gains("smoke").empty


def test_a_seed_that_was_not_tested_on_crops_is_no_pair_of_one_that_was(pair):
    record = runs.read_record(pair[1], "evaluate")
    kept = {name: errors for name, errors in record.measurements.items() if name.startswith(("dense", "centre"))}
    runs.write_record(pair[1], record.model_copy(update={"measurements": kept}))
    runs.seal(pair[1].folder, ["evaluate.json"])
    table = testing_tables.dense_against_multi_crop("smoke")
    assert {len(results.number(f"smoke.table5.A-256-{way}.top1").runs) for way in ("dense", "both")} == {1, 2}
    assert table.loc["A-256", "both, over dense"].count("[") == 1


def test_a_mean_over_seeds_is_as_old_as_the_last_of_them(pair):
    record = runs.read_record(pair[1], "evaluate")
    runs.write_record(pair[1], record.model_copy(update={"finished": "2031-01-02T03:04:05+00:00"}))
    runs.seal(pair[1].folder, ["evaluate.json"])
    number = results.number("smoke.table3.A-256.top1")
    assert "year = {2031}" in citation.cite(number, "bibtex")


@pytest.fixture
def loaded(monkeypatch):
    """The runs whose networks were loaded; none while another is in memory."""
    load_network, names, networks = passes.load_network, [], []

    def load(run):
        gc.collect()
        assert all(network() is None for network in networks)
        net = load_network(run)
        names.append(run.name)
        networks.append(weakref.ref(net))
        return net

    monkeypatch.setattr(passes, "load_network", load)
    return names


def test_posteriors_that_were_lost_are_made_again_from_the_published_weights(pair, loaded):
    asked = find_fusion(NAMES, "dense")
    for run in pair:
        shutil.rmtree(run.workspace / "posteriors")
    fusion.fuse(asked, report=quiet)
    assert runs.read_record(asked).measurements["dense"].n == 364 and loaded == ["A-256-s0", "A-256-s1"]


def test_no_network_is_loaded_whose_posteriors_are_there(pair, loaded):
    shutil.rmtree(pair[1].workspace / "posteriors")
    fusion.fuse(find_fusion(NAMES, "dense"), report=quiet)
    assert loaded == ["A-256-s1"]


def test_an_untested_or_untrained_member_is_named_with_the_command(trained):
    with pytest.raises(VerydeepError, match="D-256-s0 is not trained yet; run: verydeep run smoke D 256 --seed 0"):
        fusion.fuse(find_fusion(["smoke/A-256", "smoke/D-256"], "dense"))
    run = studies.find_run("smoke", "A", 256)
    (run.folder / "evaluate.json").unlink()
    with pytest.raises(VerydeepError, match="A-256-s0 is not tested yet; run: verydeep run smoke A 256 --seed 0"):
        fusion.fuse(Fusion((run, run), "dense"))


@pytest.mark.parametrize(("change", "message"), [
    ({"data": {"manifest_sha256": "0" * 64}}, "A-256-s1 and A-256-s0 were tested on different validation images"),
    ({"protocol": {"grid": "cells"}}, "A-256-s1 and A-256-s0 were tested by different protocols .grid."),
])  # fmt: skip
def test_members_that_cannot_be_compared_are_refused(pair, monkeypatch, change, message):
    monkeypatch.setattr(measure, "is_current", lambda run, record: True)
    other = pair[1]
    record = runs.read_record(other, "evaluate")
    changed = {key: dict(getattr(record, key)) | value for key, value in change.items()}
    changed = {key: DataFingerprint(**value) if key == "data" else value for key, value in changed.items()}
    runs.write_record(other, record.model_copy(update=changed))
    runs.seal(other.folder, ["evaluate.json"])
    with pytest.raises(VerydeepError, match=message):
        fusion.fuse(find_fusion(NAMES, "dense"), report=quiet)
    assert not find_fusion(NAMES, "dense").folder.exists()


def test_a_member_that_its_study_does_not_test_on_crops_is_named(pair, monkeypatch):
    other = pair[1]
    record = runs.read_record(other, "evaluate")
    kept = {name: errors for name, errors in record.measurements.items() if name.startswith(("dense", "centre"))}
    runs.write_record(other, record.model_copy(update={"measurements": kept}))
    runs.seal(other.folder, ["evaluate.json"])
    monkeypatch.setattr(measure, "is_current", lambda run, record: True)
    with pytest.raises(VerydeepError, match="A-256-s1 is not tested by both: .*take --method dense, or set"):
        fusion.fuse(find_fusion(NAMES, "both"), report=quiet)


@pytest.mark.parametrize(("members", "method", "message"), [
    (["smoke/A-256", "quarter/A-256"], "dense", r"different studies .*quarter \(200 classes\), smoke \(10 classes\)"),
    (["smoke/A-256", "smoke/A-256"], "dense", "A-256-s0 is given twice"),
    (["smoke/A-256"], "dense", "two or more networks"),
    ("smoke/A-256", "dense", "two or more networks"),
    (["smoke/A-256", "smoke/D-256"], "vote", "unknown method 'vote': choose one of dense, multi-crop, both"),
    (["smoke/A-256", "A-256"], "dense", "'A-256' names no network"),
    (["smoke/A-256", "smoke/F-256"], "dense", "unknown config 'F'"),
    (["smok/A-256", "smoke/D-256"], "dense", "unknown study 'smok'"),
    (["quarter/A-256", "quarter/A-256-pilot-base"], "dense", "is a pilot"),
    (["quarter/A-256", 7], "dense", "7 names no network"),
])  # fmt: skip
def test_what_is_no_fusion_is_refused_with_one_line(members, method, message):
    with pytest.raises((VerydeepError, UnknownName), match=message) as caught:
        find_fusion(members, method)
    assert "\n" not in str(caught.value)


def test_members_are_read_with_variant_and_seed():
    assert named_run("quarter/D-jitter").name == "D-jitter-s0"
    assert named_run("quarter/D-jitter-fc-only-s3").name == "D-jitter-fc-only-s3"
    assert named_run("quarter/A-LRN-256-s1").name == "A-LRN-256-s1"
    assert named_run("released/D-torchvision-batch-norm").variant == "batch-norm"


def test_table_6_has_the_papers_members():
    found = table6_fusions(studies.load("quarter"))
    assert list(found) == ["7-dense", "2-dense", "2-multi-crop", "2-both"]
    assert [run.row for run in found["7-dense"].members] == [
        "D-256", "D-384", "D-jitter-fc-only", "C-256", "C-384", "E-256", "E-384",
    ]  # fmt: skip
    assert [run.row for run in found["2-both"].members] == ["D-jitter", "E-jitter"]
    assert [run.row for run in table6_fusions(studies.load("narrow"))["7-dense"].members] == [
        "D-256", "D-384", "D-jitter-fc-only", "C-256", "C-384-again", "E-256", "E-384-again",
    ]  # fmt: skip
    of_the_authors = table6_fusions(studies.load("released"))
    assert list(of_the_authors) == ["2-dense", "2-multi-crop", "2-both"]
    assert {run.row for fusion in of_the_authors.values() for run in fusion.members} == {"D-authors", "E-authors"}


def test_the_fusion_notebook_keeps_its_record(pair, monkeypatch):
    from verydeep import notebooks

    asked = find_fusion(NAMES, "both")
    notebooks.execute(asked)
    assert sorted(path.name for path in asked.folder.iterdir()) == [
        "SHA256SUMS", "fuse.ipynb", "fuse.json", "predictions.parquet",
    ]  # fmt: skip
    assert runs.check_all() == []
    table = pd.read_parquet(asked.folder / "predictions.parquet")
    assert len(table) == 364 and set(table["measurement"]) == {"both"}
    assert templates.command(asked, "fuse").endswith("-y '{members: [smoke/A-256-s0, smoke/A-256-s1], method: both}'")
