"""What every data set has: a list of its images and their encoded bytes. Nothing is decoded here."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from verydeep import files, paths
from verydeep.data.annotations import Annotation
from verydeep.data.downloads import Archive, download
from verydeep.errors import DataError

SPLITS = ("train", "val")
_SUFFIXES = (".jpeg", ".jpg", ".png")
_WORDNET = re.compile(r"n\d+")
_NAMED = 3  # of many classes, so many are named in an error


@dataclass(frozen=True)
class Entry:
    """One image: its split, class index and path below the source's folder."""

    split: str
    label: int
    name: str


class Labelled(NamedTuple):
    """What is true of an image, or of one object in it: the name of its entry, 1 for each class that it is of, -1 for
    one that it is not of, 0 where that is too difficult to count; and which part of the image is meant, if not all.

    ``object`` tells several of one image apart.
    """

    name: str
    labels: tuple[int, ...]
    object: str = ""
    box: tuple[float, float, float, float] | None = None


class Images(ABC):
    """Images by number, as networks are trained and tested on them: a whole data set, a folder, or one picture."""

    #: a row an image: at least its ``name``, and its ``label`` where it is trained on
    manifest: pd.DataFrame
    #: what to do about an image that is too narrow to be rescaled
    too_narrow = "crop it"

    @abstractmethod
    def image(self, row: int) -> np.ndarray:
        """The image of manifest row ``row``: uint8 (height, width, 3)."""


def images_sha256(hashes: Iterable[tuple[str, str]]) -> str:
    """One hash for (name, sha256) of many images: that of their list as ``sha256sum`` prints it, sorted by name."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(hashes)]
    return files.sha256_bytes("".join(lines).encode())


class Source(ABC):
    """A data set with the splits named in ``counts``, ``train`` first where it has one, unpacked in ``folder``."""

    name: str
    title: str
    licence: str
    num_classes: int
    #: class -> its readable name, in the order of the class index, where it is known without the images
    class_names: ClassVar[dict[str, str]] = {}
    counts: ClassVar[dict[str, int]]
    #: split -> fewest and most images of a class there, where that is known
    class_sizes: ClassVar[dict[str, tuple[int, int]]] = {}
    #: (height, width) when every image has the same small size; such images are stored decoded
    shape: tuple[int, int] | None = None
    #: downloads whose content lies in ``folder``
    archives: tuple[Archive, ...] = ()
    #: what :func:`images_sha256` of all images must be; ``None`` where the archives have checksums, or nobody states it
    images_sha256: str | None = None
    #: how to place the data by hand where it cannot be downloaded
    placement: str = ""
    #: whether :meth:`annotations` says where on its images the objects are
    has_boxes: bool = False
    #: training images that have a box, where not all have one
    boxed: int | None = None
    #: whether an image may be of several classes, as :meth:`labelled` says; the label of its entry is then the first
    several_labels: bool = False

    def __init__(self, folder: Path | None = None):
        self.folder = Path(folder) if folder else paths.data() / self.usual_folder()

    def usual_folder(self) -> str:
        """The folder's name below ``$VERYDEEP_DATA``: that of the archive, or of the data set where several make it."""
        return self.archives[0].top if len(self.archives) == 1 else self.name

    @property
    def again(self) -> str:
        """What to do where a part of it is not there, in words: a folder that is there is taken as it is."""
        how = f"remove {self.folder} and run: verydeep data get {self.name}" if self.archives else self.placement
        return f"get {self.name} again: {how}"

    def get(self) -> Path:
        """Download and unpack the data set unless it is there already; return its folder.

        Raises
        ------
        DataError
            When the download fails, its checksum differs, or the data must be placed by hand.
        """
        if self.folder.exists():
            return self.folder
        if not self.archives:
            raise DataError(f"{self.name} cannot be downloaded by this command. {self.placement}")
        download(self.name, self.archives, self.folder, self._check_unpacked)
        return self.folder

    def _check_unpacked(self, folder: Path) -> None:
        unpacked = type(self)(folder)
        if self.images_sha256 is None:
            return
        if fault := self.fault((entry.name, files.sha256_bytes(unpacked.read(entry))) for entry in unpacked.entries()):
            raise DataError(f"{self.name}: was downloaded, but {fault}; nothing was unpacked")

    def fault(self, hashes: Iterable[tuple[str, str]]) -> str:
        """What is wrong with images of which (name, sha256) are given: that the hash of their list is another.

        Empty where nothing is, or the set does not state it.
        """
        if self.images_sha256 is None or (digest := images_sha256(hashes)) == self.images_sha256:
            return ""
        return f"the sha256 of the list of its images is {digest}, {self.images_sha256} expected"

    def odd_classes(self, listing: pd.DataFrame) -> str:
        """Which classes of ``listing`` (split, label, name) have fewer or more images than the set has there."""
        odd, names = [], self.classes()
        for split, (fewest, most) in self.class_sizes.items():
            sizes = listing.loc[listing["split"] == split, "label"].value_counts().sort_index()
            odd += [f"{split}/{names[label]} has {n}" for label, n in sizes.items() if not fewest <= n <= most]
        return f"; {', '.join(odd[:_NAMED])}" + " and others" * (len(odd) > _NAMED) if odd else ""

    @abstractmethod
    def classes(self) -> list[str]:
        """Class names in the order of their index."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Every image, the same order every time: by split, class and name, or by name alone where classes overlap."""

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
            raise DataError(f"{path}: cannot be read ({error.strerror}); restore it, or {self.again}") from None

    def lines(self, path: Path) -> list[str]:
        """The lines of a text file of the set.

        Raises
        ------
        DataError
            When it cannot be read; the message has its path.
        """
        try:
            return path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({error}); restore it, or {self.again}") from None

    def size(self, entry: Entry) -> int:
        """How many bytes :meth:`read` gives, without reading them; raises as it does."""
        path = self.folder / entry.name
        try:
            return path.stat().st_size
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); restore it, or {self.again}") from None

    def annotations(self) -> Iterator[Annotation]:
        """The boxes of every image that has some (Appendix A), by the name of its entry.

        Raises
        ------
        DataError
            When the data set has none, or one of them is faulty; the message has the file and the reason.
        """
        raise DataError(f"{self.name} has no boxes: nothing can be localised on its images")

    def labelled(self) -> Iterator[Labelled]:
        """What is true of every image, where it may be of several classes, or of none.

        Raises
        ------
        DataError
            When every image is of one class, or a file that says it is faulty; the message has the file.
        """
        raise DataError(f"{self.name}: every image is of one class, that of its entry")

    def words(self) -> list[str]:
        """A readable name for each class; the class name itself where the data set has none."""
        return self.classes()

    def require(self) -> None:
        """Raise :class:`DataError` with the command to run when the data set is not there."""
        if self.folder.exists() and not self.folder.is_dir():
            raise DataError(f"{self.folder}: not a folder; {self.name} belongs there")
        if not self.folder.is_dir():
            how = f"run: verydeep data get {self.name}" if self.archives else self.placement
            raise DataError(f"{self.name} is not at {self.folder}; {how}")


