"""The model of cost: exact where it was fitted, monotonous where it was not, and beside every measurement of memory."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from conftest import REPOSITORY
from verydeep import studies
from verydeep.errors import UnknownName, VerydeepError
from verydeep.networks import anatomy
from verydeep.results import forecast, training_cost

RECORD = json.loads((REPOSITORY / "benchmarks" / "gpu.json").read_text())


@pytest.fixture
def model():
    return replace(forecast.Model.fitted(RECORD, []), launching=1e-3)


def full(config: str, scale: str = "256", variant: str | None = None) -> studies.Run:
    return studies.find_run("full", config, scale, variant=variant)


def test_every_assumption_has_its_source_and_date():
    cards, images = forecast.assumptions()
    to_let = [card for card in cards.values() if card.dollars_an_hour is not None]
    assert [card.title for card in cards.values() if card not in to_let] == ["Titan Black"]
    for card in to_let:
        assert re.fullmatch(r"20\d\d-\d\d", card.price_of) and card.price_from.startswith("https://")
        assert {"float32", "bfloat16"} <= card.teraflops.keys() and card.link
    for card in cards.values():
        assert card.specification.startswith("https://")
        assert forecast.accelerator(card.title) == forecast.accelerator(card.name) == card
    assert images.source.startswith("https://") and min(images.bytes.values()) > 1e9
    with pytest.raises(UnknownName, match=r"unknown card 'H99': choose one of H100"):
        forecast.accelerator("H99")


def test_the_model_gives_back_what_it_was_fitted_to(model):
    for config in RECORD["setting"]["configs"]:
        measured = RECORD["rates"][f"{config}: our loop, decoded images"]["images_per_second"]
        step = model.step(full(config), model.card, precision="bfloat16", decoded=True)
        assert (step.images_per_second, step.bound) == (pytest.approx(measured), "arithmetic")
    assert 0.2 < model.share < 1 and model.first_map > 0
    slowest = RECORD["rates"]["A: our loop, JPEG files"]["images_per_second"]
    from_files = model.step(full("A"), model.card, precision="bfloat16")
    assert (from_files.images_per_second, from_files.bound) == (pytest.approx(slowest), "images")


def test_a_record_of_one_network_or_an_unknown_card_is_refused():
    one = RECORD | {"setting": RECORD["setting"] | {"configs": ["D"]}}
    with pytest.raises(VerydeepError, match="one network alone"):
        forecast.Model.fitted(one, [])
    with pytest.raises(UnknownName, match="card 'GTX'"):
        forecast.Model.fitted(RECORD | {"device": RECORD["device"] | {"name": "GTX"}}, [])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_more_cards_are_faster_and_never_more_than_so_many_times(model, precision):
    for card in (card for card in forecast.assumptions()[0].values() if card.link):
        for config in "ABCDE":
            steps = [model.step(full(config), card, cards, precision=precision) for cards in (1, 2, 4, 8)]
            rates = [step.images_per_second for step in steps]
            assert rates == sorted(rates) and rates[-1] <= 8.001 * rates[0]
            assert all(step.images == 256 for step in steps)


def test_each_of_three_things_can_bound_a_step(model):
    run, card = full("D"), forecast.accelerator("H100")
    assert model.step(run, card).bound == "arithmetic"
    assert model.step(run, card, precision="bfloat16", cores=1).bound == "images"
    slow = replace(model, launching=1.0)
    assert slow.step(run, card).bound == "launching"
    assert slow.step(run, card).seconds == pytest.approx(16)  # a second for each of its layers
    # more cores than the loop has processes prepare no more images
    twice = [model.step(run, card, cores=cores).preparing for cores in (forecast.WORKERS, 2 * forecast.WORKERS)]
    assert twice[0] == twice[1]


def test_launching_rests_on_trainings_that_were_bound_by_nothing_else(repository):
    trainings = [one for study in ("narrow", "wide", "quarter") for one in forecast.trained(study)]
    fitted, bare = forecast.Model.fitted(RECORD, trainings), forecast.Model.fitted(RECORD, [])
    used = [(run, record) for run, record in trainings if bare.rests_on(run, record)]
    assert used and all(record.device.type == "cuda" and run.study.name != "wide" for run, record in used)
    each = [run.recipe.batch / record.cost.images_per_second / run.configuration.weight_layers for run, record in used]
    assert min(each) < fitted.launching < max(each)


def test_layers_that_do_not_learn_cost_no_gradients():
    every, some = full("D", "jitter"), full("D", "jitter", "fc-only")
    fc = sum(layer.multiply_adds for layer in anatomy.layers(every.configuration, every.size) if layer.kind == "fc")
    assert every.training_multiply_adds == 3 * every.multiply_adds
    assert some.training_multiply_adds == every.multiply_adds + 2 * fc
    # a record that counted gradients of all layers is read by the crops that it saw
    old = SimpleNamespace(cost=SimpleNamespace(images_seen=10, multiply_adds=10 * every.training_multiply_adds))
    assert training_cost.done_multiply_adds(some, old) == 10 * some.training_multiply_adds


def test_passes_are_those_of_the_study_and_cost_what_they_multiply():
    run = full("D", "jitter")
    found = forecast.passes(run)
    measured = {part.name for one in studies.measurements.measured_by(run) for part in one.passes}
    assert found.keys() == measured
    assert found["multi-crop-256"] == 50 * run.multiply_adds and found["centre-crop-384"] == run.multiply_adds
    dense = anatomy.multiply_adds(run.configuration, run.size, image=(256, 341))
    assert found["dense-256"] == 2 * dense
    boxes = studies.find_run("full", "D", 256, variant="pcr-all")
    twice = dense + anatomy.multiply_adds(boxes.configuration, boxes.size, image=(256, 341))
    (whole,) = [work for name, work in forecast.passes(boxes).items() if name.startswith("dense-boxes-256")]
    assert whole == twice and not boxes.localisation.mirror, "one network gives boxes, another rates them"


def test_a_pass_is_bound_by_arithmetic_or_by_the_images(model):
    run, card = full("D"), forecast.accelerator("H100")
    alone = model.pass_seconds(run, 1.0, 50_000, card, cores=4)
    assert alone == pytest.approx(50_000 / (4 * model.prepared))
    many = [model.pass_seconds(run, views * run.multiply_adds, 1, card, precision="float32") for views in (50, 100)]
    assert many[1] == pytest.approx(2 * many[0])


@pytest.mark.parametrize("config", RECORD["peak_memory_mib"])
def test_memory_is_what_was_measured_within_a_twentieth(config):
    for size, peak in RECORD["peak_memory_mib"][config].items():
        said = forecast.training_memory(full(config), int(size), "bfloat16") / 2**20
        assert said == pytest.approx(peak, rel=0.05), size
