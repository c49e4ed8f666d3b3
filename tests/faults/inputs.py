"""Bad input, one case a line: what it is, how it is made, through which entry point it comes, and the line it gives.

A case is made in a world of its own, and must end in one line that matches, a status that is not zero, no traceback,
and not one file written or changed.
"""

import contextlib
import io
import json
import os
import re
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import nbformat
import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from faults.world import World
from verydeep import cli, files, notebooks, runs, studies, weights
from verydeep.data import archives, sources
from verydeep.networks import vgg
from verydeep.studies import schema

Entry = list[str] | Callable[[], object]
RUN = Path("smoke") / "A-256-s0"


@dataclass(frozen=True)
class Case:
    """One bad input.

    ``make`` puts it into a world and gives the arguments of ``verydeep``, or a function to call where the entry point
    is a notebook. ``says`` is what the line must match. ``lines`` is 2 where ``verydeep check`` counts the faults it
    has named. ``trained`` cases start in a world with a trained and tested network.
    """

    group: str
    name: str
    make: Callable[[World], Entry]
    says: str
    trained: bool = False
    lines: int = 1


@dataclass(frozen=True)
class Outcome:
    """What a case gave: the lines said, and every way in which that was not what it should be."""

    said: str
    faults: list[str]


CASES: list[Case] = []


def case(group: str, name: str, says: str, **others):
    """Add the decorated function to the table."""

    def add(make):
        CASES.append(Case(group, name, make, says, **others))
        return make

    return add


def attempt(one: Case, world: World) -> Outcome:
    """Make a case in ``world``, run it, and look at what it said and what it left."""
    with world.entered(), _small_sets(), mock.patch.object(archives, "MAX_MEMBERS", 50):
        entry = one.make(world)
        before = world.snapshot()
        status, out, error = call(entry)
        after = world.snapshot()
    lines = [line for line in error.splitlines() if line.strip() and "%|" not in line]
    faults = []
    if status in (0, None):
        faults.append(f"ended well: {out}")
    if "Traceback" in error:
        faults.append(f"a traceback: {error[-1500:]}")
    if len(lines) != one.lines:
        faults.append(f"{len(lines)} lines, {one.lines} expected: {error}")
    if not re.search(one.says, lines[0] if lines else ""):
        faults.append(f"{lines[:1]} does not match {one.says!r}")
    if before != after:
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        faults.append(f"written or changed: {', '.join(changed)}")
    return Outcome(lines[0] if lines else "", faults)


def call(entry: Entry) -> tuple[int, str, str]:
    """An entry point in this process: status, standard output, standard error."""
    out, error = io.StringIO(), io.StringIO()
    status: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            if callable(entry):
                # as the command line does with what a notebook's cell raised
                with mock.patch.object(cli, "cli", lambda **_: entry()):
                    cli.main()
            else:
                with mock.patch.object(sys, "argv", ["verydeep", *entry]):
                    cli.main()
        except SystemExit as stop:
            status = stop.code
        except BaseException as escaped:
            status = 1
            error.write(f"Traceback: {type(escaped).__name__}: {escaped}")
    said = error.getvalue()
    return (1, out.getvalue(), f"{said}{status}") if isinstance(status, str) else (status or 0, out.getvalue(), said)


# -- data sets of two classes, small enough to be made for every case ---------------------------------


class Small(sources.ClassFolders):
    """ImageNet's layout."""

    name, num_classes, counts = "small", 2, {"train": 4, "val": 2}
    archive = sources.Archive("https://nowhere.invalid/small.zip", "sha256:0", "small")


class SmallTiny(sources.TinyImagenet):
    """Tiny ImageNet's layout."""

    name, num_classes, counts = "small-tiny", 2, {"train": 4, "val": 2}
    archive = sources.Archive("https://nowhere.invalid/tiny.zip", "sha256:0", "small-tiny")


@contextlib.contextmanager
def _small_sets() -> Iterator[None]:
    with mock.patch.dict(sources.SOURCES, {"small": Small, "small-tiny": SmallTiny}):
        yield


def encoded(kind: str = "JPEG", mode: str = "RGB", size=(64, 64), seed: int = 0, **save) -> bytes:
    """An image of noise."""
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, **save)
    return stream.getvalue()


