"""The data sets: where each comes from, where it lies, and which images it has."""

import csv
import io
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from verydeep import files, paths
from verydeep.data.annotations import Annotation, around_ink, box, from_xml, one_for_each
from verydeep.data.base import SPLITS, ClassFolders, Entry, Source
from verydeep.data.caltech import Caltech101, Caltech256, Photographs
from verydeep.data.downloads import Archive
from verydeep.data.voc import Voc2007, Voc2007Val, Voc2012, Voc2012Action
from verydeep.errors import DataError, UnknownName


def _rows(table: str) -> list[list[str]]:
    """The rows of a table that lies beside this module, without its head."""
    with resources.files(__package__).joinpath(table).open(encoding="utf-8") as stream:
        return list(csv.reader(stream))[1:]


class Imagenet(ClassFolders):
    """ILSVRC-2012, in folders by class."""

    name = "imagenet"
    title = "ILSVRC-2012 classification"
    licence = "https://image-net.org/download.php: research use, by registration"
    num_classes = 1000
    counts: ClassVar = {"train": 1281167, "val": 50000}
    class_sizes: ClassVar = {"train": (732, 1300), "val": (50, 50)}
    has_boxes = True
    boxed = 523_966  # Russakovsky et al. (2015)

    def __init__(self, folder: Path | None = None):
        self.placement = (
            f"Register at https://image-net.org, get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, and sort "
            f"them into {Path(folder) if folder else paths.data() / self.name}/train/<wnid>/*.JPEG and "
            f"val/<wnid>/*.JPEG, as torchvision.datasets.ImageFolder expects"
        )
        super().__init__(folder)

    def annotations(self) -> Iterator[Annotation]:
        """From ``boxes/train/<wnid>/*.xml`` and ``boxes/val/*.xml``; about half of the training images have boxes."""
        boxes = self.folder / "boxes"
        if not boxes.is_dir():
            raise DataError(
                f"{boxes}: the boxes of ILSVRC-2012 are not there; get ILSVRC2012_bbox_train_v2.tar.gz and "
                f"ILSVRC2012_bbox_val_v3.tgz at https://image-net.org, and sort them into train/<wnid>/*.xml and "
                f"val/*.xml there"
            )
        lacking = set(self.classes()) if "train" in self.counts else set()
        for entry in self.entries():
            image = Path(entry.name)
            if entry.split == "val":
                yield from_xml(boxes / "val" / f"{image.stem}.xml", entry.name)
            elif (path := (boxes / image).with_suffix(".xml")).exists():
                yield from_xml(path, entry.name)
                lacking.discard(image.parent.name)
        if lacking:  # each class has some: an archive that was unpacked in part
            folder = boxes / "train" / min(lacking)
            raise DataError(f"{folder}: holds no boxes, and each class has some; unpack its archive again")


class ImagenetValidation(Imagenet):
    """The validation images alone, for testing weights that were trained elsewhere."""

    name = "imagenet-val"
    title = "ILSVRC-2012 classification, validation images"
    counts: ClassVar = {"val": 50000}
    class_sizes: ClassVar = {"val": (50, 50)}

    def __init__(self, folder: Path | None = None):
        super().__init__(folder or paths.data() / Imagenet.name)
        self.placement = (
            f"Register at https://image-net.org, get ILSVRC2012_img_val.tar, and sort it into "
            f"{self.folder}/val/<wnid>/*.JPEG, as torchvision.datasets.ImageFolder expects"
        )


