"""From records to numbers: their identities, values and intervals."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from verydeep import results, runs, studies
from verydeep.errors import RecordError, UnknownName


def test_every_cell_is_listed_and_not_run_is_said(checkout):
    numbers = results.read("quarter").numbers
    variants = [one for one in studies.load("quarter").variants.values() if not (one.pilot or one.boxes)]
    networks = 12 + 1 + sum(len(variant.networks) for variant in variants)  # the paper's, B-5x5-256, the variants
    tables_3_and_4, table_5, table_6, crops = 2 * networks, 3 * 2, 4, networks  # Table 5: D and E with jitter
    boxed, whole, baselines = 7, 4, 3  # networks that give boxes, where they are found on whole images, and without any
    table_8, table_9, table_10 = boxed + whole + baselines, 2 * (whole + baselines + 1), 1
    expected = 6 + 2 * (tables_3_and_4 + table_5 + table_6 + crops) + table_8 + table_9 + table_10
    voc, caltech = 2 * 5 + 3 + 4, 2 * 3 + 4  # D, E, both; B-5x5 and D on VOC-2007; other ways of joining scales
    actions = 2 * (1 + 2)  # D, E and both, in their boxes and without; of D and E, two other ways of joining scales
    expected += voc + caltech + actions + 2 * 2  # of Tables 11 and 12, one number a row
    assert len(numbers) == len({number.id for number in numbers}) == expected
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
        measured.top1_error,
        364,
        "done",
        "A-256-s0",
    )
    assert number.measurement == "dense-256"
    centre = runs.read_record(run, "evaluate").measurements["centre-crop-256"]
    for identity, error in {"table3.A-256.top1": measured.top1_error, "table3.A-256.top5": measured.top5_error,
                            "centre-crop.A-256.top1": centre.top1_error}.items():  # fmt: skip
        found, p, z, n = results.number(f"smoke.{identity}"), error / 100, 1.959964, 364
        middle, half = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5  # Wilson (1927)
        ends = [100 * (middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1)]
        assert (found.low, found.high) == (pytest.approx(ends[0], abs=1e-4), pytest.approx(ends[1], abs=1e-4))


def another_seed(change, of="evaluate"):
    """The records of seed 0 as those of seed 1, that of one kind after ``change``."""
    run = studies.find_run("smoke", "A", 256)
    again = replace(run, seed=1)
    shutil.copytree(run.folder, again.folder)
    for kind in ("train", "evaluate"):
        record = runs.read_record(run, kind).model_copy(update={"seed": 1})
        runs.write_record(again, change(record) if kind == of else record)
    runs.seal(again.folder, ["train.json", "evaluate.json"])


def test_a_number_is_the_mean_over_its_seeds(trained):
    another_seed(lambda record: record)
    assert results.number("smoke.table3.A-256.top1").runs == ("A-256-s0", "A-256-s1")


@pytest.mark.parametrize(("part", "changed", "says"), [
    ("protocol", {"positions": "all"}, r"by another protocol \(positions\)"),
    ("data", {"manifest_sha256": "0" * 64}, "on other images"),
])  # fmt: skip
def test_no_mean_is_taken_over_seeds_that_were_tested_otherwise(trained, part, changed, says):
    def change(record):
        before = getattr(record, part)
        return record.model_copy(
            update={part: before | changed if part == "protocol" else before.model_copy(update=changed)}
        )

    another_seed(change)
    with pytest.raises(RecordError, match=f"A-256-s0 and runs/smoke/A-256-s1 were tested {says}: there is no mean"):
        results.number("smoke.table3.A-256.top1")


def test_no_mean_is_taken_over_seeds_that_were_trained_otherwise(trained):
    """A study's recipe was changed between two seeds: both records hold, and are of two recipes."""

    def change(record):
        recipe = record.parameters["recipe"] | {"weight_decay": 0.25}
        return record.model_copy(update={"parameters": record.parameters | {"recipe": recipe}})

    another_seed(change, of="train")
    told = r"table3.A-256: .*-s0 and .*-s1 were trained otherwise \(recipe.weight_decay: [\d.e-]+ and 0.25\): there"
    with pytest.raises(RecordError, match=told):
        results.number("smoke.table3.A-256.top1")


def test_every_table_reads_its_own_measurement(trained):
    measured = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate").measurements
    for identity, name in {
        "smoke.table4.A-256.top1": "dense-224+256+288",
        "smoke.table5.A-256-dense.top1": "dense-224+256+288",
        "smoke.table5.A-256-multi-crop.top1": "multi-crop-224+256+288",
        "smoke.table5.A-256-both.top1": "both-224+256+288",
        "smoke.centre-crop.A-256.top1": "centre-crop-256",
    }.items():
        number = results.number(identity)
        assert (number.value, number.measurement) == (measured[name].top1_error, name)
        assert number.paper is None  # the paper has A in Table 3 alone


def test_the_papers_numbers_have_identities():
    assert results.paper_number("table4.D-jitter.top1") == 24.8
    assert results.paper_number("table5.E-jitter-both.top5") == 7.1
    assert results.paper_number("table6.2-both.top5_test") == 6.8
    assert results.paper_number("table7.GoogLeNet-7.top5") == 6.7
    assert results.paper_number("table7.Krizhevsky-et-al-5.top1") == 38.1
    with pytest.raises(UnknownName):
        results.paper_number("table6.2-multi-crop.top5_test")  # not printed


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


def test_after_the_first_no_number_and_no_verdict_reads_a_record(trained, monkeypatch):
    snapshot = results.read("smoke")
    snapshot.verdict(3)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail(f"{self} was read"))
    monkeypatch.setattr(pd, "read_parquet", lambda path, **_: pytest.fail(f"{path} was read"))
    assert results.read("smoke") is snapshot
    assert results.number("smoke.table3.A-256.top1").status == "done"
    assert len(results.read("smoke").verdicts) == 32 and results.read("smoke").on_one_crop
