"""Caltech-101 and Caltech-256: folders by class without splits of their own (Appendix B); and two photographs."""

import io
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from verydeep import files
from verydeep.data.base import Entry, Source
from verydeep.data.downloads import Archive
from verydeep.errors import DataError


class Caltech(Source):
    """Photographs in folders by class; every image is of the split ``train``, until random splits are drawn."""

    licence = "Caltech's, CC BY 4.0; the photographs were collected by image search"
    #: the folder of the classes below that of the set
    top: str = ""

    def usual_folder(self) -> str:
        return self.name

    def classes(self) -> list[str]:
        self.require()
        top = self.folder / self.top
        folders = [path.name for path in files.listed(top, "*") if path.is_dir()]
        if len(folders) != self.num_classes:
            raise DataError(f"{top}: {len(folders)} class folders, {self.num_classes} expected")
        return folders

    def words(self) -> list[str]:
        return [name.replace("_", " ") for name in self.classes()]

    def entries(self) -> Iterator[Entry]:
        for label, name in enumerate(self.classes()):
            images = files.listed(self.folder / self.top / name, "*.jpg")
            if not images:
                raise DataError(f"{self.folder / self.top / name}: class without an image")
            yield from (Entry("train", label, path.relative_to(self.folder).as_posix()) for path in images)


class Caltech101(Caltech):
    """101 classes and a background class."""

    name = "caltech101"
    title = "Caltech-101"
    num_classes = 102
    counts: ClassVar = {"train": 9144}
    top = "101_ObjectCategories"
    archives = (
        Archive(
            "https://github.com/MachineLearning2020/Homework2-Caltech101/archive/836044dd000296b2bb74d0aa4b4e462e459b01d7.tar.gz",
            None,
            "Homework2-Caltech101-836044dd000296b2bb74d0aa4b4e462e459b01d7",
            ("101_ObjectCategories",),
        ),
    )
    images_sha256 = "6f773c3e653f1aa2dde3b93b923200bc669a6898611160a07407439b109c418d"


class Caltech256(Caltech):
    """256 classes and a clutter class."""

    name = "caltech256"
    title = "Caltech-256"
    num_classes = 257
    counts: ClassVar = {"train": 30607}
    archives = (
        Archive(
            "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",
            "md5:67b4f42ca05d46448c6bb8ecd2220f6d",
            "256_ObjectCategories",
        ),
    )


class Photographs(Source):
    """Square pieces of the two photographs that come with scikit-learn, a class each: nothing is downloaded."""

    name = "photographs"
    title = "Pieces of the two photographs that come with scikit-learn"
    licence = "CC BY (the photographers are named in scikit-learn's README of its images)"
    class_names: ClassVar = {"china": "temple", "flower": "flower"}
    num_classes = 2
    counts: ClassVar = {"train": 120}
    shape = (64, 64)

    def __init__(self, folder: Path | None = None):
        super().__init__(folder or Path(find_spec("sklearn").origin).parent / "datasets" / "images")

    def require(self) -> None:
        """Nothing to place: the photographs are part of scikit-learn."""

    def get(self) -> Path:
        return self.folder

    def classes(self) -> list[str]:
        return list(self.class_names)

    def words(self) -> list[str]:
        return list(self.class_names.values())

    def entries(self) -> Iterator[Entry]:
        for label, name in enumerate(self.class_names):
            rows, columns = (length // self.shape[0] for length in _photograph(self.folder / f"{name}.jpg").shape[:2])
            for piece in range(rows * columns):
                yield Entry("train", label, f"{name}-{piece // columns}-{piece % columns:02d}.png")

    def read(self, entry: Entry) -> bytes:
        name, row, column = entry.name.removesuffix(".png").split("-")
        side = self.shape[0]
        top, left = int(row) * side, int(column) * side
        piece = _photograph(self.folder / f"{name}.jpg")[top : top + side, left : left + side]
        stream = io.BytesIO()
        Image.fromarray(piece).save(stream, "PNG")
        return stream.getvalue()


@cache
def _photograph(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))
