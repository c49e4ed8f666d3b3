"""The benchmark of testing, in miniature, and the chapter's tables of its record."""

import json

import pytest
from click.testing import CliRunner

from scripts import load
from verydeep.chapters import speed_tables


def test_every_way_says_the_same_and_the_chapter_shows_what_each_costs(checkout):
    evaluation = load("evaluation")
    output = checkout / "benchmarks" / "evaluation.json"
    output.unlink(missing_ok=True)
    for table in (speed_tables.evaluation(), speed_tables.sharing()):
        assert table.empty and table.attrs["caption"].endswith("python benchmarks/evaluation.py")
    asked = ["--network", "smoke/A", "--images", "12", "--turns", "1", "--output", str(output)]
    done = CliRunner().invoke(evaluation.main, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    record = json.loads(output.read_text())
    loops = {name: rate for name, rate in record["rates"].items() if ": loop" in name}
    assert len(loops) == 3 and all(rate["largest_difference"] < 1e-5 for rate in loops.values())
    for name, rate in record["rates"].items():
        ours = record["rates"][f"{name.split(': ')[0]}: ours"]["images_per_second"]
        assert rate["ratio_of_ours"] == pytest.approx(ours / rate["images_per_second"])
    saved = record["sharing"]["smoke/A"]
    assert (saved["measurements"], saved["passes"], saved["passes_of_each_by_itself"]) == (4, 6, 13)
    assert saved["saved"] > 1
    table = speed_tables.evaluation()
    assert table.loc["smoke/A dense: ours", "goal"] == "ratio to forward passes at least 0.9"
    assert speed_tables.sharing().loc["smoke/A", "passes made"] == 6


def test_the_forward_passes_alone_are_those_that_a_test_makes(checkout, tmp_path):
    evaluation = load("evaluation")

    test = evaluation.Test(evaluation.find_run("smoke", "A", 256), 3, tmp_path)
    passes = test.forward("multi-crop", [40, 48], 2)
    seen = []
    test.tester.net.features.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    passes()
    assert sum(shape[0] for shape in seen) == 2 * 2 * 25  # digits have no mirror images
    assert {tuple(shape[1:]) for shape in seen} == {(3, 32, 32)}
