"""Testing of networks that give boxes: where windows lie, the record, and several networks together."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.ops import box_iou

from conftest import enter, gone_on
from evaluation import localised
from evaluation.test_merging import naive
from verydeep import evaluation, files, results, runs, training
from verydeep.assembly import open_boxes, open_data
from verydeep.data.base import Images
from verydeep.data.boxes import Boxes
from verydeep.data.normaliser import Normaliser
from verydeep.errors import VerydeepError
from verydeep.evaluation import fusion, localisation, tester, verification
from verydeep.networks import vgg
from verydeep.networks.configurations import Size
from verydeep.networks.initialisation import initialise
from verydeep.runs import answers, boxes, predictions
from verydeep.studies import Fusion, schema
from verydeep.studies.localisation import Localisation
from verydeep.studies.measurements import measured_by


def quiet(_):
    pass


class Noise(Images):
    """A store of noise: two images, of 70x110 and 110x70 pixels."""

    manifest = pd.DataFrame({"name": ["a", "b"]})

    def image(self, row):
        size = [(70, 110), (110, 70)][row]
        return np.random.default_rng(row).integers(0, 255, (*size, 3), dtype=np.uint8)


def localiser(bias, pooling="floor", **options) -> localisation.Localiser:
    """One whose network says the same of every window, for every class; a window is 32 pixels, 32 apart."""
    size = Size(16, 3, 32, pooling)
    net = vgg.build("A", Size(16, 12, 32, pooling))
    last = net.fully_connected()["fc8"]
    last.weight.data.zero_()
    last.bias.data = torch.tensor(bias).repeat(3)
    normalise = Normaliser(torch.zeros(3), 255.0)
    one = tester.Tester(net, normalise, schema.Testing(), False)
    return localisation.Localiser(one, vgg.build("A", size), Localisation(**options), "pcr")


WHOLE_WINDOW, LEFT_HALF = [0.5, 0.5, 1.0, 1.0], [0.25, 0.5, 0.5, 1.0]


def places(found) -> np.ndarray:
    """Windows of the first image in pixels, (windows, 4), of the first class."""
    count = found.arrays["windows"][0]
    return found.arrays["boxes"][:count, 0] * [110, 70, 110, 70]


def test_a_box_that_fills_its_window_lies_where_the_window_does():
    found = localiser(WHOLE_WINDOW).make("dense-boxes", Noise(), np.arange(2), 70, np.array([[0, 2], [1, 0]]))
    lefts, tops = (0, 32, 64), (0, 32)
    expected = [[left, top, left + 32, top + 32] for top in tops for left in lefts]
    assert places(found) == pytest.approx(np.array(expected), abs=1e-4)
    assert found.arrays["boxes"].shape == (12, 2, 4) and found.arrays["windows"].tolist() == [6, 6]
    scores = found.arrays["scores"]
    assert scores.shape == (12, 2) and ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize("pooling", ["floor", "ceil"])
def test_every_window_that_sees_a_whole_crop_counts_and_has_its_own_classes_posteriors(pooling):
    """Rounded up, a map of 70x110 pixels has 3x4 positions, of which 2x3 see a crop that lies in the image."""
    one, wanted = localiser(WHOLE_WINDOW, pooling), np.array([[2, 0, 1], [1, 1, 0]])
    generator = torch.Generator().manual_seed(0)
    initialise(one.rater.net, "he", generator)
    found = one.make("dense-boxes", Noise(), np.arange(2), 70, wanted)
    assert found.arrays["windows"].tolist() == [6, 6]
    ends = found.arrays["windows"].cumsum()
    for image, (rows, columns) in enumerate([(2, 3), (3, 2)]):
        with torch.inference_mode():
            maps = one.rater.net.features(one.tester.normalise(Noise().image(image)[None]))
            expected = [
                one.rater.net.classifier(maps[:, :, row, column]).softmax(1)[0, wanted[image]].numpy()
                for row in range(rows)
                for column in range(columns)
            ]
        assert np.std(expected) > 0.01
        part = slice(ends[image] - 6, ends[image])
        assert found.arrays["scores"][part] == pytest.approx(np.array(expected), abs=1e-4)
        lefts = found.arrays["boxes"][part, 0, 0].reshape(rows, columns)
        assert (np.diff(lefts, axis=1) > 0).all() and np.ptp(lefts, axis=0).max() == 0


@pytest.mark.parametrize(("regression", "widths"), [("pcr", [0.75, 0.25, 0.5]), ("scr", [0.25, 0.25, 0.25])])
def test_each_class_has_a_box_of_its_own_or_all_have_one(regression, widths):
    one = localiser(WHOLE_WINDOW)
    boxes = torch.tensor([[0.5, 0.5, width, 1.0] for width in (0.25, 0.5, 0.75)])
    one.net.fully_connected()["fc8"].bias.data = boxes.flatten()
    one.regression = regression
    found = one.make("dense-boxes", Noise(), np.arange(1), 70, np.array([[2, 0, 1]]))
    first = found.arrays["boxes"][0] * [110, 70, 110, 70]
    assert (first[:, 2] - first[:, 0]).tolist() == pytest.approx([32 * width for width in widths], abs=1e-3)


def test_the_mirror_images_windows_are_mirrored_back():
    """A box at the left of each window is at the right of the mirror image's."""
    found = localiser(LEFT_HALF, mirror=True).make("dense-boxes", Noise(), np.arange(1), 70, np.array([[0]]))
    first, second = np.split(places(found), 2)
    assert first[0] == pytest.approx([0, 0, 16, 32], abs=1e-4)
    assert second[0] == pytest.approx([110 - 16, 0, 110, 32], abs=1e-4)
    assert found.forward_passes == 4  # both networks, image and mirror image


