"""What the full study would cost, as its chapter shows it, and the model beside every record."""

import json

import numpy as np
import pytest

from verydeep import runs, studies
from verydeep.chapters import display, forecast_checks, forecast_tables
from verydeep.errors import UnknownName, VerydeepError
from verydeep.results import forecast
from verydeep.results.training_cost import planned_multiply_adds, training_images

MODELLED = (forecast_tables.measured, forecast_tables.full_cost, forecast_tables.by_network, forecast_tables.cores,
            forecast_tables.authors_time,
            forecast_checks.summary, forecast_checks.every_check)  # fmt: skip


def test_without_the_record_of_a_card_each_table_says_the_command(checkout):
    (checkout / "benchmarks" / "gpu.json").unlink()
    for make in MODELLED:
        table = make()
        assert table.empty and table.attrs["caption"].endswith("run: make gpu")
    assert forecast_tables.memory().attrs["caption"].endswith("run: make gpu") and not forecast_tables.memory().empty
    assert not forecast_tables.assumed().empty and not forecast_tables.disk().empty


def test_a_record_in_miniature_is_no_basis(checkout):
    path = checkout / "benchmarks" / "gpu.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"setting": record["setting"] | {"configs": ["A"]}}))
    assert forecast_tables.full_cost().empty


def test_each_assumption_leads_to_its_source(repository):
    shown = forecast_tables.assumed()._repr_html_()
    for card in forecast.assumptions()[0].values():
        for source in filter(None, (card.price_from, card.specification)):
            assert f'href="{source}"' in shown
    assert ">None<" not in shown and ">NaN<" not in shown and ">nan<" not in shown


def test_the_authors_cards_take_by_the_model_about_as_long_as_the_authors_say(repository):
    """Two to three weeks a network (Sect. 3.3): what the chapter says of D and of E."""
    days = forecast_tables.authors_time().astype(float)
    assert days.index.tolist() == ["A", "B", "C", "D", "E"] and days.iloc[:, 1].is_monotonic_increasing
    assert (days.iloc[:, 0] / days.iloc[:, 1]).to_numpy() == pytest.approx(3.75, rel=0.01)
    four = days.iloc[:, 1]
    assert 14 <= four["E"] <= 21 and 11 < four["D"] < 14
    run, card = studies.find_run("full", "D", 256), forecast.accelerator("Titan Black")
    step = forecast_checks.model().step(run, card, decoded=True)
    least = 256 * run.training_multiply_adds / (5.1e12 / 2)  # at all that the card can do
    assert 1 < step.seconds / least < 3 and step.bound == "arithmetic"
    with pytest.raises(VerydeepError, match="Titan Black: accelerators.yaml has no link, over which 4 would"):
        forecast_checks.model().step(run, card, 4)
    with pytest.raises(UnknownName, match="precision of Titan Black 'bfloat16': choose one of float32"):
        forecast_checks.model().step(run, card, precision="bfloat16")


