"""Images decoded (or packed) once into one memory-mapped file, with a manifest of what is inside.

Small images of one size are kept decoded, so that a crop is a slice. Others are kept as the encoded bytes of
the original files: nothing is re-encoded, and a million small files become one.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from verydeep import files, locks, paths, progress
from verydeep.data import prospect
from verydeep.data.ahead import prepared
from verydeep.data.base import SPLITS, Entry, Images, Source
from verydeep.data.images import RESTORE, check_header, decode
from verydeep.errors import DataError

FORMAT = 1
# Krizhevsky's eigenvectors and the mean RGB value are taken over the training set. Sets that are stored encoded
# would have to be decoded whole for it; a sample of this many images fixes the mean to a fraction of a level.
STATISTICS_IMAGES = 10_000
# A set of more images is not decoded whole when it is stored encoded: that would take hours, and `verify` does it.
DECODED_IMAGES = 20_000
# As many files tell by their sizes whether a data set is the one that was stored, at every start.
SIZES = 256


@dataclass(frozen=True)
class ColourStatistics:
    """Colour of the training images, in pixel values 0-255.

    ``mean`` is the RGB value that is subtracted (Sect. 2.1), ``deviation`` one standard deviation over all
    pixels and channels, ``eigenvalues`` and ``eigenvectors`` (columns) belong to the RGB covariance.
    """

    mean: tuple[float, ...]
    deviation: float
    eigenvalues: tuple[float, ...]
    eigenvectors: tuple[tuple[float, ...], ...]
    images: int


class Store(Images):
    """A data set ready for training; see :func:`open_store`."""

    #: what to do about an image that is too narrow to be rescaled
    too_narrow = "crop it in its data set, and delete the store of that in artifacts/data, which is then built anew"

    def __init__(self, folder: Path):
        self.folder = folder
        self._info = json.loads((folder / "store.json").read_text())
        self.source: str = self._info["source"]
        self.classes: list[str] = self._info["classes"]
        self.words: list[str] = self._info["words"]
        self.manifest_sha256: str = self._info["manifest_sha256"]
        statistics = self._info["statistics"]
        #: of the training images; ``None`` in a set that has none
        self.statistics = ColourStatistics(**statistics) if statistics else None
        self.shape: tuple[int, int] | None = tuple(self._info["shape"]) if self._info["shape"] else None

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """One row an image, in store order: split, label, name, bytes, sha256."""
        return pd.read_parquet(self.folder / "manifest.parquet")

    @property
    def num_classes(self) -> int:
        """How many classes the data set has."""
        return len(self.classes)

    def counts(self) -> dict[str, int]:
        """Images in each split."""
        return {split: int((self.manifest["split"] == split).sum()) for split in SPLITS}

    @cached_property
    def _data(self) -> np.memmap:
        data = np.memmap(self.folder / "images.bin", mode="r", dtype=np.uint8)
        return data.reshape(-1, *self.shape, 3) if self.shape else data

    @cached_property
    def _offsets(self) -> np.ndarray:
        return np.concatenate([[0], self.manifest["bytes"].to_numpy().cumsum()])

    def image(self, row: int) -> np.ndarray:
        """The image of manifest row ``row``: uint8 (height, width, 3).

        Raises
        ------
        DataError
            When it cannot be decoded: of a large set only headers were looked at when the store was built.
        """
        if self.shape:
            return self._data[row]
        return decode(self.content(row), self.manifest["name"].iat[row], advice=f"{RESTORE}, and {self.anew}")

    @property
    def anew(self) -> str:
        """What to do once a file of the data set has been changed, in words."""
        return f"delete {self.folder}, which is then built anew"

    def content(self, row: int) -> bytes:
        """What is kept of the image of manifest row ``row``: its pixels where all have one shape, else its file."""
        if self.shape:
            return self._data[row].tobytes()
        return self._data[self._offsets[row] : self._offsets[row + 1]].tobytes()

    def repeated(self) -> dict[str, int]:
        """Images whose content is there more than once: in all, under several classes, in several splits."""
        again = self.manifest[self.manifest["sha256"].duplicated(keep=False)].groupby("sha256")
        return {
            "images": again.ngroups,
            "classes": int((again["label"].nunique() > 1).sum()),
            "splits": int((again["split"].nunique() > 1).sum()),
        }

    def rows(self, split: str) -> np.ndarray:
        """Manifest rows of a split, in order."""
        return np.flatnonzero((self.manifest["split"] == split).to_numpy())

    def __getstate__(self):
        return self.folder  # a worker process opens the file itself instead of being sent it

    def __setstate__(self, folder):
        self.__init__(folder)


def listing_of(source: Source) -> tuple[pd.DataFrame, str]:
    """What ``source`` holds now (split, label, name), and a fingerprint that is cheap enough to take at every start."""
    rows = [(entry.split, entry.label, entry.name) for entry in source.entries()]
    files.require_printable(source.folder, [name for _, _, name in rows])  # first: pandas cannot hold any other
    listing = pd.DataFrame(rows, columns=["split", "label", "name"])
    if twice := listing["name"][listing["name"].duplicated()].tolist():
        raise DataError(f"{source.folder}: {twice[0]} is listed twice")
    return listing, files.sha256_bytes(listing.to_csv(index=False).encode())


def manifest_sha256(manifest: pd.DataFrame) -> str:
    """Fingerprint of a data set: hash of its manifest as CSV, which has every file's own hash."""
    return files.sha256_bytes(manifest.to_csv(index=False, lineterminator="\n").encode())


