"""Fine-tuning: three ways of learning from few images, and a network for a folder of somebody's own images."""

import base64
import io
import json
import math
import os
import re
import shutil
from dataclasses import replace

import jsonschema
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from conftest import enter, gone_on
from verydeep import cli, finetuning, locks, notebooks, runs, studies
from verydeep.chapters import formats, tuning_tables
from verydeep.chapters.live import tuning as live_tuning
from verydeep.data.sources import source
from verydeep.errors import Busy, DataError, OutOfMemory, StorageError, TrainingDiverged, UnknownName, VerydeepError
from verydeep.evaluation import transfer
from verydeep.evaluation.pretrained import pretrained
from verydeep.finetuning import comparison, kept, loop, own, rates
from verydeep.networks import anatomy
from verydeep.results import status
from verydeep.studies.tuning import Tuning


@pytest.fixture
def folder(tmp_path):
    """Thirty images of three classes: of the temple's photograph its sky and its lower part, and the flower."""
    data, made = source("photographs"), tmp_path / "mine"
    chosen = {"sky": ("china", "01"), "temple": ("china", "34"), "flower": ("flower", "23")}
    for name, (photograph, rows) in chosen.items():
        (made / name).mkdir(parents=True)
        for entry in list(data.entries()):
            piece, row, _ = entry.name.split("-")
            if piece == photograph and row in rows and len(list((made / name).iterdir())) < 10:
                (made / name / entry.name).write_bytes(data.read(entry))
    assert len(list(made.rglob("*.png"))) == 30
    return made


@pytest.fixture(scope="session")
def compared_checkout(trained_checkout, tmp_path_factory):
    """The trained checkout, in which A was tuned to the photographs through papermill, once."""

    def compare():
        notebooks.execute_recorded(studies.find_tuning("smoke/A-256", "photographs"))

    return gone_on(trained_checkout, tmp_path_factory, "compared", compare)


@pytest.fixture
def compared(compared_checkout, tmp_path, monkeypatch):
    enter(shutil.copytree(compared_checkout, tmp_path / "copy"), monkeypatch)
    return studies.find_tuning("smoke/A-256", "photographs")


def test_three_ways_are_recorded_at_one_cost_and_on_the_same_images(compared, monkeypatch):
    assert runs.check_all() == []
    written = json.loads((compared.folder / "finetune.json").read_text())
    jsonschema.Draft7Validator(formats.schema("finetune")).validate(written)
    assert set(written) <= set(formats.keys("finetune").index)
    record = runs.read_record(compared)
    assert record.environment.packages["scikit-learn"]  # it decides the numbers of frozen features
    assert [*record.measurements] == compared.asked == [
        f"{way}-{count}" for count in (5, 15) for way in ("frozen", "tuned", "random")
    ]  # fmt: skip
    assert [(split.train, split.test) for split in record.splits] == [(10, 90), (30, 90)]
    for count in (5, 15):
        work = [record.work[f"{way}-{count}"].multiply_adds for way in ("frozen", "tuned", "random")]
        assert work[1] == work[2] and 0.6 < work[0] / work[1] < 1.6
        outputs = replace(compared.run.size, num_classes=source(compared.source).num_classes)
        assert work[1] % (3 * anatomy.multiply_adds(compared.run.configuration, outputs)) == 0
    said = pd.read_parquet(compared.folder / "transfer.parquet")
    assert said.groupby("measurement", observed=True)["image"].apply(frozenset).nunique() == 1
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("executed again"))
    notebooks.execute_recorded(compared)
    table = tuning_tables.ways(compared)
    assert len(table) == 6 and "100" not in str(table["epochs"].tolist())
    points = tuning_tables.points(compared)
    assert points["error"].tolist() == pytest.approx([100 - score.value for score in record.measurements.values()])
    assert (points["low"] <= points["error"]).all() and (points["error"] <= points["high"]).all()
    assert tuning_tables.gains(compared).shape == (2, 2)
    study = compared.run.study
    for key, other in (("momentum", 0.5), ("learning_rate", 0.5)):
        changed = study.model_copy(update={"recipe": study.recipe | {key: other}})
        assert not runs.is_complete(Tuning(replace(compared.run, study=changed), compared.source))
    line = f"{compared.row:44} {{:8}} tuned-15 recall {record.measurements['tuned-15'].value:.1f} %"
    assert line.format("done") in status.status("smoke").splitlines()
    monkeypatch.setattr("verydeep.studies.tuning.RATES", (1, 2))
    assert line.format("stale") in status.status("smoke").splitlines()


