"""From a study to what trains and tests it."""

from dataclasses import replace

import pytest
import torch

from verydeep import assembly, runs, studies
from verydeep.data.boxes import BoxTargets
from verydeep.data.views import TrainingViews
from verydeep.errors import VerydeepError
from verydeep.evaluation.passes import Passes
from verydeep.training.objectives import objective


def test_a_launch_that_asks_for_the_processor_gets_it_in_training_and_in_testing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert assembly.device().type == "cuda"
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert assembly.device().type == "cpu"


@pytest.mark.parametrize(("part", "key", "value", "told"), [
    ("network", "lrn_alpha", "caffe", "network.lrn_alpha: unit-variance, now caffe"),
    ("network", "pooling", "ceil", "network.pooling: floor, now ceil"),
    ("recipe", "unit_variance", False, "recipe.unit_variance: True, now False"),
])  # fmt: skip
def test_weights_are_not_loaded_into_a_network_that_was_not_trained_so(trained, part, key, value, told):
    """They would fit, and the error be that of a network that nobody has trained."""
    run = studies.find_run("smoke", "A", 256)
    study = run.study
    other = study.recipe | {key: value} if part == "recipe" else study.network.model_copy(update={key: value})
    changed = replace(run, study=study.model_copy(update={part: other}))
    with pytest.raises(VerydeepError, match=rf"smoke/A-256-s0: was trained otherwise than its .* \({told}\); put"):
        assembly.load_network(changed)
    assembly.load_network(run)


def test_what_was_no_key_when_a_run_was_trained_was_as_it_is_by_default(trained):
    run = studies.find_run("smoke", "A", 256)
    record = runs.read_record(run, "train")
    network = {key: value for key, value in record.parameters["network"].items() if key != "pooling_window"}
    assembly.require_as_recorded(
        run, record.model_copy(update={"parameters": record.parameters | {"network": network}})
    )


@pytest.mark.parametrize(("at", "expected"), [
    (("narrow", "D", "jitter"), (224, 256, 512, True, False)),
    (("narrow", "D", "384"), (224, 384, 384, True, False)),
    (("narrow", "D", "256", 0, "ladder-3"), (224, 256, 256, True, True)),
    (("narrow", "A", "256", 0, "no-flip"), (224, 256, 256, False, False)),
    (("quarter", "E", "jitter"), (56, 64, 128, True, False)),
])  # fmt: skip
def test_a_run_is_trained_on_the_views_of_its_recipe(at, expected):
    """Its record states scales and mirror images by the recipe, whatever was trained on."""
    assert assembly.training_views(studies.find_run(*at)) == TrainingViews(*expected)


@pytest.mark.parametrize(("variant", "least_inside"), [("scr-fc", 0.5), ("scr-fc-all-crops", 0.0)])
def test_a_network_that_gives_boxes_is_asked_what_its_study_says(monkeypatch, variant, least_inside):
    monkeypatch.setattr(assembly, "open_boxes", lambda run, store: "boxes")
    run = studies.find_run("quarter", "D", "384", 0, variant)
    options = run.localisation
    asked = assembly.box_targets(run, store=None)
    assert asked == BoxTargets("boxes", options.units, options.cut, options.least_inside, options.several)
    assert asked.least_inside == least_inside


@pytest.mark.parametrize(("variant", "smoothing"), [(None, 0), ("ladder-4", 0.1)])
def test_labels_are_smoothed_by_the_share_of_the_recipe(variant, smoothing):
    assert objective(studies.find_run("narrow", "D", "256", 0, variant)).smoothing == smoothing


def test_a_network_is_tested_with_the_colours_that_it_was_trained_with(trained):
    """Not with those of the images that lie in the store today, which may be others."""
    run = studies.find_run("smoke", "A", 256)
    passes = Passes(run)
    trained_with = runs.read_record(run, "train").data.statistics
    passes.store.statistics = replace(passes.store.statistics, mean=[0.0, 0.0, 0.0], deviation=1.0)
    assert passes.tester.normalise.mean.tolist() == pytest.approx(trained_with.mean)
    assert passes.tester.normalise.divisor == trained_with.deviation != 1
