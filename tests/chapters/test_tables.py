"""The paper's tables beside a study's numbers."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from verydeep import paper, results, runs, studies
from verydeep.chapters import (
    costs,
    display,
    error_tables,
    figures,
    paper_tables,
    result_tables,
    settings,
    testing_tables,
    training_tables,
    transfer_tables,
)
from verydeep.studies import recipes, schema


def test_table1_stands_as_printed():
    table = paper_tables.table1()
    assert table.columns.get_level_values("config").tolist() == ["A", "A-LRN", "B", "C", "D", "E"]
    assert (table == "maxpool").all(axis=1).sum() == 5
    assert [cell for cell in table["C"].iloc[:, 0] if cell.startswith("conv1")] == [
        "conv1-256",
        "conv1-512",
        "conv1-512",
    ]


def test_table2_rounds_to_the_printed_figures():
    table = paper_tables.table2()
    assert table["rounded (millions)"].tolist() == table["paper (millions)"].tolist() == [133, 133, 133, 134, 138, 144]


def test_table3_puts_the_paper_beside_the_study(trained):
    table = error_tables.errors(3, ["smoke", "quarter"])
    assert table.index.tolist()[:6] == ["A-256", "A-LRN-256", "B-256", "C-256", "C-384", "C-jitter"]
    assert table.loc["A-256", ("paper", "top-1")] == 29.6
    assert table.loc["A-256", ("smoke", "top-1")] == results.number("smoke.table3.A-256.top1").value
    assert table[("quarter", "top-1")].isna().all()


def test_the_markdown_table_links_what_was_run(trained):
    text = error_tables.errors_markdown(3, ["smoke"], lambda one: f"[{one.value:.1f}](/runs/{one.study}/{one.run}.md)")
    a = next(line for line in text.splitlines() if line.startswith("| A |"))
    assert f"[{results.number('smoke.table3.A-256.top1').value:.1f}](/runs/smoke/A-256-s0.md)" in a
    assert text.count(display.NOT_RUN) == 2 * 11


#: The rows of each table as the paper has them.
ROWS = {
    3: "A-256 A-LRN-256 B-256 C-256 C-384 C-jitter D-256 D-384 D-jitter E-256 E-384 E-jitter",
    4: "B-256 C-256 C-384 C-jitter D-256 D-384 D-jitter E-256 E-384 E-jitter",
    5: "D-jitter-dense D-jitter-multi-crop D-jitter-both E-jitter-dense E-jitter-multi-crop E-jitter-both",
    6: "7-dense 2-dense 2-multi-crop 2-both",
    7: "VGG-2 VGG-1 VGG-7 GoogLeNet-1 GoogLeNet-7 MSRA-11 MSRA-1 Clarifai-multiple Clarifai-1 Zeiler-Fergus-6 "
    "Zeiler-Fergus-1 OverFeat-7 OverFeat-1 Krizhevsky-et-al-5 Krizhevsky-et-al-1",
}


def test_no_error_is_shown_of_a_test_of_other_weights(trained):
    """As the tables of results have none: the record of the training names weights that were not tested."""
    assert not costs.testing_cost("smoke").empty
    run = studies.find_run("smoke", "A", 256)
    record = runs.read_record(run, "train")
    runs.write_record(
        run, record.model_copy(update={"artefacts": record.artefacts | {"weights.safetensors": "0" * 64}})
    )
    runs.seal(run.folder, ["train.json"])
    assert results.number("smoke.table3.A-256.top1").status == "not tested"
    assert costs.testing_cost("smoke").empty


@pytest.mark.parametrize("table", ROWS)
def test_every_table_stands_in_the_papers_row_order_with_its_errors(checkout, table):
    printed = paper.table(table)
    frame = error_tables.errors(table, ["quarter"])
    assert frame.index.tolist() == ROWS[table].split()
    columns = {"top-1": "top1_val_error", "top-5": "top5_val_error", "top-5, test images": "top5_test_error"}
    assert set(frame["paper"]) == {*columns} if table > 5 else {"top-1", "top-5"}
    for heading in frame["paper"]:
        assert frame["paper", heading].fillna(-1).tolist() == printed[columns[heading]].fillna(-1).tolist()
    assert frame["quarter", "top-1"].isna().all()
    text = error_tables.errors_markdown(table, ["quarter"], lambda one: one.id)
    ours = 3 if table == 7 else len(frame)
    assert text.count(display.NOT_RUN) == 2 * ours


def test_peers_that_a_study_trains_stand_in_table_7_in_the_rows_of_their_authors_one_network(checkout):
    text = error_tables.errors_markdown(7, ["narrow"], lambda one: one.id)
    lines = [line for line in text.splitlines() if line.startswith(("| Krizhevsky et al. |", "| GoogLeNet |"))]
    assert [line.split("|")[3].strip() for line in lines] == ["1", "7", "5", "1"]
    assert [line.count(display.NOT_RUN) for line in lines] == [2, 0, 0, 2]


def test_rows_that_the_paper_does_not_have_stand_apart(trained):
    assert error_tables.errors(3, ["quarter"], others=True).index.tolist() == [
        "B-5x5-256", "A-256-longer", "D-jitter-fc-only",
        "A-256-long", "A-256-long-0.01", "B-256-long-0.01", "C-256-long-0.01", "D-256-long-0.01", "E-256-long-0.01",
        "A-256-longest",
    ]  # fmt: skip
    others = error_tables.errors(4, ["smoke"], others=True)
    assert others.loc["A-256", ("smoke", "top-1")] == results.number("smoke.table4.A-256.top1").value
    assert "A-256" not in error_tables.errors(4, ["smoke"]).index


def test_rows_of_others_that_were_not_run_are_left_out_and_counted_once_any_was(trained):
    shown = error_tables.errors(4, ["smoke"], others=True)
    planned = {row.name for row in results.rows("table4", studies.load("smoke"))} - {*results.printed_rows("table4")}
    assert shown["smoke"].notna().all(axis=None) and 0 < len(shown) < len(planned)
    assert error_tables.left_out(4, ["smoke"]) == len(planned) - len(shown)
    caption = result_tables.result_table(4, "smoke", others=True).caption
    assert f"Left out are {len(planned) - len(shown)} that have not been run" in caption
    assert error_tables.errors(3, ["quarter"], others=True)["quarter"].isna().all(axis=None)
    assert error_tables.left_out(3, ["quarter"]) == 0


def test_of_the_others_no_study_has_a_column_that_plans_none_of_them_and_no_heading_is_empty(trained):
    """Smoke tests A on many crops, which is no variant; narrow does not plan to."""
    shown = error_tables.errors(5, ["smoke", "narrow"], others=True)
    assert [*dict.fromkeys(source for source, _ in shown.columns)] == ["", "smoke"]
    assert "variant" not in shown[""] and "variant" in error_tables.errors(3, ["quarter"], others=True)[""]
    assert "narrow" in error_tables.errors(5, ["smoke", "narrow"]).columns


def test_what_both_ways_gain_over_each_is_the_difference_of_their_cells():
    table = testing_tables.dense_against_multi_crop("quarter")
    known = {found.id: found.value for found in results.read("quarter").numbers}
    assert {"A-256", "D-256", "D-jitter", "E-jitter"} <= set(table.index)
    for row in table.index:
        values = {method: known[f"quarter.table5.{row}-{method}.top1"] for method in ("dense", "multi-crop", "both")}
        assert table.loc[row, list(values)].to_dict() == pytest.approx(values)
        for method in ("dense", "multi-crop"):
            shown = re.fullmatch(r"(\S+) \[(\S+), (\S+)\]", table.loc[row, f"both, over {method}"])
            value, low, high = map(float, shown.groups())
            assert value == pytest.approx(values[method] - values["both"], abs=0.006) and low < value < high


def test_what_networks_gain_together_is_the_difference_to_the_best_of_them():
    table = testing_tables.fusion_gains("quarter")
    known = {found.id: found.value for found in results.read("quarter").numbers}
    row = table.loc[("A-256 + D-256", "dense")]
    alone = [known["quarter.table4.A-256.top1"], known["quarter.table4.D-256.top1"]]
    assert (row["best alone"], row["worst alone"]) == pytest.approx((min(alone), max(alone)))
    shown = re.fullmatch(r"(\S+) \[(\S+), (\S+)\]", row["gain over the best"])
    value, low, high = map(float, shown.groups())
    assert value == pytest.approx(min(alone) - row["together"], abs=0.006) and low < value < high


def test_ways_of_testing_that_say_otherwise_are_counted_image_by_image(repository):
    run = studies.find_run("narrow", "D", 256)
    table = pd.read_parquet(run.folder / "predictions.parquet")
    best = table.pivot(index="image", columns="measurement", values="class_1")
    true = table.drop_duplicates("image").set_index("image")["label"].loc[best.index].to_numpy()
    dense, shown = best["dense-256"].to_numpy(), testing_tables.ways_apart(run)
    assert set(shown.index) == {*best} - {"dense-256"}
    for way, row in shown.iterrows():
        other = best[way].to_numpy()
        counted = [dense != other, (dense == true) & (other != true), (dense != true) & (other == true)]
        assert row.tolist() == pytest.approx([100 * images.mean() for images in counted], abs=0.0051)


def test_each_class_has_its_recall_over_the_splits_the_largest_gain_of_training_first(repository):
    transfer = studies.find_transfer(["narrow/D-jitter"], "caltech101")
    shown, answers = transfer_tables.by_class(transfer), pd.read_parquet(transfer.folder / "transfer.parquet")
    answers["right"] = answers["label"] == answers["class_1"]
    by_split = answers.groupby(["measurement", "split", "label"], observed=True)["right"].mean()
    recall = 100 * by_split.groupby(level=["measurement", "label"], observed=True).mean()
    titles = {"the paper's way": "stack-256+384+512", "at one scale": "average-256",
              "untrained": "untrained-average-256", "pixels": "pixels"}  # fmt: skip
    assert list(shown) == [*titles]
    for title, name in titles.items():
        assert shown[title].sort_index().tolist() == pytest.approx(recall[name].tolist(), abs=0.051)
    assert (shown["at one scale"] - shown["untrained"]).round(1).is_monotonic_decreasing


def test_a_class_of_actions_stands_beside_what_needs_no_training(monkeypatch):
    """The image and the person's box are the paper's way there; the baselines are of the image alone."""
    transfer = studies.find_transfer(["narrow/D-jitter"], "voc2012-action")
    measured = enumerate(features.name for features in transfer.measured())
    scores = {name: SimpleNamespace(classes=[float(k), 2.0 * k]) for k, name in measured}
    monkeypatch.setattr(transfer_tables.runs, "read_record", lambda _: SimpleNamespace(measurements=scores))
    assert {"the paper's way", "at one scale", "untrained", "pixels"} == {*transfer_tables.by_class(transfer)}


def test_a_recipe_is_that_of_the_studys_file_beside_section_3_1(repository):
    shown, file = settings.recipe("quarter"), yaml.safe_load((schema.FOLDER / "quarter.yaml").read_text())
    papers = {"batch": 256, "momentum": 0.9, "weight_decay": 5e-4, "dropout": 0.5, "learning_rate": 0.01,
              "rate_drops": 3, "epochs": 74}  # fmt: skip
    assert {key: shown.loc[key, "paper"] for key in papers} == papers
    assert {key: shown.loc[key, "study"] for key in file["recipe"]} == file["recipe"]
    assert shown.loc["momentum", ["study", "why"]].tolist() == [0.9, ""]
    departures = settings.departures("quarter")
    assert set(departures.index) == {*file["recipe"]}
    assert departures["why"].to_dict() == {key: " ".join(file["why"][key].split()) for key in file["recipe"]}


def test_what_the_text_alone_says_has_its_unit():
    said = dict(zip(paper_tables.in_text()["what"], paper_tables.in_text()["paper"], strict=True))
    for what, printed in {"batch size": "256 images", "momentum": "0.9", "weight decay (L2 multiplier)": "0.0005",
                          "training iterations": "370,000 iterations", "crops in total over 3 scales": "150 crops",
                          "VOC gain of five test scales over three": "0.3 %"}.items():  # fmt: skip
        assert said[what] == printed


def test_a_study_without_networks_tested_together_has_an_empty_table(checkout):
    assert testing_tables.fusion_gains("quarter").empty


def test_the_gain_of_a_later_table_is_the_difference_of_the_rows_in_both(checkout):
    gain = error_tables.gain(3, 4, ["quarter"])
    assert gain.loc["D-jitter", ("paper", "top-1")] == pytest.approx(25.6 - 24.8)
    assert len(gain) == 10 and gain["paper", "top-1"].min() == pytest.approx(0.2)


def test_the_cost_of_testing_is_that_of_the_record(trained):
    cost = costs.testing_cost("smoke")
    record = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate")
    assert cost.index.get_level_values("method").tolist() == [
        "centre-crop", "dense", "dense", "multi-crop", "both",
    ]  # fmt: skip
    both = cost.xs("both", level="method").iloc[0]
    assert both["forward passes"] == 3 + 1 + 25 + 25
    assert both["top-1"] == record.measurements["both-224+256+288"].top1_error
    run = studies.find_run("smoke", "A", 256)  # a way that the study asks for since is not there yet
    runs.unseal(run.folder, ["evaluate.json"])
    left = {name: errors for name, errors in record.measurements.items() if not name.startswith("both")}
    runs.write_record(run, record.model_copy(update={"measurements": left}))
    assert costs.testing_cost("smoke").index.get_level_values("method").tolist() == [
        "centre-crop", "dense", "dense", "multi-crop",
    ]  # fmt: skip
    assert costs.testing_cost("quarter").empty


def test_the_cost_at_the_papers_size_is_counted():
    cost = costs.paper_cost()
    assert cost.loc["D", "centre crop"] == 15.5
    assert cost.loc["D", "multi-crop"] == pytest.approx(150 * 15.47, rel=1e-3)
    assert (cost["both"] > cost["multi-crop"]).all() and (cost["dense, three scales"] < cost["multi-crop"]).all()


def test_the_gap_of_torchvisions_weights_is_known_and_its_parts_are_not_yet(checkout):
    gap = testing_tables.protocol_gap()
    assert gap.loc["vgg16", "gap"] == pytest.approx(28.41 - 24.8)
    assert gap.loc["vgg11", "gap"] == pytest.approx(30.98 - 29.6)
    assert gap[["of it testing", "of it training"]].isna().all(axis=None)


def test_pilots_are_listed_with_what_they_changed(checkout):
    table = training_tables.pilots("quarter")
    assert table.loc[("dropout", "A-256"), "changes"] == "dropout: 0.5"
    assert table.loc[("rate-0.01", "E-256"), "changes"] == "learning_rate: 0.01"
    assert table.loc["base", "changes"].to_dict() == dict.fromkeys(("A-256", "C-256", "E-256"), "nothing")
    assert table.index.is_unique
    assert set(table["held-out top-1"]) == {display.NOT_RUN}


def test_how_long_a_network_was_trained_counts_what_it_starts_from(trained):
    table = training_tables.training("smoke")
    epochs = {scale: studies.load("smoke").resolve(scale).epochs for scale in ("256", "384", "jitter")}
    assert table.loc["A-256", ["starts from", "with its ancestors'"]].tolist() == ["", epochs["256"]]
    assert table.loc["D-jitter", "starts from"] == "D-384"
    assert table.loc["D-jitter", "with its ancestors'"] == 2 * epochs["256"] + epochs["384"] + epochs["jitter"]
    record = runs.read_record(studies.find_run("smoke", "A", 256), "train")
    assert table.loc["A-256", "training loss"] == round(record.metrics.train_loss, 2)
    assert table.loc["D-jitter", "training loss"] == display.NOT_RUN


@pytest.mark.usefixtures("repository")
def test_depth_against_budget_leaves_out_a_recipe_of_one_depth():
    """A alone was trained with other pooling or initial weights, and never learned with some of these."""
    frame = training_tables.budget("narrow")
    kept = frame.groupby("changes")["config"].apply(set)
    assert kept[""] == set("ABCDE") and {"A-256-longer", "D-256-ladder-1"} <= set(frame["network"])
    assert kept["random weights, batch normalisation"] == set("ABCDE")
    one_depth = {"A-256-pool-3x3", "A-256-no-dropout", "A-256-paper-std"}
    assert one_depth.isdisjoint(frame["network"]) and one_depth <= {run.row for run in studies.planned_runs(
        studies.load("narrow")) if runs.read_record(run, "train")}  # fmt: skip
    assert frame["training"].max() < 40


@pytest.mark.usefixtures("d_trained")
def test_a_network_that_was_trained_and_not_tested_says_so():
    number = results.number("smoke.table3.D-256.top1")
    assert (number.status, number.value, display.measured(number)) == ("not tested", None, "not tested")
    shown = display.text(error_tables.errors(3, ["smoke"]))["smoke", "top-1 (%)"]
    assert shown["D-256"] == "not tested" and set(shown.drop(["A-256", "D-256"])) == {"not run"}
    assert "not tested" in str(result_tables.result_table(3, "smoke")._repr_html_())


def test_a_network_of_a_further_seed_has_a_line_of_its_own(checkout):
    table = training_tables.training("narrow")
    assert table.index.is_unique
    assert table.loc["D-256", "starts from"] == "A-256" and table.loc["D-256-s1", "starts from"] == "A-256-s1"


def test_the_picture_of_table3_has_a_place_for_every_row(trained):
    figure = figures.errors_picture(error_tables.points(3, ["smoke", "quarter"]))
    paper, smoke = figure.figure.axes  # quarter has nothing to show
    assert [label.get_text() for label in paper.get_yticklabels()] == error_tables.errors(3, []).index.tolist()
    shown = results.number("smoke.table3.A-256.top1")
    interval, error = smoke.lines
    assert interval.get_xdata().tolist() == [shown.low, shown.high] and error.get_xdata()[0] == shown.value
    assert [text.get_text() for text in smoke.texts].count("not run") == 11
    assert np.diff(paper.get_xlim()) == pytest.approx(np.diff(smoke.get_xlim()))


def test_settings_of_networks_with_boxes_have_reasons_and_what_the_paper_does_not_print_is_no_value_of_it():
    """The variant's description stood for the reason, and 74 epochs, printed of other networks, for a value."""
    frame = settings.all_departures("quarter")
    of_boxes = frame[frame.index.str.startswith("boxes")]
    study = studies.load("quarter")
    assert {"boxes, pcr-all, 256", "boxes, pcr-all, 384"} <= set(of_boxes.index)
    for row in of_boxes.itertuples():
        assert row.why == study.why[f"boxes.{row.setting}"]
    epochs = of_boxes[of_boxes["setting"] == "epochs"]
    assert len(epochs) == len(of_boxes) / 2 and set(epochs["paper"]) == {"not printed, read as 74"}
    rows = {
        row["setting"]: row for row in recipes.recipe_rows(study, "384", study.resolve("384", "pcr-all"), boxes=True)
    }
    assert rows["learning_rate"]["why"] == study.why["boxes.learning_rate"]