class Imagenet20(ClassFolders):
    """Imagenette and Imagewoof, ten easy classes of ILSVRC and ten breeds of dogs, prepared alike.

    Both repositories hold the original files squashed to 224x224, so neither size nor aspect ratio gives a class away.
    GitHub packs the archive of a commit on demand and does not promise the same bytes for ever; so it is the images
    that have the checksum. It is of their list, and covers name, class, split and content of each:
    ``find train val -type f | LC_ALL=C sort | xargs sha256sum | sha256sum`` prints it in the folder of the set. The
    store is held to it too, so images that were placed by hand are no others.
    """

    name = "imagenet20"
    title = "Imagenette and Imagewoof, twenty classes of ImageNet at 224x224"
    licence = "Apache-2.0 (the selection); the images are ImageNet's: research use"
    class_names: ClassVar = {
        "n01440764": "tench",
        "n02086240": "Shih-Tzu",
        "n02087394": "Rhodesian ridgeback",
        "n02088364": "beagle",
        "n02089973": "English foxhound",
        "n02093754": "Border terrier",
        "n02096294": "Australian terrier",
        "n02099601": "golden retriever",
        "n02102040": "English springer",
        "n02105641": "Old English sheepdog",
        "n02111889": "Samoyed",
        "n02115641": "dingo",
        "n02979186": "cassette player",
        "n03000684": "chain saw",
        "n03028079": "church",
        "n03394916": "French horn",
        "n03417042": "garbage truck",
        "n03425413": "gas pump",
        "n03445777": "golf ball",
        "n03888257": "parachute",
    }
    num_classes = 20
    counts: ClassVar = {"train": 18494, "val": 7854}
    shape = (224, 224)
    archives = (
        Archive(
            "https://github.com/thunderInfy/imagenette/archive/b850f030ff0701c36a4adc8b928ea9483a46915b.tar.gz",
            None,
            "imagenette-b850f030ff0701c36a4adc8b928ea9483a46915b",
        ),
        Archive(
            "https://github.com/thunderInfy/imagewoof/archive/6338aeea098965e0a0ebdf74404862fae9760fe3.tar.gz",
            None,
            "imagewoof-6338aeea098965e0a0ebdf74404862fae9760fe3",
        ),
    )
    images_sha256 = "dd0dd7a6a2df89393ff019b01faa0d9830b2ebfee56ab0d55c73874b39978ed6"

    def classes(self) -> list[str]:
        folders = super().classes()
        if strange := sorted(set(folders) - set(self.class_names)):
            raise DataError(f"{self.folder / 'train' / strange[0]}: no class of {self.name}; remove it")
        return folders

    def words(self) -> list[str]:
        return [self.class_names[wnid] for wnid in self.classes()]


class TinyImagenet(Source):
    """Tiny ImageNet, in the form in which it is handed out: validation images in one folder, with a list."""

    name = "tiny-imagenet"
    title = "Tiny ImageNet (CS231n, Stanford): 200 ImageNet classes at 64x64"
    licence = "the images are ImageNet's: research use"
    class_names: ClassVar = dict(_rows("tiny_imagenet_classes.csv"))
    num_classes = 200
    counts: ClassVar = {"train": 100000, "val": 10000}
    shape = (64, 64)
    has_boxes = True
    archives = (
        Archive(
            "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            "sha256:6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            "tiny-imagenet-200",
        ),
    )

    def classes(self) -> list[str]:
        self.require()
        wnids = sorted(wnid for wnid, *_ in self._lines("wnids.txt", 1))
        if len(set(wnids)) != self.num_classes:
            raise DataError(f"{self.folder / 'wnids.txt'}: {len(set(wnids))} classes, {self.num_classes} expected")
        return wnids

    def words(self) -> list[str]:
        words = {wnid: text for wnid, text, *_ in self._lines("words.txt", 2)}
        return [words.get(wnid, wnid).split(",")[0] for wnid in self.classes()]

    def entries(self) -> Iterator[Entry]:
        classes = self.classes()
        index = {wnid: label for label, wnid in enumerate(classes)}
        for label, wnid in enumerate(classes):
            images = self.folder / "train" / wnid / "images"
            photographs = files.listed(images, "*.JPEG")
            if not photographs:
                raise DataError(f"{images}: class without an image")
            for path in photographs:
                yield Entry("train", label, path.relative_to(self.folder).as_posix())
        labelled = []
        for name, wnid, *_ in self._lines("val/val_annotations.txt", 2):
            if wnid not in index:
                raise DataError(f"{self.folder / 'val/val_annotations.txt'}: {name} is of {wnid!r}, which is no class")
            if "/" in name:
                raise DataError(f"{self.folder / 'val/val_annotations.txt'}: {name!r} is no name of a file")
            labelled.append((index[wnid], name))
        for label, name in sorted(labelled):
            yield Entry("val", label, f"val/images/{name}")

    def annotations(self) -> Iterator[Annotation]:
        """From ``train/<wnid>/<wnid>_boxes.txt`` and ``val/val_annotations.txt``: one box for every image."""
        for wnid in self.classes():
            folder = f"train/{wnid}"
            images = [path.name for path in files.listed(self.folder / folder / "images", "*.JPEG")]
            listed = self._boxes(f"{folder}/{wnid}_boxes.txt", 0, images)
            yield from (Annotation(f"{folder}/images/{name}", boxes) for name, boxes in listed)
        names = [name for name, *_ in self._lines("val/val_annotations.txt", 2)]
        listed = self._boxes("val/val_annotations.txt", 1, names)
        yield from (Annotation(f"val/images/{name}", boxes) for name, boxes in listed)

    def _boxes(self, name: str, before: int, images: list[str]) -> Iterator[Annotation]:
        """The boxes that a text file lists, a line each, behind the image's name and ``before`` other fields."""
        path, (height, width), boxes = self.folder / name, self.shape, {}
        for number, (image, *rest) in enumerate(self._lines(name, before + 5), 1):
            if image in boxes:
                raise DataError(f"{path}: line {number}: a second box for {image}; this set has one for each image")
            boxes[image] = box(rest[before:], (width, height), f"{path}: line {number}")
        return one_for_each(boxes, images, path)

    def _lines(self, name: str, fields: int) -> list[list[str]]:
        """The lines of a text file of the set, each split at tabs into at least so many fields."""
        path = self.folder / name
        rows = [line.split("\t") for line in self.lines(path)]
        for number, line in enumerate(rows, 1):
            if len(line) < fields:
                raise DataError(f"{path}: line {number} has {len(line)} fields, {fields} expected")
        return rows


