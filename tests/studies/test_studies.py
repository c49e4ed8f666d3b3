"""The schema of a study, and the plan of its runs."""

import re
from dataclasses import replace

import pytest
import yaml

from conftest import REPOSITORY
from verydeep import studies
from verydeep.chapters import settings
from verydeep.errors import StudyError, UnknownName, VerydeepError
from verydeep.studies import measurements, plan, recipes, schema
from verydeep.studies.strict import StrictLoader

SMOKE = schema.load("smoke")
#: The variants of narrow that change one thing.
ABLATIONS = (
    "batch-norm", "pool-3x3", "no-dropout", "no-colour-shift", "no-flip",
    "paper-variance", "paper-std", "notes-weights", "glorot",
)  # fmt: skip


def smoke(**changes) -> str:
    """The smoke study as YAML with some keys changed; ``None`` removes one."""
    keys = yaml.safe_load((schema.FOLDER / "smoke.yaml").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = keys
        for parent in parents:
            target = target[parent]
        if value is None:
            del target[last]
        else:
            target[last] = value
    return yaml.safe_dump(keys)


def test_every_shipped_study_loads():
    contents = (REPOSITORY / "book/_toc.yml").read_text()
    for name in studies.names():
        assert studies.load(name).name == name
        assert f"file: runs/{name}\n" in contents, f"book/_toc.yml has no line runs/{name} for the study's page"


def test_the_full_study_is_the_papers_recipe_and_size():
    full = studies.load("full")
    assert [*full.why] == ["initialisation"]  # as printed A diverges at its first step
    assert (full.crop, full.network.width_divisor, full.num_classes) == (224, 1, 1000)
    recipe = full.resolve("256")
    assert (recipe.batch, recipe.momentum, recipe.weight_decay, recipe.dropout) == (256, 0.9, 5e-4, 0.5)
    assert (recipe.learning_rate, recipe.epochs, recipe.rate_drops) == (1e-2, 74, 3)
    assert full.resolve("384").learning_rate == 1e-3


def test_the_quarter_study_divides_every_length_and_width():
    quarter = studies.load("quarter")
    assert quarter.crop == 56
    assert [quarter.pixels(scale) for scale in (224, 256, 288, 384, 512)] == [56, 64, 72, 96, 128]


@pytest.mark.parametrize(("changes", "message"), [
    ({"colour": 1}, "colour: unknown key"),
    ({"recipe__bach": 3}, "recipe.bach: unknown key, did you mean batch"),
    ({"recipe__batch": "32"}, "batch: .*valid integer"),
    ({"recipe__batch": 0}, "batch: .*greater than 0"),
    ({"recipe__dropout": 1.5}, "dropout: .*less than 1"),
    ({"recipe__initialisation": "zeros"}, "initialisation: .*'paper'"),
    ({"stages__512": {}}, "stages.512"),
    ({"stages__384__epoch": 3}, "stages.384.epoch: unknown key, did you mean epochs"),
    ({"networks": {"256": ["A"]}, "stages": {"384": {"epoch": 3}}}, "stages.384.epoch: unknown key"),
    ({"variants": {"x": {"networks": ["A-256"], "why": "x", "set": {"epochs": "3"}}}}, "variants.x.set.epochs: "),
    ({"data": None}, "data: this key is missing"),
    ({"data__source": "cifar"}, "unknown data set 'cifar'"),
    ({"data__source": "voc2007"}, "data.source: an image of voc2007 may be of several classes"),
    ({"data__source": "caltech101"}, "data.source: caltech101 has no images for val"),
    ({"data__source": "imagenet-val"}, "data.source: imagenet-val has no images for train"),
    ({"why__batch": None}, "says no reason for batch"),
    ({"why__momentum": "none"}, "gives a reason for momentum, which does not depart"),
    ({"why__stages.dropout": "none"}, "gives a reason for stages.dropout, which does not depart"),
    ({"networks": {"256": ["F"]}}, "unknown config 'F'"),
    ({"variants": {"x": {"networks": ["A-384"], "why": "x", "set": {}}}}, "unknown network 'A-384'"),
    ({"variants": {"x": {"networks": ["A-256"], "why": "x", "set": {"bach": 1}}}}, "variants.x.set.bach: unknown key"),
    ({"seeds": [-1]}, "seeds.0"),
    ({"further_seeds": [{"seeds": [-1], "networks": ["A-256"]}]}, "further_seeds.0.seeds.0"),
    ({"publish_weights": ["A-384"]}, "publish_weights: unknown network 'A-384'"),
    ({"further_seeds": [{"seeds": [1], "networks": ["A-384"]}]}, "further_seeds.0.networks: unknown network 'A-384'"),
    ({"further_seeds": [{"seeds": [0], "networks": ["A-256"]}]}, "further_seeds.0: A-256 with seed 0 is planned"),
    ({"further_seeds": [{"seeds": [1], "networks": ["A-256", "A-256"]}]}, "A-256 with seed 1 is planned already"),
    ({"testing": {"grid": "corners"}}, "testing.grid: .*'edges'"),
    ({"testing": {"grid": "cells"}}, "says no reason for testing.grid"),
    ({"networks": {"torchvision": ["A"]}}, "no training gives this scale"),
    ({"train": False}, "a study that trains nothing has weights of torchvision, authors only"),
    ({"settings": {"384": {"network": {"length_divisor": 1}}}}, "settings.384.network.length_divisor: unknown key"),
    ({"settings": {"384": {"network": {"head": "average"}}}}, "settings: .*-384 starts from .*-256, which is built"),
    ({"settings": {"jitter": {"network": {"lrn_alpha": "krizhevsky"}}}}, "settings: .*-jitter starts from .*-384"),
    ({"settings": {"authors": {}}}, "settings.authors: the study has no network of this scale"),
    ({"settings": {"256": {"testing": {"gird": 1}}}}, "settings.256.testing.gird: unknown key, did you mean grid"),
    ({"settings": {"256": {"testing": {"grid": "cells"}}}}, "says no reason for testing.grid"),
    ({"settings": {"256": {"network": {"pooling": "up"}}}}, "settings.256.network.pooling: .*'ceil'"),
    ({"settings": {"256": {"testing": {"grid": "dots"}}}}, "settings.256.testing.grid: .*'edges'"),
    ({"variants": {"x": {"networks": ["A-256"], "why": "x", "network": {"lrn_alpha": "big"}}}},
     "variants.x.network.lrn_alpha: .*'caffe'.*found 'big'"),
    ({"variants": {"x": {"networks": ["D-384"], "why": "x", "boxes": "pcr", "localisation": {"threshold": "half"}}}},
     "variants.x.localisation.threshold: .*found 'half'"),
    ({"data": {"source": "digits"}}, "data.held_out_per_class: this key is missing"),
    ({"network__width_divisor": 600}, "networks.256: A cannot be built so small: width_divisor 600 does not divide"),
    ({"network__length_divisor": 20}, "networks.256: A cannot be built so small: a crop of 11 pixels leaves nothing"),
    ({"train": False, "networks": {"authors": ["A"]}, "recipe": {}, "stages": {}, "variants": {}},
     "networks.authors: nobody has published weights of A"),
    ({"train": False, "networks": {"authors": ["D"]}, "recipe": {"epochs": 3, "flip": False}},
     r"recipe.epochs: changes nothing in a study that trains nothing \(train: false\); leave it out"),
    ({"train": False, "networks": {"authors": ["D"]}, "recipe": {}, "stages": {"authors": {"unit_variance": True}}},
     "stages.authors.unit_variance: changes nothing in a study that trains nothing"),
    ({"train": False, "networks": {"authors": ["D"]}, "recipe": {}, "stages": {},
      "variants": {"x": {"networks": ["D-authors"], "why": "x", "set": {"schedule": "cosine"}}}},
     "variants.x.set.schedule: changes nothing in a study that trains nothing"),
    ({"train": False, "networks": {"authors": ["D"]}, "recipe": {"flip": False}, "stages": {}, "variants": {},
      "why__flip": None},
     "why: says no reason for flip, which departs"),
    ({"seeds": []}, "seeds: .*at least 1 item"), ({"seeds": [2**32]}, "seeds.0: .*less than 4294967296"),
    ({"further_seeds": [{"seeds": [2**32], "networks": ["A-256"]}]}, "further_seeds.0.seeds.0: .*less than"),
    ({"why__batch": ""}, "why.batch: nothing is said; say it in words"),
    ({"data__why": " "}, "data.why: nothing is said; say it in words"),
    ({"variants": {"x": {"networks": ["A-256"], "why": "\n", "set": {}}}}, "variants.x.why: nothing is said"),
    ({"title": ""}, "title: nothing is said"),
    ({"title": "a\ab"}, r"title: a character that cannot be printed; leave it out \(found 'a\\x07b'\)"),
    ({"title": "a\nb"}, "title: a character that cannot be printed"),
    ({"data__held_out_per_class": 144}, "held_out_per_class: 144 leaves nothing to train on; digits has about 143"),
    ({"localisation__classes": "F-256/dense-256"}, "localisation.classes: unknown network 'F-256': choose one of A"),
    ({"localisation__classes": "D-256+D-512/both"}, "localisation.classes: unknown network 'D-512'"),
    ({"localisation__classes": "D-256-pcr-all/dense-256"}, "localisation.classes: unknown network 'D-256-pcr-all'"),
    ({"variants__pcr-all__localisation": {"classes": "F-256/dense-256"}},
     "variants.pcr-all.localisation.classes: unknown network 'F-256'"),
    ({"transfer": {"costs": []}}, "transfer.costs: .*at least 1 item"),
    ({"transfer": {"scales": {"photographs": []}}}, "transfer.scales.photographs: .*at least 1 item"),
    ({"transfer": {"scales": {"photographs": [512, 256]}}}, r"transfer.scales.photographs: they rise.*\[512, 256\]"),
])  # fmt: skip
def test_a_faulty_study_names_its_file_its_key_and_the_reason(changes, message):
    with pytest.raises(StudyError, match=f"smoke.yaml: .*{message}"):
        schema.parse(smoke(**changes), "smoke.yaml")


def test_what_only_others_start_from_may_name_the_classes_of_boxes():
    only = {"pcr-all": {"boxes": "pcr", "networks": ["D-384"], "why": "x", "set": {}}}
    keys = {"networks": {"384": ["D"]}, "variants": only, "data__held_out_per_class": 143}
    for classes in ("D-256/dense-256", "A-256/dense-256"):
        study = schema.parse(smoke(**keys, localisation__classes=classes), "smoke.yaml")
        assert study.localisation_at("pcr-all").classes == classes
    with pytest.raises(StudyError, match="classes: unknown network 'E-256': choose one of D-384, D-256, A-256"):
        schema.parse(smoke(**keys, localisation__classes="E-256/dense-256"), "smoke.yaml")


@pytest.mark.parametrize(("old", "new", "message"), [
    ("batch: 32", "batch: 032", "line 18: 032 would be read as 26; write it without leading zeros"),
    ("batch: 32", "batch: -032", "line 18: -032 would be read as -26; write it without leading zeros"),
    ("batch: 32", "batch: 0b_", "line 18: 0b_ would be read as another number; write it without underscores"),
    ("batch: 32", "batch: 3_2", "line 18: 3_2 would be read as 32; write it without underscores"),
    ("dropout: 0.0", "dropout: 00.5", "line 20: 00.5 would be read as 0.5; write it without leading zeros"),
    ("epochs: 12", "epochs: 1:30", "line 21: 1:30 would be read as 90; write it without colons"),
    ("learning_rate: 0.05", "learning_rate: 1:30.5", "line 19: 1:30.5 would be read as 90.5; write it without colons"),
    ("learning_rate: 0.05", f"learning_rate: {'1:' * 300}0.5", "would be read as another number"),
])  # fmt: skip
def test_a_number_that_yaml_reads_as_another_is_refused(old, new, message):
    text = (schema.FOLDER / "smoke.yaml").read_text()
    assert f"  {old}\n" in text
    with pytest.raises(StudyError, match=re.escape(message)):
        schema.parse(text.replace(f"  {old}\n", f"  {new}\n", 1), "smoke.yaml")


def test_numbers_are_read_as_they_stand():
    said = "[0, 0.5, -0.5, .5, 10, 1.0e-05, 0x1F, '032', 1-30]"
    assert yaml.load(said, StrictLoader) == [0, 0.5, -0.5, 0.5, 10, 1e-5, 31, "032", "1-30"]


@pytest.mark.parametrize("text", ["- a list", "a: [", "", "just words", "title: {{title}}", "[1, 2]: 3"])
def test_a_file_that_is_no_mapping_is_refused(text):
    with pytest.raises(StudyError, match="x.yaml"):
        schema.parse(text, "x.yaml")


@pytest.mark.parametrize(("arguments", "message"), [
    (("smok", "A", "256"), "unknown study 'smok'"),
    (("smoke", "F", "256"), "unknown config 'F'"),
    (("smoke", "A", "300"), "unknown train_scale '300': choose one of 256, 384, jitter"),
    (("smoke", "A", "384"), "no A at scale 384"),
    (("smoke", "A", "256", -1), "seed must be a whole number"),
    (("smoke", "A", "256", 0, "huge"), "unknown variant 'huge'"),
    (("quarter", "D", "256", 0, "pilot-base"), "is for A-256, C-256, E-256, not D-256"),
    (("released", "D", "256"), "unknown train_scale '256': choose one of torchvision"),
    (("released", "C", "torchvision"), "no C at scale torchvision"),
    (("released", "A", "authors"), "no A at scale authors; it has .*D-authors"),
    (("smoke", "A", "torchvision"), "unknown train_scale 'torchvision'"),
])  # fmt: skip
def test_a_run_that_does_not_exist_is_refused(arguments, message):
    with pytest.raises((UnknownName, VerydeepError), match=message):
        studies.find_run(*arguments)


def test_a_study_whose_name_is_another_than_its_files_is_refused(tmp_path, monkeypatch):
    """A copy of a study whose name was left as it was worked in the other's folder."""
    (tmp_path / "mine.yaml").write_text((schema.FOLDER / "smoke.yaml").read_text())
    monkeypatch.setattr(schema, "FOLDER", tmp_path)
    with pytest.raises(StudyError, match="studies/mine.yaml: name: 'smoke' is not the name of the file, 'mine'"):
        schema.load.__wrapped__("mine")


def test_what_a_variant_changes_has_the_variants_reason():
    """The rate that a pilot tried stood beside the reason why the study takes another one."""
    for study in map(studies.load, ("narrow", "quarter", "smoke")):
        for run in studies.planned_runs(study) + studies.planned_runs(study, pilots=True):
            if run.variant is None or run.boxes:
                continue
            reasons = {variant.why for variant in study.variants.values()}
            rows = {row["setting"]: row for row in recipes.rows_of(run, run.recipe)}
            for key in study.variants[run.variant].set:
                assert not rows[key]["differs"] or rows[key]["why"] in reasons, (run.name, key)
    longest = studies.find_run("narrow", "D", 256, variant="ladder-6")
    why = {row["setting"]: row["why"] for row in recipes.rows_of(longest, longest.recipe)}
    assert why["crops"].startswith("stretched crops") and why["epochs"].startswith("twice the epochs")
    assert "dropout" not in why, "it has no FC6"


def test_what_a_network_starts_from_is_planned_with_it_named_or_not(monkeypatch):
    """A plan without it had a training that began with one which nobody had counted."""
    study = schema.parse(smoke(networks={"384": ["D"]}, variants={}, seeds=[0, 1]), "smoke.yaml")
    monkeypatch.setattr(plan, "load", lambda name: study)
    rows = ["A-256", "D-256", "D-384"]
    assert [run.name for run in studies.planned_runs(study)] == [f"{row}-s{seed}" for seed in (0, 1) for row in rows]
    for run in studies.planned_runs(study):  # each of them can be asked for
        found = studies.find_run("smoke", run.config, run.train_scale, run.seed)
        assert (found.name, found.study.networks) == (run.name, {"384": ["D"]})
    with pytest.raises(VerydeepError, match="the study smoke has no B at scale 256; it has D-384"):
        studies.find_run("smoke", "B", "256")


def test_runs_are_planned_in_the_papers_rows_and_parents_come_first():
    for name in ("smoke", "quarter", "narrow", "wide", "full"):
        planned = studies.planned_runs(studies.load(name))
        seen = set()
        for run in planned:
            assert run.parent is None or run.parent.name in seen
            seen.add(run.name)
        assert {"A-256-s0", "A-LRN-256-s0", "E-384-s0", "D-jitter-s0"} <= seen
        assert not any(run.pilot for run in planned)


def test_test_scales_are_those_of_sections_4_1_and_4_2():
    assert [measurements.single(scale).name for scale in ("256", "384", "jitter")] == [
        "dense-256", "dense-384", "dense-384",
    ]  # fmt: skip
    assert [measurements.several_scales(scale) for scale in ("256", "384", "jitter", "torchvision", "authors")] == [
        (224, 256, 288), (352, 384, 416), (256, 384, 512), (256, 384, 512), (256, 384, 512),
    ]  # fmt: skip


def test_a_measurement_is_the_average_of_passes_at_one_scale_by_one_method():
    both = measurements.several("jitter", "both")
    assert both.name == "both-256+384+512"
    assert [one.name for one in both.passes] == [
        "dense-256", "dense-384", "dense-512", "multi-crop-256", "multi-crop-384", "multi-crop-512",
    ]  # fmt: skip
    with pytest.raises(UnknownName, match="unknown method 'centre-crop'"):
        measurements.several("jitter", "centre-crop")


def test_every_network_is_measured_for_tables_3_and_4_and_where_its_study_asks_for_table_5():
    crops = set()
    planned = [run for name in studies.names() for run in studies.planned_runs(studies.load(name))]
    for run in [run for run in planned if not run.boxes]:
        names = [one.name for one in measurements.measured_by(run)]
        assert len(names) == len(set(names))
        assert names[0] == measurements.single(run.train_scale).name
        assert measurements.several(run.train_scale).name in names
        methods = {name.split("-", 1)[0] for name in names}
        assert methods in ({"centre", "dense"}, {"centre", "dense", "multi", "both"})
        if "multi" in methods:
            crops.add(f"{run.study.name}/{run.row}")
    assert {name for name in crops if name.startswith(("quarter", "full"))} == {
        f"{study}/{config}-jitter" for study in ("quarter", "full") for config in "DE"
    }
    assert {"smoke/A-256", "released/A-torchvision"} <= crops


def test_the_authors_networks_are_tested_as_each_that_they_could_be():
    names = [one.name for one in measurements.measured_by(studies.find_run("released", "D", "authors"))]
    assert names[0] == "dense-384"  # Table 3's, of the network that the authors say it is
    for scale in ("256", "384", "jitter"):
        assert {one.name for one in measurements.as_printed(scale)} <= set(names)


def test_each_publishers_networks_round_as_that_publishers():
    spec = studies.load("released")
    assert [spec.size_at(scale).pooling for scale in ("torchvision", "authors")] == ["floor", "ceil"]
    assert [spec.testing_at(scale).longer_side for scale in ("torchvision", "authors")] == ["floor", "round"]
    assert {run.size.pooling for run in studies.planned_runs(studies.load("narrow"))} == {"ceil"}


def test_a_measurement_is_found_by_its_name():
    for run in studies.planned_runs(studies.load("smoke")):
        for one in measurements.measured_by(run):
            assert measurements.Measurement.named(one.name) == one


def test_parents_are_those_of_section_3_1():
    def parent(config, scale):
        found = studies.find_run("quarter", config, scale).parent
        return found and found.name

    assert parent("A", 256) is None
    assert parent("A-LRN", 256) == parent("E", 256) == "A-256-s0"
    assert parent("D", 384) == "D-256-s0"
    assert parent("D", "jitter") == "D-384-s0"


def test_a_variant_starts_from_the_same_variant_where_that_names_the_parent():
    def parent(*arguments):
        found = studies.find_run(*arguments).parent
        return found and found.name

    assert parent("quarter", "D", 256, 0, "long-0.01") == "A-256-long-0.01-s0"
    assert parent("quarter", "D", 256, 7, "long-0.01") == "A-256-long-0.01-s7"
    assert parent("quarter", "A", 256, 0, "long") is None
    assert parent("quarter", "D", "jitter", 0, "fc-only") == "D-384-s0"  # fc-only names D-jitter alone
    assert parent("quarter", "E", 256, 0, "pilot-base") == "A-256-s0"  # a pilot's weights are not kept
    assert parent("narrow", "E", 256, 0, "random") is None


def test_networks_that_give_boxes_are_runs_like_others():
    quarter = studies.load("quarter")
    planned = [run for run in studies.planned_runs(quarter) if run.boxes]
    assert [run.row for run in planned] == [
        "D-384-scr-fc", "D-384-pcr-fc", "D-384-scr-fc-all-crops", "D-384-pcr-fc-all-crops",
        "B-5x5-256-pcr-all", "D-256-pcr-all", "D-384-pcr-all",
    ]  # fmt: skip
    scr, *_, best = planned
    assert (scr.boxes, scr.size.num_classes, scr.recipe.trained_layers) == ("scr", 4, "fc")
    assert (best.boxes, best.size.num_classes, best.recipe.trained_layers) == ("pcr", 800, "all")
    assert scr.recipe.learning_rate == 1e-3  # the paper's (A.1), where a variant says no other
    assert len({(run.recipe.learning_rate, run.recipe.epochs) for run in planned[2:]}) == 1
    assert {run.recipe.epochs for run in planned} == {best.parent.recipe.epochs}
    assert best.parent.name == "D-384-s0" and best.start == "continued with a new last layer"
    assert best.command == "verydeep localise quarter D 384 --seed 0 --variant pcr-all"
    names = [measurement.name for measurement in measurements.measured_by(best)]
    assert names[:5] == [
        *("centre-boxes-384", "dense-boxes-384", "true-dense-boxes-384"),
        *("dense-boxes-352+384", "true-dense-boxes-352+384"),
    ]  # fmt: skip
    assert names[5:8] == ["true-whole-image", "true-mean-box", "true-class-mean-box"] and len(names) == 11
    assert all(measurements.Measurement.named(name).name == name for name in names)
    assert measurements.Measurement.named("true-dense-boxes-352+384").passes == (
        measurements.Measurement("dense-boxes", (352,)), measurements.Measurement("dense-boxes", (384,)),
    )  # fmt: skip
    assert [measurement.name for measurement in measurements.measured_by(scr)][:2] == [
        "centre-boxes-384",
        "true-whole-image",
    ]
    assert "localisation" in measurements.protocol(best) and "localisation" not in measurements.protocol(best.parent)


def test_the_papers_three_ways_of_giving_boxes_are_planned_where_there_are_boxes():
    for name in studies.names():
        study = studies.load(name)
        rows = {run.row for run in studies.planned_runs(study) if run.boxes}
        asked = {"D-384-scr-fc", "D-384-pcr-fc", "D-384-pcr-all", "D-256-pcr-all"}
        assert asked <= rows if name in ("smoke", "quarter", "full") else not rows
        assert set(studies.table9_fusions(study)) == ({"2-networks"} if rows else set())
    (fusion,) = studies.table9_fusions(studies.load("full")).values()
    assert [(run.row, fusion.measurement(run).name) for run in fusion.members] == [
        ("D-256-pcr-all", "dense-boxes-256"), ("D-384-pcr-all", "dense-boxes-352+384"),
    ]  # fmt: skip
    assert fusion.command.endswith("--method boxes")
    assert studies.classes_of(fusion.members[0])[0].name == "D-jitter+E-jitter-both-s0"


@pytest.mark.parametrize(("members", "method", "message"), [
    (["smoke/D-256-pcr-all", "smoke/D-384-pcr-all"], "dense", "gives boxes and not classes: take --method boxes"),
    (["smoke/D-256-pcr-all", "smoke/D-384-scr-fc"], "boxes", "D-384-scr-fc-s0 is not tested by boxes over the whole"),
    (["smoke/D-256", "smoke/D-384"], "boxes", "D-256-s0 is not tested by boxes"),
])  # fmt: skip
def test_boxes_and_classes_are_not_mixed(members, method, message):
    with pytest.raises(VerydeepError, match=message):
        studies.find_fusion(members, method)


def test_a_variant_may_settle_the_keys_of_localisation_otherwise(monkeypatch):
    quarter = studies.load("quarter")
    half, every = (studies.find_run("quarter", "D", 384, 0, variant) for variant in ("scr-fc", "pcr-all"))
    assert (half.localisation.least_inside, every.localisation.least_inside) == (0.5, 0)
    assert half.localisation == quarter.localisation.model_copy(update={"least_inside": 0.5})
    assert "least_inside: 0.5" in recipes.changes(half) and "inside" not in recipes.changes(every)
    members = ["quarter/D-256-pcr-all", "quarter/D-384-pcr-all"]
    assert studies.find_fusion(members, "boxes").members[1] == every
    other = quarter.variants["pcr-all"].model_copy(update={"localisation": {"match": "overfeat"}})
    changed = quarter.model_copy(update={"variants": quarter.variants | {"other": other}})
    monkeypatch.setattr(plan, "load", lambda _: changed)
    with pytest.raises(VerydeepError, match="D-384-other-s0 is tested by another localisation.match than D-256-pcr"):
        studies.find_fusion(["quarter/D-256-pcr-all", "quarter/D-384-other"], "boxes")


@pytest.mark.parametrize(("classes", "message"), [
    ("D-256", "unknown measurement ''|localisation.classes: 'D-256'"),
    ("F-256/dense-256", "unknown config 'F'"),
    ("D-256+E-256/vote", "unknown method 'vote'"), ("D-jitter/dense-256+", "unknown measurement 'dense-256\\+'"),
    ("D-256/dense-²", "unknown measurement"),
])  # fmt: skip
def test_a_classification_system_that_is_none_names_the_key(classes, message):
    study = SMOKE.model_copy(update={"localisation": SMOKE.localisation.model_copy(update={"classes": classes})})
    run = studies.Run(study, "D", "256", 0, "pcr-all")
    with pytest.raises(VerydeepError, match=message) as caught:
        studies.classes_of(run)
    assert "localisation.classes" in str(caught.value)


def test_a_variant_may_build_its_networks_otherwise():
    run = studies.find_run("narrow", "E", 256, 0, "batch-norm")
    assert run.network.batch_norm and run.size.batch_norm and run.parent is None
    assert run.multiply_adds == studies.find_run("narrow", "E", 256).multiply_adds
    pooled = studies.find_run("narrow", "A", 256, 0, "pool-3x3")
    assert pooled.size == replace(pooled.study.size, pooling_window=3)
    plain = studies.find_run("narrow", "A", 256)
    assert plain.size == plain.study.size and not plain.network.batch_norm
    released = studies.find_run("released", "A", "torchvision", 0, "batch-norm")
    assert released.published.name.endswith("_bn") and released.size.batch_norm
    assert not studies.find_run("released", "A", "torchvision").published.batch_norm


def test_every_ablation_of_narrow_changes_one_thing():
    """Of the network or of the recipe; all start from random weights, as what they are compared with does."""
    study = studies.load("narrow")
    for name in ABLATIONS:
        variant = study.variants[name]
        changed = {key for key in variant.set if key != "transfer_from_a"} | set(variant.network)
        assert len(changed) == 1, name
        for network in variant.networks:
            config, scale = network.split("-")
            assert studies.find_run("narrow", config, scale, 0, name).parent is None


def test_further_seeds_come_last_with_all_that_their_networks_start_from():
    networks = {"256": ["A", "D"], "384": ["D"]}
    further = [{"seeds": [1, 2], "networks": ["A-256"]}, {"seeds": [2], "networks": ["D-384"]}]
    study = schema.parse(smoke(networks=networks, variants={}, further_seeds=further), "smoke.yaml")
    assert [run.name for run in studies.planned_runs(study)] == [
        "A-256-s0", "D-256-s0", "D-384-s0", "A-256-s1", "A-256-s2", "D-256-s2", "D-384-s2",
    ]  # fmt: skip
    assert not studies.planned_runs(study, pilots=True)


def test_narrow_repeats_the_networks_of_the_claim_of_depth_with_two_more_seeds():
    planned = studies.planned_runs(studies.load("narrow"))
    for seed in (1, 2):
        assert {"A-256", "A-256-longer", "D-256", "E-256"} <= {run.row for run in planned if run.seed == seed}
    kept = {run.row for run in planned if run.seed == 0 and run.publishes_weights}
    assert kept == {*schema.load("narrow").publish_weights} and {"A-256", "D-256", "E-256", "D-jitter"} <= kept
    assert {run.weights.parent == run.workspace for run in planned if run.seed > 0} == {True}, "a clone stays small"


def test_narrow_keeps_every_length_and_wide_every_width_too():
    narrow, wide = studies.load("narrow"), studies.load("wide")
    for study in (narrow, wide):
        assert [study.pixels(length) for length in (224, 256, 288, 384, 512)] == [224, 256, 288, 384, 512]
        assert study.num_classes == 20
        for scale in ("384", "jitter"):
            assert study.resolve(scale).learning_rate == pytest.approx(study.resolve("256").learning_rate / 10)
    assert (narrow.network.width_divisor, wide.network.width_divisor) == (8, 1)
    assert {scale: narrow.resolve(scale) for scale in narrow.networks} == {
        scale: wide.resolve(scale) for scale in wide.networks
    }, "the twins have one recipe until pilots on a card say otherwise"


def test_the_pilots_of_narrow_choose_rate_dropout_and_length_by_one_procedure():
    """At every length of training the shallow, the middle and the deep network are tried with the same settings."""
    study, tried = studies.load("narrow"), {}
    for run in studies.planned_runs(study, pilots=True):
        tried.setdefault(run.row.removesuffix(f"-{run.variant}"), set()).add(run.variant)
    assert tried["A-256"] == tried["C-256"] == tried["E-256"] and len(tried) == 3
    recipes = [study.resolve("256", variant) for variant in tried["A-256"]]
    for setting in ("learning_rate", "dropout", "epochs"):
        assert len({getattr(recipe, setting) for recipe in recipes}) > 1


@pytest.mark.parametrize("name", studies.names())
def test_the_head_of_a_study_file_says_the_command_the_cost_and_what_to_expect(name):
    text = (schema.FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    head = text[: text.index("name:")]
    assert all(line.startswith("#") for line in head.splitlines())
    assert re.search(rf"^#   .*(verydeep run {name} |study={name} )", head, re.MULTILINE), (
        "begin it as quarter.yaml does"
    )
    assert "\n# Cost: " in head and "\n# Expect: " in head


def test_pilots_keep_their_weights_out_of_the_run_folder():
    pilot = studies.find_run("quarter", "A", 256, variant="pilot-base")
    assert pilot.name == "A-256-pilot-base-s0" and pilot.pilot
    assert pilot.weights.parent == pilot.workspace
    assert studies.find_run("quarter", "A", 256).weights.parent == studies.find_run("quarter", "A", 256).folder
    assert pilot.recipe.epochs == 2


def test_a_variant_starts_from_the_same_variant_of_its_parent_where_that_is_trained():
    long = studies.find_run("quarter", "D", 256, variant="long-0.01")
    assert long.parent == studies.find_run("quarter", "A", 256, variant="long-0.01")
    assert long.parent.parent is None
    assert studies.find_run("quarter", "D", "jitter", variant="fc-only").parent == studies.find_run("quarter", "D", 384)
    pilot = studies.find_run("quarter", "E", 256, variant="pilot-rate-0.01")
    assert pilot.parent == studies.find_run("quarter", "A", 256)  # a pilot's weights are not kept


@pytest.mark.parametrize("name", studies.names())
def test_every_study_on_other_data_than_the_papers_says_why(name):
    data = studies.load(name).data
    assert bool(data.why) == (data.source not in ("imagenet", "imagenet-val"))


def test_small_images_are_said_to_be_enlarged():
    assert "as they are at S=256, enlarged 1.50 times at S=384" in settings.all_departures("quarter").iloc[0]["here"]
    assert "enlarged 1.14 times at S=256, enlarged 1.71 times" in settings.all_departures("narrow").iloc[0]["here"]
    assert settings.all_departures("full").loc["data", "setting"] == "mean colour"  # of the same images
    assert "20 training images" in settings.all_departures("full").loc["held out", "here"]
    reasons = settings.all_departures("narrow").set_index("setting", append=True)["why"]
    assert reasons["training, jitter", "learning_rate"] == "a tenth of the rate at S=256, as in the paper"
    assert reasons["training, 256", "learning_rate"].startswith("in trials before the study")
    assert reasons["training, 384", "batch"] == reasons["training, 256", "batch"]  # what no stage sets anew
    for study in ("narrow", "full"):
        exact = settings.all_departures(study).set_index("setting", append=True)["here"]
        assert exact["training", "start"] == exact["testing", "weights"] == "rounded to half precision"
        assert exact["transfer", "voc2007-val"] == "trained on train, tested on val"
    assert "start" not in settings.all_departures("released")["setting"].tolist()
    boxes = settings.all_departures("quarter").filter(like="boxes, ", axis="index")
    rates = boxes[boxes["setting"] == "learning_rate"]
    assert set(zip(rates["paper"], rates["here"], strict=True)) == {(0.001, 0.03)}


def test_weights_are_kept_of_the_networks_that_a_study_names():
    named = SMOKE.model_copy(update={"publish_weights": ["D-256"]})
    kept, left = (studies.Run(named, config, "256", 0) for config in "DA")
    assert kept.publishes_weights and kept.weights_expected
    assert left.weights.parent == left.workspace and not left.weights_expected


def test_what_a_run_changes_is_said_in_words_too():
    said = {row: recipes.changes_in_words(studies.find_run("narrow", *row)) for row in (
        ("A", 256), ("E", 256, 0, "batch-norm"), ("A", 256, 0, "no-dropout"), ("A", 256, 0, "no-flip"),
        ("D", 256, 0, "ladder-5"),
    )}  # fmt: skip
    assert [*said.values()] == [
        "", "random weights, batch normalisation", "dropout 0.0", "no flip",
        "random weights, stretched crops, smoothed labels 0.1, averaged weights 0.999, batch normalisation, "
        "averages of the last map",
    ]  # fmt: skip
