"""Boxes: read with care, and carried along by every crop, scale and mirror image."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import EVERY
from faults import small as small_sets
from faults.world import World
from verydeep.data import annotations, boxes, sources, store, views
from verydeep.data.places import Place, mirrored
from verydeep.errors import DataError

XML = """<annotation><size><width>500</width><height>400</height></size>{objects}</annotation>"""
OBJECT = (
    "<object><name>n01</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)


def test_a_box_ends_one_pixel_beyond_the_last_that_it_names():
    assert annotations.box(["0", "10", "63", "58"], (64, 64), "f") == (0, 10 / 64, 1, 59 / 64)
    assert annotations.box((3, 3, 3, 3), (4, 4), "f") == (0.75, 0.75, 1, 1)  # of one pixel


def test_every_image_of_tiny_imagenet_has_its_box(tmp_path, checkout, monkeypatch):
    folder = small_sets.make_tiny(World.new(tmp_path / "world"))
    small_sets.box_tiny(folder)
    source = small_sets.SmallTiny(folder)
    opened = store.open_store(source)
    found = boxes.read_boxes(source, opened)
    assert found.corners.shape == (6, 4)
    names = opened.manifest["name"].tolist()
    assert found.of(names.index("train/n01/images/n01_1.JPEG")).tolist() == [[1 / 64, 2 / 64, 31 / 64, 41 / 64]]
    assert found.of(names.index("val/images/val_1.JPEG")).tolist() == [[0, 0, 1, 1]]
    counted = found.fingerprint(opened)
    assert counted["images"] == {"train": 4, "val": 2} and counted["boxes"] == 6
    assert found.fingerprint(opened) == boxes.read_boxes(source, opened).fingerprint(opened)


def test_a_digits_box_is_around_its_ink(checkout):
    source = sources.source("digits")
    opened = store.open_store(source)
    found = boxes.read_boxes(source, opened)
    for row in (0, 700, 1500):
        left, top, right, bottom = (found.of(row)[0] * 8).round().astype(int)
        image = opened.image(row)[..., 0]
        inked = image >= max(1, image.max() / 2)
        assert inked[top:bottom, left:right].sum() == inked.sum()
        assert inked[top].any() and inked[bottom - 1].any() and inked[:, left].any() and inked[:, right - 1].any()
    with pytest.raises(DataError, match="blank: an empty image has no box"):
        annotations.around_ink(np.zeros((8, 8)), "blank")


def test_every_object_of_an_ilsvrc_image_has_a_box(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(XML.format(objects=OBJECT.format(0, 40, 249, 199) + OBJECT.format(100, 100, 500, 400)))
    found = annotations.from_xml(path, "a")
    assert found.boxes == ((0, 0.1, 0.5, 0.5), (0.2, 0.25, 1, 1))  # counted from one, the last is one beyond


@pytest.mark.parametrize(("drawn", "kept"), [
    ((-9, -1, 249, 199), (0, 0, 0.5, 0.5)),
    ((0, 0, 620, 433), (0, 0, 1, 1)),
    ((249, 199, 0, 0), (0, 0, 0.5, 0.5)),  # from the lower right corner
    ((499, 399, 499, 399), (0.998, 0.9975, 1, 1)),  # a pixel
    ((500, 2, 510, 4), None),
    ((-9, 2, -1, 4), None),
])  # fmt: skip
def test_a_box_of_ilsvrc_that_was_drawn_beyond_its_image_is_cut_at_the_border(tmp_path, drawn, kept):
    """And no fault: TensorFlow's scripts for ILSVRC-2012 tell of such boxes, and cut them too."""
    path = tmp_path / "a.xml"
    path.write_text(XML.format(objects=OBJECT.format(*drawn) + OBJECT.format(0, 0, 499, 399)))
    assert annotations.from_xml(path, "a").boxes == ((kept,) if kept else ()) + ((0, 0, 1, 1),)