def small(world: World) -> Path:
    folder = world.data / "small"
    for split, count in (("train", 2), ("val", 1)):
        for label, wnid in enumerate(("n01", "n02")):
            (folder / split / wnid).mkdir(parents=True)
            for i in range(count):
                data = encoded(size=(60 + i, 70), seed=10 * label + i)
                (folder / split / wnid / f"{split}_{wnid}_{i}.JPEG").write_bytes(data)
    return folder


def small_tiny(world: World) -> Path:
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


# -- images --------------------------------------------------------------------------------------------


def image_case(name: str, says: str, make: Callable[[], bytes], file: str = "train/n01/train_n01_1.JPEG"):
    @case("image", name, rf"error: .*{re.escape(file)}: {says}")
    def add(world: World) -> Entry:
        (small(world) / file).write_bytes(make())
        return ["data", "verify", "small"]


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 2.5 thousand megapixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", __import__("zlib").crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


def frames(kind: str) -> bytes:
    pictures = [Image.fromarray(np.full((64, 64, 3), 60 * i, np.uint8)) for i in range(3)]
    stream = io.BytesIO()
    pictures[0].save(stream, kind, save_all=True, append_images=pictures[1:])
    return stream.getvalue()


def deep(kind: str, dtype, mode: str) -> bytes:
    stream = io.BytesIO()
    Image.frombytes(mode, (64, 64), np.arange(64 * 64).astype(dtype).tobytes()).save(stream, kind)
    return stream.getvalue()


