"""PASCAL VOC as data sets: images of several classes each, and people who do something (Appendix B)."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from verydeep import files
from verydeep.data.annotations import box, read_xml, size_in
from verydeep.data.base import Entry, Labelled, Source
from verydeep.data.downloads import Archive
from verydeep.errors import DataError

_SERVER = "https://thor.robots.ox.ac.uk/pascal/VOC"
_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class Voc(Source):
    """A year of VOC as its development kit has it: ``ImageSets``, ``JPEGImages`` and ``Annotations``."""

    licence = "the images are Flickr's, under their terms of use; research use"
    class_names: ClassVar = {name: name for name in _CLASSES}
    num_classes = 20
    several_labels = True
    #: which of VOC's own sets is meant by each split
    sets: ClassVar[dict[str, str]]
    #: images of those sets that the data set is without
    absent: frozenset[str] = frozenset()

    def usual_folder(self) -> str:
        return self.name

    def classes(self) -> list[str]:
        self.require()
        return list(self.class_names)

    def entries(self) -> Iterator[Entry]:
        for split in self.sets:
            for image, labels in self._images(split).items():
                yield Entry(split, labels.index(1) if 1 in labels else 0, self._image(image))

    def labelled(self) -> Iterator[Labelled]:
        """From ``ImageSets/Main``, a file a class."""
        for split in self.sets:
            for image, labels in self._images(split).items():
                yield Labelled(self._image(image), labels)

    def _images(self, split: str) -> dict[str, tuple[int, ...]]:
        """The images of a split, in order, with their labels."""
        by_class = [
            {image: label for image, label in self._lines(f"Main/{name}_{self.sets[split]}.txt", 2)}
            for name in self.classes()
        ]
        first, *others = by_class
        for name, other in zip(self.classes()[1:], others, strict=True):
            if other.keys() != first.keys():
                raise DataError(f"{self._set(f'Main/{name}_{self.sets[split]}.txt')}: lists other images than those of "
                                f"the other classes")  # fmt: skip
        return {image: tuple(int(labels[image]) for labels in by_class) for image in first if image not in self.absent}

    def _set(self, name: str) -> Path:
        return self.folder / "ImageSets" / name

    def _lines(self, name: str, fields: int) -> list[list[str]]:
        """The lines of a file of an image set: an image and, last, whether it is of the class; each listed once."""
        path = self._set(name)
        rows = {number: line.split() for number, line in enumerate(self.lines(path), 1) if line.strip()}
        listed = set()
        for number, row in rows.items():
            if len(row) != fields or row[-1] not in ("1", "0", "-1"):
                raise DataError(
                    f"{path}: line {number} is not {'an image, ' if fields == 2 else 'an image, an object, '}"
                    f"and 1, 0 or -1: {' '.join(row)!r}"
                )
            what = ", object ".join(row[:-1])
            if what in listed:  # one of the two labels would be passed over
                raise DataError(f"{path}: line {number} lists {what} again; restore it, or {self.again}")
            listed.add(what)
        return [*rows.values()]

    def _image(self, image: str) -> str:
        """Where an image lies below the folder of the set."""
        return f"JPEGImages/{image}.jpg"


class Voc2007(Voc):
    """VOC-2007 as the paper uses it: trained on trainval, tested on test."""

    name = "voc2007"
    title = "PASCAL VOC-2007, trainval and test"
    counts: ClassVar = {"train": 5011, "val": 4952}
    sets: ClassVar = {"train": "trainval", "val": "test"}
    archives = (
        Archive(f"{_SERVER}/voc2007/VOCtrainval_06-Nov-2007.tar", "md5:c52e279531787c972589f7e41ab4ae64",
                "VOCdevkit/VOC2007"),
        Archive(f"{_SERVER}/voc2007/VOCtest_06-Nov-2007.tar", "md5:b6e924de25625d8de591ea690078ad9f",
                "VOCdevkit/VOC2007"),
    )  # fmt: skip


class Voc2007Val(Voc):
    """VOC-2007 without its test images, which cannot be had everywhere: trained on train, tested on val.

    The images are those of a public repository, in which three of trainval are missing; the labels are VOC's own.
    The repository's labels are not used: they lack some.
    """

    name = "voc2007-val"
    title = "PASCAL VOC-2007, train and val, 5,008 of 5,011 images"
    counts: ClassVar = {"train": 2500, "val": 2508}
    sets: ClassVar = {"train": "train", "val": "val"}
    absent = frozenset({"005042", "007284", "009623"})
    archives = (
        Archive(
            "https://github.com/nekloyh/VOC_2007_in_Coco_format/archive/df4e5ef95a6b5994d2d7bb27dd4420800fe880a0.tar.gz",
            None,
            "VOC_2007_in_Coco_format-df4e5ef95a6b5994d2d7bb27dd4420800fe880a0",
            ("PASCAL-VOC-2007-1", "PASCAL_VOC_2007_COCO_Format"),
        ),
        Archive(
            "https://github.com/varun-nagaraja/BING-Objectness/archive/2a1665415d50de0f2e0294f4ccd3ac5aad018fbe.tar.gz",
            None,
            "BING-Objectness-2a1665415d50de0f2e0294f4ccd3ac5aad018fbe",
            ("VOC2007",),
        ),
    )
    images_sha256 = "bb7da5c75e92c50e2fc5bf5cbe2eb9c6e07a26410c91b68900c9c8c174a11378"

    def __init__(self, folder: Path | None = None):
        super().__init__(folder)
        self._found: dict[str, str] = {}

    def _set(self, name: str) -> Path:
        return self.folder / "VOC2007" / "ImageSets" / name

    def _image(self, image: str) -> str:
        if not self._found:
            for path in files.listed(self.folder, "PASCAL*/**/*_jpg.rf.*.jpg"):
                self._found.setdefault(path.name[:6], path.relative_to(self.folder).as_posix())
        if image not in self._found:
            raise DataError(f"{self.folder}: has no image {image}; {self.again}")
        return self._found[image]


class Voc2012(Voc):
    """VOC-2012: trained on train, tested on val; the labels of its test images are the server's alone."""

    name = "voc2012"
    title = "PASCAL VOC-2012, train and val"
    counts: ClassVar = {"train": 5717, "val": 5823}
    sets: ClassVar = {"train": "train", "val": "val"}
    archives = (
        Archive(f"{_SERVER}/voc2012/VOCtrainval_11-May-2012.tar", "md5:6cd6e144f989b92b3379bac3b3de84fd",
                "VOCdevkit/VOC2012"),
    )  # fmt: skip


