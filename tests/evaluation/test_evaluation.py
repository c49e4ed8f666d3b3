"""Evaluation in every way of a study: its record, its predictions, and going on where it stopped."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from verydeep import assembly, evaluation, runs, studies
from verydeep.errors import RecordError, VerydeepError
from verydeep.evaluation import measure, passes, tester
from verydeep.runs import predictions
from verydeep.studies.measurements import Measurement, several


def test_an_untrained_network_names_the_command(checkout):
    with pytest.raises(VerydeepError, match="not trained yet; run: verydeep run smoke A 256 --seed 0"):
        evaluation.evaluate(studies.find_run("smoke", "A", 256))


NAMES = [
    "dense-256", "centre-crop-256", "dense-224", "dense-288", "dense-224+256+288", "multi-crop-224+256+288",
    "both-224+256+288",
]  # fmt: skip


def test_the_record_is_what_the_predictions_yield(trained):
    run = studies.find_run("smoke", "A", 256)
    record = runs.read_record(run, "evaluate")
    table = pd.read_parquet(run.folder / "predictions.parquet")
    assert list(record.measurements) == NAMES
    for name, part in table.groupby("measurement", observed=True):
        assert dict(record.measurements[name]) == predictions.errors(part)
        assert len(part["image"].unique()) == 364
    assert record.measurements["dense-256"].n == 364
    assert record.measurements["dense-256"].top1_error < 30  # ten classes; chance is 90
    assert record.protocol["flip"] is False  # a mirrored digit is no digit
    assert record.protocol["average"] == "scores" and record.protocol["crops_per_side"] == 5


def test_every_pass_is_made_once_and_its_cost_recorded(trained):
    run = studies.find_run("smoke", "A", 256)
    passes = runs.read_record(run, "evaluate").passes
    assert sorted(passes) == sorted([
        "dense-224", "dense-256", "dense-288", "centre-crop-256", "multi-crop-224", "multi-crop-256", "multi-crop-288",
    ])  # fmt: skip
    crop = run.multiply_adds
    assert passes["centre-crop-256"].multiply_adds == 364 * crop
    assert passes["dense-224"].multiply_adds == 364 * crop  # one window, no flip
    assert passes["multi-crop-224"].forward_passes == 364  # all 25 crops coincide
    assert passes["multi-crop-288"].multiply_adds == 364 * 25 * crop
    assert all(one.seconds > 0 and one.images == 364 for one in passes.values())


def test_measurements_are_the_averages_of_their_passes(trained):
    run = studies.find_run("smoke", "A", 256)
    passes = evaluation.Passes(run, record=runs.read_record(run, "evaluate"))
    both = several("256", "both")
    parts = [passes.posteriors(one) for one in both.passes]
    assert len(parts) == 6
    averages = [passes.average(several("256", method)) for method in ("dense", "multi-crop")]
    assert np.allclose(passes.average(both), (averages[0] + averages[1]) / 2, atol=1e-6)
    table = pd.read_parquet(run.folder / "predictions.parquet")
    kept = table[table["measurement"] == both.name]
    expected = predictions.table(both.name, passes.names, passes.labels, np.mean(parts, axis=0))
    assert (kept["class_1"].to_numpy() == expected["class_1"].to_numpy()).mean() > 0.99
    assert np.allclose(kept["probability_1"], expected["probability_1"], atol=1e-6)


def test_another_evaluation_gives_the_same_record(trained):
    run = studies.find_run("smoke", "A", 256)
    before = runs.read_record(run, "evaluate")
    digest = before.artefacts["predictions.parquet"]
    (run.folder / "evaluate.json").unlink()
    shutil.rmtree(run.workspace / "posteriors")
    evaluation.evaluate(run, report=lambda line: None)
    after = runs.read_record(run, "evaluate")
    assert after.measurements == before.measurements
    assert after.artefacts["predictions.parquet"] == digest


def test_a_pilot_is_never_tested(repository):
    pilot = studies.find_run("quarter", "A", 256, variant="pilot-base")
    with pytest.raises(VerydeepError, match="A-256-pilot-base-s0: a pilot is never tested on validation images"):
        evaluation.evaluate(pilot)


def test_the_size_of_a_batch_changes_no_answer(trained):
    run = studies.find_run("smoke", "A", 256)
    before = runs.read_record(run, "evaluate")
    shutil.rmtree(run.workspace / "posteriors")
    small = evaluation.Passes(run, pixels_per_batch=5000)
    for name in ("dense-256", "multi-crop-224+256+288"):
        part = small.average(Measurement.named(name))
        errors = predictions.errors(predictions.table(name, small.names, small.labels, part))
        assert errors == dict(before.measurements[name])
    assert small.made["dense-256"]["forward_passes"] == 364


def test_an_interrupted_evaluation_goes_on_with_the_next_pass(trained, monkeypatch):
    run = studies.find_run("smoke", "A", 256)
    (run.folder / "evaluate.json").unlink()
    shutil.rmtree(run.workspace / "posteriors")
    made, make = [], tester.Tester.make

    def stopped(self, method, store, rows, shorter):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append((method, shorter))
        return make(self, method, store, rows, shorter)

    monkeypatch.setattr(tester.Tester, "make", stopped)
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(run, report=lambda line: None)
    assert not (run.folder / "evaluate.json").exists()
    monkeypatch.setattr(tester.Tester, "make", lambda self, *a: made.append(a[::3]) or make(self, *a))
    evaluation.evaluate(run, report=lambda line: None)
    assert len(made) == len(set(made)) == 7  # nothing twice


@pytest.mark.parametrize("elsewhere", ["machine", "memory", "sources"])
def test_what_was_kept_elsewhere_is_made_again_unless_a_record_tells_of_it(trained, monkeypatch, elsewhere):
    """The record that is written says of every pass that it was made on this machine, by these sources."""
    run, record = studies.find_run("smoke", "A", 256), runs.read_record(studies.find_run("smoke", "A", 256), "evaluate")
    options = {}
    if elsewhere == "machine":
        monkeypatch.setattr(
            passes.provenance, "machine_type", lambda environment, device: ("another", "2.0", "cpu", 64)
        )
    elif elsewhere == "sources":
        monkeypatch.setattr(passes.provenance, "sources_sha256", lambda: "0" * 64)
    else:
        options["pixels_per_batch"] = 2**20
    made, make = [], tester.Tester.make
    monkeypatch.setattr(tester.Tester, "make", lambda self, *a: made.append(a[0]) or make(self, *a))
    one = Measurement("dense", (256,))
    evaluation.Passes(run, **options, record=record).posteriors(one)
    assert made == []
    (run.folder / "evaluate.json").unlink()
    evaluation.evaluate(run, **options, report=lambda line: None)
    assert len(made) == 7


def test_posteriors_of_other_weights_are_not_used(trained):
    run = studies.find_run("smoke", "A", 256)
    passes = evaluation.Passes(run)
    one = Measurement("dense", (256,))
    passes.posteriors(one)
    before = passes.path(one).read_bytes()
    passes.key["weights"] = "0" * 64
    passes.posteriors(one)
    assert passes.path(one).read_bytes() != before  # made again, under the new key


def test_posteriors_by_another_protocol_or_of_other_images_are_not_used(trained, monkeypatch):
    run, one = studies.find_run("smoke", "A", 256), Measurement("dense", (256,))
    path = evaluation.Passes(run).path(one)
    evaluation.Passes(run).posteriors(one)
    testing = run.study.testing.model_copy(update={"average": "posteriors"})
    other = replace(run, study=run.study.model_copy(update={"testing": testing}))
    before = path.stat().st_mtime_ns
    evaluation.Passes(run).posteriors(one)
    assert path.stat().st_mtime_ns == before  # what fits is used
    evaluation.Passes(other).posteriors(one)
    changed = path.stat().st_mtime_ns
    assert changed != before
    store = assembly.open_data(run)
    store.manifest_sha256 = "0" * 64
    monkeypatch.setattr(passes, "open_data", lambda _: store)
    evaluation.Passes(other).posteriors(one)
    assert path.stat().st_mtime_ns != changed


def test_a_record_without_all_measurements_or_by_another_protocol_is_made_again(trained):
    run = studies.find_run("smoke", "A", 256)
    whole = runs.read_record(run, "evaluate")
    for change in (
        {"measurements": {"dense-256": whole.measurements["dense-256"]}},
        {"protocol": whole.protocol | {"grid": "cells"}},
    ):
        runs.write_record(run, whole.model_copy(update=change))
        runs.seal(run.folder, ["evaluate.json"])
        assert not runs.is_complete(run, "evaluate")
        evaluation.evaluate(run, report=lambda line: None)
        assert runs.read_record(run, "evaluate").measurements == whole.measurements
        assert runs.read_record(run, "evaluate").protocol == whole.protocol


@pytest.mark.parametrize("last", ["write_answers", "fingerprint"])
def test_a_kill_before_the_new_record_leaves_none(trained, monkeypatch, last):
    """The old one beside new answers gave numbers of two tests under one name."""
    run = studies.find_run("smoke", "A", 256)
    old = runs.read_record(run, "evaluate")
    runs.write_record(run, old.model_copy(update={"protocol": old.protocol | {"grid": "cells"}}))
    runs.seal(run.folder, ["evaluate.json"])
    done = getattr(measure, last)

    def and_no_further(*given):
        done(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(measure, last, and_no_further)
        with pytest.raises(KeyboardInterrupt):
            evaluation.evaluate(run, report=lambda line: None)
    assert runs.read_record(run, "evaluate") is None and not runs.is_complete(run, "evaluate")
    evaluation.evaluate(run, report=lambda line: None)
    assert runs.read_record(run, "evaluate").measurements == old.measurements


def test_a_record_edited_by_hand_is_refused_and_made_again_once_it_is_deleted(trained):
    run = studies.find_run("smoke", "A", 256)
    whole = runs.read_record(run, "evaluate")
    better = {name: errors.model_copy(update={"top1_error": 0.0}) for name, errors in whole.measurements.items()}
    runs.write_record(run, whole.model_copy(update={"measurements": better}))
    with pytest.raises(RecordError, match="evaluate.json: content differs from its sha256.*or delete it"):
        evaluation.evaluate(run, report=lambda line: None)
    runs.record_path(run, "evaluate").unlink()
    evaluation.evaluate(run, report=lambda line: None)
    assert runs.read_record(run, "evaluate").measurements == whole.measurements
    assert runs.check_all() == []


POSTERIORS = np.array(
    [[0.5, 0.3, 0.1, 0.05, 0.03, 0.02], [0.1, 0.1, 0.2, 0.2, 0.2, 0.2], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]
)


def test_predictions_keep_the_five_best_in_order_ties_by_index():
    table = predictions.table("m", ["a", "b", "c"], np.array([0, 1, 0]), POSTERIORS)
    best = table[[f"class_{k}" for k in range(1, 6)]].to_numpy()
    assert best.tolist() == [[0, 1, 2, 3, 4], [2, 3, 4, 5, 0], [5, 0, 1, 2, 3]]
    assert table["probability_1"].tolist() == pytest.approx([0.5, 0.2, 1.0])


def test_errors_are_counted_by_hand():
    table = predictions.table("m", ["a", "b", "c"], np.array([0, 1, 0]), POSTERIORS)
    assert predictions.hits(table, 1).tolist() == [True, False, False]
    assert predictions.hits(table, 5).tolist() == [True, False, True]
    assert predictions.errors(table) == {
        "n": 3,
        "top1_error": pytest.approx(200 / 3),
        "top5_error": pytest.approx(100 / 3),
    }


def test_arrays_are_kept_in_whatever_order_they_lie(tmp_path):
    """safetensors writes the bytes as they lie, and reads them as if they lay in the usual order."""
    made = {"turned": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1), "number": np.array(7)}
    kept, _ = passes.kept_or_made(tmp_path / "kept.safetensors", {"of": "x"}, (), lambda: (made, {}))
    assert {name: array.tolist() for name, array in kept.items()} == {name: one.tolist() for name, one in made.items()}
