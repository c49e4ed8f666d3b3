"""Features on other data (Appendix B): descriptors, classifiers, numbers, and the record of a transfer."""

import contextlib
import hashlib
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import jsonschema
import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import torch
from click.testing import CliRunner
from sklearn.metrics import average_precision_score

from conftest import enter, gone_on
from verydeep import cli, notebooks, results, runs, studies
from verydeep.assembly import load_network, untrained_network
from verydeep.chapters import formats, result_tables, transfer_tables
from verydeep.data.examples import LabelledExamples, aside, random_split
from verydeep.data.normaliser import Normaliser
from verydeep.errors import DataError, RecordError, UnknownName, VerydeepError
from verydeep.evaluation import classifiers, features, prediction, tester, transfer, verification
from verydeep.evaluation.pretrained import pretrained
from verydeep.networks import building, dense
from verydeep.networks.configurations import Size
from verydeep.networks.initialisation import initialise
from verydeep.results import status
from verydeep.results import transfers as carried_numbers
from verydeep.results.claims import fairness
from verydeep.runs import transfers
from verydeep.statistics import basic_bootstrap
from verydeep.studies import schema
from verydeep.studies.transfer import Features

NETWORK = ["smoke/A-256"]


@pytest.fixture(scope="session")
def carried_checkout(trained_checkout, tmp_path_factory):
    """The trained checkout, in which A's features were carried to the photographs through papermill, once."""

    def carry():
        notebooks.execute_recorded(studies.find_transfer(NETWORK, "photographs"))

    return gone_on(trained_checkout, tmp_path_factory, "carried", carry)


@pytest.fixture
def carried(carried_checkout, tmp_path, monkeypatch):
    """A private copy of it, and its transfer."""
    enter(shutil.copytree(carried_checkout, tmp_path / "copy"), monkeypatch)
    return studies.find_transfer(NETWORK, "photographs")


def test_average_precision_of_a_case_computed_by_hand():
    labels, scores = np.array([1, -1, 1, -1, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.95])
    # precision 1, 2/3, 3/5 at recall 1/3, 2/3, 1; the difficult image on top is left out
    eleven = (4 * 1 + 3 * 2 / 3 + 4 * 3 / 5) / 11
    assert transfers.average_precision(labels, scores) == pytest.approx([eleven])
    assert transfers.average_precision(labels, scores, "area") == pytest.approx([(1 + 2 / 3 + 3 / 5) / 3])
    counts = np.array([[1, 0, 1, 1, 0, 5.0], [0, 1, 0, 0, 0, 0]])  # without an image of the class there is none
    assert transfers.average_precision(labels, scores, "area", counts) == pytest.approx([1, 0])
    assert transfers.average_precision(labels, -scores, "eleven", counts)[0] == pytest.approx(2 / 3)


def test_a_recall_of_a_tenth_is_reached_where_it_is_a_whole_number_of_images():
    labels, scores = np.array([1] + [-1] * 9 + [1] * 9), -np.arange(19.0)
    # the first image reaches the recalls 0 and 0.1, all others the precision 10/19 at the end
    assert transfers.average_precision(labels, scores) == pytest.approx([(2 * 1 + 9 * 10 / 19) / 11])


def vocap(recall: np.ndarray, precision: np.ndarray) -> float:
    """The area as VOC's development kit has computed it since 2010, with its recursion as it stands there."""
    recall, precision = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
    for k in range(len(precision) - 2, -1, -1):
        precision[k] = max(precision[k], precision[k + 1])
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(((recall[steps] - recall[steps - 1]) * precision[steps]).sum())


def test_the_area_is_that_of_voc_since_2010():
    generator = np.random.default_rng(0)
    for _ in range(50):
        labels = np.where(generator.random(40) < 0.3, 1, -1)
        labels[0], scores = 1, generator.permutation(40) / 3
        ranked = labels[np.argsort(-scores)] == 1
        true = ranked.cumsum()
        theirs = vocap(true / true[-1], true / np.arange(1, 41))
        assert transfers.average_precision(labels, scores, "area") == pytest.approx([theirs])
        assert theirs >= average_precision_score(labels == 1, scores) - 1e-9, "which takes no best precision"