def test_the_central_crops_box_in_the_image_and_in_pixels():
    found = localiser(LEFT_HALF).make("centre-boxes", Noise(), np.arange(1), 70, np.array([[1]]))
    assert places(found) == pytest.approx(np.array([[39, 19, 55, 51]]), abs=1e-4)
    pixels = localiser([32 * one for one in LEFT_HALF], units="pixels")
    again = pixels.make("centre-boxes", Noise(), np.arange(1), 70, np.array([[1]]))
    assert places(again) == pytest.approx(places(found), abs=1e-3)


def test_windows_of_several_passes_are_joined_image_by_image():
    def one(value, windows):
        total = sum(windows)
        return {
            "boxes": np.full((total, 1, 4), value),
            "scores": np.arange(total)[:, None],
            "windows": np.array(windows),
        }

    first, second = localisation.union([one(0.0, [1, 2]), one(1.0, [2, 1])])
    assert first.boxes[:, 0, 0].tolist() == [0, 1, 1] and second.boxes[:, 0, 0].tolist() == [0, 0, 1]
    assert first.scores[:, 0].tolist() == [0, 0, 1] and second.scores[:, 0].tolist() == [1, 2, 2]


def test_a_box_is_cut_at_the_image_and_judged_by_the_true_box_that_it_fits_best():
    """Two true boxes: the left half, and the right quarter. Of the second image the upper half alone."""
    every = Boxes(np.array([[0, 0, 0.5, 1], [0.75, 0, 1, 1], [0, 0, 1, 0.5]]), np.array([0, 0, 1]), 2)
    system = SimpleNamespace(classes=np.array([[1, 0], [0, 1]]))
    passes = SimpleNamespace(labels=np.array([0, 1]), names=["a", "b"], rows=np.arange(2), boxes=every, system=system)
    found = np.array([[[0.5, 0, 1, 1], [0.75, -1, 1.5, 2]], [[0, 0, 1, 1], [-0.5, -0.5, 0.5, 0.5]]])
    table = localisation.BoxPasses.judged(passes, "dense-boxes-256", False, found)
    assert table["iou_1"].tolist() == pytest.approx([0.5, 0.5]) and table["iou_2"].tolist() == pytest.approx([1, 0.5])
    assert boxes.boxes_of(table.iloc[0], 2).tolist() == [0.75, 0, 1, 1]
    assert boxes.boxes_of(table.iloc[1], 2).tolist() == [0, 0, 0.5, 0.5]
    assert boxes.errors(table) == {"n": 2, "top1_error": 100, "top5_error": 50, "mean_iou": pytest.approx(0.75)}


