"""The data sets to which features are carried: VOC in its official layout and a public one, Caltech, photographs."""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from verydeep import files
from verydeep.data import examples
from verydeep.data.caltech import Caltech101
from verydeep.data.sources import SOURCES, source
from verydeep.data.store import open_store
from verydeep.data.voc import Voc2007, Voc2007Val, Voc2012Action
from verydeep.errors import DataError


def picture(side: int = 24) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((side, side + 8, 3), np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
    return path


@pytest.fixture
def voc(checkout, tmp_path, monkeypatch):
    """Three images to train on and two to test on, two of them aeroplanes, one with a difficult bird."""
    folder = tmp_path / "voc"
    for name in Voc2007.class_names:
        lines = {"trainval": ["000005", "000007", "000009"], "test": ["000001", "000002"]}
        labels = {"aeroplane": {"000007": 1, "000001": 1}, "bird": {"000007": 0}, "person": {"000005": 1}}.get(name, {})
        for part, images in lines.items():
            text = "".join(f"{image} {labels.get(image, -1):2}\r\n" for image in images)
            write(folder, f"ImageSets/Main/{name}_{part}.txt", text)
    for image in ("000005", "000007", "000009", "000001", "000002"):
        write(folder, f"JPEGImages/{image}.jpg", picture())
    monkeypatch.setattr(Voc2007, "counts", {"train": 3, "val": 2})
    return folder


def test_voc_has_labels_of_every_class_and_its_own_split(voc):
    data = Voc2007(voc)
    store = open_store(data)
    found = examples.read_examples(data, store)
    assert found.names.tolist() == store.manifest["name"].tolist()[:3] + store.manifest["name"].tolist()[3:]
    place = {name[-10:-4]: k for k, name in enumerate(found.names)}
    assert found.labels[place["000007"]][[0, 2, 14]].tolist() == [1, 0, -1]
    assert found.labels.shape == (5, 20) and (found.labels == 1).sum() == 3 and found.boxes is None
    split = examples.own_split(store, found)
    assert (len(split.train), len(split.test)) == (3, 2)
    assert store.manifest["label"].tolist() == [14, 0, 0, 0, 0]  # the first class that is true
    other = examples.read_examples(data, store)
    other.labels[0, 0] = 1
    assert other.sha256() != found.sha256()


@pytest.mark.parametrize(("name", "text", "message"), [
    ("dog_trainval", "000005 2\n", r"dog_trainval.txt: line 1 is not an image, and 1, 0 or -1: '000005 2'"),
    ("dog_trainval", "000005\n", "line 1 is not an image"),
    ("dog_trainval", "\n000005 -1\n000005 1\n", "dog_trainval.txt: line 3 lists 000005 again; restore it, or "),
    ("dog_trainval", "000005 1\n", "lists other images than those of the other classes"),
    ("dog_trainval", None, "dog_trainval.txt: cannot be read"),
])  # fmt: skip
def test_a_faulty_image_set_is_one_line(voc, name, text, message):
    path = voc / "ImageSets" / "Main" / f"{name}.txt"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DataError, match=message):
        list(Voc2007(voc).entries())


def test_the_public_images_are_found_by_number_and_the_missing_ones_left_out(checkout, tmp_path, monkeypatch):
    folder, absent = tmp_path / "val", sorted(Voc2007Val.absent)[0]
    for name in Voc2007.class_names:
        for part, images in {"train": ["000012", absent], "val": ["000017"]}.items():
            write(folder, f"VOC2007/ImageSets/Main/{name}_{part}.txt", "".join(f"{image} 1\n" for image in images))
    for place in ("PASCAL-VOC-2007-1/test", "PASCAL_VOC_2007_COCO_Format/images/val"):
        write(folder, f"{place}/000012_jpg.rf.abc.jpg", picture())  # twice: the first is taken
    monkeypatch.setattr(Voc2007Val, "counts", {"train": 1, "val": 1})
    monkeypatch.setattr(Voc2007Val, "images_sha256", None)
    with pytest.raises(DataError, match="has no image 000017; get voc2007-val again"):
        list(Voc2007Val(folder).entries())
    write(folder, "PASCAL_VOC_2007_COCO_Format/images/train/000017_jpg.rf.0.jpg", picture())
    found = [(entry.split, entry.name) for entry in Voc2007Val(folder).entries()]
    assert found == [("train", "PASCAL-VOC-2007-1/test/000012_jpg.rf.abc.jpg"),
                     ("val", "PASCAL_VOC_2007_COCO_Format/images/train/000017_jpg.rf.0.jpg")]  # fmt: skip


BOXES = "<annotation><size><width>32</width><height>24</height></size>{}</annotation>"
ONE = "<object><bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>16.0</xmax><ymax>24</ymax></bndbox></object>"