def test_a_class_that_a_split_lacks_in_a_resample_is_left_out_of_it():
    names, labels = [f"{k:02d}" for k in range(33)], np.repeat([0, 1], [30, 3])
    truth = np.where(np.eye(2)[labels] == 1, 1, -1)
    splits = [[*range(30), 30 + k] for k in range(3)]  # of the second class one image each
    table = pd.concat(
        [
            transfers.table("x", k, [names[j] for j in rows], truth[rows], np.eye(2)[labels[rows]], "recall")
            for k, rows in enumerate(splits)
        ]
    )
    assert transfers.value(table, "recall")["value"] == 100
    assert (transfers.resampled(table, "recall") == 100).all(), "none of them is answered wrongly"


def test_intervals_of_average_precision_hold_what_more_images_would_say():
    generator = np.random.default_rng(3)

    def images(n: int) -> pd.DataFrame:
        labels = np.where(generator.random((n, 1)) < 0.2, 1, -1)
        names = [f"{k:05d}" for k in range(n)]
        return transfers.table("x", 0, names, labels, labels + generator.normal(0, 1.5, (n, 1)), "map")

    truth, held, centred = transfers.value(images(40_000), "map")["value"], 0, []
    for _ in range(60):
        few = images(150)
        found = basic_bootstrap(transfers.value(few, "map")["value"], transfers.resampled(few, "map")[None])
        held += found.low <= truth <= found.high
        centred.append((found.low + found.high) / 2 - found.value)
    assert held >= 50 and np.mean(centred) < 0, "what resampling adds is taken away, and not added again"


def test_mean_class_recall_counts_classes_alike_and_averages_splits():
    labels, names = np.array([0, 0, 0, 0, 1]), list("abcde")
    truth = np.where(np.eye(2)[labels] == 1, 1, -1)
    right, wrong = np.eye(2)[labels], np.eye(2)[[1, 0, 0, 0, 1]]
    table = pd.concat([transfers.table("x", k, names, truth, said, "recall") for k, said in enumerate((right, wrong))])
    found = transfers.value(table, "recall")
    assert found["splits"] == [100, 87.5] and found["value"] == 93.75 and found["n"] == 5
    assert found["classes"] == [87.5, 100]
    resampled = transfers.resampled(table, "recall")
    assert resampled.mean() == pytest.approx(93.75, abs=1) and resampled.max() == 100 and resampled.std() > 1


def test_rows_of_the_same_images_are_resampled_alike():
    generator = np.random.default_rng(1)
    labels, names = np.where(generator.random((60, 3)) < 0.3, 1, -1), [f"{k:02d}" for k in range(60)]
    scores = generator.random((60, 3))
    one, two = (transfers.table(name, 0, names, labels, scores + shift, "map") for name, shift in (("a", 0), ("b", 1)))
    assert (transfers.resampled(one, "map") == transfers.resampled(two.sample(frac=1, random_state=0), "map")).all()


def test_descriptors_are_the_hidden_layer_of_every_crop_where_the_image_is_one():
    net = building.build("A", Size(16, 10, 32, "floor")).eval()
    images = torch.randn(2, 3, 32, 32)
    inside = {}
    net.classifier[4].register_forward_hook(lambda module, given, out: inside.update(relu=out.clone()))
    net.classifier[3].register_forward_hook(lambda module, given, out: inside.update(linear=out.clone()))
    with torch.inference_mode():
        net(images)
        for name, relu in (("relu", True), ("linear", False)):
            found = dense.hidden_map(net, images, relu=relu)
            assert found.shape == (2, 256, 1, 1)
            assert torch.allclose(found[:, :, 0, 0], inside[name], atol=1e-5)
        assert (inside["linear"] < 0).any()
        large = torch.randn(1, 3, 64, 160)
        whole, cut = dense.hidden_map(net, large), dense.hidden_map(net, large, 64 * 100)
    assert whole.shape == cut.shape == (1, 256, 2, 5) and torch.allclose(whole, cut, atol=1e-5)