def test_time_and_money_follow_from_the_parts(repository):
    table = forecast_tables.full_cost("bfloat16")
    assert len(table) == 12 and "NaN" not in table._repr_html_()
    assert (table["networks"].tolist()[:3]) == [5, 14, 18]
    found, card, run = forecast_checks.model(), forecast.accelerator("A100"), studies.find_run("full", "E", 256)
    steps = 74 * ((1_281_167 - 20_000) // 256)
    assert training_images(run) == 1_281_167 - 20_000
    boxes = training_images(studies.find_run("full", "D", 256, 0, "pcr-all"))
    assert boxes == round((1_281_167 - 20_000) * 523_966 / 1_281_167)  # so many have boxes, Russakovsky et al. (2015)
    seconds = found.training_seconds(run, training_images(run), card, precision="float32")
    assert seconds == pytest.approx(steps * found.step(run, card, precision="float32").seconds)
    row = forecast_tables.full_cost("float32").loc[("8 x A100", "Tables 3 to 10")]
    hours = row["training (hours)"] + row["tests (hours)"]
    assert row["in all (days)"] == pytest.approx(hours / 24, rel=0.02)
    assert row["price (US dollars)"] == pytest.approx(8 * hours * card.dollars_an_hour, abs=30)
    alone = forecast_tables.by_network("A100", "float32").loc["E-256"]
    assert alone["1: training (hours)"] == pytest.approx(seconds / 3600, rel=0.01)


def test_study_show_counts_with_the_pace_of_the_model(repository):
    study = studies.load("full")
    work = sum(map(planned_multiply_adds, studies.planned_runs(study)))
    trained = forecast_tables.full_cost().loc[("8 x H100", "Tables 3 to 10"), "training (hours)"]
    assert study.assumed_rate == pytest.approx(work / trained / 3600, rel=0.05)


#: Trained in part on a card and in part on a processor: their rate is that of neither.
ON_TWO_MACHINES = {("quarter", "A-256-longest-s0"), ("narrow", "ResNet-18-256-s0")}


def test_a_training_on_two_machines_is_no_measurement_of_either(repository):
    shown = {(check.study, check.name) for check in forecast_checks.checks() if check.kind == "training"}
    assert not shown & ON_TWO_MACHINES and ("quarter", "A-256-longer-s0") in shown


def test_every_recorded_training_and_pass_stands_beside_the_model(repository):
    checks = forecast_checks.checks()
    expected = 4  # of make gpu
    for study in studies.names():
        for run in runs.all_runs(studies.load(study)):
            expected += runs.read_record(run, "train") is not None
            expected -= (study, run.name) in ON_TWO_MACHINES
            record = runs.read_record(run, "evaluate")
            expected += len(record.passes) if record else 0
    for script in ("training", "evaluation", "decoding"):
        checks = [check for check in checks if check.study != script]
    assert len(checks) == expected
    assert len(forecast_checks.checks()) == forecast_checks.summary()["measurements"].sum()
    trainings = sum(check.kind == "training" for check in forecast_checks.checks())
    assert len(forecast_checks.every_check()) == trainings
    cards = [check for check in checks if check.device in ("H100", "H200") and check.kind == "training"]
    assert np.median([abs(check.error) for check in cards]) < 30
    fitted = [check for check in checks if check.study == "make gpu" and check.fitted]
    assert len(fitted) == 3 and all(check.error == pytest.approx(0, abs=1e-6) for check in fitted)


def test_what_is_needed_of_disk_memory_and_cores(repository):
    sizes = forecast_tables.disk()["disk (GB)"]
    assert sizes["in all"] == pytest.approx(sizes.drop("in all").sum()) and sizes["store"] > 150
    memory = forecast_tables.memory()
    assert memory["D (GiB)"].is_monotonic_increasing and (memory["E (GiB)"] > memory["A (GiB)"]).all()
    cores = forecast_tables.cores()
    found = forecast_checks.model()
    row = cores.loc[("1 x H100", "bfloat16")]
    assert row["D: cores (of each card)"] == pytest.approx(row["D: each card (images/s)"] / found.prepared, rel=0.01)
    assert display.text(cores).shape == cores.shape


def test_what_the_scripts_measured_stands_beside_the_model_too(repository, tmp_path, monkeypatch):
    """Where their processor has records of its own; beside it decoding by one core."""
    found = forecast_checks.model()
    of_epyc = {"environment": {"processor": "AMD EPYC", "cores": 2}, "load_average": 0.5}
    other = {"environment": {"processor": "abacus", "cores": 2}, "load_average": 0.5}
    ours = {"images_per_second": 100.0, "multiply_adds": 1e9}
    made = {
        "training": of_epyc | {"rates": {"narrow/D: our loop": ours, "narrow/D: timm": ours}},
        "evaluation": other | {"rates": {"narrow/D dense: ours": ours}},
        "decoding": of_epyc | {"rates": {"view of 224 at S=256: Pillow": ours}},
    }
    kept = forecast_checks.benchmarks.recorded
    monkeypatch.setattr(forecast_checks.benchmarks, "recorded", lambda name: made.get(name) or kept(name))
    checks = {check.study: check for check in forecast_checks.checks()}
    assert checks["training"].name == "narrow/D" and checks["training"].measured == 100
    assert checks["decoding"].predicted == found.prepared and "evaluation" not in checks
    made["evaluation"] |= of_epyc
    checks = {check.study: check for check in forecast_checks.checks()}
    assert checks["evaluation"].kind == "test, dense" and checks["evaluation"].predicted > 0