image_case("empty", "not a readable image", bytes)
image_case("text with an image's name", "not a readable image", lambda: b"hello, world\n" * 50)
image_case("JPEG cut short", "not a readable image .*truncated", lambda: encoded()[:900])
image_case("PNG cut short", "not a readable image", lambda: encoded("PNG")[:900])
image_case("JPEG with zeros in its middle", "not a readable image", lambda: encoded()[:20] + bytes(400))
image_case("decompression bomb", "not a readable image .*decompression bomb", bomb)
image_case("PostScript, which would be run", "not a readable image", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n" + b" " * 200)
image_case("SVG", "not a readable image", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>")
image_case("grey with 16 bits", "an image of mode I;16", lambda: deep("PNG", np.uint16, "I;16"))
image_case("floating point", "an image of mode F", lambda: deep("TIFF", np.float32, "F"))
image_case("animated GIF", "3 frames", lambda: frames("GIF"))
image_case("animated PNG", "3 frames", lambda: frames("PNG"))
image_case("TIFF of several pages", "3 frames", lambda: frames("TIFF"))
image_case("damaged validation image", "not a readable image", lambda: encoded()[:900], "val/n02/val_n02_0.JPEG")


@case("image", "named pipe", r"error: .*train_n01_1.JPEG: not a file")
def _pipe(world):
    path = small(world) / "train/n01/train_n01_1.JPEG"
    path.unlink()
    os.mkfifo(path)
    return ["data", "verify", "small"]


@case("image", "folder with an image's name", r"error: .*train_n01_1.JPEG: not a file")
def _folder(world):
    path = small(world) / "train/n01/train_n01_1.JPEG"
    path.unlink()
    path.mkdir()
    return ["data", "verify", "small"]


@case("image", "link to nowhere", r"error: .*train_n01_1.JPEG: cannot be read \(No such file")
def _dangling(world):
    path = small(world) / "train/n01/train_n01_1.JPEG"
    path.unlink()
    path.symlink_to(world.data / "nowhere.JPEG")
    return ["data", "verify", "small"]


@case("image", "another size in a set of one size", r"error: .*n01_1.JPEG: \(32, 64\) pixels, \(64, 64\) expected")
def _size(world):
    (small_tiny(world) / "train/n01/images/n01_1.JPEG").write_bytes(encoded(size=(32, 64)))
    return ["data", "verify", "small-tiny"]


@case("image", "changed since it was stored", r"error: .*train_n02_0.JPEG: content has changed")
def _changed(world):
    folder = small(world)
    call(["data", "verify", "small"])
    (folder / "train/n02/train_n02_0.JPEG").write_bytes(encoded(size=(60, 70), seed=99))
    return ["data", "verify", "small"]


# -- data sets -----------------------------------------------------------------------------------------


@case("data set", "absent", "error: small is not at .*; run: verydeep data get small")
def _absent(world):
    return ["data", "verify", "small"]


@case("data set", "a file in place of its folder", "error: .*small: not a folder")
def _not_folder(world):
    (world.data / "small").write_text("hello")
    return ["data", "verify", "small"]


@case("data set", "class without an image", "error: .*val/n02: class without an image")
def _empty_class(world):
    (small(world) / "val/n02/val_n02_0.JPEG").unlink()
    return ["data", "verify", "small"]


@case("data set", "class missing", r"error: .*train: 1 class folders, 2 expected")
def _missing_class(world):
    folder = small(world) / "train/n02"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return ["data", "verify", "small"]


@case("data set", "class too many", r"error: .*train: 3 class folders, 2 expected")
def _extra_class(world):
    (small(world) / "train/n03").mkdir()
    return ["data", "verify", "small"]


@case("data set", "copy of an image beside it", r"error: .*small should hold .*'train': 4.* found .*'train': 5")
def _copy(world):
    folder = small(world) / "train/n01"
    (folder / "train_n01_1 (1).JPEG").write_bytes((folder / "train_n01_1.JPEG").read_bytes())
    return ["data", "verify", "small"]


def name_case(what: str, name: str):
    @case("data set", what, r"error: .*holds a character that cannot be printed; rename it")
    def add(world: World) -> Entry:
        folder = small(world) / "train/n01"
        (folder / "train_n01_1.JPEG").rename(folder / name)
        return ["data", "verify", "small"]


name_case("name with a new line", "train\nn01.JPEG")
name_case("name that moves the cursor", "train\x1b[2J.JPEG")
name_case("name that is not text", os.fsdecode(b"train_\xff\xfe.JPEG"))


def annotation_case(what: str, text: str, says: str):
    @case("data set", what, rf"error: .*{says}")
    def add(world: World) -> Entry:
        (small_tiny(world) / "val/val_annotations.txt").write_text(text)
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
    (small_tiny(world) / "wnids.txt").write_text("n01\n")
    return ["data", "verify", "small-tiny"]


@case("data set", "list that is not text", r"error: .*wnids.txt: cannot be read")
def _binary_list(world):
    (small_tiny(world) / "wnids.txt").write_bytes(b"\xff\xfe\x00n01")
    return ["data", "verify", "small-tiny"]


# -- archives ------------------------------------------------------------------------------------------


def archive_case(what: str, says: str, make: Callable[[], bytes]):
    """The archive lies where the download would have put it, and its checksum is right."""

    @case("archive", what, rf"error: .*small.zip: .*({says})")
    def add(world: World) -> Entry:
        data = make()
        downloads = world.data / "downloads"
        downloads.mkdir()
        (downloads / "small.zip").write_bytes(data)
        checksum = f"sha256:{files.sha256_bytes(data)}"
        archive = sources.Archive(Small.archive.url, checksum, "small")
        return _with(Small, "archive", archive, ["data", "get", "small"])


def _with(owner, name: str, value, arguments: list[str]) -> Entry:
    """A call of the command line with one attribute changed."""
    command = cli.cli  # call() puts the entry in its place

    def run():
        with mock.patch.object(owner, name, value):
            command.main(args=arguments, standalone_mode=False)

    return run


def tarred(name: str, kind=tarfile.REGTYPE, size: int = 0) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as bundle:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, "/etc/passwd", size
        bundle.addfile(member, io.BytesIO(bytes(size)))
    return stream.getvalue()


def zipped(name: str = "small/a", data: bytes = b"x", attributes: int = 0, **how) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **how) as bundle:
        member = zipfile.ZipInfo(name)
        member.external_attr = attributes
        bundle.writestr(member, data, how.get("compression"))
    return stream.getvalue()


def declared(size: int) -> bytes:
    """A tar whose one member says it has so many bytes."""
    member = tarfile.TarInfo("small/a")
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def encrypted() -> bytes:
    data = bytearray(zipped())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def of_method(method: int) -> bytes:
    data = bytearray(zipped())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", data, data.index(signature) + offset, method)
    return bytes(data)


def overlong() -> bytes:
    """A zip whose directory says that a member is shorter than it is."""
    data = bytearray(zipped(data=b"0" * 5000, compression=zipfile.ZIP_DEFLATED))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 10)
    return bytes(data)


def many() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for i in range(60):
            bundle.writestr(f"small/{i}", b"")
    return stream.getvalue()