@pytest.mark.parametrize("relu", [True, False])
def test_an_image_is_described_by_the_average_over_both_mirror_images_and_every_whole_crop(relu):
    """Rounded up, a map of 72x104 pixels has 3x4 positions, of which 2x3 see a crop of 32 that lies in the image."""
    torch.manual_seed(0)
    net = building.build("A", Size(16, 10, 32, "ceil")).eval()
    initialise(net, "he", torch.Generator().manual_seed(0))
    normalise = Normaliser(torch.tensor([120.0, 115.0, 110.0]), 60.0)
    image = np.random.default_rng(0).integers(0, 256, (72, 104, 3), np.uint8)
    views = SimpleNamespace(image=lambda k: image, manifest=pd.DataFrame({"name": ["one.png"]}), too_narrow="")
    one = tester.Tester(net, normalise, schema.Testing(), flip=True)
    made = features.describe(one, views, np.array([0]), 72, relu)
    with torch.inference_mode():
        maps = [net.features(normalise(view[None])) for view in (image, image[:, ::-1].copy())]
        assert maps[0].shape[2:] == (3, 4)
        layers = net.classifier[: 5 if relu else 4]
        hidden = [layers(part[:, :, row, column]) for part in maps for row in range(2) for column in range(3)]
        if not relu:
            assert min(float(part.min()) for part in hidden) < 0
    expected = torch.stack(hidden).mean(0)[0]
    assert expected.std() > 0.01 and made.forward_passes == 2
    assert made.arrays["descriptors"][0] == pytest.approx(expected.numpy(), abs=1e-4)


def test_scales_are_joined_as_asked():
    two = [np.array([[3.0, 4.0]], np.float32), np.array([[0.0, 2.0]], np.float32)]
    assert features.join(two, "stack", "whole").tolist() == [[3, 4, 0, 2]]
    assert features.join(two, "max", "whole").tolist() == [[3, 4]]
    assert features.join(two, "average", "whole").tolist() == [[1.5, 3]]
    assert features.join(two, "stack", "each") == pytest.approx(np.array([[0.6, 0.8, 0, 1]]) / np.sqrt(2))
    assert features.unit(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


def test_a_machine_tells_classes_apart_and_leaves_difficult_images_out():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 90)
    points = np.eye(3)[labels] + generator.normal(0, 0.1, (90, 3))
    truth = np.where(np.eye(3)[labels] == 1, 1, -1)
    said = classifiers.scores(points[:60], truth[:60], points[60:], 1.0)
    assert (said.argmax(1) == labels[60:]).all()
    spoilt = truth.copy()
    spoilt[:60][labels[:60] == 0, 0] = 0  # every image of the class is difficult: there is nothing to learn
    assert (classifiers.scores(points[:60], spoilt[:60], points[60:], 1.0)[:, 0] == -1).all()


@pytest.mark.parametrize("cost", [0.01, 1.0, 100.0])
def test_a_machine_minimises_half_its_squared_length_and_c_times_the_squared_hinge_loss(cost):
    """The bias counts as a weight on a further number that is 1, as in LIBLINEAR."""
    generator = np.random.default_rng(0)
    truth = np.where(generator.random(40) < 0.4, 1, -1)
    points = truth[:, None] * 0.5 + generator.normal(0, 1, (40, 2))
    longer = np.concatenate([points, np.ones((40, 1))], 1)

    def loss(weights):
        return weights @ weights / 2 + cost * (np.maximum(0, 1 - truth * (longer @ weights)) ** 2).sum()

    best = scipy.optimize.minimize(loss, np.zeros(3), tol=1e-9).x
    said = classifiers.scores(points, truth[:, None], points, cost)[:, 0]
    assert said == pytest.approx(longer @ best, abs=0.02 * np.abs(longer @ best).max())


