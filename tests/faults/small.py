"""Data sets of two classes, small enough to be made for every case of bad input."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from faults.world import World
from verydeep import studies
from verydeep.data import sources
from verydeep.data.downloads import Archive


class Small(sources.ClassFolders):
    """ImageNet's layout."""

    name, num_classes, counts = "small", 2, {"train": 4, "val": 2}
    archives = (Archive("https://nowhere.invalid/small.zip", "sha256:0", "small"),)


class SmallTiny(sources.TinyImagenet):
    """Tiny ImageNet's layout."""

    name, num_classes, counts = "small-tiny", 2, {"train": 4, "val": 2}
    archives = (Archive("https://nowhere.invalid/tiny.zip", "sha256:0", "small-tiny"),)


@contextlib.contextmanager
def sets() -> Iterator[None]:
    with mock.patch.dict(sources.SOURCES, {"small": Small, "small-tiny": SmallTiny}):
        yield


def encoded(kind: str = "JPEG", mode: str = "RGB", size=(64, 64), seed: int = 0, **save) -> bytes:
    """An image of noise."""
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, **save)
    return stream.getvalue()


def make(world: World) -> Path:
    folder = world.data / "small"
    for split, count in (("train", 2), ("val", 1)):
        for label, wnid in enumerate(("n01", "n02")):
            (folder / split / wnid).mkdir(parents=True)
            for i in range(count):
                data = encoded(size=(60 + i, 70), seed=10 * label + i)
                (folder / split / wnid / f"{split}_{wnid}_{i}.JPEG").write_bytes(data)
    return folder


def make_tiny(world: World) -> Path:
    folder = world.data / "small-tiny"
    (folder / "val" / "images").mkdir(parents=True)
    (folder / "wnids.txt").write_text("n01\nn02\n")
    (folder / "words.txt").write_text("n01\tfish\nn02\tbee\n")
    for label, wnid in enumerate(("n01", "n02")):
        images = folder / "train" / wnid / "images"
        images.mkdir(parents=True)
        for i in range(2):
            (images / f"{wnid}_{i}.JPEG").write_bytes(encoded(seed=10 * label + i))
        (folder / "val" / "images" / f"val_{label}.JPEG").write_bytes(encoded(seed=50 + label))
    (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn01\t0\nval_1.JPEG\tn02\t0\n")
    return folder


def box_tiny(folder: Path) -> None:
    """Boxes for the images of :func:`make_tiny`."""
    for wnid in ("n01", "n02"):
        lines = [f"{wnid}_{i}.JPEG\t{i}\t{2 * i}\t30\t40" for i in range(2)]
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text("\n".join(lines) + "\n")
    lines = ["val_0.JPEG\tn01\t0\t32\t44\t62", "val_1.JPEG\tn02\t0\t0\t63\t63"]
    (folder / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")


def run() -> studies.Run:
    """A network of the smoke study's size on :class:`Small`: four steps of one image each, a fraction of a second."""
    smoke = studies.load("smoke")
    recipe = smoke.recipe | {"epochs": 2, "warmup_epochs": 1, "batch": 1, "dropout": 0.5}
    data = smoke.data.model_copy(update={"source": "small", "held_out_per_class": 1})
    changes = {"name": "small", "recipe": recipe, "data": data}
    return studies.Run(smoke.model_copy(update=changes), "A", "256", 0)