def open_store(source: Source) -> Store:
    """Open the store of ``source``, building it first when it is absent or other files are listed than before.

    Building reads every image once, and decodes it or, in a set of more than 20,000 that are stored encoded, looks at
    its header. It takes seconds for Tiny ImageNet. The store is in ``artifacts/data/<name>``, whole or not at all.

    Raises
    ------
    DataError
        When the data set is absent, incomplete, or an image cannot be decoded; or when files of the same names are
        there with other content, as of another copy of the set. The message has the path.
    """
    source.require()
    folder = paths.artifacts() / "data" / source.name
    listing, fingerprint = listing_of(source)
    store = _kept(folder, fingerprint)
    if store is None:
        with locks.hold(folder.with_name(f".{source.name}.lock"), f"the store of {source.name}", patience=-1):
            # built by the process that was waited for, or to be built here
            store = _kept(folder, fingerprint) or _build(source, listing, fingerprint, folder)
    _require_same_sizes(source, store)
    return store


def _require_same_sizes(source: Source, store: Store) -> None:
    """Refuse a store of other files of the same names: the sizes of some tell, where a set has files of its own."""
    manifest = store.manifest
    for row in np.unique(np.linspace(0, len(manifest) - 1, SIZES, dtype=int)):
        path, before = source.folder / manifest["name"].iat[row], manifest["bytes"].iat[row]
        if path.is_file() and (now := path.stat().st_size) != before:
            raise DataError(
                f"{path}: content has changed since the store was built ({before} bytes then, {now} now); restore it, "
                f"or, to take the data set as it is, {store.anew}"
            )


def _kept(folder: Path, fingerprint: str) -> Store | None:
    """The store in ``folder`` if it is whole and of these files."""
    try:
        kept = json.loads((folder / "store.json").read_text())
        if (kept["format"], kept["listing_sha256"]) != (FORMAT, fingerprint):
            return None
        store = Store(folder)
        size = (folder / "images.bin").stat().st_size
        pixels = 3 * np.prod(store.shape) * len(store.manifest) if store.shape else store.manifest["bytes"].sum()
    except (OSError, ValueError, KeyError, TypeError):  # a store is made again from the images, whatever befell it
        return None
    return store if size == pixels else None