def test_an_interrupted_comparison_goes_on_with_what_was_not_learned_yet(trained, compared_checkout, monkeypatch):
    """On a slow machine it takes hours, and began anew."""
    tuning = studies.find_tuning("smoke/A-256", "photographs")
    original, fits = loop.fit, []

    def counting(stop):
        def fit(net, run, lesson, normalise, trained, rate):
            if len(fits) == stop:
                raise KeyboardInterrupt
            fits.append((len(lesson.rows), trained, rate))
            return original(net, run, lesson, normalise, trained, rate)

        monkeypatch.setattr(rates, "fit", fit)
        monkeypatch.setattr(comparison, "fit", fit)

    for stop in (3, 11):  # among the rates, and in the last training
        counting(stop)
        with pytest.raises(KeyboardInterrupt):
            finetuning.compare(tuning, report=lambda _: None)
        assert runs.read_record(tuning) is None
    counting(None)
    finetuning.compare(tuning, report=lambda _: None)
    whole = runs.read_file(compared_checkout / "runs/smoke" / tuning.name / "finetune.json")
    assert runs.read_record(tuning).measurements == whole.measurements and len(fits) == len(set(fits))


def test_a_tuning_is_stale_once_its_network_is_trained_anew(compared):
    path = compared.run.folder / "train.json"
    record = json.loads(path.read_text())
    record["artefacts"]["weights.safetensors"] = "0" * 64
    path.write_text(json.dumps(record))
    runs.seal(compared.run.folder, [path.name])
    assert not runs.is_complete(compared)
    (fault,) = runs.check_folder(compared.folder)
    assert "was made from other weights of A-256-s0 than are there" in fault


def test_what_is_learned_from_few_images_is_among_what_is_learned_from_many(compared):
    one = comparison._Comparison(compared, 2**19, lambda _: None)
    few, many = one.split(5), one.split(15)
    assert set(few.train) < set(many.train) and (few.test == many.test).all()
    assert not set(many.train) & set(many.test)


def test_a_network_starts_from_trained_or_from_random_weights(trained):
    run = studies.find_run("smoke", "A", 256)
    base = pretrained("smoke/A-256").network
    tuned, drawn = (loop.new_network(run, 3, which) for which in (True, False))
    weights = [net.convolutions()["conv1_1"].weight for net in (base, tuned, drawn)]
    assert (weights[0] == weights[1]).all() and not (weights[0] == weights[2]).any()
    assert tuned.fully_connected()["fc8"].out_features == 3


def test_names_that_end_as_those_of_objects_are_images_of_their_own(tmp_path):
    """They were taken together, and then a share of all images was tested on, not of each class."""
    for name, files_ in {"a": ["x#1", "x#2", "x#3"], "b": ["1", "2", "3"]}.items():
        (tmp_path / name).mkdir()
        for k, file in enumerate(files_):
            Image.new("RGB", (300, 300), (k, 0, ord(name))).save(tmp_path / name / file, "PNG")
    images = own.OwnFolder(tmp_path)
    learned, tested = images.split(0.3)
    labels = images.manifest["label"].to_numpy()
    assert labels[tested].tolist() == [0, 1] and labels[learned].tolist() == [0, 0, 1, 1]


def test_the_same_lesson_gives_the_same_weights_and_learns(trained, folder):
    run = studies.find_run("smoke", "A", 256)
    images = own.OwnFolder(folder)
    rows = images.split(0.3)[0]
    normalise = pretrained("smoke/A-256").transform.normalise
    made = []
    for _ in range(2):
        net = loop.new_network(run, 3, True)
        losses = loop.fit(net, run, loop.Lesson(images, rows, 6, 0), normalise, True, 0.02)
        made.append(net.fully_connected()["fc6"].weight)
    assert (made[0] == made[1]).all() and losses[-1] < losses[0]


