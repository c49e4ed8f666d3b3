"""Data sets whose folders, names and lists are not as they should be."""

import os

from faults import small
from faults.cases import Entry, case
from faults.world import World


@case("data set", "absent", "error: small is not at .*; run: verydeep data get small")
def _absent(world):
    return ["data", "verify", "small"]


@case("data set", "a file in place of its folder", "error: .*small: not a folder")
def _not_folder(world):
    (world.data / "small").write_text("hello")
    return ["data", "verify", "small"]


@case("data set", "class without an image", "error: .*val/n02: class without an image")
def _empty_class(world):
    (small.make(world) / "val/n02/val_n02_0.JPEG").unlink()
    return ["data", "verify", "small"]


@case("data set", "class missing", r"error: .*train: 1 class folders, 2 expected")
def _missing_class(world):
    folder = small.make(world) / "train/n02"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return ["data", "verify", "small"]


@case("data set", "class too many", r"error: .*train: 3 class folders, 2 expected")
def _extra_class(world):
    (small.make(world) / "train/n03").mkdir()
    return ["data", "verify", "small"]


@case("data set", "copy of an image beside it", r"error: .*small should hold .*'train': 4.* found .*'train': 5")
def _copy(world):
    folder = small.make(world) / "train/n01"
    (folder / "train_n01_1 (1).JPEG").write_bytes((folder / "train_n01_1.JPEG").read_bytes())
    return ["data", "verify", "small"]


def name_case(what: str, name: str):
    @case("data set", what, r"error: .*holds a character that cannot be printed; rename it")
    def add(world: World) -> Entry:
        folder = small.make(world) / "train/n01"
        (folder / "train_n01_1.JPEG").rename(folder / name)
        return ["data", "verify", "small"]


name_case("name with a new line", "train\nn01.JPEG")
name_case("name that moves the cursor", "train\x1b[2J.JPEG")
name_case("name that is not text", os.fsdecode(b"train_\xff\xfe.JPEG"))


def annotation_case(what: str, text: str, says: str):
    @case("data set", what, rf"error: .*{says}")
    def add(world: World) -> Entry:
        (small.make_tiny(world) / "val/val_annotations.txt").write_text(text)
        return ["data", "verify", "small-tiny"]


annotation_case("label of no class", "val_0.JPEG\tn01\nval_1.JPEG\tn99\n", "val_1.JPEG is of 'n99', which is no class")
annotation_case(
    "label missing", "val_0.JPEG\tn01\nval_1.JPEG\n", "val_annotations.txt: line 2 has 1 fields, 2 expected"
)
annotation_case("image listed twice", "val_0.JPEG\tn01\nval_0.JPEG\tn01\n", "val/images/val_0.JPEG is listed twice")
annotation_case("label outside the folder", "val_0.JPEG\tn01\n../../x.JPEG\tn02\n", "is no name of a file")
annotation_case("labels of images that are not there", "a.JPEG\tn01\nb.JPEG\tn02\n", "a.JPEG: cannot be read")


@case("data set", "classes missing from the list", r"error: .*wnids.txt: 1 classes, 2 expected")
def _short_list(world):
    (small.make_tiny(world) / "wnids.txt").write_text("n01\n")
    return ["data", "verify", "small-tiny"]


@case("data set", "list that is not text", r"error: .*wnids.txt: cannot be read")
def _binary_list(world):
    (small.make_tiny(world) / "wnids.txt").write_bytes(b"\xff\xfe\x00n01")
    return ["data", "verify", "small-tiny"]