def _build(source: Source, listing: pd.DataFrame, fingerprint: str, folder: Path) -> Store:
    counts = listing["split"].value_counts().to_dict()
    if counts != source.counts:
        odd = source.odd_classes(listing)
        raise DataError(f"{source.folder}: {source.name} should hold {source.counts} images, found {counts}{odd}")
    for left in folder.parent.glob(f".{folder.name}.*{files.STAGING}"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    entries = [Entry(split, int(label), name) for split, label, name in listing.itertuples(index=False)]
    needed = prospect.require_room(source, entries, folder.parent)
    with files.atomic_folder(folder) as staging:
        sizes, hashes = [], []
        colour = _ColourSums(_statistics_rows(listing, decoded=source.shape is not None))
        prepare = _Preparation(source, colour.rows, decode_all=len(listing) <= DECODED_IMAGES)
        if not prepare.decode_all:
            takes = prospect.seconds(prepare, entries)
            progress.line(prospect.line(source, len(entries), needed, takes, folder))
        images = prepared(prepare, enumerate(entries))
        with (staging / "images.bin").open("wb") as stream:
            for image in progress.bar(images, f"storing {source.name}", len(listing)):
                stream.write(image.content)
                colour.add(image.moments)
                sizes.append(image.size)
                hashes.append(image.sha256)
        manifest = listing.assign(bytes=sizes, sha256=hashes)
        if fault := source.fault(zip(manifest["name"], manifest["sha256"], strict=True)):
            raise DataError(f"{source.folder}: {fault}; remove it and run: verydeep data get {source.name}")
        manifest.to_parquet(staging / "manifest.parquet", index=False)
        info = {
            "format": FORMAT,
            "source": source.name,
            "classes": source.classes(),
            "words": source.words(),
            "shape": source.shape,
            "listing_sha256": fingerprint,
            "manifest_sha256": manifest_sha256(manifest),
            "statistics": colour.result(),
        }
        files.write_text(staging / "store.json", json.dumps(info, indent=1))
    return Store(folder)


def _statistics_rows(listing: pd.DataFrame, decoded: bool) -> set[int]:
    train = np.flatnonzero((listing["split"] == "train").to_numpy())
    if decoded or len(train) <= STATISTICS_IMAGES:
        return set(train.tolist())
    return set(train[np.linspace(0, len(train) - 1, STATISTICS_IMAGES, dtype=int)].tolist())


class _Prepared(NamedTuple):
    """What an image adds to a store: its content there, its file's size and hash, and its :func:`_moments`."""

    content: bytes
    size: int
    sha256: str
    moments: tuple[np.ndarray, np.ndarray] | None


class _Preparation(NamedTuple):
    """Call it with (row, entry) to read, check and decode an image of ``source``."""

    source: Source
    statistics_rows: set[int]
    decode_all: bool

    def __call__(self, numbered: tuple[int, Entry]) -> _Prepared:
        (row, entry), source = numbered, self.source
        data, path = source.read(entry), str(source.folder / entry.name)
        image, counts = None, row in self.statistics_rows
        if source.shape or counts or self.decode_all:
            image = decode(data, path)
        else:
            check_header(data, path)
        if source.shape and image.shape[:2] != source.shape:
            raise DataError(f"{path}: {image.shape[:2]} pixels, {source.shape} expected")
        content = image.tobytes() if source.shape else data
        return _Prepared(content, len(data), files.sha256_bytes(data), _moments(image) if counts else None)


def _moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the RGB values and of their products over an image's pixels: (3,), (3, 3)."""
    pixels = image.reshape(-1, 3).astype(np.float64)
    return pixels.mean(0), pixels.T @ pixels / len(pixels)


class _ColourSums:
    """Running sums for the mean and covariance of RGB values, every image weighing the same."""

    def __init__(self, rows: set[int]):
        self.rows = rows
        self.images = 0
        self.first = np.zeros(3)
        self.second = np.zeros((3, 3))

    def add(self, moments: tuple[np.ndarray, np.ndarray] | None) -> None:
        """Count one image by its moments, (3,) and (3, 3); ``None`` is an image that does not count."""
        if moments is None:
            return
        self.images += 1
        self.first += moments[0]
        self.second += moments[1]

    def result(self) -> dict | None:
        """The keys of :class:`ColourStatistics`, of values from 0 to 255; ``None`` where no image was counted."""
        if not self.images:
            return None
        mean = self.first / self.images
        covariance = self.second / self.images - np.outer(mean, mean)
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
        return {
            "mean": mean.tolist(),
            "deviation": float(np.sqrt(np.trace(covariance) / 3)),
            "eigenvalues": eigenvalues.clip(0).tolist(),  # grey images have two that are zero up to rounding
            "eigenvectors": eigenvectors.tolist(),
            "images": self.images,
        }


def held_out(manifest: pd.DataFrame, per_class: int) -> np.ndarray:
    """Manifest rows of the training images that are held out to choose hyper-parameters.

    Those are, in each class, the ``per_class`` training images whose names have the smallest sha256: a choice
    that depends on names alone, not on the order of files or a random generator.

    Raises
    ------
    DataError
        When a class would have no image left to train on.
    """
    train = np.flatnonzero((manifest["split"] == "train").to_numpy())
    labels = manifest["label"].to_numpy()[train]
    sizes = np.unique(labels, return_counts=True)[1]
    if per_class >= sizes.min():
        raise DataError(f"cannot hold out {per_class} images a class: the smallest class has {sizes.min()}")
    names = (hashlib.sha256(name.encode()).digest() for name in manifest["name"].iloc[train])
    order = np.lexsort((np.fromiter(names, "S32", len(train)), labels))  # by class, and in each by the digest
    firsts = np.concatenate([[0], sizes.cumsum()[:-1]])
    return np.sort(train[order[(firsts[:, None] + np.arange(per_class)).ravel()]])