def test_layers_that_are_there_learn_at_a_fifth_of_a_rate_that_rises_over_a_tenth_and_falls_to_nothing(
    trained, folder, monkeypatch
):
    """21 images make 4 updates of 5 an epoch, so 20 in 5 epochs, of which 2 warm up."""
    run, images = studies.find_run("smoke", "A", 256), own.OwnFolder(folder)
    normalise, rows = pretrained("smoke/A-256").transform.normalise, images.split(0.3)[0]
    seen, gradients, step = [], loop._gradients, torch.optim.SGD.step

    def of_batch(net, batch, *others):
        seen.append({"batch": batch})
        return gradients(net, batch, *others)

    def noting(optimiser, *_):
        seen[-1]["groups"] = [dict(group) for group in optimiser.param_groups]
        return step(optimiser)

    monkeypatch.setattr(loop, "_gradients", of_batch)
    monkeypatch.setattr(torch.optim.SGD, "step", noting)
    net = loop.new_network(run, 3, True)
    loop.fit(net, run, loop.Lesson(images, rows, 5, 0), normalise, True, 0.3)
    expected = [0.15, 0.3] + [0.3 * (1 + math.cos(math.pi * k / 18)) / 2 for k in range(18)]
    old, new = ([one["groups"][k] for one in seen] for k in (0, 1))
    assert [group["lr"] for group in new] == pytest.approx(expected)
    assert [group["lr"] for group in old] == pytest.approx([rate / 5 for rate in expected])
    assert {id(weight) for weight in new[0]["params"]} == set(map(id, net.fully_connected()["fc8"].parameters()))
    recipe = run.recipe
    assert {(group["momentum"], group["weight_decay"]) for group in old + new} == {
        (recipe.momentum, recipe.weight_decay)
    }
    labels = [one["batch"].labels.tolist() for one in seen]
    assert labels[:4] != labels[4:8], "another order, and other crops, in every epoch"
    seen.clear()
    loop.fit(loop.new_network(run, 3, False), run, loop.Lesson(images, rows, 1, 0), normalise, False, 0.3)
    assert all(one["groups"][0]["lr"] == one["groups"][1]["lr"] for one in seen)


def test_a_batch_that_a_gpu_has_not_the_memory_for_goes_through_it_in_parts(trained, folder):
    """Five images at once: two at most are one and one, and the same weights come of it."""
    run, images = studies.find_run("smoke", "A", 256), own.OwnFolder(folder)
    assert run.recipe.dropout == 0 and run.recipe.precision == "float32"
    lesson = loop.Lesson(images, images.split(0.3)[0], 2, 0)
    normalise, seen = pretrained("smoke/A-256").transform.normalise, []

    def learned(most):
        def full(module, given):
            seen.append(len(given[0]))
            if len(given[0]) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")

        net = loop.new_network(run, 3, True)
        net.register_forward_pre_hook(full)
        losses = loop.fit(net, run, lesson, normalise, True, 0.02)
        return net, losses

    (whole, losses), (parted, again) = learned(5), learned(3)
    assert seen[8:] == [5, 2, 2, 1] + 7 * [2, 2, 1], "a batch that was too large is not tried again"
    assert again == pytest.approx(losses, rel=1e-4)
    for weights, others in zip(whole.parameters(), parted.parameters(), strict=True):
        assert torch.allclose(weights, others, atol=1e-5)
    with pytest.raises(OutOfMemory, match="A-256: the device has not the memory for 1 images at once, and they cannot"):
        learned(0)


@pytest.mark.parametrize(("clip_norm", "longest"), [(0.1, 0.1), (None, 1.0)])
def test_gradients_are_shortened_as_the_study_does_it_or_else_to_one(trained, folder, monkeypatch, clip_norm, longest):
    run, images = studies.find_run("smoke", "A", 256), own.OwnFolder(folder)
    run = replace(run, study=run.study.model_copy(update={"recipe": run.study.recipe | {"clip_norm": clip_norm}}))
    norms, step = [], torch.optim.SGD.step

    def noting(optimiser, *_):
        gradients = [weight.grad for group in optimiser.param_groups for weight in group["params"]]
        norms.append(torch.stack([gradient.norm() for gradient in gradients]).norm().item())
        return step(optimiser)

    monkeypatch.setattr(torch.optim.SGD, "step", noting)
    lesson = loop.Lesson(images, images.split(0.3)[0], 5, 0)
    loop.fit(loop.new_network(run, 3, True), run, lesson, pretrained("smoke/A-256").transform.normalise, True, 0.3)
    assert max(norms) == pytest.approx(longest, rel=1e-3)


