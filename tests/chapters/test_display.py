"""Every table as a person sees it: no missing value printed raw, no p-value of nothing, a unit for every number."""

import importlib
import inspect
import pkgutil
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from verydeep import chapters, runs, studies
from verydeep.chapters import claim_tables, display
from verydeep.statistics import Interval

#: What each public table function is called with; one that is new needs a line here, or the test below fails.
CALLS = {
    "paper_tables.table1": [()],
    "paper_tables.table2": [()],
    "error_tables.errors": [(table, ["quarter", "full"]) for table in range(3, 11)]
    + [(5, ["quarter"], True), (8, ["quarter"], True), (9, ["quarter"], True), (8, ["narrow"], True)],
    "costs.testing_cost": [("quarter",)],
    "benchmarks.rates": [
        ("manifest",),
        ("processes",),
        ("windows", "quarter"),
        ("windows", "narrow"),
        ("windows", "full"),
    ],
    "formats.keys": [("train",), ("evaluate",), ("fuse",), ("transfer",), ("finetune",)],
    "benchmarks.on_gpu": [()],
    "benchmarks.memory_on_gpu": [()],
    "house.rooms": [()],
    "house.journey": [("quarter.table3.A-256.top1",), ("quarter.table6.2-dense.top1",)],
    "costs.paper_cost": [()],
    "forecast_tables.assumed": [()],
    "forecast_tables.measured": [()],
    "forecast_tables.full_cost": [(), ("bfloat16",)],
    "forecast_tables.by_network": [(), ("A100", "bfloat16")],
    "forecast_tables.authors_time": [()],
    "forecast_tables.cores": [()],
    "forecast_tables.memory": [(), ("float32",)],
    "forecast_tables.disk": [()],
    "forecast_checks.summary": [()],
    "forecast_checks.every_check": [()],
    "speed_tables.not_run": [("training",)],
    "speed_tables.training": [()],
    "speed_tables.evaluation": [()],
    "speed_tables.sharing": [()],
    "speed_tables.decoding": [()],
    "speed_tables.memory": [()],
    "speed_tables.epochs": [()],
    "speed_tables.bfloat16": [()],
    "speed_tables.book": [()],
    "speed_tables.sentences": [()],
    "speed_tables.suite": [()],
    "error_tables.gain": [(3, 4, ["quarter", "full"])],
    "testing_tables.dense_against_multi_crop": [("quarter",)],
    "testing_tables.ways_apart": [(studies.find_run("quarter", "A", 256),), (studies.find_run("narrow", "D", 256),)],
    "testing_tables.fusion_gains": [("quarter",)],
    "testing_tables.protocol_gap": [()],
    "authors_tables.files": [()],
    "authors_tables.rows": [(), ("quarter",)],
    "authors_tables.which_network": [()],
    "authors_tables.testing_time": [()],
    "training_tables.pilots": [("quarter",)],
    "training_tables.training": [("quarter",)],
    "settings.recipe": [("quarter",), ("quarter", "jitter")],
    "settings.departures": [("quarter",)],
    "claim_tables.claims_table": [("quarter",), ("full",)],
    "claim_tables.rules_table": [("quarter", "narrow"), ("full",)],
    "claim_tables.changed_rules": [("narrow", "quarter"), ("full",)],
    "claim_tables.on_one_crop": [("quarter",), ("full",)],
    "comparison_tables.comparisons": [("quarter",)],
    "comparison_tables.feature_comparisons": [("narrow",), ("quarter",)],
    "comparison_tables.pairwise": [("narrow", "table3.A-256", "table4.A-256", "table3.D-256"), ("full",)],
    "ablation_tables.what_matters": [("quarter",), ("narrow",), ("released",)],
    "ablation_tables.rules": [("quarter",), ("narrow",), ("released",)],
    "settings.gaps": [("quarter",)],
    "settings.variants": [("quarter",), ("released",)],
    "settings.all_departures": [("quarter",)],
    "paper_tables.paper_claims": [()],
    "paper_tables.in_text": [()],
    "scale_tables.each_scale": [("quarter",)],
    "scale_tables.blur": [("quarter",)],
    "testing_tables.readings": [("quarter",), ("narrow",)],
    "network_tables.layer_table": [("D",)],
    "network_tables.shapes": [()],
    "network_tables.fc_share": [()],
    "network_tables.study_parameters": [("narrow", "quarter")],
    "network_tables.stack_table": [(64,)],
    "network_tables.one_by_one": [()],
    "network_tables.pooling_table": [()],
    "network_tables.pooled_fc6": [()],
    "live.demonstrations.receptive_field": [("A", "conv3_1", 96)],
    "live.demonstrations.effective_field": [("A", "conv3_1", 96, "he")],
    "live.demonstrations.lrn_cost": [(32, 8)],
    "live.demonstrations.dense_equality": [("A", 8)],
    "live.demonstrations.score_maps": [("D", [224, 256])],
    "live.peers.compared": [(64,)],
    "live.peers.speed": [(64, 0.01)],
    "live.illustrations.recipe": [(studies.find_run("smoke", "A", 256),)],
    "reruns.parameters": [()],
    "reruns.studies": [()],
    "reruns.networks": [()],
    "trials.full": [()],
    "trials.slurm": [()],
    "trials.hosts": [()],
    "trials.two_hosts_and_one_process": [()],
    "faults.sums": [()],
    "faults.kills": [()],
    "faults.machine": [()],
    "faults.bad_inputs": [()],
    "checklist.checklist": [("quarter",)],
    "findings.verdicts_table": [(), (31,)],
    "depth_tables.by_recipe": [("narrow",), ("quarter",), ("wide",)],
    "ladder_tables.ladder": [("narrow",), ("quarter",)],
    "class_tables.errors_by_class": [("quarter", "A-256", "D-256"), ("narrow", "B-256")],
    "class_tables.errors_by_half": [("narrow", "A-256", "D-256")],
    "localisation_tables.trained": [("quarter",), ("narrow",)],
    "localisation_tables.keys": [("quarter",)],
    "localisation_tables.over_baselines": [("quarter",), ("narrow",)],
    "localisation_tables.what_is_wrong": [("quarter",), ("narrow",)],
    "localisation_tables.extremes_table": [("quarter", "D-384-pcr-all"), ("narrow", "D-384-pcr-all")],
    "class_tables.confused_pairs": [("quarter", "D-256")],
    "tuning_tables.ways": [(studies.find_tuning("narrow/D-jitter", "caltech101"),)],
    "tuning_tables.gains": [(studies.find_tuning("narrow/D-jitter", "caltech101"),)],
    "transfer_tables.by_class": [(studies.find_transfer(["narrow/D-jitter"], "caltech101"),)],
    "transfer_tables.not_run": [("narrow", 11), ("narrow", 12), ("smoke", 12)],
    "transfer_tables.rows": [(11, ["narrow", "quarter"]), (12, ["narrow"])],
    "transfer_tables.sources": [()],
    "transfer_tables.ways": [("narrow",), ("smoke",)],
}
#: Numbers without a unit: counts of what the heading names, ratios and p-values.
COUNTS = re.compile(
    r"modules|lines|networks|only (first|second) wrong|p|threads|epochs|with its ancestors'|forward passes|images|"
    r"ratio( (to|of) .*)?|turns|measurements|after epoch|rate|least inside|two hosts|channels|classes|table|"
    r"weights.*|biases|activations|multiply-adds( .*)?|layers with weights|positions|tried|survived|"
    r"counted from Table 1|training loss|load|passes.*|same .*|largest difference.*|epochs with .*|"
    r"claim|section|number|first pixel|last pixel|paper|study|here|usual|FC form|dense form|scores' standard deviation"
)
#: A unit in brackets or in words.
UNIT = re.compile(r"\([^)]+\)$|per second|seconds|/s$|^pixels$")