@pytest.mark.parametrize(("corners", "says"), [
    ((-1, 2, 3, 4), "the box -1 2 3 4 begins outside the image"),
    ((1, 2, 500, 4), "ends outside the image of 500x400"),
    ((9, 2, 3, 4), "the box 9 2 3 4 is empty"),
])  # fmt: skip
def test_a_box_of_another_set_that_is_none_is_refused(corners, says):
    with pytest.raises(DataError, match=f"a.txt: .*{says}"):
        annotations.box(corners, (500, 400), "a.txt")


BOMB = '<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;&a;">]><annotation>&b;</annotation>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation>&e;</annotation>'


@pytest.mark.parametrize(("text", "says"), [
    (None, "cannot be read"),
    ("", "not the XML of boxes"),
    ("<annotation>", "not the XML of boxes"),
    (BOMB, "not the XML of boxes"),
    (OUTSIDE, "not the XML of boxes"),
    ("<annotation></annotation>", "states no size"),
    (XML.format(objects="").replace("500", "0"), "states no size"),
    (XML.format(objects=""), "has no box"),
    (XML.format(objects=OBJECT.format(1, 2, 3, "x")), "'1 2 3 x' are no four whole numbers"),
    ("<a>" + " " * annotations.MAX_XML_BYTES + "</a>", "larger than"),
])  # fmt: skip
def test_a_bad_xml_of_boxes_is_one_line_with_its_path(tmp_path, text, says):
    path = tmp_path / "a.xml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        annotations.from_xml(path, "a")
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_ilsvrc_reads_boxes_where_there_are_some_and_wants_them_of_tested_images(tmp_path, checkout):
    class Few(sources.Imagenet):
        name, num_classes, counts = "few", 2, {"train": 4, "val": 2}

    world = World.new(tmp_path / "world")
    source = Few(small_sets.make(world))
    opened = store.open_store(source)
    with pytest.raises(DataError, match=r"small/boxes: the boxes of ILSVRC-2012 are not there; get"):
        boxes.read_boxes(source, opened)
    one = XML.format(objects=OBJECT.format(0, 0, 249, 199))
    for name in ("train/n01/train_n01_1", "val/val_n01_0", "val/val_n02_0"):
        path = source.folder / "boxes" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one)
    lost = source.folder / "boxes/train/n02"
    lost.mkdir()
    with pytest.raises(DataError, match=f"{lost}: holds no boxes, and each class has some; unpack its archive again"):
        boxes.read_boxes(source, opened)
    (lost / "train_n02_1.xml").write_text(one)
    found = boxes.read_boxes(source, opened)
    assert found.fingerprint(opened)["images"] == {"train": 2, "val": 2}
    (source.folder / "boxes/val/val_n02_0.xml").unlink()
    with pytest.raises(DataError, match=r"boxes/val/val_n02_0.xml: cannot be read"):
        boxes.read_boxes(source, opened)


def test_a_set_without_boxes_says_so(checkout):
    with pytest.raises(DataError, match="imagenet20 has no boxes"):
        list(sources.SOURCES["imagenet20"]().annotations())


@EVERY
@example(corners=[0, 0, 4, 28], seed=0, low=35)  # a sliver at the right border
@given(
    corners=st.lists(st.integers(0, 30), min_size=4, max_size=4), seed=st.integers(0, 2**20), low=st.integers(34, 70)
)
def test_the_box_goes_with_the_image_through_crop_scale_and_mirror(corners, seed, low):
    """A white rectangle on black: what of it is seen in the crop lies where the crop's box says."""
    top, left = corners[:2]
    bottom, right = top + 10 + corners[2] % 20, left + 10 + corners[3] % 20
    image = np.zeros((60, 72, 3), np.uint8)
    image[top:bottom, left:right] = 255
    view = views.TrainingViews(32, low, low, True)
    draws = views.draw_epoch(seed, 0, 1)
    place = view.place((60, 72), draws, 0)
    box = place.in_crop(np.array([left / 72, top / 60, min(right, 72) / 72, min(bottom, 60) / 60]))
    shown = views.cut(image, place)[..., 0]
    # half as bright as the brightest: of a rectangle that is cut to a sliver no pixel may be wholly white
    seen = (shown > shown.max() / 2) & (shown.max() > 127)
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    if len(rows):
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        assert np.abs(found - 32 * box.clip(0, 1)).max() <= 1.01
    else:
        inside = box.clip(0, 1)
        assert min(inside[2] - inside[0], inside[3] - inside[1]) * 32 <= 1
    assert np.allclose(place.in_image(box), [left / 72, top / 60, min(right, 72) / 72, min(bottom, 60) / 60])