def test_c_is_chosen_on_images_that_are_not_trained_on(monkeypatch):
    asked = []

    def scores(train, labels, test, cost):
        asked.append((train[:, 0].tolist(), labels.tolist(), test[:, 0].tolist(), cost))
        return np.zeros((len(test), labels.shape[1]))

    monkeypatch.setattr(classifiers, "scores", scores)
    truth, names = np.where(np.eye(2)[np.repeat([0, 1], 20)] == 1, 1, -1), np.array([f"{k}" for k in range(40)])
    classifiers.best_cost(np.arange(40.0)[:, None], truth, names, [2.0, 1.0], 0.25, "recall", "eleven")
    kept = aside(truth, names, 0.25)
    assert [cost for *_, cost in asked] == [1.0, 2.0]
    for train, labels, test, _ in asked:
        assert train == np.flatnonzero(~kept).tolist() and test == np.flatnonzero(kept).tolist() and len(test) == 10
        assert labels == truth[~kept].tolist()


def test_c_is_the_smallest_of_the_best_on_images_kept_aside():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    truth, names = np.where(np.eye(2)[labels] == 1, 1, -1), np.array([f"{k}" for k in range(100)])
    points = np.eye(2)[labels] + generator.normal(0, 0.01, (100, 2))
    chosen = [
        classifiers.best_cost(points, truth, names, costs, 0.2, "recall", "eleven") for costs in ([9.0, 1.0], [7.0])
    ]
    assert chosen == [1.0, 7.0]
    kept = aside(truth, names, 0.2)
    assert kept.sum() == 20 and kept[:50].sum() == 10


def test_random_splits_hang_on_names_alone():
    labels = np.where(np.eye(2)[np.repeat([0, 1], [8, 5])] == 1, 1, -1)
    examples = LabelledExamples(np.array([f"n{k}" for k in range(13)], object), np.arange(13), labels)
    split = random_split(examples, 0, 3, 4)
    assert len(split.train) == 6 and len(split.test) == 4 + 2 and not set(split.train) & set(split.test)
    drawn = sorted((f"n{k}" for k in range(8)), key=lambda name: hashlib.sha256(f"0 {name}".encode()).digest())
    assert {name for name in examples.names[split.train] if name in drawn} == {*drawn[:3]}
    assert {name for name in examples.names[split.test] if name in drawn} == {*drawn[3:7]}
    turned = np.arange(13)[::-1]
    other = random_split(LabelledExamples(examples.names[turned], turned, labels[turned]), 0, 3, 4)
    assert {examples.names[k] for k in split.train} == {examples.names[turned][k] for k in other.train}
    assert split.sha256(examples) != random_split(examples, 1, 3, 4).sha256(examples)
    with pytest.raises(DataError, match="a class of 5 images has none to test on when 5 are trained on"):
        random_split(examples, 0, 5, None)


def test_a_transfer_is_recorded_checked_and_not_done_again(carried, monkeypatch):
    assert runs.check_all() == []
    written = json.loads((carried.folder / "transfer.json").read_text())
    jsonschema.Draft7Validator(formats.schema("transfer")).validate(written)
    assert set(written) <= set(formats.keys("transfer").index)
    record = runs.read_record(carried)
    assert [*record.measurements] == [way.name for way in carried.measured()]
    assert {one.n for one in record.measurements.values()} == {117}
    assert [(split.train, split.test) for split in record.splits] == [(30, 90)] * 3
    assert len({split.sha256 for split in record.splits}) == 3
    assert {*record.passes} == {f"A-256-s0/{name}dense-{scale}" for name, scale in
                                (("", 256), ("", 384), ("", 512), ("untrained-", 256))}  # fmt: skip
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("executed again"))
    notebooks.execute_recorded(carried)