archive_case("absolute path in a tar", "member '/etc/evil' points outside", lambda: tarred("/etc/evil"))
archive_case("absolute path in a zip", "member '/etc/evil' points outside", lambda: zipped("/etc/evil"))
archive_case(
    "path upwards in a tar", r"member 'small/\.\./\.\./evil' points outside", lambda: tarred("small/../../evil")
)
archive_case("path upwards in a zip", r"member '\.\./evil' points outside", lambda: zipped("../evil"))
archive_case("path upwards with backslashes", "points outside", lambda: tarred("small\\..\\..\\evil"))
archive_case("drive letter", "points outside", lambda: zipped("C:/evil"))
archive_case("symbolic link", "member 'small/a' is a link", lambda: tarred("small/a", tarfile.SYMTYPE))
archive_case("symbolic link in a zip", "member 'small/a' is a link", lambda: zipped(attributes=0o120777 << 16))
archive_case("hard link", "is a link or a device", lambda: tarred("small/a", tarfile.LNKTYPE))
archive_case("device", "is a link or a device", lambda: tarred("small/a", tarfile.CHRTYPE))
archive_case("named pipe in a tar", "is a link or a device", lambda: tarred("small/a", tarfile.FIFOTYPE))
archive_case("bomb by its own account", "unpacks to more than", lambda: declared(2**40))
archive_case("bomb that lies about its size", "cannot be unpacked", overlong)
archive_case("too many files", "holds more than 50 files", many)
archive_case("encrypted", "cannot be unpacked .*encrypted", encrypted)
archive_case("unknown compression", "cannot be unpacked", lambda: of_method(77))
archive_case("zip cut short", "not a zip or tar archive|cannot be unpacked", lambda: zipped(data=bytes(9000))[:4000])
archive_case("tar cut short", "cannot be unpacked", lambda: tarred("small/a", size=500_000)[:300])
archive_case("text", "not a zip or tar archive", lambda: b"<html>404</html>")
archive_case("empty file", "not a zip or tar archive", bytes)
archive_case("no folder of the expected name", "holds no folder 'small'", lambda: zipped("other/a"))


@case("archive", "another checksum", "error: small: download of https://nowhere.invalid/small.zip failed .*by hand")
def _checksum(world):
    def other(url, known_hash, fname, path, **_):
        retrieve = sources.pooch.core.retrieve
        give = lambda _, target, __: Path(target).write_bytes(zipped())  # noqa: E731
        return retrieve(url, known_hash=f"sha256:{'0' * 64}", fname=fname, path=path, downloader=give)

    (world.data / "downloads").mkdir()
    return _with(sources.pooch, "retrieve", other, ["data", "get", "small"])


# -- weights and checkpoints ---------------------------------------------------------------------------


def weights_case(what: str, says: str, make: Callable[[Path], None], passed_off: bool = True):
    """A weights file; ``passed_off`` as the one that was trained, with record and seal made to agree."""

    @case("weights", what, rf"error: .*weights.safetensors: {says}", trained=True)
    def add(world: World) -> Entry:
        path = world.runs / RUN / "weights.safetensors"
        make(path)
        if passed_off:
            run = studies.find_run("smoke", "A", 256)
            record = runs.read_record(run, "train")
            artefacts = record.artefacts | {path.name: files.sha256(path)}
            runs.unseal(run.folder, ["train.json"])
            runs.write_record(run, record.model_copy(update={"artefacts": artefacts}))
            runs.seal(run.folder, ["train.json", path.name])
        return ["verify", "smoke", "A-256-s0", "--images", "4"]


def altered(change: Callable[[dict], dict]) -> Callable[[Path], None]:
    return lambda path: save_file(change(load_file(path)), path)


def network(**changes) -> Callable[[Path], None]:
    size = {"config": "A", "width_divisor": 16, "num_classes": 10, "crop": 32} | changes
    return lambda path: weights.publish(vgg.build(**size), path) and None


def _not_finite(state: dict) -> dict:
    state["features.0.weight"][0, 0, 0, 0] = float("nan")
    return state


class Malice:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "your machine was here")


def pickled(path: Path) -> None:
    torch.save({"net": Malice(path.with_name("malice.txt"))}, path)