def test_a_folder_of_thirty_images_becomes_a_network_with_its_errors_and_a_page(trained, folder, monkeypatch):
    """Of two rates at which it learns: which of all is best on four images hangs on a machine's last bits."""
    monkeypatch.setattr(rates, "RATES", (2, 4))
    monkeypatch.setattr(rates, "FURTHER", 0)
    done = CliRunner().invoke(cli.cli, ["finetune", "smoke/A-256", str(folder), "--epochs", "10"])
    assert done.exit_code == 0, done.output
    made = folder.with_name("mine-tuned")
    assert "3 classes, 21 images to learn from, 9 to test on" in done.output
    note = json.loads((made / "tuned.json").read_text())
    assert note["classes"] == ["flower", "sky", "temple"] and note["images_tested_on"] == 9
    assert f"error on 9 images kept aside: {note['error']:.1f} %" in done.output
    assert note["interval"][0] <= note["error"] <= note["interval"][1] and note["error"] < 60
    page = (made / "page.html").read_text()
    assert page.count("<img ") == page.count('alt="') == 9 and "Wrong, the surest first" in page
    network = finetuning.load(made)
    picture = own.OwnFolder(folder).image(0)
    said = network.predict(picture)
    assert set(said.index) == {"flower", "sky", "temple"} and said.sum() == pytest.approx(1, abs=1e-4)
    asked = CliRunner().invoke(cli.cli, ["predict", str(made), str(next((folder / "sky").iterdir()))])
    assert asked.exit_code == 0 and "%  " in asked.output
    with pytest.raises(VerydeepError, match=r"mine-tuned exists already; name another folder with --to"):
        finetuning.tune(studies.find_tuning("smoke/A-256", str(folder)))
    (made / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(VerydeepError, match="not the weights that tuned.json names"):
        finetuning.load(made)


def test_the_notebook_takes_a_folder_too(trained, folder, tmp_path):
    given = {"images": str(folder), "to": str(tmp_path / "here")}
    done = papermill.execute_notebook(trained / "book/training/finetune.ipynb", tmp_path / "out.ipynb", given,
                                      kernel_name="python3", cwd=trained, progress_bar=False)  # fmt: skip
    assert (tmp_path / "here" / "page.html").exists()
    shown = nbformat.from_dict(done)
    assert all(cell.outputs for cell in shown.cells if cell.cell_type == "code" and "tuning." in cell.source)


def spoil(folder, how):
    match how:
        case "one class":
            shutil.rmtree(folder / "sky"), shutil.rmtree(folder / "temple")
        case "loose image":
            shutil.copy(next((folder / "sky").iterdir()), folder / "loose.png")
        case "few images":
            for path in sorted((folder / "sky").iterdir())[2:]:
                path.unlink()
        case "no image":
            (folder / "sky" / "notes.txt").write_text("a list of photographs")
        case "cut short":
            path = sorted((folder / "sky").iterdir())[3]
            path.write_bytes(path.read_bytes()[:200])
        case "folder in a class":
            (folder / "sky" / "more").mkdir()
        case "the same image twice":
            shutil.copy(sorted((folder / "sky").iterdir())[0], folder / "temple" / "again.png")
        case "too narrow":
            Image.new("RGB", (100_000, 1)).save(folder / "sky" / "line.png")
        case "no UTF-8":
            first = sorted((folder / "sky").iterdir())[0]
            first.rename(os.fsdecode(os.fsencode(folder / "sky") + b"/caf\xe9.png"))
        case "empty":
            shutil.rmtree(folder)
            folder.mkdir()


@pytest.mark.parametrize(("how", "message"), [
    ("one class", "1 folders with images in them; make one for each class, two at least"),
    ("loose image", "loose.png: lies beside the folders of the classes"),
    ("few images", "sky: 2 images; a class needs 3"),
    ("no image", "notes.txt: not a readable image"), ("cut short", "not a readable image"),
    ("folder in a class", "more: not an image; a class has images alone"), ("empty", "0 folders with images"),
    ("the same image twice", "again.png: the same image as sky/"),
    ("too narrow", r"sky/line.png: 100000x1 pixels become \d+x\d+ at the test scale \d+, more than"),
    ("no UTF-8", r"the name 'sky/caf\\udce9.png' holds a character that cannot be printed; rename it"),
])  # fmt: skip
def test_a_bad_folder_is_refused_in_one_line_before_anything_is_learned(trained, folder, how, message, monkeypatch):
    spoil(folder, how)
    monkeypatch.setattr(own, "best_rate", lambda *_, **__: pytest.fail("learned"))
    with pytest.raises(DataError, match=message) as refused:
        finetuning.tune(studies.find_tuning("smoke/A-256", str(folder)))
    assert "\n" not in str(refused.value) and not folder.with_name("mine-tuned").exists()


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_learned(trained, folder, monkeypatch):
    monkeypatch.setattr(own, "best_rate", lambda *_, **__: pytest.fail("learned"))
    (folder.parent / "file").touch()
    with pytest.raises(StorageError, match="file/here cannot be written"):
        finetuning.tune(studies.find_tuning("smoke/A-256", str(folder)), folder.parent / "file" / "here")
    with pytest.raises(VerydeepError, match=r"^/: nothing can be written beside it; name a folder with --to"):
        finetuning.tune(studies.find_tuning("smoke/A-256", "/"))
    with pytest.raises(VerydeepError, match="to is the path of the folder that the network goes to, not 5"):
        finetuning.tune(studies.find_tuning("smoke/A-256", str(folder)), 5)
    monkeypatch.setenv("HOME", str(folder.parent))
    with pytest.raises(VerydeepError, match=f"{folder} exists already; name another folder"):
        finetuning.tune(studies.find_tuning("smoke/A-256", str(folder)), f"~/{folder.name}")


def test_no_name_is_no_folder():
    """A variable of the shell that is not set gives it, and it must not mean the working directory."""
    with pytest.raises(VerydeepError, match="'' is neither a folder nor one of the data sets"):
        studies.find_tuning("smoke/A-256", "")


def test_a_place_of_ones_own_is_of_own_images_alone():
    with pytest.raises(VerydeepError, match="to='here' is of a folder of images of one's own: caltech101 is recorded"):
        live_tuning.learn(studies.find_tuning("narrow/D-jitter", "caltech101"), "here", pixels_per_batch=1)


def test_what_comes_to_be_there_while_it_learns_is_left_alone(trained, folder, monkeypatch):
    there, fit = folder.with_name("mine-tuned"), own.fit

    def slow(*given, **options):
        there.mkdir()
        (there / "mine.txt").write_text("by hand")
        return fit(*given, **options)

    monkeypatch.setattr(own, "fit", slow)
    with pytest.raises(StorageError, match="mine-tuned cannot be written"):
        finetuning.tune(studies.find_tuning("smoke/A-256", str(folder)), epochs=1)
    assert [path.name for path in there.iterdir()] == ["mine.txt"]


def test_two_that_make_one_network_do_not_learn_both(trained, folder, monkeypatch):
    """The second to be done found a network there, and what it had learned was lost."""
    monkeypatch.setattr(locks, "PATIENCE", 0.0)
    asked, fit, met = studies.find_tuning("smoke/A-256", str(folder)), own.fit, []

    def slow(*given, **options):
        with pytest.raises(Busy, match="mine-tuned is in the hands of process"):
            finetuning.tune(studies.find_tuning("smoke/D-256", str(folder)), epochs=1)
        met.append(1)
        return fit(*given, **options)

    monkeypatch.setattr(own, "require_trained", lambda run: None)
    monkeypatch.setattr(own, "best_rate", lambda *given: 0.01)
    monkeypatch.setattr(own, "fit", slow)
    finetuning.tune(asked, epochs=1)
    assert met and finetuning.is_own(folder.with_name("mine-tuned"))


def test_a_network_is_not_taken_up_as_another(trained, folder, monkeypatch):
    """Its weights fit one with another pooling, and only its study said which it is."""
    monkeypatch.setattr(own, "best_rate", lambda *given: 0.01)
    finetuning.tune(studies.find_tuning("smoke/A-256", str(folder)), epochs=1)
    path = folder.with_name("mine-tuned") / "tuned.json"
    note = json.loads(path.read_text())
    for key, value in (("network.pooling", "ceil"), ("testing.grid", "cells"), ("flip", True)):
        path.write_text(json.dumps(note | {"settings": note["settings"] | {key: value}}))
        said = rf"made otherwise than the study smoke says now \({key}: {value}, now {note['settings'][key]}\)"
        assert note["settings"][key] != value
        with pytest.raises(VerydeepError, match=said):
            finetuning.load(path.parent)
    earlier = {key: value for key, value in note["settings"].items() if key != "network.head"}
    path.write_text(json.dumps(note | {"settings": earlier}))  # of before a network could have another head
    assert finetuning.load(path.parent).classes == note["classes"]
    former = path.rename(path.with_name("network.json"))  # of before it had a name of its own
    assert finetuning.is_own(path.parent) and finetuning.load(path.parent).classes == note["classes"]
    former.rename(path)
    path.write_text(json.dumps(note | {"test_scale": 20}))
    with pytest.raises(VerydeepError, match="tuned.json: the test scale 20 is smaller than the crop 32"):
        finetuning.load(path.parent)


def test_crops_are_mirrored_where_the_study_does_so(trained, folder, monkeypatch):
    run, given, views = studies.find_run("smoke", "A", 256), [], loop.TrainingViews
    images, normalise = own.OwnFolder(folder), pretrained("smoke/A-256").transform.normalise
    lesson = loop.Lesson(images, np.arange(len(images.manifest)), 1, 0)
    monkeypatch.setattr(loop, "TrainingViews", lambda *asked: given.append(asked) or views(*asked))
    for flip in (False, True):
        study = run.study.model_copy(update={"recipe": run.study.recipe | {"flip": flip}})
        loop.fit(loop.new_network(run, 3, False), replace(run, study=study), lesson, normalise, False, 0.01)
    scale = run.study.pixels(256)
    assert given == [(run.size.crop, scale, scale, flip) for flip in (False, True)]


def test_no_way_learns_from_the_images_it_is_tested_on(compared, monkeypatch):
    learned, tested = [], []
    monkeypatch.setattr(comparison, "fit", lambda net, run, lesson, *rest: learned.append(lesson.rows))
    monkeypatch.setattr(
        comparison, "posteriors", lambda net, run, normalise, store, rows, n: tested.append(rows) or rows
    )
    monkeypatch.setattr(transfer, "scores", lambda described, labels, others, cost: (described, others))
    monkeypatch.setattr(transfer, "best_cost", lambda described, labels, names, *rest: [*names])
    one = comparison._Comparison(compared, 10**6, lambda line: None)
    monkeypatch.setattr(one, "_kept", lambda name, rate, learn: (learn(), 0.0))
    monkeypatch.setattr(one, "described", np.arange(len(one.examples.names)))
    for count in compared.counts:
        split = one.split(count)
        one._trained(split, "random", "x", 0.1)
        assert learned[-1].tolist() == one.examples.rows[split.train].tolist()
        assert tested[-1].tolist() == one.examples.rows[split.test].tolist()
        assert not {*learned[-1]} & {*tested[-1]}
        (described, others), chosen_on, _ = one._frozen(split)
        assert described.tolist() == split.train.tolist() and others.tolist() == split.test.tolist()
        assert chosen_on == [[*one.examples.names[split.train]]]


def test_a_recipe_in_float16_is_learned_in_bfloat16(trained, folder, monkeypatch):
    """Without a scaler of losses the small gradients of float16 are nothing, and nobody says so."""
    run = studies.find_run("smoke", "A", 256)
    study = run.study.model_copy(update={"recipe": run.study.recipe | {"precision": "float16"}})
    half, seen = studies.Run(study, "A", "256", 0), []
    images = own.OwnFolder(folder)
    net = loop.new_network(half, 3, False)
    net.register_forward_hook(lambda module, given, made: seen.append(made.dtype))
    lesson = loop.Lesson(images, np.arange(len(images.manifest)), 1, 0)
    loop.fit(net, half, lesson, pretrained("smoke/A-256").transform.normalise, False, 0.01)
    assert {*seen} == {torch.bfloat16}


def test_what_stops_in_the_middle_leaves_nothing_and_goes_on_by_the_same_command(trained, folder, monkeypatch):
    asked, before = studies.find_tuning("smoke/A-256", str(folder)), set(folder.parent.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(own, "posteriors", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            finetuning.tune(asked, epochs=1)
    assert set(folder.parent.iterdir()) == before
    (kept,) = (trained / "artifacts" / "own").glob("*/")
    with monkeypatch.context() as patch:  # of other images nothing is kept
        patch.setattr(rates, "fit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            finetuning.tune(asked, epochs=2)
        for module in (rates, own):
            patch.setattr(module, "fit", lambda *_, **__: pytest.fail("what was learned is learned again"))
        tuned = finetuning.tune(asked, folder.with_name("elsewhere"), epochs=1)
    assert tuned.folder == folder.with_name("elsewhere") and not kept.exists()
    once = finetuning.load(tuned.folder)
    assert (
        once.classes == tuned.words and json.loads((tuned.folder / "tuned.json").read_text())["error"] == tuned.error[0]
    )
    finetuning.tune(asked, epochs=1)
    made = [(place / "weights.safetensors").read_bytes() for place in (tuned.folder, folder.with_name("mine-tuned"))]
    assert made[0] == made[1], "what was kept is what is learned in one go"


def test_of_a_narrow_image_a_piece_is_shown(trained, folder, monkeypatch):
    for path in (folder / "sky").iterdir():
        width = 1190 + int(path.stem.rpartition("-")[2])  # no two alike
        Image.fromarray(np.asarray(Image.open(path))[:2, :2]).resize((width, 2)).save(path)
    tuned = finetuning.tune(studies.find_tuning("smoke/A-256", str(folder)), epochs=1)
    shown = [base64.b64decode(one) for one in re.findall('base64,([^"]+)', (tuned.folder / "page.html").read_text())]
    sizes = {Image.open(io.BytesIO(one)).size for one in shown}
    assert (640, 160) in sizes and len(shown) == 9


#: What verydeep finetune writes beside a network.
NOTE = json.dumps(
    {
        "started_from": "smoke/A-256-s0",
        "settings": {},
        "classes": ["a", "b"],
        "mean": [123.7, 116.8, 103.9],
        "divisor": 70.0,
        "test_scale": 48,
        "epochs": 1,
        "learning_rate": 0.01,
        "images_learned_from": 8,
        "images_tested_on": 2,
        "error": 50.0,
        "interval": [9.5, 90.5],
        "weights_sha256": "0" * 64,
        "sources_sha256": "0" * 64,
        "commit": None,
        "made": "2026-11-30T00:00:00+00:00",
    }
)


def test_a_whole_note_is_read_as_it_was_written():
    assert json.loads(kept.Note.model_validate_json(NOTE).model_dump_json()) == json.loads(NOTE)


@pytest.mark.parametrize("note", [
    "{}", "[]", "<<<<<<< ours", "\xff", NOTE.replace('"settings": {}', '"settings": null'),
    NOTE.replace("[123.7, 116.8, 103.9]", '"grey"'), NOTE.replace("[123.7, 116.8, 103.9]", "[]"),
    NOTE.replace("70.0", "-50.0"), NOTE.replace("70.0", "NaN"), NOTE.replace("70.0", "[70.0]"),
    NOTE.replace('["a", "b"]', '["a", "a"]'), NOTE.replace('["a", "b"]', '["a", ""]'),
])  # fmt: skip
def test_a_damaged_note_of_a_network_is_told(tmp_path, note):
    (tmp_path / "tuned.json").write_bytes(note.encode("latin-1"))
    (tmp_path / "weights.safetensors").touch()
    with pytest.raises(VerydeepError, match=r"tuned.json: not the note that verydeep finetune wrote"):
        finetuning.load(tmp_path)


@pytest.mark.parametrize(("arguments", "message"), [
    (["smoke/A-256", "~nobody-has-this/x"], "~nobody-has-this/x: no such home directory; give the whole path"),
    (["smoke/A-256", "nowhere"], "'nowhere' is neither a folder nor one of the data sets caltech101, photographs"),
    (["smoke/F-256", "photographs"], "unknown config 'F'"), (["smoke", "photographs"], "names no network"),
    (["smoke/D-256-pcr-all", "photographs"], "gives boxes and not classes"),
    (["smoke/A-256", "photographs", "--epochs", "3"], "--to, --epochs and --held-out are for a folder of images"),
    (["smoke/D-256", "{folder}"], "D-256-s0 is not trained yet; run: verydeep run smoke D 256"),
    (["smoke/A-256", "{folder}", "--held-out", "1.5"], "the share held out is between 0 and 1, not 1.5"),
    (["smoke/A-256", "{folder}", "--held-out", "0.99"], "1 of its images to learn from when 0.99 of them are held out"),
])  # fmt: skip
def test_a_wrong_command_says_why(trained, folder, arguments, message):
    asked = CliRunner().invoke(cli.cli, ["finetune", *(one.format(folder=folder) for one in arguments)])
    assert isinstance(asked.exception, VerydeepError | UnknownName) and message in str(asked.exception)


def test_names_of_tunings():
    tuning = studies.find_tuning("narrow/D-jitter", "caltech101")
    assert isinstance(tuning, Tuning) and tuning.name == "D-jitter-tuned-on-caltech101-s0"
    assert tuning.command == "verydeep finetune narrow/D-jitter-s0 caltech101" and tuning.counts == (5, 10, 15, 30)
    run = studies.find_run("narrow", "D", "jitter")
    assert [loop.batch_size(run, images) for images in (3060, 64, 21, 3)] == [32, 16, 5, 1]


def test_the_rate_is_the_best_of_those_tried_on_images_kept_aside_and_one_that_diverges_is_none(
    trained, folder, monkeypatch
):
    run = studies.find_run("smoke", "A", 256)
    images = own.OwnFolder(folder)
    lesson = loop.Lesson(images, images.split(0.3)[0], 6, 0)
    normalise = pretrained("smoke/A-256").transform.normalise
    learned = []

    def fit(net, run, given, normalise, trained, rate):
        learned.append((rate, len(given.rows)))
        if rate == max(rates.rates_of(run)):
            raise TrainingDiverged("loss is nan")
        return loop.fit(net, run, given, normalise, trained, rate)

    monkeypatch.setattr(rates, "fit", fit)
    chosen = rates.best_rate(run, lesson, 3, normalise, True)
    asked = rates.rates_of(run)
    assert [rate for rate, _ in learned] == asked and asked[1] == 4 * asked[0]
    assert {rows for _, rows in learned} == {18}, "one image of each class is kept aside"
    assert chosen in asked[:-1] and chosen > asked[0], "the study's own rate teaches a new layer too little"
    assert len(learned) == len(asked), "the best lies between two others"


@pytest.mark.parametrize(
    ("best", "diverges", "tried", "chosen"),
    [
        (4, 1e9, [1, 4, 16, 64], 4),
        (100, 1e9, [1, 4, 16, 64, 256], 64),
        (1000, 1e9, [1, 4, 16, 64, 256, 1024, 4096], 1024),
        (1000, 256, [1, 4, 16, 64, 256], 64),
        (0.1, 1e9, [1, 4, 16, 64, 1 / 4, 1 / 16, 1 / 64], 1 / 16),
        (1e9, 1e9, [1, 4, 16, 64, 256, 1024, 4096, 16384], 16384),
        (1e-9, 1 / 100, [1, 4, 16, 64, 1 / 4, 1 / 16, 1 / 64, 1 / 256], 1 / 256),
        (1, 0, [1, 4, 16, 64, 1 / 4, 1 / 16, 1 / 64, 1 / 256], None),
    ],
)
def test_rates_beyond_an_end_are_tried_while_the_best_is_at_it(
    trained, folder, monkeypatch, best, diverges, tried, chosen
):
    run = studies.find_run("smoke", "A", 256)
    images, base = own.OwnFolder(folder), rates.rates_of(run)[0]
    learned = []

    def fit(net, run, lesson, normalise, trained, rate):
        learned.append(rate)
        if rate >= diverges * base:
            raise TrainingDiverged("loss is nan")

    def posteriors(net, run, normalise, images, rows, pixels_per_batch):
        sure = 0.9 * np.exp(-abs(np.log(learned[-1] / (best * base))) / 100)
        labels = images.manifest["label"].to_numpy()[rows]
        return np.where(np.arange(3) == labels[:, None], sure, (1 - sure) / 2)

    monkeypatch.setattr(rates, "fit", fit)
    monkeypatch.setattr(rates, "posteriors", posteriors)
    arguments = (run, loop.Lesson(images, images.split(0.3)[0], 6, 0), 3, pretrained("smoke/A-256").transform.normalise)
    if chosen is None:
        with pytest.raises(TrainingDiverged, match="training diverges at every rate that was tried: "):
            rates.best_rate(*arguments, True)
    else:
        assert rates.best_rate(*arguments, True) == pytest.approx(chosen * base)
    assert learned == pytest.approx([times * base for times in tried])
