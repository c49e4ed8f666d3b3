"""What features are to tell on another data set (Appendix B): its images or objects, their labels and their splits."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from verydeep import files
from verydeep.data.base import Source
from verydeep.data.store import Store
from verydeep.errors import DataError

#: How the number of an object in an image ends an example's name.
_OBJECT = re.compile(r"#\d+$")


@dataclass(frozen=True)
class LabelledExamples:
    """A line for every image of a data set, or for every object where these are told apart.

    ``names`` are unique and in the order of the store, ``rows`` the rows of its manifest, (n,). ``labels`` (n, classes)
    int8: 1 where it is of the class, -1 where not, 0 where that is too difficult to count. ``boxes`` (n, 4) are the
    objects in parts of width and height, ``None`` where whole images are meant.
    """

    names: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray | None = None

    @property
    def classes(self) -> np.ndarray:
        """Of examples that are of one class each: its index, (n,)."""
        return self.labels.argmax(1)

    def sha256(self) -> str:
        """Hash of names, labels and boxes."""
        parts = ["\n".join(self.names).encode(), self.labels.tobytes()]
        parts += [] if self.boxes is None else [self.boxes.astype(np.float64).tobytes()]
        return files.sha256_bytes(b"\0".join(parts))


class Split(NamedTuple):
    """Positions among the examples: trained on, and tested on, each (n,) in order."""

    train: np.ndarray
    test: np.ndarray

    def sha256(self, examples: LabelledExamples) -> str:
        """Hash of the names of both."""
        return files.sha256_bytes("\n\n".join("\n".join(examples.names[part]) for part in self).encode())


def read_examples(source: Source, store: Store) -> LabelledExamples:
    """The examples of a data set, each of an image in its store.

    Raises
    ------
    DataError
        When a file that states labels is faulty, or names an image that is not there.
    """
    names = store.manifest["name"].tolist()
    if not source.several_labels:
        labels = np.full((len(names), store.num_classes), -1, np.int8)
        labels[np.arange(len(names)), store.manifest["label"]] = 1
        return LabelledExamples(np.array(names, object), np.arange(len(names)), labels)
    row_of, labelled = {name: row for row, name in enumerate(names)}, list(source.labelled())
    if strange := next((entry.name for entry in labelled if entry.name not in row_of), None):
        raise DataError(f"{source.folder}: {strange} has labels and is no image of the set")
    every = np.array([f"{entry.name}#{entry.object}" if entry.object else entry.name for entry in labelled], object)
    boxes = np.array([entry.box for entry in labelled]) if labelled[0].box else None
    labels = np.array([entry.labels for entry in labelled], np.int8)
    return LabelledExamples(every, np.array([row_of[entry.name] for entry in labelled]), labels, boxes)


def own_split(store: Store, examples: LabelledExamples) -> Split:
    """The data set's own split: trained on ``train``, tested on ``val``."""
    splits = store.manifest["split"].to_numpy()[examples.rows]
    return Split(np.flatnonzero(splits == "train"), np.flatnonzero(splits == "val"))


def random_split(examples: LabelledExamples, number: int, train: int, test: int | None) -> Split:
    """Of each class ``train`` images to train on and up to ``test`` of the others to test on, all where ``None``.

    A function of the split's ``number`` and of the images' names alone.

    Raises
    ------
    DataError
        When a class has no image left to test on.
    """
    digests = [hashlib.sha256(f"{number} {name}".encode()).digest() for name in examples.names]
    order = np.array(sorted(range(len(digests)), key=digests.__getitem__))
    parts: tuple[list, list] = ([], [])
    for label in range(examples.labels.shape[1]):
        of_class = order[examples.classes[order] == label]
        if len(of_class) <= train:
            raise DataError(f"a class of {len(of_class)} images has none to test on when {train} are trained on")
        parts[0].append(of_class[:train])
        parts[1].append(of_class[train:] if test is None else of_class[train : train + test])
    return Split(*(np.sort(np.concatenate(part)) for part in parts))


def of_one_class(labels: np.ndarray, classes: int) -> np.ndarray:
    """What is true of images of one class each, (n, classes): 1 of their own, -1 of the others."""
    return np.where(np.eye(classes)[labels] == 1, 1, -1)


def images_of(names: Iterable[str]) -> np.ndarray:
    """The image of each example by its name: that without the object's number, ``a.jpg`` of ``a.jpg#2``; (n,)."""
    return np.array([_OBJECT.sub("", name) for name in names], object)


def aside(labels: np.ndarray, names: np.ndarray, share: float, images: np.ndarray | None = None) -> np.ndarray:
    """Which of the training examples are kept to choose hyper-parameters on: a share of each class, bool (n,).

    Those whose names have the smallest sha256; of examples of several classes, and of objects in images, that share of
    all images. Of each class at least one, but never its only one. Objects in one image stay together: their
    descriptors have most in common, and C would be chosen on what was trained on.

    Parameters
    ----------
    images
        Of examples that may be objects the image of each (:func:`images_of`); without, each is an image of its own.
    """
    images, image_of = np.unique(names if images is None else images, return_inverse=True)
    digests = np.array([int(hashlib.sha256(f"aside {name}".encode()).hexdigest()[:15], 16) for name in images])
    by_class = len(images) == len(names) and ((labels == 1).sum(1) == 1).all()
    groups = np.zeros(len(images), int)
    if by_class:
        groups[image_of] = labels.argmax(1)
    chosen = np.zeros(len(images), bool)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        count = min(max(1, round(share * len(members))), len(members) - 1)
        chosen[members[np.argsort(digests[members])[:count]]] = True
    return chosen[image_of]