weights_case("cut short", "not a safetensors file", lambda path: path.write_bytes(path.read_bytes()[:500]))
weights_case("empty", "not a safetensors file", lambda path: path.write_bytes(b""))
weights_case("header longer than the file", "not a safetensors file", lambda p: p.write_bytes(struct.pack("<Q", 2**60)))
weights_case("pickle in disguise", "not a safetensors file", pickled)
weights_case("of another network", "weights of another network than A", network(config="D"))
weights_case("of another size", r"weights of another size than this A: .* is \(9", network(num_classes=9))
weights_case("of another precision", "classifier.0.bias is float32, float16 expected",
             altered(lambda state: {name: tensor.float() for name, tensor in state.items()}))  # fmt: skip
weights_case("whole numbers", "classifier.0.bias is int8, float16 expected",
             altered(lambda state: {name: tensor.to(torch.int8) for name, tensor in state.items()}))  # fmt: skip
weights_case(
    "not a number among them", "features.0.weight holds values that are no finite numbers", altered(_not_finite)
)
weights_case("a layer missing", "weights of another network than A .classifier.6.bias",
             altered(lambda state: {name: state[name] for name in state if name != "classifier.6.bias"}))  # fmt: skip
weights_case("missing", "no weights there", Path.unlink, passed_off=False)
weights_case(
    "of the same network, but other training", "not the weights that A-256-s0 was trained to", network(), False
)


def checkpoint_case(what: str, says: str, make: Callable[[Path], None]):
    @case("weights", f"checkpoint: {what}", rf"error: .*checkpoint.pt: {says}")
    def add(world: World) -> Entry:
        call(["data", "verify", "digits"])
        path = world.artifacts / RUN / "checkpoint.pt"
        path.parent.mkdir(parents=True)
        make(path)
        return ["train", "smoke", "A", "256"]


checkpoint_case("pickle that runs code", "not a readable checkpoint", pickled)
checkpoint_case("junk", "not a readable checkpoint", lambda path: path.write_bytes(b"junk" * 100))
checkpoint_case("empty", "not a readable checkpoint", lambda path: path.write_bytes(b""))
checkpoint_case(
    "of another recipe", "was made with other .*recipe", lambda p: torch.save({"identity": {"recipe": 1}}, p)
)


@case("weights", "torchvision's, a pickle that runs code", "error: .*vgg.pth: not the weights of torchvision's A")
def _torchvision(world):
    pickled(world.data / "vgg.pth")
    net = vgg.build("A", width_divisor=16, num_classes=10, crop=32)
    return lambda: weights.load_torchvision(net, world.data / "vgg.pth")


# -- studies -------------------------------------------------------------------------------------------

_STUDY = """name: bad
title: t
purpose: p
where: w
data: {source: digits, held_out_per_class: 10}
network: {length_divisor: 7, width_divisor: 16, pooling: floor}
why: {length_divisor: small, width_divisor: small, pooling: small}
"""


def study_case(what: str, says: str, old: str = "", new: str = "", more: str | bytes = ""):
    @case("study", what, rf"error: studies/bad.yaml: {says}")
    def add(world: World) -> Entry:
        folder = world.folder / "studies"
        folder.mkdir()
        text = _STUDY.replace(old, new) if old else _STUDY
        content = more if isinstance(more, bytes) else (text + more).encode()
        (folder / "bad.yaml").write_bytes(content)
        schema.load.cache_clear()
        return _with(schema, "files", lambda _: folder, ["study", "show", "bad"])


study_case("unknown key", "epochs: unknown key", more="epochs: 3\n")
study_case("key misspelt", "recipe.epoch: unknown key, did you mean epochs", more="recipe: {epoch: 3}\n")
study_case("key missing", "title: this key is missing", "title: t\n", "")
study_case("word for a number", r"batch: .*valid integer \(found 'many'\)", more="recipe: {batch: many}\n")
study_case("key given twice", "not YAML .*the key name is given twice", more="name: worse\n")
study_case("number below zero", ".*greater than 0", "length_divisor: 7", "length_divisor: -7")
study_case("number that is none", ".*finite number", more="assumed_rate: .nan\n")
study_case("number without end", ".*finite number", more="assumed_rate: .inf\n")
study_case("trains nothing, at a scale of training", "networks.256: a study that trains nothing", more="train: false\n")
study_case(
    "trains, and holds nothing out", "data.held_out_per_class: this key is missing", ", held_out_per_class: 10", ""
)
study_case("departure without a reason", "why: says no reason for length_divisor", "length_divisor: small, ", "")
study_case("reason for no departure", "why: gives a reason for dropout", "pooling: small", "pooling: small, dropout: x")
study_case("unknown data set", "data.source: unknown data set 'cifar'", "source: digits", "source: cifar")
study_case("unknown network", "networks.256: unknown config 'F'", more='networks: {"256": [F]}\n')
study_case("variant of a network it has not", "variants.v.networks: unknown network",
           more="variants: {v: {networks: [F-256], why: x, set: {}}}\n")  # fmt: skip