#: These make tables of any data, need a network, or are data for pictures; they have tests of their own.
ELSEWHERE = {
    "result_tables.result_table",
    "result_tables.transfer_table",
    "display.table",
    "display.of_rows",
    "display.without_rows",
    "display.errors",
    "display.text",
    "live.illustrations.dense_against_crops",
    "live.demonstrations.first_step",
    "depth_tables.by_depth",
    "error_tables.points",
    "error_tables.measured_points",
    "ladder_tables.points",
    "localisation_tables.extremes",
    "transfer_tables.measured",
    "tuning_tables.points",
    "live.tuning.table",
    "live.tuning.gains",
    "training_tables.histories",
    "training_tables.budget",
}


def functions() -> dict:
    """Every public function of the chapters that gives a table, by module and name."""
    found = {}
    for module in pkgutil.walk_packages(chapters.__path__, "verydeep.chapters."):
        name = module.name.removeprefix("verydeep.chapters.")
        for key, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            returns = str(function.__annotations__.get("return"))
            if function.__module__ == module.name and key[0] != "_" and re.search("DataFrame|Table", returns):
                found[f"{name}.{key}"] = function
    return {name: function for name, function in found.items() if name not in ELSEWHERE}


def test_every_table_function_is_looked_at():
    assert set(functions()) == set(CALLS)