class Voc2012Action(Voc2012):
    """The people of VOC-2012 whose action is known, each with a box: what is told apart is what each person does.

    People who do something else are in the sets, as VOC has it, and of no class.
    """

    name = "voc2012-action"
    title = "PASCAL VOC-2012, actions of people, train and val"
    class_names: ClassVar = {
        name: name
        for name in ("jumping", "phoning", "playinginstrument", "reading", "ridingbike", "ridinghorse", "running",
                     "takingphoto", "usingcomputer", "walking")
    }  # fmt: skip
    num_classes = 10
    counts: ClassVar = {"train": 2296, "val": 2292}

    def usual_folder(self) -> str:
        return Voc2012.name

    def entries(self) -> Iterator[Entry]:
        for split in self.sets:
            labels: dict[str, int] = {}
            for (image, _), actions in self._people(split).items():
                labels.setdefault(image, actions.index(1) if 1 in actions else 0)
            yield from (Entry(split, label, self._image(image)) for image, label in labels.items())

    def labelled(self) -> Iterator[Labelled]:
        """From ``ImageSets/Action``, a line a person, and the boxes of ``Annotations``."""
        for split in self.sets:
            for (image, person), labels in self._people(split).items():
                yield Labelled(self._image(image), labels, person, self._box(image, person))

    def _people(self, split: str) -> dict[tuple[str, str], tuple[int, ...]]:
        names = [f"Action/{name}_{self.sets[split]}.txt" for name in self.classes()]
        by_class = [{(image, person): int(label) for image, person, label in self._lines(name, 3)} for name in names]
        for name, other in zip(names, by_class, strict=True):
            if other.keys() != by_class[0].keys():
                raise DataError(f"{self._set(name)}: lists other people than those of the other actions")
        return {person: tuple(labels[person] for labels in by_class) for person in sorted(by_class[0])}

    def _box(self, image: str, person: str) -> tuple[float, ...]:
        path = self.folder / "Annotations" / f"{image}.xml"
        root = read_xml(path)
        nodes = root.findall("object")
        if not (person.isascii() and person.isdecimal()) or not 1 <= int(person) <= len(nodes):
            raise DataError(f"{path}: has no object {person}")
        corners = [nodes[int(person) - 1].findtext(f"bndbox/{side}") or "" for side in ("xmin", "ymin", "xmax", "ymax")]
        try:
            sides = tuple(_rounded(corner) - 1 for corner in corners)  # VOC counts pixels from one
        except (ValueError, OverflowError):
            raise DataError(f"{path}: object {person} has no box of four numbers") from None
        return box(tuple(max(0, side) for side in sides), size_in(root, path), str(path), beyond=1)


def _rounded(corner: str) -> int:
    """The nearest whole number; raises where it is none as a file has it, with digits of ASCII and without ``_``."""
    if not corner.isascii() or "_" in corner:
        raise ValueError(corner)
    return round(float(corner))
