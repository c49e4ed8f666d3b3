"""The papermill commands that repeat the notebooks of a run."""

import shlex
from dataclasses import replace

import pytest
import yaml

from verydeep import notebooks, studies
from verydeep.runs import templates
from verydeep.runs.outputs import OUTPUTS
from verydeep.runs.records import KINDS


def test_the_command_repeats_the_run():
    run = studies.find_run("quarter", "D", "jitter", 3)
    command = templates.command(run, "train")
    given = "{study: quarter, config: D, train_scale: jitter, seed: 3}"
    assert command == f"papermill book/training/train.ipynb out.ipynb -y '{given}'"


@pytest.mark.parametrize("name", ["off", "0.5", "12", "longer"])
def test_the_command_tells_a_variant_as_a_word(name):
    run = studies.find_run("quarter", "A", 256)
    variant = studies.schema.Variant(networks=["A-256"], why="x", set={})
    run = replace(run, study=run.study.model_copy(update={"variants": {name: variant}}), variant=name)
    given = shlex.split(templates.command(run, "train"))[-1]
    assert yaml.safe_load(given) == run.parameters and yaml.safe_load(given)["variant"] == name


def test_every_kind_of_work_has_a_record_a_template_and_words():
    """What a further class of work needs beside itself."""
    made = [
        studies.find_run("smoke", "A", 256),
        studies.find_fusion(["smoke/D-256", "smoke/D-384"], "dense"),
        studies.find_transfer(["smoke/A-256"], "photographs"),
        studies.find_tuning("smoke/A-256", "photographs"),
    ]
    kinds = [kind for one in made for kind in one.kinds]
    assert kinds == [*KINDS] == [*templates.TEMPLATES] == [*notebooks.MACHINE] == [*OUTPUTS]
    assert {one.kind for one in made} == {*kinds} - {"train"} and all(one.in_words for one in made)
    assert made[0].kinds == ("train", "evaluate") and len({*map(type, made)}) == 4