study_case(
    "object of a program", "not YAML .*could not determine a constructor", more="title2: !!python/object:os.x {}\n"
)
study_case("aliases that grow without end", "not YAML .*aliases are not read",
           more="a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n")  # fmt: skip
study_case("not YAML", "not YAML", more="recipe: {batch: [1\n")
study_case("a list", "a study is a mapping of keys", more=b"- name\n- title\n")
study_case("not text", "not text in UTF-8", more=b"name: \xff\xfe\n")
study_case("a list without an end", "not YAML", more=b"[" * 5000)


# -- parameters ----------------------------------------------------------------------------------------

_GIVEN = {"study": "smoke", "config": "A", "train_scale": 256, "variant": None, "seed": 0, "processes": 1}


def parameter_case(what: str, says: str, **changes):
    """As papermill puts them into a notebook, which hands its namespace over."""

    @case("parameter", what, rf"error: {says}")
    def add(world: World) -> Entry:
        return lambda: notebooks.requested_run(_GIVEN | changes)


parameter_case("that does not exist", "unknown parameter 'sede'", sede=0)
parameter_case("study that is a path", r"unknown study '\.\./\.\./etc/passwd'", study="../../etc/passwd")
parameter_case("study that is a list", r"unknown study \['smoke'\]", study=["smoke"])
parameter_case("study that is nothing", "unknown study None", study=None)
parameter_case("network that is a command", "unknown config 'A; rm -rf /'", config="A; rm -rf /")
parameter_case("network with a new line", r"unknown config 'A\\n'", config="A\n")
parameter_case("network that is a mapping", "unknown config {'A': 1}", config={"A": 1})
parameter_case("scale that is not the paper's", "unknown train_scale 300", train_scale=300)
parameter_case("scale that is nearly one", "unknown train_scale 256.0", train_scale=256.0)
parameter_case("variant that is a path", "unknown variant '../x'", variant="../x")
parameter_case("variant that is a number", "unknown variant 3", variant=3)
parameter_case("seed below zero", "seed must be a whole number", seed=-1)
parameter_case("seed that is text", "seed must be a whole number", seed="0")
parameter_case("seed that is true", "seed must be a whole number", seed=True)
parameter_case("seed that is not a number", "seed must be a whole number", seed=float("nan"))
parameter_case("seed of a hundred digits", "seed must be a whole number", seed=10**100)
parameter_case("no processes", "processes must be a whole number from 1", processes=0)
parameter_case("half a process", "processes must be a whole number from 1", processes=0.5)
parameter_case("memory below zero", "pixels_per_batch must be a whole number", pixels_per_batch=-5)


def fusion_case(what: str, says: str, members, method="dense"):
    @case("parameter", what, rf"error: {says}")
    def add(world: World) -> Entry:
        return lambda: notebooks.requested_fusion({"members": members, "method": method})


fusion_case("fusion of text", "a fusion is of two or more networks", "smoke/A-256")
fusion_case("fusion of one", "a fusion is of two or more networks", ["smoke/A-256"])
fusion_case("fusion of nothing", "a fusion is of two or more networks", None)
fusion_case("fusion of paths", r"'\.\./x' names no network", ["../x", "smoke/A-256"])
fusion_case("fusion of a network with itself", "A-256-s0 is given twice", ["smoke/A-256", "smoke/A-256"])
fusion_case("fusion by no method", "unknown method 'magic'", ["smoke/A-256", "smoke/D-256"], "magic")


def argument_case(what: str, says: str, *arguments: str):
    @case("parameter", f"command line: {what}", rf"error: {says}")
    def add(world: World) -> Entry:
        return list(arguments)