@pytest.fixture
def action(checkout, tmp_path, monkeypatch):
    """Two people in one image to train on, one in another to test on."""
    folder = tmp_path / "action"
    for name in Voc2012Action.class_names:
        label = 1 if name == "running" else -1
        write(folder, f"ImageSets/Action/{name}_train.txt", f"2010_1  1  {label}\n2010_1  2 -1\n")
        write(folder, f"ImageSets/Action/{name}_val.txt", f"2010_2  1  {label}\n")
    for image in ("2010_1", "2010_2"):
        write(folder, f"JPEGImages/{image}.jpg", picture())
        write(folder, f"Annotations/{image}.xml", BOXES.format(ONE.format(1) + ONE.format("8.6")))
    monkeypatch.setattr(Voc2012Action, "counts", {"train": 1, "val": 1})
    return folder


def test_people_are_told_apart_by_their_boxes(action):
    data = Voc2012Action(action)
    store = open_store(data)
    found = examples.read_examples(data, store)
    assert [name[-10:] for name in found.names] == ["2010_1.jpg#1"[-10:], "2010_1.jpg#2"[-10:], "2010_2.jpg#1"[-10:]]
    assert found.rows.tolist() == [0, 0, 1] and (found.labels == 1).sum() == 2
    assert found.boxes[0].tolist() == [0, 0, 0.5, 1] and found.boxes[1, 0] == 8 / 32
    assert [len(part) for part in examples.own_split(store, found)] == [2, 1]


@pytest.mark.parametrize(("content", "message"), [
    (BOXES.format(ONE.format(1)), "has no object 2"),
    *((BOXES.format(ONE.format(1) * 2).replace("16.0", side), "object 1 has no box of four")
      for side in ("x", "1_6", "١٦", "inf", "nan", "")),
    (BOXES.format(ONE.format(1) * 2).replace("32", "٣٢"), "states no size of its image"),
    ("<annotation>", "not the XML of boxes"),
])  # fmt: skip
def test_a_faulty_box_of_a_person_is_one_line(action, content, message):
    (action / "Annotations" / "2010_1.xml").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        list(Voc2012Action(action).labelled())


def test_a_person_who_is_listed_twice_is_one_line(action):
    """Other people of the same image are listed on lines of their own."""
    path = action / "ImageSets" / "Action" / "running_train.txt"
    path.write_text("2010_1 1 1\n2010_1 2 -1\n2010_1 2 1\n")
    with pytest.raises(DataError, match=r"running_train.txt: line 3 lists 2010_1, object 2 again"):
        list(Voc2012Action(action).entries())


def test_caltech_takes_images_alone_from_its_folders(checkout, tmp_path, monkeypatch):
    folder = tmp_path / "caltech"
    for name in ("BACKGROUND_Google", "wild_cat"):
        write(folder, f"101_ObjectCategories/{name}/image_0001.jpg", picture())
    write(folder, "101_ObjectCategories/BACKGROUND_Google/tmp", "left over in the archive")
    with pytest.raises(DataError, match="2 class folders, 102 expected"):
        Caltech101(folder).classes()
    monkeypatch.setattr(Caltech101, "num_classes", 2)
    monkeypatch.setattr(Caltech101, "counts", {"train": 2})
    monkeypatch.setattr(Caltech101, "images_sha256", None)
    data = Caltech101(folder)
    assert [entry.label for entry in data.entries()] == [0, 1] and data.words()[1] == "wild cat"
    found = examples.read_examples(data, open_store(data))
    assert found.labels.tolist() == [[1, -1], [-1, 1]] and found.classes.tolist() == [0, 1]
    with pytest.raises(DataError, match="every image is of one class"):
        list(data.labelled())


def test_the_photographs_need_no_download(checkout):
    store = open_store(source("photographs"))
    assert store.counts() == {"train": 120, "val": 0} and store.image(3).shape == (64, 64, 3)
    assert store.words == ["temple", "flower"]


def test_every_target_is_a_data_set():
    from verydeep.studies.targets import TARGETS

    assert set(TARGETS) <= set(SOURCES)
    assert all(SOURCES[name].several_labels == (target.metric == "map") for name, target in TARGETS.items())
    assert all(target.boxes == (name == "voc2012-action") for name, target in TARGETS.items())


@pytest.mark.data
@pytest.mark.parametrize("name", ["voc2007-val", "caltech101"])
def test_the_public_data_sets_hold_what_they_should(name):
    data = source(name)
    if not data.folder.is_dir():
        pytest.skip(f"{name} is not at {data.folder}")
    entries = list(data.entries())
    assert Counter(entry.split for entry in entries) == data.counts
    assert not data.fault((entry.name, files.sha256_bytes(data.read(entry))) for entry in entries)
    if data.several_labels:
        labels = np.array([one.labels for one in data.labelled()])
        assert ((labels == 1).sum(), (labels == 0).sum()) == (7301, 607)