def faults_of(frame: pd.DataFrame) -> list[str]:
    """What is wrong with a table as it is shown."""
    shown, faults = display.text(frame), []
    for place, name in enumerate(shown.columns):
        label = name[-1] if isinstance(name, tuple) else name
        cells = shown.iloc[:, place].tolist()
        faults += [f"{label}: {cell}" for cell in cells if cell in ("<NA>", "nan", "NaN", "None", "NaT")]
        if label == "p":
            faults += [f"{label}: {cell}" for cell in cells if cell == "0.000"]
        numeric = any(re.fullmatch(r"[+-]?[\d,]+(\.\d+)?(e-?\d+)?( \[.*\])?", cell) for cell in cells)
        if numeric and not UNIT.search(str(label)) and not COUNTS.fullmatch(str(label)):
            faults.append(f"{label}: no unit")
    return faults


@pytest.mark.parametrize("name", sorted(CALLS))
def test_every_table_is_shown_to_people(name, repository):
    for arguments in CALLS[name]:
        found = functions()[name](*arguments)
        table = found[1] if isinstance(found, tuple) else found
        assert isinstance(table, display.Table)
        assert faults_of(table) == []
        assert "NaN" not in table.head(50)._repr_html_() and "&lt;NA&gt;" not in table.head(50)._repr_html_()


def test_a_table_keeps_its_numbers_and_what_it_is_shown_with():
    frame = pd.DataFrame({"top-1": [63.8, None], "p": [1e-9, 0.0421], "n": [10000, 9]}, index=["a", "b"])
    table = display.table(frame, units={"top-1": "%"}, missing={"top-1": "not run"})
    assert table.loc["a", "top-1"] == 63.8
    for same in (table, table.round(1), table.loc[["a", "b"]], table.copy()):
        shown = display.text(same)
        assert shown.columns.tolist() == ["top-1 (%)", "p", "n"]
        assert shown.values.tolist()[0] == ["63.8", "< 0.001", "10,000"]
        assert shown.loc["b", "top-1 (%)"] == "not run"
    assert "not run" in repr(table) and "&lt; 0.001" in table._repr_html_()
    assert display.text(table.T).index.tolist() == ["top-1 (%)", "p", "n"]


def test_rows_are_called_by_their_index_and_without_rows_a_table_has_its_caption_alone():
    shown = display.of_rows([{"row": "a", "part": 0.126}], "row", digits=2, units={"part": "%"}, caption="Of one.")
    assert shown.loc["a", "part"] == 0.13 and "part (%)" in shown._repr_html_() and "Of one." in shown._repr_html_()
    for index in ("row", ["row", "part"]):
        none = display.of_rows([], index, digits=2, units={"part": "%"}, caption="Nothing.")
        assert none.empty and "Nothing." in none._repr_html_()
    for none in (display.of_rows([], "row"), display.without_rows(), display.table(pd.DataFrame({"row": []}))):
        assert none._repr_html_().count("No rows: of this nothing is recorded.") == 1
    assert "No rows" not in display.table(pd.DataFrame({"row": [1]}))._repr_html_()


def test_claims_without_a_rule_have_no_row(repository):
    assert claim_tables.claims_table("narrow", 2).empty and len(claim_tables.claims_table("narrow", 1, 2)) == 1


def test_a_cell_that_cannot_be_is_empty_and_one_that_was_not_run_says_so():
    frame = pd.DataFrame({("paper", "top-1"): [1.0, None], ("smoke", "top-1"): [None, None]}, index=["VGG", "MSRA"])
    table = display.table(frame, missing={"paper": ""}, instead={("MSRA", ("smoke", "top-1")): ""})
    assert display.text(table).values.tolist() == [["1", "not run"], ["", ""]]


@pytest.mark.parametrize(("p", "shown"), [(0.0, "< 0.001"), (0.0009999, "< 0.001"), (0.001, "0.001"), (1.0, "1.000")])
def test_a_p_value_is_never_nothing(p, shown):
    assert display.p_value(p) == shown


@pytest.mark.parametrize(("values", "shown"), [
    ([63.82, 74.8], ["63.82", "74.80"]),
    ([0.033, 3.646], ["0.033", "3.646"]),
    ([3.7e-4, 0.0, 5.05e-8], ["0.00037", "0", "5.05e-08"]),
    ([1.0, 102.0], ["1", "102"]),
    ([1756.0, 90.6, 37418.0], ["1756", "90.6", "37,418"]),
    ([678.4, 1706.0], ["678.4", "1706.0"]),
    ([100.0, 99.3], ["100.0", "99.3"]),
    ([float("inf"), 1.5], ["inf", "1.5"]),
])  # fmt: skip
def test_a_column_has_the_decimals_that_its_values_need(values, shown):
    assert display.text(pd.DataFrame({"x": values}))["x"].tolist() == shown