argument_case("unknown option", "No such option '--sede'", "run", "smoke", "A", "256", "--sede", "1")
argument_case("argument missing", "Missing argument 'TRAIN_SCALE'", "run", "smoke", "A")
argument_case("unknown command", "No such command 'trian'", "trian")
argument_case("unknown data set", "unknown data set '../x'", "data", "get", "../x")
argument_case("unknown number", "unknown number 'smoke.table3.F.top1'", "cite", "smoke.table3.F.top1")
argument_case("seed out of range", "seed must be a whole number", "run", "smoke", "A", "256", "--seed", str(2**70))


# -- records edited by hand ----------------------------------------------------------------------------


def record_case(what: str, says: str, command: str, change: Callable[[Path], None], lines: int = 1):
    @case("record", what, says, trained=True, lines=lines)
    def add(world: World) -> Entry:
        change(world.runs / RUN)
        return command.split()


def edited(name: str, sealed: bool, **changes) -> Callable[[Path], None]:
    """Change keys of a record; ``sealed`` as if the editor had known of the seal."""

    def change(folder: Path) -> None:
        record = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(record | changes))
        if sealed:
            runs.seal(folder, [name])

    return change


def better(folder: Path, sealed: bool = False) -> None:
    """Every error a tenth of what it was."""
    record = json.loads((folder / "evaluate.json").read_text())
    for errors in record["measurements"].values():
        errors["top1_error"] /= 10
    (folder / "evaluate.json").write_text(json.dumps(record))
    if sealed:
        runs.seal(folder, ["evaluate.json"])


def rewritten(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def better_predictions(folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    table["class_1"] = table["label"]
    table.to_parquet(folder / "predictions.parquet", index=False)
    runs.seal(folder, ["predictions.parquet"])


def failed_notebook(folder: Path) -> None:
    notebook = nbformat.read(folder / "train.ipynb", as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])]
    nbformat.write(notebook, folder / "train.ipynb")
    runs.seal(folder, ["train.ipynb"])


def nested(folder: Path) -> None:
    (folder / "evaluate.json").write_bytes(b'{"study":' + b"[" * 100_000)
    runs.seal(folder, ["evaluate.json"])


_DIFFERS = "error: runs/smoke/A-256-s0/{}: content differs from its sha256"
_NUMBERS = "numbers smoke"
record_case("a better error", _DIFFERS.format("evaluate.json"), _NUMBERS, better)
record_case("a better error, sealed again", ".*predictions.parquet yields", "check",
            lambda folder: better(folder, True), lines=8)  # fmt: skip
record_case(
    "better predictions, sealed again", ".*(names another sha256|yields)", "check", better_predictions, lines=11
)
record_case("cut short", _DIFFERS.format("evaluate.json"), _NUMBERS, rewritten("evaluate.json", b'{"study": "smo'))
record_case("a key of its own", "error: .*evaluate.json: note: Extra inputs", _NUMBERS,
            edited("evaluate.json", True, note="x"))  # fmt: skip
record_case("a key of another kind", "error: .*evaluate.json: seed: Input should be a valid integer", _NUMBERS,
            edited("evaluate.json", True, seed="zero"))  # fmt: skip
record_case("of another schema", "error: .*evaluate.json: schema_version", _NUMBERS,
            edited("evaluate.json", True, schema_version=99))  # fmt: skip
record_case("of another run", "error: .*train.json: is the record of another run, D-256", "status smoke",
            edited("train.json", True, config="D"))  # fmt: skip
record_case("of another study", ".*train.json: says study 'quarter', lies under 'smoke'", "check",
            edited("train.json", True, study="quarter"), lines=2)  # fmt: skip
record_case("seal with a line too short", r"error: .*SHA256SUMS: line 1 is not '<sha256>  <file>'", _NUMBERS,
            rewritten("SHA256SUMS", b"abc  train.json\n"))  # fmt: skip
record_case("seal that is not text", "error: .*SHA256SUMS: not text", _NUMBERS, rewritten("SHA256SUMS", b"\xff\xfe\n"))
record_case("notebook that failed", ".*train.ipynb: a cell ended in an error", "check", failed_notebook, lines=2)
record_case(
    "a file of its own", ".*notes.txt: not listed in SHA256SUMS", "check", rewritten("notes.txt", b"x"), lines=2
)
record_case("nested without end", "error: .*evaluate.json", _NUMBERS, nested)