@pytest.fixture(scope="session")
def localised_checkout(trained_checkout, tmp_path_factory):
    """The trained checkout with a network beside it that gives boxes."""

    def localise():
        run = localised.run()
        training.train(run, report=quiet)
        evaluation.evaluate(run, report=quiet)

    return gone_on(trained_checkout, tmp_path_factory, "localised", localise)


@pytest.fixture
def tested(localised_checkout, tmp_path, monkeypatch):
    """The network that gives boxes, in a private copy of that checkout."""
    enter(shutil.copytree(localised_checkout, tmp_path / "copy"), monkeypatch)
    return localised.run()


def test_the_record_is_what_the_boxes_yield(tested):
    record, table = runs.read_record(tested, "evaluate"), pd.read_parquet(tested.folder / boxes.FILE)
    assert runs.check_all() == []
    assert list(record.measurements) == [measurement.name for measurement in measured_by(tested)]
    for name, part in table.groupby("measurement", observed=True):
        assert dict(record.measurements[name]) == boxes.errors(part) and len(part) == 364
    assert record.measurements["centre-boxes-256"].top1_error < 60
    assert record.parameters["classes"]["run"] == "A-256-s0" and record.parameters["rated_by"]["run"] == "A-256-s0"
    assert record.parameters["rated_by"]["weights_sha256"] == files.sha256(tested.parent.weights)
    assert record.weights_sha256 == files.sha256(tested.weights) != files.sha256(tested.parent.weights)
    assert record.protocol["localisation"]["overlap"] == 0.5
    recorded = pd.read_parquet(tested.parent.folder / "predictions.parquet")
    named = recorded[recorded["measurement"] == "dense-256"]
    found = table[table["measurement"] == "dense-boxes-256"]
    columns = [f"class_{k}" for k in range(1, 6)]
    assert (found[columns].to_numpy() == named[columns].to_numpy()).all()
    # nothing is left to do, and the same is found anew from the weights alone
    before = files.sha256(tested.folder / "evaluate.json")
    evaluation.evaluate(tested, report=quiet)
    assert files.sha256(tested.folder / "evaluate.json") == before
    again = verification.verify(tested)
    assert again["identical"].all() and len(again) == len(record.measurements)
    assert (verification.verify(tested, images=20)["same best class (%)"] == 100).all()
    # other classes of the system make it anew
    (tested.parent.folder / "predictions.parquet").write_bytes(b"x")
    assert not runs.is_complete(tested, "evaluate")


def test_every_overlap_is_torchvisions(tested):
    table = pd.read_parquet(tested.folder / boxes.FILE)
    for _, row in table.sample(60, random_state=0).iterrows():
        truth = torch.tensor(np.asarray(row["truth"]).reshape(-1, 4))
        for k in (k for k in range(1, 6) if row[f"class_{k}"] >= 0):
            found = box_iou(torch.tensor(boxes.boxes_of(row, k), dtype=torch.float32)[None], truth).max()
            assert row[f"iou_{k}"] == pytest.approx(float(found), abs=1e-5)


def test_the_true_classes_boxes_of_the_whole_image_are_those_of_its_own_windows(tested):
    """The last of the classes that were asked for; before it stand those that the system names."""
    passes = localisation.BoxPasses(tested)
    measurement = next(one for one in measured_by(tested) if one.method == "true-dense-boxes")
    table = pd.read_parquet(tested.folder / boxes.FILE)
    told = table[table["measurement"] == measurement.name].set_index("image").loc[passes.names]
    columns, compared = [f"{side}_1" for side in ("left", "top", "right", "bottom")], 0
    for place, windows in enumerate(passes.windows(measurement)):
        if passes.wanted[place, 0] == passes.labels[place]:
            continue  # the best class is the true one
        own = localisation.Windows(windows.boxes[:, -1:], windows.scores[:, -1:])
        (alone,) = localisation.merged(iter([own]), slice(None), tested.localisation, 1)
        said = told.iloc[place][columns].to_numpy(np.float64)
        assert said == pytest.approx(alone[0].clip(0, 1), abs=1e-5)
        compared += np.abs(windows.boxes[:, 0] - windows.boxes[:, -1]).max() > 0.01
    assert compared >= 3, "hardly an image whose best class has another box"