def test_a_mirror_image_changes_the_sides_by_hand():
    assert mirrored(np.array([0.1, 0.2, 0.4, 0.9])).tolist() == pytest.approx([0.6, 0.2, 0.9, 0.9])
    place = Place(100, 200, top=20, left=50, side=50)
    box = np.array([0.25, 0.2, 0.5, 0.7])  # pixels 50 to 100 of 200, 20 to 70 of 100
    assert place.in_crop(box).tolist() == [0, 0, 1, 1]
    assert Place(100, 200, 20, 50, 50, mirrored=True).in_crop(
        box + np.array([0.05, 0, 0, 0])
    ).tolist() == pytest.approx([0, 0, 0.8, 1])


def target(box, place, **options):
    keys = {"units": "crop", "cuts": "whole", "least_inside": 0.5, "several": "largest"} | options
    every = boxes.Boxes(np.atleast_2d(box), np.zeros(len(np.atleast_2d(box)), int), 1)
    return boxes.BoxTargets(every, **keys)(0, place)


def test_what_is_asked_of_a_crop_by_hand():
    """An image of 100x100, a crop of 50 at its upper left, a box of 20 to 70: a part of 36 % is inside."""
    box, place = [0.2, 0.2, 0.7, 0.7], Place(100, 100, 0, 0, 50)
    assert target(box, place).tolist() == pytest.approx([0, 0.9, 0.9, 1, 1])  # its centre at 45 of 50
    assert target(box, place, least_inside=0.3).tolist()[0] == 1
    assert target(box, place, cuts="clipped").tolist() == pytest.approx([0, 0.7, 0.7, 0.6, 0.6])
    assert target(box, place, units="pixels").tolist() == pytest.approx([0, 45, 45, 50, 50])
    several = [[0.0, 0.0, 0.1, 0.1], box]
    assert target(several, place).tolist() == target(box, place).tolist()
    assert target(several, place, several="first").tolist() == pytest.approx([1, 0.1, 0.1, 0.2, 0.2])


@pytest.mark.parametrize("units", ["crop", "pixels"])
def test_numbers_and_corners_are_each_others_inverse(units):
    some = np.random.default_rng(0).random((5, 2)) * 0.5
    every = np.concatenate([some, some + 0.3], 1)
    numbers = boxes.parameters(every, units, 56)
    assert np.allclose(boxes.corners(numbers, units, 56), every)
    assert np.allclose(boxes.corners(torch.from_numpy(numbers), units, 56).numpy(), every)
    assert boxes.corners(np.array([0.5, 0.5, -1.0, 0.2]), "crop", 56).tolist() == [0.5, 0.4, 0.5, 0.6]


def test_mean_boxes_by_hand():
    every = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 1, 1], [0, 0, 0.1, 0.1]])
    found = boxes.Boxes(every, np.array([0, 1, 2, 2]), 4)
    rows = found.having(np.arange(4))
    assert rows.tolist() == [0, 1, 2]
    mean, of_class = boxes.mean_boxes(found, rows, np.array([0, 0, 2]), 4)
    assert mean == pytest.approx([1 / 6, 1 / 6, 5 / 6, 5 / 6])
    assert of_class[0] == pytest.approx([0.25, 0.25, 0.75, 0.75]) and of_class[2].tolist() == [0, 0, 1, 1]
    assert of_class[1].tolist() == mean.tolist() == of_class[3].tolist()
