"""The names of runs and numbers: parsed in one place, exactly or not at all."""

import json
import re
import shutil

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import EVERY
from verydeep import paths, results, runs, studies
from verydeep.errors import RecordError, StudyError, VerydeepError
from verydeep.networks.configurations import all_configurations
from verydeep.results import citation
from verydeep.results.identity import NumberId
from verydeep.studies import schema
from verydeep.studies.names import TRAIN_SCALES, RunName, variant_fault
from verydeep.studies.plan import named_run

# Any text at all, and text made of what names are made of, among it what could be taken for another part.
PIECES = st.sampled_from(["s", "s0", "s1", "s01", "short", "0.25", "long", "-", ".", "+", "/", " ", "256", "both", "D"])
NAMES = st.text(max_size=12) | st.lists(PIECES, max_size=6).map("".join)
ADMITTED = NAMES.filter(lambda name: variant_fault(name) is None)


def study_with(variant: str) -> schema.Study:
    keys = {
        "name": "tried", "title": "t", "purpose": "p", "where": "w",
        "data": {"source": "digits", "held_out_per_class": 10},
        "variants": {variant: {"networks": ["A-256"], "why": "w", "set": {}}},
    }  # fmt: skip
    return schema.parse(yaml.safe_dump(keys), "tried.yaml")


@EVERY
@given(NAMES)
def test_a_variant_that_the_schema_admits_is_parsed_back(variant):
    try:
        run = studies.Run(study_with(variant), "A", "256", 3, variant)
    except StudyError as error:
        assert "\n" not in str(error)
        return
    assert RunName.parse(run.name) == RunName("A", "256", variant, 3)
    assert RunName.parse(run.row, seed=7) == RunName("A", "256", variant, 7)
    number = NumberId.parse(f"tried.table5.{run.row}-both.top1")
    assert number == NumberId("tried", "table5", f"A-256-{variant}-both", "top1")


@EVERY
@given(st.sampled_from(sorted(all_configurations())), st.sampled_from(TRAIN_SCALES), st.none() | ADMITTED,
       st.integers(0, 2**32))  # fmt: skip
def test_every_run_is_parsed_back(config, scale, variant, seed):
    named = RunName(config, scale, variant, seed)
    assert RunName.parse(str(named)) == named and "/" not in str(named)
    assert (RunName.parse(named.row, seed=seed), RunName.parse(str(named), seed=seed + 1)) == (named, named)


@EVERY
@given(NAMES | st.lists(PIECES, min_size=3, max_size=8).map(lambda pieces: "A-256-" + "".join(pieces)))
def test_any_text_names_a_run_exactly_or_is_refused(text):
    for kind, asked in ((RunName, text), (NumberId, text), (NumberId, f"quarter.table3.{text}.top1")):
        try:
            parsed = kind.parse(asked)
        except VerydeepError as error:
            assert "\n" not in str(error) and "write <" in str(error)
        else:
            assert str(parsed) == asked


@pytest.mark.parametrize(("variant", "reason"), [
    ("s1", "its end, s1, would be read as a seed"),
    ("longer-s0", "its end, s0, would be read as a seed"),
    ("longer-s00", "its end, s00, would be read as a seed"),
    ("dropout-on-fc", "what stands behind on would be read as a data set"),
    ("on", "what stands behind on would be read as a data set"),
    ("a+b", "small letters and digits"),
    ("a/b", "small letters and digits"),
    ("a b", "small letters and digits"),
    ("..", "small letters and digits"),
    ("a--b", "small letters and digits"),
    ("", "small letters and digits"),
])  # fmt: skip
def test_what_would_not_be_parsed_back_is_refused_with_the_reason(variant, reason):
    with pytest.raises(StudyError, match=re.escape(f"tried.yaml: variants: {variant!r} cannot be") + f".*{reason}"):
        study_with(variant)