def test_baselines_need_the_training_boxes_alone(tested):
    table = pd.read_parquet(tested.folder / boxes.FILE).set_index("measurement")
    assert (table.loc["true-whole-image"][["left_1", "top_1", "right_1", "bottom_1"]] == [0, 0, 1, 1]).all(axis=None)
    store = open_data(tested)
    every, labels, largest = open_boxes(tested, store), store.manifest["label"].to_numpy(), {}
    for row in every.having(store.rows("train")):
        of_image = every.of(row).astype(np.float64)
        largest[row] = max(of_image, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
    mean = np.mean([*largest.values()], 0)
    of_class = [np.mean([box for row, box in largest.items() if labels[row] == label], 0) for label in range(10)]
    assert np.ptp(of_class, 0).max() > 0.01
    sides = [[f"{side}_{k}" for side in ("left", "top", "right", "bottom")] for k in range(1, 6)]
    for k, columns in enumerate(sides, 1):
        assert np.abs(table.loc["mean-box"][columns].to_numpy() - mean).max() < 1e-5
        named = table.loc["class-mean-box"]
        expected = np.stack([of_class[label] for label in named[f"class_{k}"]])
        assert np.abs(named[columns].to_numpy() - expected).max() < 1e-5
    given = table.loc["true-class-mean-box"]
    assert np.abs(given[sides[0]].to_numpy() - np.stack([of_class[label] for label in given["label"]])).max() < 1e-5


def test_boxes_given_to_other_classes_than_the_systems_of_now_are_not_used(tested):
    """The passes that are kept are of the five classes that the system named, and of no others."""
    single = measured_by(tested)[1].passes[0]
    kept = localisation.BoxPasses(tested)
    before = kept.path(single).read_bytes()
    kept.arrays(single)
    assert kept.path(single).read_bytes() == before
    path = tested.parent.folder / "predictions.parquet"
    table = pd.read_parquet(path)
    table[["class_1", "class_2"]] = table[["class_2", "class_1"]]
    table.to_parquet(path, index=False)
    runs.seal(path.parent, [path.name])
    fault = f"gave its boxes to other classes than {path.parent.name} names now"
    assert fault in "".join(runs.check_folder(tested.folder))
    localisation.BoxPasses(tested).arrays(single)
    assert kept.path(single).read_bytes() != before


def test_a_fusion_of_boxes_is_of_the_windows_of_both_and_leaves_its_record(tested, monkeypatch):
    """The second network's boxes lie elsewhere and are twice as sure; merged by the plain loops of ``test_merging``."""
    again, arrays = localised.run("pcr-again"), localisation.BoxPasses.arrays

    def elsewhere(passes, single):
        said = arrays(passes, single)
        return said if passes.run == tested else said | {"boxes": said["boxes"] * 0.7, "scores": said["scores"] * 2}

    monkeypatch.setattr(localisation.BoxPasses, "arrays", elsewhere)
    shutil.copytree(tested.folder, again.folder)
    for kind in ("train", "evaluate"):
        runs.write_record(again, runs.read_record(tested, kind).model_copy(update={"variant": "pcr-again"}))
    runs.seal(again.folder, ["train.json", "evaluate.json"])
    both = Fusion((tested, again), "boxes")
    measured = fusion.fuse(both, report=quiet)
    table, single = pd.read_parquet(both.folder / boxes.FILE), measured_by(tested)[1].passes[0]
    passes = [localisation.BoxPasses(run, record=runs.read_record(run, "evaluate")) for run in (tested, again)]
    windows = [list(localisation.union([one.arrays(single)])) for one in passes]
    for row, first, second in list(zip(table.itertuples(), *windows, strict=True))[::9]:
        for k in range(5):
            said = [np.concatenate([one[k] for one in each]) for each in (
                (first.boxes.swapaxes(0, 1), second.boxes.swapaxes(0, 1)), (first.scores.T, second.scores.T)
            )]  # fmt: skip
            (best, *_), *_ = naive(*said, tested.localisation)
            found = [getattr(row, f"{side}_{k + 1}") for side in ("left", "top", "right", "bottom")]
            assert found == pytest.approx(np.clip(best, 0, 1), abs=1e-5)
    wrong = 1 - (table[[f"class_{k}" for k in range(1, 6)]].eq(table["label"], axis=0).to_numpy()
                 & (table[[f"iou_{k}" for k in range(1, 6)]].to_numpy() > 0.5)).any(1).mean()  # fmt: skip
    assert measured["together"].top5_error == pytest.approx(100 * wrong)
    record = runs.read_record(both)
    assert record.members[tested.name].measurement == "dense-boxes-256" and runs.is_complete(both)
    assert sorted(path.name for path in both.folder.iterdir()) == ["SHA256SUMS", "boxes.parquet", "fuse.json"]
    assert runs.check_folder(both.folder) == []
    # a member whose boxes are given to other classes since
    evaluated = runs.read_record(again, "evaluate")
    assert record.members[again.name].asked == {key: evaluated.parameters[key] for key in ("classes", "rated_by")}
    classes = evaluated.parameters["classes"] | {"predictions_sha256": "0" * 64}
    other = evaluated.model_copy(update={"parameters": evaluated.parameters | {"classes": classes}})
    runs.write_record(again, other)
    runs.seal(again.folder, ["evaluate.json"])
    fault = f"the boxes of its member {again.name} were given to other classes since"
    assert not runs.is_complete(both) and fault in "".join(runs.check_folder(both.folder))


@pytest.mark.parametrize("of", ["tester", "rater"])
def test_boxes_that_are_no_numbers_are_refused(tested, of):
    """Of a median, a sum or a comparison with what is none nothing is told."""
    passes = localisation.BoxPasses(tested, part=np.arange(2))
    broken = getattr(passes.localiser, of).net
    with torch.no_grad():
        broken.fully_connected()["fc8"].bias.fill_(torch.nan)
    with pytest.raises(VerydeepError, match="A says nothing that is a number of an image"):
        passes.arrays(measured_by(tested)[1].passes[0])


def test_a_network_without_its_classes_names_the_command(trained):
    run = localised.run(classes="A-256/dense-224")
    training.train(run, report=quiet)
    (run.parent.folder / "predictions.parquet").unlink()
    with pytest.raises(
        VerydeepError, match=r"given to the classes of A-256-s0, which is not tested yet; run: verydeep"
    ):
        evaluation.evaluate(run, report=quiet)


def test_hits_by_hand():
    """Three images: right box and class, right class with a box that just fails, right box of another class."""
    columns = {"label": [1, 1, 1]}
    for k in range(1, 6):
        columns[f"class_{k}"], columns[f"iou_{k}"] = [0, 0, 0], [0.9, 0.9, 0.9]
    columns["class_3"], columns["iou_3"] = [1, 1, 2], [0.51, 0.5, 0.9]
    table = pd.DataFrame(columns)
    assert boxes.hits(table, 1).tolist() == [False, False, False]
    assert boxes.hits(table, 5).tolist() == [True, False, False]
    assert predictions.hits(table, 5).tolist() == [True, True, False]
    assert boxes.errors(table) == {
        "n": 3, "top1_error": 100, "top5_error": pytest.approx(200 / 3), "mean_iou": pytest.approx(1.01 / 3),
    }  # fmt: skip


def test_an_errors_kind_follows_the_file(tested):
    path = answers.file_of(tested.folder)
    assert path.name == boxes.FILE and answers.file_of(tested.parent.folder).name == "predictions.parquet"
    wrong = results.wrong_images("smoke", tested.name, "centre-boxes-256", 1)
    record = runs.read_record(tested, "evaluate").measurements["centre-boxes-256"]
    assert 100 * wrong.mean() == pytest.approx(record.top1_error)
