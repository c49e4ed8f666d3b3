"""The data sets: where each is had, where it lies, and which images it holds.

A source lists its images and hands out their encoded bytes; nothing is decoded here.
"""

import io
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pooch
from PIL import Image

from verydeep import locks, paths
from verydeep.data.archives import extract
from verydeep.errors import DataError, UnknownName

SPLITS = ("train", "val")
_SUFFIXES = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Entry:
    """One image: its split, class index and path below the source's folder."""

    split: str
    label: int
    name: str


@dataclass(frozen=True)
class Archive:
    """A download: address, checksum as ``algorithm:hex``, and the folder at its top."""

    url: str
    checksum: str
    top: str


class Source(ABC):
    """A data set with the splits named in ``counts``, ``train`` first where it has one, unpacked in ``folder``."""

    name: str
    title: str
    licence: str
    num_classes: int
    counts: ClassVar[dict[str, int]]
    #: (height, width) when every image has the same small size; such images are stored decoded
    shape: tuple[int, int] | None = None
    archive: Archive | None = None
    #: how to place the data by hand where it cannot be downloaded
    placement: str = ""

    def __init__(self, folder: Path | None = None):
        self.folder = Path(folder) if folder else paths.data() / (self.archive.top if self.archive else self.name)

    def get(self) -> Path:
        """Download and unpack the data set unless it is there already; return its folder.

        Raises
        ------
        DataError
            When the download fails, its checksum differs, or the data must be placed by hand.
        """
        if self.folder.exists():
            return self.folder
        if self.archive is None:
            raise DataError(f"{self.name} cannot be downloaded by this command. {self.placement}")
        downloads = paths.data() / "downloads"
        with locks.hold(downloads / f".{self.name}.lock", f"the download of {self.name}"):
            return self._download(downloads)

    def _download(self, downloads: Path) -> Path:
        try:
            file = pooch.retrieve(
                self.archive.url,
                known_hash=self.archive.checksum,
                fname=self.archive.url.rsplit("/", 1)[-1],
                path=downloads,
                progressbar=True,
            )
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.name}: download of {self.archive.url} failed ({error}). "
                f"Fetch it by hand, check {self.archive.checksum}, and unpack it as {self.folder}"
            ) from error
        unpacked = self.folder.with_name(f".{self.folder.name}.unpacked")
        shutil.rmtree(unpacked, ignore_errors=True)  # left by a process that was killed
        try:
            extract(Path(file), unpacked)
            top = unpacked / self.archive.top
            if not top.is_dir():
                raise DataError(f"{file}: holds no folder {self.archive.top!r}")
            top.replace(self.folder)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
        return self.folder

    @abstractmethod
    def classes(self) -> list[str]:
        """Class names in the order of their index."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Every image, ordered by split, class and name."""

    def read(self, entry: Entry) -> bytes:
        """The encoded bytes of one image.

        Raises
        ------
        DataError
            When the file cannot be read; the message has its path.
        """
        path = self.folder / entry.name
        try:
            if path.exists() and not path.is_file():  # a named pipe would be waited for
                raise DataError(f"{path}: not a file")
            return path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read ({error.strerror}); restore it, or get {self.name} again"
            ) from None

    def words(self) -> list[str]:
        """A readable name for each class; the class name itself where the data set has none."""
        return self.classes()

    def require(self) -> None:
        """Raise :class:`DataError` with the command to run when the data set is not there."""
        if self.folder.exists() and not self.folder.is_dir():
            raise DataError(f"{self.folder}: not a folder; {self.name} belongs there")
        if not self.folder.is_dir():
            how = f"run: verydeep data get {self.name}" if self.archive else self.placement
            raise DataError(f"{self.name} is not at {self.folder}; {how}")


class ClassFolders(Source):
    """``train/<class>/*`` and ``val/<class>/*``, as torchvision's ImageFolder reads them."""

    def classes(self) -> list[str]:
        self.require()
        first = self.folder / next(iter(self.counts))
        found = sorted(path.name for path in first.glob("*") if path.is_dir())
        if len(found) != self.num_classes:
            raise DataError(f"{first}: {len(found)} class folders, {self.num_classes} expected")
        return found

    def _files(self, split: str, wnid: str) -> Iterator[Path]:
        return (self.folder / split / wnid).rglob("*")

    def entries(self) -> Iterator[Entry]:
        for split in self.counts:
            for label, wnid in enumerate(self.classes()):
                files = [path for path in self._files(split, wnid) if path.suffix.lower() in _SUFFIXES]
                if not files:
                    raise DataError(f"{self.folder / split / wnid}: class without an image")
                for path in sorted(files):
                    yield Entry(split, label, path.relative_to(self.folder).as_posix())