class ClassFolders(Source):
    """``train/<class>/*`` and ``val/<class>/*``, as torchvision's ImageFolder reads them."""

    def classes(self) -> list[str]:
        self.require()
        return self._class_folders(next(iter(self.counts)))

    def _class_folders(self, split: str) -> list[str]:
        """The names of a split's folders, as many as there are classes."""
        first = self.folder / split
        if not first.is_dir():
            raise DataError(f"{first} is not there; {self.placement or self.again}")
        lying = files.listed(first, "*")
        folders = [path.name for path in lying if path.is_dir()]
        if len(folders) != self.num_classes:
            odd = next((name for name in folders if not _WORDNET.fullmatch(name)), None)
            asked = "" if odd is None else f"; {odd} has no name of WordNet's: remove it?"
            if loose := [path.name for path in lying if not path.is_dir()]:
                what = "archives to be unpacked" if loose[0].endswith(".tar") else "files"
                asked += f"; {len(loose)} {what} lie there that belong into folders by class, such as {loose[0]}"
            raise DataError(f"{first}: {len(folders)} class folders, {self.num_classes} expected{asked}")
        return folders

    def _files(self, split: str, wnid: str) -> Iterator[Path]:
        for path in files.listed(self.folder / split / wnid, "**/*"):
            if path.suffix.lower() in _SUFFIXES:
                yield path
            elif not path.is_dir():
                raise DataError(f"{path}: not an image; {self.name} has nothing else there, remove it")

    def entries(self) -> Iterator[Entry]:
        names = {split: self._class_folders(split) for split in self.counts}  # of all before the first is read
        for split, folders in names.items():
            if missing := set(self.classes()) - set(folders):
                raise DataError(f"{self.folder / split / min(missing)} is not there: {split} has other classes")
            for label, wnid in enumerate(folders):
                images = list(self._files(split, wnid))
                if not images:
                    raise DataError(f"{self.folder / split / wnid}: class without an image")
                for path in images:
                    yield Entry(split, label, path.relative_to(self.folder).as_posix())