def test_a_number_that_was_changed_in_the_record_is_found(carried):
    path = carried.folder / "transfer.json"
    record = runs.read_record(carried)
    score = record.measurements["pixels"].model_copy(update={"value": 99.0})
    runs.write_record(carried, record.model_copy(update={"measurements": record.measurements | {"pixels": score}}))
    runs.seal(carried.folder, [path.name])
    (fault,) = [fault for fault in runs.check_all() if "pixels: value is 99.0" in fault]
    assert "transfer.parquet yields" in fault


def test_a_transfer_is_stale_once_its_network_is_trained_anew(carried, monkeypatch):
    """Whether or not the weights lie on this machine, the records tell."""
    (run,) = carried.members
    assert runs.is_complete(carried)
    path = run.folder / "train.json"
    record = json.loads(path.read_text())
    record["artefacts"]["weights.safetensors"] = "0" * 64
    path.write_text(json.dumps(record))
    runs.seal(run.folder, [path.name])
    assert not runs.is_complete(carried)
    assert f"{carried.row:44} stale" in status.status("smoke")
    assert runs.check_folder(carried.folder) == [
        f"runs/smoke/{carried.name}: was made from other weights of {run.name} than are there"
    ]
    path.unlink()
    assert runs.check_folder(carried.folder) == [f"runs/smoke/{carried.name}: its member {run.name} has no train.json"]


def test_a_row_is_made_again_from_the_weights(carried):
    table = verification.verify_transfer(carried)
    assert table["difference"].tolist() == [0] and table["same best class"].tolist() == [100]
    told = CliRunner().invoke(cli.cli, ["verify", "smoke", carried.name, "--row", "average-256"])
    assert told.exit_code == 0 and "average-256" in told.output and "agrees with its record" in told.output
    with pytest.raises(VerydeepError, match="has no 'max'"):
        verification.verify_transfer(carried, "max")
    record = runs.read_record(carried)
    runs.write_record(carried, record.model_copy(update={"members": {"A-256-s0": "0" * 64}}))
    runs.seal(carried.folder, ["transfer.json"])
    with pytest.raises(VerydeepError, match="made from other weights of A-256-s0"):
        verification.verify_transfer(carried)
    runs.write_record(carried, record.model_copy(update={"protocol": record.protocol | {"hidden": "linear"}}))
    runs.seal(carried.folder, ["transfer.json"])
    with pytest.raises(
        VerydeepError, match="made by another protocol than its study has now; make it again: verydeep tra"
    ):
        verification.verify_transfer(carried)


def test_an_interrupted_transfer_goes_on_with_the_passes_that_are_kept(carried, monkeypatch):
    (carried.folder / "transfer.json").unlink()
    runs.unseal(carried.folder, ["transfer.json", "transfer.ipynb"])
    monkeypatch.setattr(features, "describe", lambda *_: pytest.fail("made again"))
    again = transfer.carry(carried, report=lambda _: None)
    assert again["stack-256+384+512"].n == 117


def test_passes_of_other_weights_or_by_another_protocol_are_made_again(carried, monkeypatch):
    monkeypatch.setattr(features, "describe", lambda *_: pytest.fail("made again"))
    network = transfer.Material(carried, 2**19).networks[0]
    assert len(network.at(carried.usual.of, "", 256))
    for name in ("weights", "protocol", "labels", "data"):
        network = transfer.Material(carried, 2**19).networks[0]
        assert name in network.key  # or what is set here would be no part of it otherwise
        monkeypatch.setitem(network.key, name, "another")
        with pytest.raises(pytest.fail.Exception, match="made again"):
            network.at(carried.usual.of, "", 256)
    network = transfer.Material(carried, 2**19).networks[0]
    monkeypatch.setitem(network.key["made with"], "sources", "others, which the record names")
    assert len(network.at(carried.usual.of, "", 256))
    settings, study = carried.study.transfer, carried.study
    for setting, again in (({"costs": [1.0], "aside": 0.5, "normalise": "no"}, False), ({"hidden": "linear"}, True)):
        other = study.model_copy(update={"transfer": settings.model_copy(update=setting)})
        members = tuple(replace(run, study=other) for run in carried.members)
        network = transfer.Material(replace(carried, members=members), 2**19).networks[0]
        with pytest.raises(pytest.fail.Exception) if again else contextlib.nullcontext():
            network.at(carried.usual.of, "", 256)