def test_differences_and_intervals_are_said_in_one_way():
    assert display.difference(Interval(-0.5, -1.234, 0.2)) == "-0.50 [-1.23, +0.20]"
    assert (display.difference(None), display.signed(None), display.signed(2.0)) == ("not run", "", "+2.00")
    assert display.with_interval(63.82, 62.87, 64.76) == "63.8 [62.9, 64.8]"
    assert display.in_points(Interval(0.52, -0.04, 1.2)) == ("+0.5 points", "+0.0 to +1.2")
    assert display.in_points(Interval(-0.52, -1.2, -0.04), sign="") == ("-0.5 points", "-1.2 to 0.0")


def test_a_lopsided_interval_is_not_halved():
    """The bootstrap of a mean average precision is; half its width would hide that its lower side is the wider."""
    assert display.spread(SimpleNamespace(value=45.52, low=43.30, high=46.64)) == "(43.3–46.6)"
    assert display.spread(SimpleNamespace(value=29.36, low=28.36, high=30.38)) == "± 1.0"
    assert display.spread(SimpleNamespace(value=29.67, low=25.21, high=34.56)) == "± 4.7"  # Wilson's, over 364 images


def test_what_was_measured_is_shown_with_its_units():
    shown = display.errors({"dense-256": {"n": 364, "top1_error": np.float64(51.3736), "top5_error": 9.0}})
    assert display.text(shown).columns.tolist() == ["n (images)", "top1_error (%)", "top5_error (%)"]


def test_the_terminal_says_none_in_words(repository):
    from verydeep.book import pages
    from verydeep.results import status

    for name in studies.names():
        for text in (status.show_study(name), pages.study_page(studies.load(name))):
            assert "None" not in text and "nan" not in text.split()
    assert runs.read_record(studies.find_run("quarter", "A", 256), "train")
    lines = {line.split()[0]: line for line in status.status("quarter").splitlines()}
    assert re.search(r"held-out top-1 +[\d.]+ % .*dense-256 [\d.]+ / [\d.]+ %", lines["A-256-s0"])
    assert re.search(r"held-out boxes +[\d.]+ % ", lines["D-384-pcr-all-s0"])


def test_the_page_of_a_study_leads_to_all_that_is_made_of_its_networks_or_says_what_makes_it(repository):
    from verydeep.book import pages
    from verydeep.results import status

    study = studies.load("narrow")
    page, transfers, tunings = pages.study_page(study), status.transfers(study), runs.recorded_tunings(study)
    done = {made.name for made in runs.recorded_transfers(study)}
    assert done and tunings and len(done) < len(transfers)
    for made in [*transfers, *tunings, *runs.recorded_fusions(study)]:
        recorded = made.name in done or made not in transfers
        network = runs.lacking(made)
        how = f"`{made.command}`" if network is None else f"needs {network.name}"
        assert (f"(narrow/{made.name}.md)" if recorded else how) in page, made.name
        assert network is None or recorded or page.count(f"{network.name}, {runs.lost_words(network)}") == 1


def test_cells_and_row_names_below_a_heading_lead_where_its_links_say():
    frame = pd.DataFrame({"section": ["4.1", "<B>"], "other": ["4.1", "x"]})
    links = {"section": lambda text: f"https://a.org/#{text}"}
    shown = display.table(frame, links=links)._repr_html_()
    assert '<td><a href="https://a.org/#4.1">4.1</a></td>\n      <td>4.1</td>' in shown
    assert '<a href="https://a.org/#&lt;B&gt;">&lt;B&gt;</a>' in shown
    assert (
        '<th><a href="https://a.org/#4.1">4.1</a></th>'
        in display.table(frame.set_index("section"), links=links)._repr_html_()
    )
    assert "\x00" not in repr(display.table(frame, links=links))


def test_a_long_table_and_a_long_cell_are_shown_whole():
    frame = pd.DataFrame({"said": [f"row {k} " + "word " * 60 for k in range(200)]} | {f"c{k}": 1 for k in range(40)})
    shown = display.table(frame)._repr_html_()
    assert all(f"row {k} word" in shown for k in range(200)) and "..." not in shown
    assert all(f">c{k}<" in shown for k in range(40)) and shown.count("word") == 200 * 60


def test_what_intervals_cover_is_said_by_the_number_of_seeds():
    assert display.covered("these", [1, 1]).startswith("Intervals: 95 %, over these, for the one seed trained;")
    assert "these and the seeds where several were trained; where it was one" in display.covered("these", [1, 3])
    assert display.covered("these", [3]) == "Intervals: 95 %, over the 3 seeds trained and these."