class Digits(Source):
    """scikit-learn's handwritten digits: real images that ship with the package.

    The set has no split of its own; every fifth image of each class is for validation.
    """

    name = "digits"
    title = "Optical recognition of handwritten digits (UCI), as shipped with scikit-learn"
    licence = "CC BY 4.0"
    class_names: ClassVar = {str(digit): str(digit) for digit in range(10)}
    num_classes = 10
    counts: ClassVar = {"train": 1433, "val": 364}
    shape = (8, 8)
    has_boxes = True

    def __init__(self, folder: Path | None = None):
        super().__init__(folder or _digits_folder())  # a user without a home directory has these too

    def require(self) -> None:
        """Nothing to place: the images are part of scikit-learn."""

    def get(self) -> Path:
        return self.folder

    def classes(self) -> list[str]:
        return list(self.class_names)

    def entries(self) -> Iterator[Entry]:
        _, targets = _digits()
        rows = {split: [] for split in SPLITS}
        for label in range(10):
            for rank, row in enumerate(np.flatnonzero(targets == label)):
                split = "val" if rank % 5 == 0 else "train"
                rows[split].append(Entry(split, label, f"{row:04d}.png"))
        for split in SPLITS:
            yield from rows[split]

    def annotations(self) -> Iterator[Annotation]:
        """Around the ink: the set itself has no boxes."""
        images, _ = _digits()
        yield from (around_ink(images[int(entry.name[:4])], entry.name) for entry in self.entries())

    def read(self, entry: Entry) -> bytes:
        images, _ = _digits()
        grey = np.round(images[int(entry.name[:4])] * (255 / 16)).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(grey).save(stream, "PNG")
        return stream.getvalue()


def _digits_folder() -> Path:
    return Path(find_spec("sklearn").origin).parent / "datasets" / "data"


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """What ``sklearn.datasets.load_digits`` gives, without the second that importing scikit-learn takes."""
    rows = np.loadtxt(_digits_folder() / "digits.csv.gz", delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)


_KINDS = (
    *(Digits, TinyImagenet, Imagenet20, Imagenet, ImagenetValidation),
    *(Voc2007, Voc2007Val, Voc2012, Voc2012Action, Caltech101, Caltech256, Photographs),
)
SOURCES: dict[str, type[Source]] = {kind.name: kind for kind in _KINDS}


def source(name: str, folder: Path | None = None) -> Source:
    """The data set called ``name``, in ``folder`` or its usual place below ``$VERYDEEP_DATA``.

    Raises
    ------
    UnknownName
        When there is none of that name.
    """
    if name not in SOURCES:
        raise UnknownName("data set", name, SOURCES)
    return SOURCES[name](folder)


def unfit(name: str, train: bool) -> str:
    """Why networks cannot be tested, or trained where ``train``, on the images of a data set; empty where they can.

    They learn and are tested on images of one class each, apart from each other.
    """
    if name not in SOURCES:
        return str(UnknownName("data set", name, SOURCES))
    if SOURCES[name].several_labels:
        return f"an image of {name} may be of several classes, and networks say one; see verydeep transfer"
    lacking = [split for split in (("train", "val") if train else ("val",)) if split not in SOURCES[name].counts]
    return f"{name} has no images for {' and '.join(lacking)}" if lacking else ""