def test_a_pair_stacks_its_networks_and_takes_their_passes(carried, monkeypatch):
    pair = replace(carried, members=(carried.members[0], carried.members[0]))
    material = transfer.Material(pair, 2**19)
    alone = transfer.Material(carried, 2**19)
    monkeypatch.setattr(features, "describe", lambda *_: pytest.fail("made again"))
    usual = carried.usual
    joined = material.networks[1].joined
    monkeypatch.setattr(material.networks[1], "joined", lambda features: joined(features)[:, ::-1])  # another's
    both, one = material.describe(usual), alone.describe(usual)
    assert both.shape == (120, 2 * one.shape[1]) and not np.allclose(one, one[:, ::-1], atol=1e-2)
    assert np.allclose(both, np.concatenate([one, one[:, ::-1]], 1) / np.sqrt(2), atol=1e-6)


def test_numbers_and_tables_say_what_was_recorded(carried):
    number = results.number("smoke.table11.A-256-on-photographs.recall")
    record = runs.read_record(carried)
    assert number.value == record.measurements["stack-256+384+512"].value and number.low < number.value < number.high
    assert number not in results.read("smoke").done  # it is no error
    assert results.number("smoke.table11.D-jitter-on-photographs.recall").status == "not run"
    assert results.paper_number("table11.D-jitter+E-jitter-on-voc2007.map") == 89.7
    assert results.paper_number("table12.D-jitter+E-jitter-on-voc2012-action-image.map") == 79.2
    shown = result_tables.transfer_table(11, "smoke")._repr_html_()
    assert f">{number.value:.1f}</span>" in shown and "89.3" in shown and "not run" in shown
    ways = transfer_tables.ways("smoke")
    assert [name for _, _, name in ways.index][-1] == "pixels" and ways["gain of the paper's way"].iloc[0] == ""
    assert "verydeep transfer photographs smoke/D-jitter-s0" in transfer_tables.not_run("smoke", 11)["command"].tolist()


@pytest.mark.parametrize(("members", "data", "message"), [
    (NETWORK, "voc2008", "unknown data set 'voc2008'"), ([], "photographs", "give one network or more"),
    ("smoke/A-256", "photographs", "give one network or more"),
    (["smoke/A-256", "quarter/A-256"], "photographs", "networks of different studies"),
    (["smoke/D-256-pcr-all"], "photographs", "gives boxes and not classes"),
    (["smoke/A-256", "smoke/A-256-s0"], "photographs", "given twice"),
    (["smoke/F-256"], "photographs", "unknown config"),
    (["released/D-authors", "released/D-torchvision"], "caltech101",
     r"describe images by different settings \(pooling, longer_side\); stack networks of like settings"),
])  # fmt: skip
def test_what_cannot_be_carried_is_refused(members, data, message):
    with pytest.raises((UnknownName, VerydeepError), match=message):
        studies.find_transfer(members, data)


def test_every_network_of_a_row_has_the_rows_that_tell_what_it_learned():
    """Those of people in their boxes were looked for under the names of whole images, and no network had them."""
    study = studies.load("narrow")
    evidence = results.read("narrow").evidence
    for row in studies.planned_transfers(study):
        if len(row.members) < 2:
            continue
        reference = f"{row.target.table}.{row.row}"
        for _, alone, others in fairness._baselines(evidence, reference):
            listed = {f"{row.target.table}.{carried_numbers.row_name(single, features)}"
                      for single in studies.planned_transfers(study) for features in single.measured()}  # fmt: skip
            assert {alone, others[0]} <= listed and others[1].endswith(f"pixels-on-{row.source}")


