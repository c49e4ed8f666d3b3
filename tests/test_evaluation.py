"""Dense single-scale evaluation, and the predictions it leaves."""

import numpy as np
import pandas as pd
import pytest
import torch

from verydeep import evaluation, predictions, runs, studies, training
from verydeep.data.views import rescale
from verydeep.errors import VerydeepError
from verydeep.networks.dense import score_map


def test_an_untrained_network_names_the_command(checkout):
    with pytest.raises(VerydeepError, match="not trained yet; run: verydeep run smoke A 256 --seed 0"):
        evaluation.evaluate(studies.find_run("smoke", "A", 256))


def test_single_scale_test_sizes_are_those_of_section_4_1():
    scales = {
        scale: evaluation.measurements(studies.find_run("full", "D", scale))[0].test_scale
        for scale in (256, 384, "jitter")
    }
    assert scales == {256: 256, 384: 384, "jitter": 384}


def test_dense_posteriors_are_those_of_one_image_at_a_time(trained):
    run = studies.find_run("smoke", "A", 256)
    store, net = training.open_data(run), training.load_network(run)
    rows = store.rows("val")[:20]
    normalise = training.Normaliser.of(store, run.recipe.unit_variance)
    for shorter in (37, 64, 73):
        batched = evaluation.dense_posteriors(net, store, rows, shorter, normalise, pixels_per_batch=3 * shorter**2)
        with torch.inference_mode():
            for k, row in enumerate(rows):
                image = normalise(rescale(store.image(row), shorter)[None])
                both = [score_map(net, x).mean((2, 3)).softmax(1) for x in (image, image.flip(3))]
                assert np.allclose(batched[k], ((both[0] + both[1]) / 2)[0], atol=1e-6)
        assert np.allclose(batched.sum(1), 1, atol=1e-5)
        alone = evaluation.dense_posteriors(net, store, rows, shorter, normalise, flip=False)
        assert not np.allclose(alone, batched, atol=1e-3)


def test_images_of_equal_shape_are_batched_and_memory_is_bounded(trained):
    class Shapes:
        sizes = [(40, 60), (60, 40), (40, 60), (50, 50), (40, 60), (60, 40)]

        def image(self, row):
            return np.full((*self.sizes[row], 3), row, np.uint8)

    rows = np.arange(6)
    found = list(evaluation.equal_shapes(Shapes(), rows, 40, pixels=2 * 40 * 60))
    assert sorted(len(positions) for positions, _ in found) == [1, 1, 2, 2]
    for positions, images in found:
        assert [image[0, 0, 0] for image in images] == positions.tolist()
        assert len({image.shape for image in images}) == 1


def test_the_record_is_what_the_predictions_yield(trained):
    run = studies.find_run("smoke", "A", 256)
    record = runs.read_record(run, "evaluate")
    table = pd.read_parquet(run.folder / "predictions.parquet")
    assert record.measurements == {"dense-256": predictions.errors(table)}
    assert record.measurements["dense-256"]["n"] == 364
    assert record.measurements["dense-256"]["top1_error"] < 30  # ten classes; chance is 90
    assert record.protocol["flip"] is False  # a mirrored digit is no digit
    assert len(table["image"].unique()) == 364


def test_another_evaluation_gives_the_same_record(trained):
    run = studies.find_run("smoke", "A", 256)
    before = runs.read_record(run, "evaluate")
    digest = before.artefacts["predictions.parquet"]
    (run.folder / "evaluate.json").unlink()
    evaluation.evaluate(run, report=lambda line: None)
    after = runs.read_record(run, "evaluate")
    assert after.measurements == before.measurements
    assert after.artefacts["predictions.parquet"] == digest


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