class Imagenet(ClassFolders):
    name = "imagenet"
    title = "ILSVRC-2012 classification"
    licence = "https://image-net.org/download.php: research use, by registration"
    num_classes = 1000
    counts: ClassVar = {"train": 1281167, "val": 50000}

    def __init__(self, folder: Path | None = None):
        self.placement = (
            f"Register at https://image-net.org, get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, and sort "
            f"them into {Path(folder) if folder else paths.data() / self.name}/train/<wnid>/*.JPEG and "
            f"val/<wnid>/*.JPEG, as torchvision.datasets.ImageFolder expects"
        )
        super().__init__(folder)


class ImagenetValidation(Imagenet):
    """The validation images alone, for testing weights that were trained elsewhere."""

    name = "imagenet-val"
    title = "ILSVRC-2012 classification, validation images"
    counts: ClassVar = {"val": 50000}

    def __init__(self, folder: Path | None = None):
        super().__init__(folder or paths.data() / Imagenet.name)
        self.placement = (
            f"Register at https://image-net.org, get ILSVRC2012_img_val.tar, and sort it into "
            f"{self.folder}/val/<wnid>/*.JPEG, as torchvision.datasets.ImageFolder expects"
        )


class Imagenette(ClassFolders):
    name = "imagenette"
    title = "Imagenette, ten classes of ImageNet"
    licence = "Apache-2.0 (the selection); the images are ImageNet's"
    num_classes = 10
    counts: ClassVar = {"train": 9469, "val": 3925}
    archive = Archive(
        "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2.tgz",
        "md5:fe2fc210e6bb7c5664d602c3cd71e612",
        "imagenette2",
    )


class TinyImagenet(Source):
    name = "tiny-imagenet"
    title = "Tiny ImageNet (CS231n, Stanford): 200 ImageNet classes at 64x64"
    licence = "the images are ImageNet's: research use"
    num_classes = 200
    counts: ClassVar = {"train": 100000, "val": 10000}
    shape = (64, 64)
    archive = Archive(
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        "sha256:6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
        "tiny-imagenet-200",
    )

    def classes(self) -> list[str]:
        self.require()
        found = sorted(wnid for wnid, *_ in self._lines("wnids.txt", 1))
        if len(set(found)) != self.num_classes:
            raise DataError(f"{self.folder / 'wnids.txt'}: {len(set(found))} classes, {self.num_classes} expected")
        return found

    def words(self) -> list[str]:
        words = {wnid: text for wnid, text, *_ in self._lines("words.txt", 2)}
        return [words.get(wnid, wnid).split(",")[0] for wnid in self.classes()]

    def entries(self) -> Iterator[Entry]:
        classes = self.classes()
        index = {wnid: label for label, wnid in enumerate(classes)}
        for label, wnid in enumerate(classes):
            images = self.folder / "train" / wnid / "images"
            files = sorted(images.glob("*.JPEG"))
            if not files:
                raise DataError(f"{images}: class without an image")
            for path in files:
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

    def _lines(self, name: str, fields: int) -> list[list[str]]:
        """The lines of a text file of the set, each split at tabs into at least so many fields."""
        path = self.folder / name
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({error}); restore it, or get {self.name} again") from None
        found = [line.split("\t") for line in lines]
        for number, line in enumerate(found, 1):
            if len(line) < fields:
                raise DataError(f"{path}: line {number} has {len(line)} fields, {fields} expected")
        return found


class Digits(Source):
    """scikit-learn's handwritten digits: real images that ship with the package.

    The set has no split of its own; every fifth image of each class is for validation.
    """

    name = "digits"
    title = "Optical recognition of handwritten digits (UCI), as shipped with scikit-learn"
    licence = "CC BY 4.0"
    num_classes = 10
    counts: ClassVar = {"train": 1433, "val": 364}
    shape = (8, 8)

    def require(self) -> None:
        """Nothing to place: the images are part of scikit-learn."""

    def get(self) -> Path:
        return self.folder

    def classes(self) -> list[str]:
        return [str(digit) for digit in range(10)]

    def entries(self) -> Iterator[Entry]:
        _, targets = _digits()
        rows = {split: [] for split in SPLITS}
        for label in range(10):
            for rank, row in enumerate(np.flatnonzero(targets == label)):
                split = "val" if rank % 5 == 0 else "train"
                rows[split].append(Entry(split, label, f"{row:04d}.png"))
        for split in SPLITS:
            yield from rows[split]

    def read(self, entry: Entry) -> bytes:
        images, _ = _digits()
        grey = np.round(images[int(entry.name[:4])] * (255 / 16)).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(grey).save(stream, "PNG")
        return stream.getvalue()


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # slow to import, and only this source needs it

    bunch = load_digits()
    return bunch.images, bunch.target


_KINDS = (Digits, TinyImagenet, Imagenette, Imagenet, ImagenetValidation)
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