@pytest.mark.parametrize("variant", ["short", "s", "s1.5", "stride-2", "256", "384-s", "both", "pilot-s-0.25", "1e3"])
def test_what_is_parsed_back_is_admitted(variant):
    assert study_with(variant).variants[variant].why == "w"


def test_a_study_is_named_so_that_its_numbers_can_be():
    text = "{name: %s, title: t, purpose: p, where: w, data: {source: digits, held_out_per_class: 10}}"
    assert schema.parse(text % "two-words", "x.yaml").name == "two-words"
    with pytest.raises(StudyError, match=r"x.yaml: name: 'a.b' cannot be a study's name"):
        schema.parse(text % "a.b", "x.yaml")


def test_the_scales_and_configurations_are_those_that_there_are():
    assert set(TRAIN_SCALES) == {*schema.PAPER_SCALES, *schema.RELEASED}
    assert set(studies.load("quarter").networks) <= set(TRAIN_SCALES)
    assert {RunName(config, "jitter", None, 0).config for config in all_configurations()} == set(all_configurations())


def test_a_row_may_hold_dots():
    number = results.number("quarter.table3.A-256.top1")
    assert (number.study, number.table, number.row, number.metric) == ("quarter", "table3", "A-256", "top1")
    dotted = "quarter.table3.A-256-pilot-long-dropout-0.25.top1"
    assert NumberId.parse(dotted).row == "A-256-pilot-long-dropout-0.25"
    made_up = results.Number(dotted, 1.0, 0.5, 1.5, 9, None, "done", "A-256-s0", "dense-256", ("A-256-s0",))
    assert "of A-256-pilot-long-dropout-0.25 (Table 3" in citation.describe(made_up)


def test_the_published_schema_admits_what_is_parsed():
    published = json.loads((paths.package() / "book/static/numbers.schema.json").read_text())
    pattern = published["properties"]["numbers"]["items"]["properties"]["id"]["pattern"]
    for identity in ("two-words.table3.A-256-dropout-0.25.top1", "quarter.centre-crop.A-LRN-256.top5"):
        assert NumberId.parse(identity) and re.search(pattern, identity)


def test_a_variant_that_begins_with_an_s_breaks_no_number(trained):
    before = results.read("smoke").numbers
    for name in ("A-256-short-s0", "A-256-s-s0", "A-256-s1.5-s0", "A-256-s01", "A-256-two words-s0"):
        shutil.copytree(trained / "runs/smoke/A-256-s0", trained / "runs/smoke" / name)
    assert results.read("smoke").numbers == before
    assert {fault.partition(": ")[0] for fault in runs.check_all()} == {
        f"runs/smoke/{name}/{kind}.json"
        for name in ("A-256-short-s0", "A-256-s-s0", "A-256-s1.5-s0", "A-256-s01", "A-256-two words-s0")
        for kind in ("train", "evaluate")
    }


def test_a_record_of_an_unknown_variant_is_said(trained):
    folder = trained / "runs/smoke/A-256-short-s0"
    shutil.copytree(trained / "runs/smoke/A-256-s0", folder)
    (folder / "SHA256SUMS").unlink()
    record = json.loads((folder / "train.json").read_text()) | {"variant": "short"}
    (folder / "train.json").write_text(json.dumps(record))
    with pytest.raises(RecordError, match=r"A-256-short-s0/train.json: is of a variant that the study does not have"):
        runs.recorded_runs(studies.load("smoke"))


@pytest.mark.parametrize("name", ["quarter/A-256-s00", "quarter/A-256-longer-s1-s0", "quarter/A-256-s0 ", "A-256"])
def test_a_member_is_named_exactly(name):
    with pytest.raises(VerydeepError, match="names no network"):
        named_run(name)


def test_a_run_is_found_again_by_its_address():
    planned = [run for name in studies.names() for run in studies.planned_runs(studies.load(name))]
    assert [named_run(run.address) for run in planned] == planned