def test_a_record_of_networks_that_there_are_not_names_its_file(carried):
    folder = carried.folder.with_name("D-jitter-gone-on-photographs-s0")
    folder.mkdir()
    record = json.loads((carried.folder / "transfer.json").read_text())
    record["members"] = {"D-jitter-gone-s0": "0" * 64}
    (folder / "transfer.json").write_text(json.dumps(record))
    with pytest.raises(RecordError, match=r"runs/smoke/.*/transfer.json: unknown variant 'gone'"):
        runs.recorded_transfers(studies.load("smoke"))


def test_names_of_transfers_are_parsed_back():
    for name in studies.names():
        for planned in studies.planned_transfers(studies.load(name)):
            assert studies.named_transfer(planned.study, planned.name) == planned
    with pytest.raises(VerydeepError, match="names no transfer"):
        studies.named_transfer(studies.load("smoke"), "A-256-s0")
    for seed in ("", "-s", "-s07", "-s٣"):  # an Arabic three
        with pytest.raises(VerydeepError, match="does not end with a seed"):
            studies.named_transfer(studies.load("narrow"), f"D-jitter-on-caltech101{seed}")


def test_the_paper_describes_people_by_image_and_box():
    pair = studies.find_transfer(["narrow/D-jitter", "narrow/E-jitter"], "voc2012-action")
    assert [way.view for way in pair.measured()] == ["image+box", "image"]
    assert Features("stack", (256, 384), "untrained").name == "untrained-stack-256+384"


def test_boxes_are_cut_from_their_images():
    class Store:
        manifest = pd.DataFrame({"name": ["a"]})

        def image(self, row):
            return np.arange(10 * 20 * 3, dtype=np.uint8).reshape(10, 20, 3)

    one = LabelledExamples(np.array(["a#1"], object), np.array([0]), np.array([[1]]), np.array([[0.5, 0.2, 0.75, 0.6]]))
    cut = features.Views(Store(), one, True).image(0)
    assert cut.shape == (4, 5, 3) and (cut == Store().image(0)[2:6, 10:15]).all()
    assert features.Views(Store(), one, False).image(0).shape == (10, 20, 3)


def test_a_box_begins_at_its_pixel_whatever_the_width():
    class Store:
        def __init__(self, width):
            self.manifest, self.width = pd.DataFrame({"name": ["a"]}), width

        def image(self, row):
            return np.broadcast_to(np.arange(self.width)[None, :, None], (1, self.width, 3))

    for width in range(200, 501, 7):
        for left in range(width - 1):
            one = LabelledExamples(
                np.array(["a#1"], object), np.array([0]), np.array([[1]]), np.array([[left / width, 0, 1, 1]])
            )
            cut = features.Views(Store(width), one, True).image(0)
            assert cut[0, 0, 0] == left and cut.shape[1] == width - left


def test_networks_of_several_seeds_together_are_no_seed_of_a_row(repository, monkeypatch):
    """Their record stands beside; the number is of networks that share a seed, by which verdicts pair them."""
    asked = [["narrow/D-jitter", second] for second in ("narrow/E-jitter", "narrow/E-jitter-s1")]
    alike, mixed = (studies.find_transfer(members, "caltech101") for members in asked)
    assert alike.row == mixed.row and alike.name != mixed.name
    (before,) = [row for row in carried_numbers.rows(alike.study) if row.name == alike.row]
    monkeypatch.setattr(runs, "recorded_transfers", lambda study: [alike, mixed])
    monkeypatch.setattr(runs, "read_record", lambda transfer, read=runs.read_record: read(alike))
    assert list(carried_numbers.recorded(before).scores) == [alike.name]
    monkeypatch.setattr(runs, "recorded_transfers", lambda study: [mixed])
    assert carried_numbers.recorded(before) is None


