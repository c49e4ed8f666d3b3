"""Numbers, their identities, and the tables made of them."""

import pytest

from verydeep import figures, results, runs, studies, tables
from verydeep.errors import UnknownName


def test_every_cell_is_listed_and_not_run_is_said(checkout):
    numbers = results.numbers("quarter")
    assert len(numbers) == len({number.id for number in numbers}) == 6 + 2 * 12
    table3 = [number for number in numbers if ".table3." in number.id]
    assert {number.status for number in table3} == {"not run"}
    assert all(number.value is None and number.low is None and number.n is None for number in table3)
    assert results.number("quarter.table3.D-384.top1").paper == 26.8
    assert [number.id for number in table3[:2]] == ["quarter.table3.A-256.top1", "quarter.table3.A-256.top5"]


def test_a_number_is_what_its_record_says(trained):
    run = studies.find_run("smoke", "A", 256)
    measured = runs.read_record(run, "evaluate").measurements["dense-256"]
    number = results.number("smoke.table3.A-256.top1")
    assert (number.value, number.n, number.status, number.run) == (
        measured["top1_error"],
        364,
        "done",
        "A-256-s0",
    )
    assert number.low < number.value < number.high


def test_the_interval_is_wilsons():
    low, high = results.error_interval(50.0, 100)
    assert (low, high) == pytest.approx((40.38, 59.62), abs=0.01)
    assert results.error_interval(0.0, 100)[0] == 0.0


def test_an_unknown_number_suggests_the_nearest(checkout):
    with pytest.raises(UnknownName, match="quarter.table3.A-256.top1"):
        results.number("quarter.table3.A-255.top1")
    with pytest.raises(UnknownName, match="unknown study 'quater'"):
        results.number("quater.table3.A-256.top1")
    with pytest.raises(UnknownName, match="table3.A-256.top1"):
        results.paper_number("table3.A-2.top1")


def test_parameters_are_compared_with_the_paper_at_full_size_only():
    assert results.number("full.table2.D.parameters").paper == 138
    assert results.number("full.table2.D.parameters").value == pytest.approx(138.357544)
    assert results.number("quarter.table2.D.parameters").paper is None


def test_table1_stands_as_printed():
    table = tables.table1()
    assert table.columns.get_level_values("config").tolist() == ["A", "A-LRN", "B", "C", "D", "E"]
    assert (table == "maxpool").all(axis=1).sum() == 5
    assert [cell for cell in table["C"].iloc[:, 0] if cell.startswith("conv1")] == [
        "conv1-256",
        "conv1-512",
        "conv1-512",
    ]


def test_table2_rounds_to_the_printed_figures():
    table = tables.table2()
    assert table["rounded (millions)"].tolist() == table["paper (millions)"].tolist() == [133, 133, 133, 134, 138, 144]


def test_table3_puts_the_paper_beside_the_study(trained):
    table = tables.table3(["smoke", "quarter"])
    assert table.index.tolist()[:6] == ["A-256", "A-LRN-256", "B-256", "C-256", "C-384", "C-jitter"]
    assert table.loc["A-256", ("paper", "top-1")] == 29.6
    assert table.loc["A-256", ("smoke", "top-1")] == results.number("smoke.table3.A-256.top1").value
    assert table[("quarter", "top-1")].isna().all()


def test_the_markdown_table_links_what_was_run(trained):
    text = tables.table3_markdown(["smoke"], link=lambda study, run: f"/runs/{study}/{run}.md")
    a = next(line for line in text.splitlines() if line.startswith("| A |"))
    assert f"[{results.number('smoke.table3.A-256.top1').value:.1f}](/runs/smoke/A-256-s0.md)" in a
    assert text.count(tables.NOT_RUN) == 2 * 11


def test_pilots_are_listed_with_what_they_changed(checkout):
    table = tables.pilots("quarter")
    assert table.loc["dropout", "changes"] == "dropout: 0.5"
    assert table.loc["base", "changes"] == "nothing"
    assert set(table["held-out top-1"]) == {tables.NOT_RUN}


def test_the_picture_of_table3_has_a_place_for_every_row(trained):
    figure = figures.table3_picture(tables.table3(["smoke", "quarter"]), ["smoke", "quarter"])
    paper, smoke = figure.axes  # quarter has nothing to show
    for axes in (paper, smoke):
        assert [label.get_text() for label in axes.get_yticklabels()] == tables.table3([]).index.tolist()
    assert smoke.patches[0].get_width() == results.number("smoke.table3.A-256.top1").value
    assert [text.get_text() for text in smoke.texts].count(" not run") == 11
    assert figure.get_size_inches()[1] < 6