def test_descriptors_are_of_the_network_the_view_and_the_scale_that_are_asked_for(trained, monkeypatch):
    """What a table says of them is their name alone."""
    made = studies.find_transfer(NETWORK, "photographs")
    store, seen = SimpleNamespace(manifest_sha256="0", manifest=pd.DataFrame({"name": ["a", "b"]})), []
    examples = SimpleNamespace(names=np.array(["a", "b"]), rows=np.arange(2), sha256=lambda: "0")

    def describe(one, views, positions, shorter, relu):
        seen.append((views.boxed, shorter))
        weight = next(one.net.parameters()).detach().flatten()[0].item()
        return tester.Pass({"descriptors": np.array([[weight, views.boxed, shorter]] * 2, np.float32)}, 2, 1.0, 1, 2)

    monkeypatch.setattr(features, "describe", describe)
    one = features.Descriptors(made, made.members[0], store, examples)
    at = {(of, view, scale): one.at(of, view, scale)[0] for of in ("", "untrained") for view in ("", "box")
          for scale in (256, 384)}  # fmt: skip
    pixels = {scale: made.study.pixels(scale) for scale in (256, 384)}
    assert pixels[256] < pixels[384] and len(seen) == len(one.made) == 8
    for (_, view, scale), found in at.items():
        assert found[1:].tolist() == [view == "box", pixels[scale]]
    trained_weight = next(load_network(made.members[0]).parameters()).detach().flatten()[0].item()
    untrained_weight = next(untrained_network(made.members[0]).parameters()).detach().flatten()[0].item()
    assert at["", "", 256][0] == pytest.approx(trained_weight) != pytest.approx(untrained_weight)
    assert at["untrained", "", 256][0] == pytest.approx(untrained_weight)
    both = one.joined(Features("stack", (256, 384), view="image+box"))
    assert both.shape == (2, 12) and len(seen) == 8, "nothing was described twice"
    image, box = np.split(both[0], 2)
    assert image.reshape(2, 3)[:, 1].tolist() == [0, 0] and (box.reshape(2, 3)[:, 1] > 0).all()


def test_mirror_images_are_described_where_the_study_tests_with_them(repository):
    run = studies.find_run("narrow", "A", 256)
    one = SimpleNamespace(run=run, _normalise=Normaliser(torch.zeros(3), 1.0), pixels_per_batch=1)
    assert run.recipe.flip and features.Descriptors._tester(one, "").flip
    assert prediction._tester(pretrained("narrow/A-256")).flip


def test_what_is_learned_and_what_is_chosen_is_never_of_the_images_tested(carried, monkeypatch):
    """C and the linear machines, of every split."""
    seen = []

    def best_cost(described, labels, names, *settings):
        seen.append(("C", len(described), [*names]))
        return 1.0

    def scores(described, labels, tested, cost):
        seen.append(("machine", described, tested))
        return np.zeros((len(tested), 10))

    monkeypatch.setattr(transfer, "best_cost", best_cost)
    monkeypatch.setattr(transfer, "scores", scores)
    material = transfer.Material(carried, 10**6)
    described = np.arange(len(material.examples.names), dtype=np.float32)[:, None]
    monkeypatch.setattr(material, "describe", lambda features: described)
    material.said(carried.usual)
    assert len(seen) == 2 * len(material.splits) > 0
    for (_, count, names), (_, learned, tested), (train, test) in zip(
        seen[::2], seen[1::2], material.splits, strict=True
    ):
        assert names == [*material.examples.names[train]] and count == len(train)
        assert learned[:, 0].tolist() == train.tolist() and tested[:, 0].tolist() == test.tolist()
        assert not {*train} & {*test}
