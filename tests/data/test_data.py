"""Sources, archives, the store and the views drawn from it."""

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from faults import small as small_sets
from faults.world import World
from verydeep import files
from verydeep.data import archives, base, downloads, integrity, prospect, sources, store, views
from verydeep.data.ahead import prepared
from verydeep.data.images import decode
from verydeep.data.normaliser import Normaliser
from verydeep.errors import DataError, StorageError, UnknownName


def jpeg(height=64, width=64, mode="RGB", seed=0) -> bytes:
    """A JPEG of smooth noise."""
    channels = {"L": (), "RGB": (3,), "CMYK": (4,)}[mode]
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, *channels), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise, mode).resize((width, height)).save(stream, "JPEG")
    return stream.getvalue()


class Small(sources.ClassFolders):
    """Two classes in the ImageNet layout, of varied shapes."""

    name, num_classes, counts = "small", 2, {"train": 8, "val": 4}
    archives = (downloads.Archive("https://nowhere.invalid/small.zip", "sha256:0", "small"),)


class SmallTiny(sources.TinyImagenet):
    """Tiny ImageNet's layout with two classes."""

    num_classes, counts = 2, {"train": 8, "val": 4}


@pytest.fixture
def small(tmp_path, checkout) -> Small:
    shapes = [(60, 90), (90, 60), (70, 70), (64, 200)]
    for split, count in (("train", 4), ("val", 2)):
        for label, wnid in enumerate(("n01", "n02")):
            folder = tmp_path / "small" / split / wnid
            folder.mkdir(parents=True)
            for i in range(count):
                mode = ("RGB", "L", "CMYK", "RGB")[i]
                (folder / f"{wnid}_{i}.JPEG").write_bytes(jpeg(*shapes[i], mode=mode, seed=10 * label + i))
    return Small(tmp_path / "small")


@pytest.fixture
def tiny(tmp_path, checkout) -> SmallTiny:
    root = tmp_path / "tiny-imagenet-200"
    (root / "val" / "images").mkdir(parents=True)
    (root / "wnids.txt").write_text("n02\nn01\n")  # the official file is not sorted
    (root / "words.txt").write_text("n01\tgoldfish, Carassius auratus\nn02\tbee\nn03\tunused\n")
    lines = []
    for label, wnid in enumerate(("n01", "n02")):
        folder = root / "train" / wnid / "images"
        folder.mkdir(parents=True)
        for i in range(4):
            (folder / f"{wnid}_{i}.JPEG").write_bytes(jpeg(seed=10 * label + i))
        for i in range(2):
            name = f"val_{2 * label + i}.JPEG"
            (root / "val" / "images" / name).write_bytes(jpeg(seed=100 + 2 * label + i))
            lines.append(f"{name}\t{wnid}\t0\t0\t62\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(reversed(lines)))
    return SmallTiny(root)


# -- archives ------------------------------------------------------------------------------------------


def tar_with(path, name, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w:gz") as bundle:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0
        bundle.addfile(member, io.BytesIO())


@pytest.mark.parametrize(("name", "kind", "message"), [
    ("/etc/passwd", tarfile.REGTYPE, "points outside"),
    ("a/../../b", tarfile.REGTYPE, "points outside"),
    ("a\\..\\b", tarfile.REGTYPE, "points outside"),
    ("link", tarfile.SYMTYPE, "is a link"),
    ("hard", tarfile.LNKTYPE, "is a link"),
    ("pipe", tarfile.FIFOTYPE, "is a link or a device"),
])  # fmt: skip
def test_hostile_tar_members_are_refused(tmp_path, name, kind, message):
    tar_with(tmp_path / "bad.tgz", name, kind)
    with pytest.raises(DataError, match=message):
        archives.extract(tmp_path / "bad.tgz", tmp_path / "out" / "here")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("filters", [True, False])
def test_a_tar_is_unpacked_with_and_without_pythons_filters(tmp_path, monkeypatch, filters):
    if not filters:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    tar_with(tmp_path / "good.tgz", "set/empty.txt")
    archives.extract(tmp_path / "good.tgz", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*.txt")] == ["empty.txt"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "C:/evil"])
def test_hostile_zip_members_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bundle:
        bundle.writestr(name, b"x")
    with pytest.raises(DataError, match="points outside"):
        archives.extract(tmp_path / "bad.zip", tmp_path / "out" / "here")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_zip_link_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bundle:
        member = zipfile.ZipInfo("link")
        member.external_attr = 0o120777 << 16
        bundle.writestr(member, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        archives.extract(tmp_path / "bad.zip", tmp_path / "out")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 100)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("zeros", b"0" * 1000)
    with pytest.raises(DataError, match="unpacks to more than 100 bytes"):
        archives.extract(tmp_path / "bomb.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_truncated_or_foreign_file_is_refused(tmp_path):
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(DataError, match="not a zip or tar"):
        archives.extract(tmp_path / "text.zip", tmp_path / "out")
    with tarfile.open(tmp_path / "cut.tgz", "w:gz") as bundle:
        member = tarfile.TarInfo("noise")
        member.size = 50_000
        bundle.addfile(member, io.BytesIO(os.urandom(50_000)))
    whole = (tmp_path / "cut.tgz").read_bytes()
    (tmp_path / "cut.tgz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut.tgz"):
        archives.extract(tmp_path / "cut.tgz", tmp_path / "out")


# -- sources -------------------------------------------------------------------------------------------


def serve(monkeypatch, tmp_path, kind, *served: tuple[bytes, str | None, str]):
    """Let ``kind`` download local files through pooch's own path: (content, checksum, folder at the top) of each."""
    retrieve = downloads.pooch.retrieve
    given = tuple(downloads.Archive(f"https://nowhere.invalid/{top}.zip", checksum, top) for _, checksum, top in served)
    content = {archive.url: data for archive, (data, *_) in zip(given, served, strict=True)}

    def local(url, **keywords):
        return retrieve(url, downloader=lambda _, target, __: Path(target).write_bytes(content[url]), **keywords)

    monkeypatch.setenv("VERYDEEP_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(downloads.pooch, "retrieve", local)
    monkeypatch.setattr(kind, "archives", given)


def zipped(folder, top: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                bundle.write(path, f"{top}/{path.relative_to(folder)}")
    return stream.getvalue()


def test_get_downloads_checks_and_unpacks(small, tmp_path, monkeypatch):
    archive = zipped(small.folder, "small")
    serve(monkeypatch, tmp_path, Small, (archive, f"sha256:{files.sha256_bytes(archive)}", "small"))
    got = Small().get()
    assert got == tmp_path / "data" / "small"
    assert [entry.name for entry in Small().entries()] == [entry.name for entry in small.entries()]
    assert sorted(path.name for path in got.parent.iterdir()) == ["downloads", "small"]
    assert sorted(path.name for path in (got.parent / "downloads").iterdir()) == [".small.lock", "small.zip"]


def test_data_sets_of_one_folder_are_unpacked_one_at_a_time(tmp_path, monkeypatch):
    """VOC-2012 and its actions: the second would clear away what the first is unpacking."""
    held = []
    monkeypatch.setenv("VERYDEEP_DATA", str(tmp_path))
    monkeypatch.setattr(downloads.locks, "hold", lambda path, _: held.append(path) or contextlib.nullcontext())
    (tmp_path / "VOC2012").mkdir()
    for name in ("voc2012", "voc2012-action"):
        downloads.download(name, (), tmp_path / "VOC2012", pytest.fail)
    assert len(held) == 2 and held[0] == held[1]


def test_a_download_with_another_checksum_is_refused(small, tmp_path, monkeypatch):
    serve(monkeypatch, tmp_path, Small, (zipped(small.folder, "small"), f"sha256:{'0' * 64}", "small"))
    with pytest.raises(DataError, match=r"download of https://nowhere.invalid/small.zip failed.*by hand"):
        Small().get()
    assert not (tmp_path / "data" / "small").exists()


class Pair(sources.ClassFolders):
    """Two classes from two archives whose bytes nobody vouches for, as `imagenet20` has twenty."""

    name, num_classes, counts = "pair", 2, {"train": 8, "val": 4}


def packed(tmp_path, source, **extra: bytes) -> list[tuple[bytes, None, str]]:
    """An archive for each class of ``source``; ``extra`` files go into both."""
    found = []
    for wnid in source.classes():
        top = tmp_path / f"packed-{wnid}"
        for split in ("train", "val"):
            shutil.copytree(source.folder / split / wnid, top / split / wnid)
        for name, data in extra.items():
            (top / name).write_bytes(data)
        found.append((zipped(top, f"repository-{wnid}"), None, f"repository-{wnid}"))
        shutil.rmtree(top)
    return found


def images_sha256(source) -> str:
    return base.images_sha256((entry.name, files.sha256_bytes(source.read(entry))) for entry in source.entries())


def test_two_archives_become_one_set_whose_images_have_the_checksum(small, tmp_path, monkeypatch):
    serve(monkeypatch, tmp_path, Pair, *packed(tmp_path, small))
    monkeypatch.setattr(Pair, "images_sha256", images_sha256(small))
    assert Pair().get() == tmp_path / "data" / "pair"
    assert [entry.name for entry in Pair().entries()] == [entry.name for entry in small.entries()]
    assert store.open_store(Pair()).counts() == small.counts
    serve(monkeypatch, tmp_path, Pair)  # nothing is served any more: what is there is used
    assert Pair().get() == tmp_path / "data" / "pair"


def test_the_checksum_of_images_is_what_sha256sum_prints(small):
    command = "find train val -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    done = subprocess.run(command, shell=True, cwd=small.folder, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == images_sha256(small)


def test_other_images_than_the_stated_ones_are_refused_wherever_they_come_from(small, tmp_path, monkeypatch):
    monkeypatch.setattr(Pair, "images_sha256", "0" * 64)
    serve(monkeypatch, tmp_path, Pair, *packed(tmp_path, small))
    with pytest.raises(DataError, match=f"pair: was downloaded, but .*{images_sha256(small)}, 0+ expected"):
        Pair().get()
    left = {path.name for path in (tmp_path / "data").rglob("*")}
    assert left == {"downloads", ".pair.lock"}, "what has no checksum is fetched anew the next time"
    with pytest.raises(DataError, match=f"{small.folder}: .*0+ expected; remove it and run: verydeep data get pair"):
        store.open_store(Pair(small.folder))


def test_a_full_disk_costs_no_download(small, tmp_path, monkeypatch):
    """The archive was taken for a bad one, and one without a checksum of its own was removed."""
    serve(monkeypatch, tmp_path, Pair, *packed(tmp_path, small))
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "n01_0.JPEG")
    monkeypatch.setattr(archives.zipfile.ZipFile, "extractall", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(StorageError, match="cannot be written: No space left on device"):
        Pair().get()
    assert len(list((tmp_path / "data" / "downloads").glob("*.zip"))) == 2 and not (tmp_path / "data" / "pair").exists()


def test_archives_that_hold_the_same_file_are_refused(small, tmp_path, monkeypatch):
    serve(monkeypatch, tmp_path, Pair, *packed(tmp_path, small, README=b"which?"))
    with pytest.raises(DataError, match=r"repository-n02.zip: holds README, as another archive of the set does"):
        Pair().get()
    assert not (tmp_path / "data" / "pair").exists()


def test_imagenet20_has_its_classes_in_the_stated_order(tmp_path):
    known = sources.Imagenet20.class_names
    assert list(known) == sorted(known) and len(set(known.values())) == sources.Imagenet20.num_classes == 20
    for wnid in known:
        (tmp_path / "train" / wnid).mkdir(parents=True)
    found = sources.Imagenet20(tmp_path)
    assert found.classes() == list(known) and found.words() == list(known.values())
    (tmp_path / "train" / "n01440764").rename(tmp_path / "train" / "n01440765")
    with pytest.raises(DataError, match="train/n01440765: no class of imagenet20"):
        found.words()


@pytest.mark.data
def test_imagenet20_is_the_stated_images():
    """The true images, where they are: their counts, their checksum, and which of them stand there twice."""
    found = sources.source("imagenet20")
    if not found.folder.is_dir():
        pytest.skip(f"imagenet20 is not at {found.folder}; verydeep data get imagenet20")
    every = list(found.entries())
    assert {split: sum(entry.split == split for entry in every) for split in found.counts} == found.counts
    hashes = {entry.name: files.sha256_bytes(found.read(entry)) for entry in every}
    assert base.images_sha256(hashes.items()) == found.images_sha256
    assert len(hashes) - len(set(hashes.values())) == 3
    assert len({Path(name).name for name in hashes}) == len(hashes), "no image stands in both sets under one name"
    sample = [decode(found.read(entry), entry.name).shape for entry in every[::500]]
    assert set(sample) == {(*found.shape, 3)}


def test_imagenet_says_how_to_place_it(tmp_path):
    with pytest.raises(DataError, match=r"Register at https://image-net.org.*val/<wnid>"):
        sources.source("imagenet", tmp_path / "absent").get()


def test_absent_data_names_the_command(tmp_path):
    with pytest.raises(DataError, match="run: verydeep data get tiny-imagenet"):
        store.open_store(sources.source("tiny-imagenet", tmp_path / "absent"))
    with pytest.raises(UnknownName, match="unknown data set 'cifar'"):
        sources.source("cifar")


def test_tiny_imagenet_reads_the_official_layout(tiny):
    entries = list(tiny.entries())
    assert tiny.classes() == ["n01", "n02"]
    assert tiny.words() == ["goldfish", "bee"]
    assert [(e.split, e.label) for e in entries] == [("train", 0)] * 4 + [("train", 1)] * 4 + [("val", 0)] * 2 + [
        ("val", 1)
    ] * 2
    assert entries[-1].name == "val/images/val_3.JPEG"


def test_digits_are_the_shipped_images():
    digits = sources.source("digits")
    entries = list(digits.entries())
    first = decode(digits.read(entries[0]), entries[0].name)
    assert len(entries) == 1797 and first.shape == (8, 8, 3) and first.max() == 255
    shipped, (images, labels) = load_digits(), sources._digits()
    assert images.dtype == shipped.images.dtype and np.array_equal(images, shipped.images)
    assert np.array_equal(labels, shipped.target)


# -- images --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (200, 30, 60)), ("L", 90), ("CMYK", (10, 200, 150, 20))])
def test_every_colour_mode_becomes_rgb(mode, colour):
    flat = Image.new(mode, (50, 40), colour)
    found = decode(saved(flat, "JPEG", quality=95), "x.jpg")
    assert found.shape == (40, 50, 3) and np.abs(found.astype(int) - np.asarray(flat.convert("RGB"))).max() <= 4


def saved(image: Image.Image, kind: str, **how) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def test_odd_images_that_imagenet_has_are_read_as_they_are_stored():
    """The accepted half of the bad inputs in tests/faults: each with what becomes of it."""
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    plain = Image.fromarray(pixels)
    assert np.array_equal(decode(saved(plain, "PNG"), "really-a-png.JPEG"), pixels)
    transparent = plain.convert("RGBA")
    transparent.putalpha(7)
    assert np.array_equal(decode(saved(transparent, "PNG"), "x.png"), pixels)
    palette = plain.quantize(16)
    assert np.array_equal(decode(saved(palette, "PNG"), "x.png"), np.asarray(palette.convert("RGB")))
    turned = Image.Exif()
    turned[0x0112] = 6  # turn by 90 degrees when shown
    assert decode(saved(plain, "JPEG", exif=turned), "x.JPEG").shape == (40, 50, 3)
    both_eyes = decode(saved(plain, "MPO", save_all=True, append_images=[plain]), "x.JPEG")
    assert np.array_equal(both_eyes, decode(saved(plain, "JPEG"), "x.JPEG"))


def test_sixteen_bit_colour_keeps_its_high_byte():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = np.array([[[0x1234, 0xABCD, 0x00FF], [0xFFFF, 0, 0x8000]]], dtype=">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.array_equal(decode(data, "x.png"), (pixels >> 8).astype(np.uint8))


@pytest.mark.parametrize("data", [b"", b"not an image", jpeg()[:300]])
def test_an_unreadable_image_stops_with_its_path(data):
    with pytest.raises(DataError, match=r"train/n01/bad.JPEG: not a readable image"):
        decode(data, "train/n01/bad.JPEG")


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr("verydeep.data.images.MAX_PIXELS", 1000)
    with pytest.raises(DataError, match="64x64 pixels, more than 1000"):
        decode(jpeg(), "bomb.JPEG")


# -- store ---------------------------------------------------------------------------------------------


def test_the_store_holds_every_image_unchanged(small, tiny):
    for source in (small, tiny):
        opened = store.open_store(source)
        assert opened.counts() == source.counts
        for row, entry in enumerate(source.entries()):
            assert np.array_equal(opened.image(row), decode(source.read(entry), entry.name))
            assert opened.manifest["sha256"][row] == files.sha256_bytes(source.read(entry))


def test_the_store_is_built_once_and_again_when_the_files_change(small):
    first = store.open_store(small)
    written = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    again = store.open_store(small)
    assert (again.folder, again.manifest_sha256) == (first.folder, first.manifest_sha256)
    assert {path.name: path.stat().st_mtime_ns for path in again.folder.iterdir()} == written
    (small.folder / "train/n01/n01_0.JPEG").rename(small.folder / "train/n01/n01_9.JPEG")
    assert store.open_store(small).manifest_sha256 != first.manifest_sha256


def test_a_corrupt_image_stops_with_its_path_and_leaves_no_store(tiny, checkout):
    path = tiny.folder / "train/n02/images/n02_1.JPEG"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=str(path)):
        store.open_store(tiny)
    assert [path.name for path in (checkout / "artifacts" / "data").iterdir()] == [".tiny-imagenet.lock"]


def test_missing_images_are_counted(small):
    (small.folder / "val/n02/n02_1.JPEG").unlink()
    with pytest.raises(DataError, match=r"should hold .*'val': 4.* found .*'val': 3"):
        store.open_store(small)


def test_a_split_that_is_not_sorted_into_classes_is_said_before_anything_is_read(small):
    """As ILSVRC's archives unpack: validation images in one folder, training images in an archive for each class."""
    val = small.folder / "val"
    for path in list(val.glob("*/*")):
        path.rename(val / path.name)
    for folder in ("n01", "n02"):
        (val / folder).rmdir()
    with pytest.raises(DataError, match="val: 0 class folders, 2 expected; 4 files lie there .* such as n01_0.JPEG"):
        store.open_store(small)
    shutil.rmtree(val)
    again = f"val is not there; get small again: remove {small.folder} and run: verydeep data get small"
    with pytest.raises(DataError, match=again):
        store.open_store(small)
    shutil.rmtree(small.folder / "train/n02")
    (small.folder / "train/n02.tar").touch()
    with pytest.raises(DataError, match="train: 1 class folders, 2 expected; 1 archives to be unpacked .* as n02.tar"):
        store.open_store(small)


def test_splits_of_other_classes_are_refused(small):
    (small.folder / "val/n02").rename(small.folder / "val/n03")
    with pytest.raises(DataError, match="val/n02 is not there: val has other classes"):
        store.open_store(small)


def test_classes_with_too_few_or_too_many_images_are_named(small, monkeypatch):
    monkeypatch.setattr(Small, "class_sizes", {"train": (2, 4), "val": (2, 2)})
    (small.folder / "val/n02/n02_1.JPEG").unlink()
    with pytest.raises(DataError, match=r"'val': 3\}; val/n02 has 1$"):
        store.open_store(small)
    assert sources.Imagenet.class_sizes["val"] == (50, 50) and sources.Imagenet.counts["val"] == 50 * 1000


def test_a_disk_with_too_little_room_is_said_before_the_store_is_begun(small, checkout, monkeypatch):
    whole = sum(path.stat().st_size for path in small.folder.rglob("*.JPEG"))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(prospect.shutil, "disk_usage", lambda folder: usage(whole, 1, whole - 1))
    with pytest.raises(DataError, match=r"artifacts/data: the store of small takes 0.0 MiB, and .* VERYDEEP_"):
        store.open_store(small)
    assert [path.name for path in (checkout / "artifacts" / "data").iterdir()] == [".small.lock"]
    monkeypatch.setattr(prospect.shutil, "disk_usage", lambda folder: usage(whole, 0, whole))
    opened = store.open_store(small)
    assert (opened.folder / "images.bin").stat().st_size == whole == prospect.require_room(
        small, list(small.entries()), opened.folder
    )  # fmt: skip


def test_a_large_set_says_how_long_and_how_large_before_it_is_stored(small, monkeypatch, capsys):
    store.open_store(small)
    assert capsys.readouterr().out == ""
    shutil.rmtree(store.open_store(small).folder)
    monkeypatch.setattr(store, "DECODED_IMAGES", 11)
    store.open_store(small)
    said = r"small: 12 images are stored once, 0\.\d MiB in artifacts/data/small; about 0 s by .*\n"
    assert re.fullmatch(said, capsys.readouterr().out)


def test_the_time_of_a_set_is_that_of_a_sample(monkeypatch):
    tried, clock = [], iter([10.0, 12.0])
    monkeypatch.setattr(prospect.time, "monotonic", lambda: next(clock))
    entries = list(range(1024))
    assert prospect.seconds(tried.append, entries) == 2.0 * 1024 / prospect.SAMPLED
    assert len(tried) == prospect.SAMPLED and {row for row, _ in tried} >= {0, 1023}
    assert all(entries[row] == entry for row, entry in tried)


def test_images_that_are_there_twice_are_counted(small):
    # the fixture's validation images are the first training images of their class
    opened = store.open_store(small)
    assert opened.repeated() == {"images": 4, "classes": 0, "splits": 4}
    (small.folder / "val/n02/n02_0.JPEG").write_bytes((small.folder / "train/n01/n01_0.JPEG").read_bytes())
    (small.folder / "train/n01/n01_1.JPEG").write_bytes((small.folder / "train/n01/n01_2.JPEG").read_bytes())
    (opened.folder / "store.json").unlink()  # the names are the same: built anew
    assert store.open_store(small).repeated() == {"images": 3, "classes": 1, "splits": 2}


def test_names_with_quotes_and_commas_are_names_like_others(small):
    odd = 'train/n01/say "a, b"; it\'s ünïcode.JPEG'
    (small.folder / "train/n01/n01_0.JPEG").rename(small.folder / odd)
    opened = store.open_store(small)
    assert odd in opened.manifest["name"].tolist() and integrity.verify(small) == opened.manifest_sha256


@pytest.mark.parametrize("damage", [
    lambda folder: (folder / "store.json").write_text('{"format"'),
    lambda folder: (folder / "images.bin").write_bytes(b"short"),
    lambda folder: (folder / "manifest.parquet").unlink(),
], ids=["description", "images", "manifest"])  # fmt: skip
def test_a_damaged_store_is_built_again(small, damage):
    first = store.open_store(small)
    damage(first.folder)
    again = store.open_store(small)
    assert again.manifest_sha256 == first.manifest_sha256
    assert np.array_equal(again.image(5), decode(small.read(list(small.entries())[5]), "x"))


def test_what_a_killed_build_left_is_cleared_away(small):
    folder = store.open_store(small).folder
    left = folder.with_name(f".{folder.name}.abc.staging")
    left.mkdir()
    (folder / "store.json").unlink()
    store.open_store(small)
    assert not left.exists()


def test_every_download_has_a_checksum():
    """The archive itself, or where its server packs it anew from a fixed commit, the images inside.

    Of archives that could not be had here there is the md5 that torchvision states.
    """
    with_archives = [kind for kind in sources.SOURCES.values() if kind.archives]
    assert with_archives
    for kind in with_archives:
        for archive in kind.archives:
            if archive.checksum is None:
                assert re.search(r"/archive/[0-9a-f]{40}\.tar\.gz$", archive.url)
            checksum = archive.checksum or f"sha256:{kind.images_sha256}"
            assert re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", checksum), archive.url


def test_an_empty_class_is_named(small):
    for path in (small.folder / "val/n02").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="val/n02: class without an image"):
        store.open_store(small)


def test_verify_finds_a_changed_image(small):
    assert integrity.verify(small) == store.open_store(small).manifest_sha256
    path = small.folder / "train/n01/n01_2.JPEG"
    path.write_bytes(jpeg(70, 70, seed=99))
    with pytest.raises(DataError, match=f"{path}: content has changed"):
        integrity.verify(small)


def test_verify_finds_a_file_that_was_added_or_lost(small):
    """Before, the store was built anew, and every image matched it."""
    built = store.open_store(small).manifest_sha256
    path = small.folder / "train/n01/n01_2.JPEG"
    path.rename(path.with_name("n01_9.JPEG"))
    with pytest.raises(DataError, match=f"{path}: is no longer there since the store was built, 1 in all; restore"):
        integrity.verify(small)
    path.with_name("n01_9.JPEG").rename(path)
    assert integrity.verify(small) == built
    path.with_name("n01_9.JPEG").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="n01_9.JPEG: was added since the store was built, 1 in all"):
        integrity.verify(small)


def test_verify_finds_images_of_another_class_than_when_the_store_was_built(tiny):
    store.open_store(tiny)
    path = tiny.folder / "val" / "val_annotations.txt"
    lines = path.read_text().splitlines(keepends=True)
    before = next(line for line in lines if line.startswith("val_0."))
    other = before.replace("n01", "n02") if "n01" in before else before.replace("n02", "n01")
    path.write_text("".join(lines).replace(before, other))
    with pytest.raises(DataError, match="val_0.JPEG: is of another class or split than when the store was built, 1 in"):
        integrity.verify(tiny)


def test_another_copy_of_the_set_is_not_answered_from_the_store_of_the_first(small):
    """As originals and resized ones are of the same names: its pixels were those of the other."""
    built = store.open_store(small)
    for path in small.folder.rglob("*.JPEG"):
        path.write_bytes(jpeg(40, 40))
    with pytest.raises(DataError, match=rf"JPEG: content has changed .*\d now\); .*, delete {built.folder}, which is"):
        store.open_store(small)
    shutil.rmtree(built.folder)
    assert store.open_store(small).image(0).shape == (40, 40, 3)


def test_what_is_said_of_a_damaged_image_of_a_large_set_helps(small, monkeypatch):
    """Of such a set headers alone are looked at when it is stored, and its files are not read again."""
    monkeypatch.setattr(store, "DECODED_IMAGES", 0)
    monkeypatch.setattr(store, "STATISTICS_IMAGES", 1)
    path = small.folder / "train/n01/n01_1.JPEG"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    built = store.open_store(small)
    row = built.manifest["name"].tolist().index("train/n01/n01_1.JPEG")
    with pytest.raises(DataError, match=f"restore the file .*, and delete {built.folder}, which is then built anew"):
        built.image(row)
    path.write_bytes(whole)
    shutil.rmtree(built.folder)
    assert store.open_store(small).image(row).shape == decode(whole, "x").shape


def test_a_set_is_listed_once_where_its_store_is_there_and_once_where_it_is_built(small, monkeypatch):
    """A listing of ILSVRC takes a minute, at every start."""
    listed, entries = [], Small.entries
    monkeypatch.setattr(Small, "entries", lambda self: listed.append(1) or entries(self))
    store.open_store(small)
    store.open_store(small)
    assert len(listed) == 2


@pytest.mark.parametrize("kind", ["small", "tiny"])
def test_verify_finds_a_store_that_holds_another_image(request, kind):
    """A store is read instead of the files: a byte that its disk lost is one of what is trained on."""
    source = request.getfixturevalue(kind)
    path = store.open_store(source).folder / "images.bin"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path}: holds another image than .*; delete {path.parent}, which is then"):
        integrity.verify(source)


def test_colour_statistics_are_those_of_the_training_pixels(tiny):
    opened = store.open_store(tiny)
    pixels = np.stack([opened.image(row) for row in opened.rows("train")]).reshape(-1, 3).astype(float)
    found = opened.statistics
    assert np.allclose(found.mean, pixels.mean(0))
    covariance = np.cov(pixels.T, bias=True)
    vectors, values = np.array(found.eigenvectors), np.array(found.eigenvalues)
    assert np.allclose(vectors @ np.diag(values) @ vectors.T, covariance)
    assert found.deviation == pytest.approx(np.sqrt(np.trace(covariance) / 3))


def test_held_out_images_depend_on_names_alone(small):
    manifest = store.open_store(small).manifest
    chosen = store.held_out(manifest, 2)
    assert manifest.iloc[chosen]["split"].unique().tolist() == ["train"]
    assert manifest.iloc[chosen].groupby("label").size().tolist() == [2, 2]
    train = manifest[manifest["split"] == "train"]
    smallest = [sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:2]
                for _, names in train.groupby("label")["name"]]  # fmt: skip
    assert set(manifest.iloc[chosen]["name"]) == {name for names in smallest for name in names}
    shuffled = manifest.sample(frac=1, random_state=0).reset_index(drop=True)
    again = shuffled.iloc[store.held_out(shuffled, 2)]
    assert set(again["name"]) == set(manifest.iloc[chosen]["name"])
    with pytest.raises(DataError, match="smallest class has 4"):
        store.held_out(manifest, 4)


# -- views ---------------------------------------------------------------------------------------------


def test_rescaling_keeps_the_aspect_ratio():
    assert views.scaled_size(60, 90, 30) == (30, 45)
    assert views.scaled_size(90, 60, 30) == (45, 30)
    assert views.scaled_size(64, 64, 96) == (96, 96)
    assert views.scaled_size(500, 375, 256) == (341, 256)


@pytest.mark.parametrize("shape", [(64, 64), (60, 90), (300, 200)])
@pytest.mark.parametrize("shorter", [48, 64, 100])
def test_a_crop_of_the_rescaled_image_is_that_crop(shape, shorter):
    image = decode(jpeg(*shape), "x")
    whole = views.rescale(image, shorter)
    assert whole.shape[:2] == views.scaled_size(*shape, shorter)
    for top, left in ((0, 0), (5, 3), (whole.shape[0] - 32, whole.shape[1] - 32)):
        crop = views.crop_of_rescaled(image, shorter, top, left, 32, 32).astype(int)
        assert np.abs(crop - whole[top : top + 32, left : left + 32]).max() <= 2


def test_draws_are_a_function_of_seed_and_epoch():
    same, again = views.draw_epoch(1, 2, 50), views.draw_epoch(1, 2, 50)
    assert np.array_equal(same.order, again.order) and np.array_equal(same.colour, again.colour)
    for other in (views.draw_epoch(1, 3, 50), views.draw_epoch(2, 2, 50)):
        assert not np.array_equal(same.top, other.top)
    assert sorted(same.order) == list(range(50))


@pytest.fixture
def opened(tiny) -> store.Store:
    return store.open_store(tiny)


@pytest.mark.parametrize(("unit_variance", "divisor"), [(False, 1.0), (True, 60.0)])
def test_pixels_are_divided_only_where_the_recipe_of_the_record_says_so(unit_variance, divisor):
    recorded = store.ColourStatistics((1.0, 2.0, 3.0), 60.0, (0.0,) * 3, ((0.0,) * 3,) * 3, 1)
    assert Normaliser.measured(recorded.mean, recorded.deviation, unit_variance).divisor == divisor


def test_scale_crop_and_flip_are_drawn_evenly_from_all_there_are(opened):
    """S from the least to the most of the range, both included, and a crop from edge to edge, by the places drawn."""
    n, view = 20_000, views.TrainingViews(56, 64, 128, flip=True)
    draws = views.draw_epoch(0, 0, n)
    places = [view.place((60, 90), draws, i) for i in range(n)]
    scales, counts = np.unique([place.height for place in places], return_counts=True)
    assert scales.tolist() == list(range(64, 129))
    assert np.abs(counts - n / 65).max() < 5 * np.sqrt(n / 65)
    assert {place.width for place in places if place.height == 100} == {150}
    smallest = [place for place in places if place.height == 64]
    assert {place.top for place in smallest} == set(range(64 - 56 + 1))
    assert {place.left for place in smallest} == set(range(96 - 56 + 1))
    tops, lefts = np.array([(place.top / (place.height - 56), place.left / (place.width - 56)) for place in places]).T
    mirrored = np.array([place.mirrored for place in places])
    assert abs(mirrored.mean() - 0.5) < 0.02
    drawn = np.corrcoef([[place.height for place in places], tops, lefts, mirrored])
    assert np.abs(drawn - np.eye(4)).max() < 0.03, "each draw is of its own"
    assert view(opened.image(0), draws, 0).shape == (56, 56, 3)


@pytest.mark.parametrize(("asked", "expected"), [
    ((256, 224, 5, "edges"), [0, 8, 16, 24, 32]),
    ((45, 32, 5, "edges"), [0, 3, 7, 10, 13]),  # 3.25, 6.5 and 9.75: a half goes up
    ((40, 32, 1, "edges"), [4]),
    ((256, 224, 5, "cells"), [3, 10, 16, 22, 29]),  # 3.2, 9.6, 16, 22.4 and 28.8
    ((32, 32, 5, "cells"), [0] * 5),
])  # fmt: skip
def test_a_grid_of_crops_by_hand(asked, expected):
    assert views.grid_positions(*asked) == expected


def test_the_longer_side_is_rounded_as_asked():
    """Of 60x91 at 33 it would be 50.05, of 60x89 48.95."""
    asked = [(width, how) for width in (91, 89) for how in ("round", "floor", "ceil")]
    assert [views.scaled_size(60, width, 33, how)[1] for width, how in asked] == [50, 50, 51, 49, 48, 49]


@pytest.mark.parametrize(("shape", "shorter"), [((300, 200), 64), ((60, 90), 100)])
def test_without_antialiasing_it_is_the_plain_resize_of_torch(shape, shorter):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    found = views.rescale(image, shorter, antialias=False)
    given = torch.from_numpy(image).permute(2, 0, 1)[None].double()
    size = views.scaled_size(*shape, shorter)
    expected = torch.nn.functional.interpolate(given, size, mode="bilinear", align_corners=False)
    assert np.abs(found.transpose(2, 0, 1) - expected[0].numpy()).max() < 1.01  # Pillow cuts fractions off


def test_the_flip_mirrors_the_same_crop(opened):
    draws = views.draw_epoch(0, 0, 200)
    flipped = int(np.flatnonzero(draws.flip < 0.5)[0])
    kept = int(np.flatnonzero(draws.flip >= 0.5)[0])
    plain, mirrored = views.TrainingViews(56, 64, 64, False), views.TrainingViews(56, 64, 64, True)
    image = opened.image(0)
    assert np.array_equal(mirrored(image, draws, flipped), plain(image, draws, flipped)[:, ::-1])
    assert np.array_equal(mirrored(image, draws, kept), plain(image, draws, kept))


def test_a_stretched_crop_is_that_rectangle_of_the_image_resized():
    """Of any area from 8 to 100 % and any aspect from 3:4 to 4:3, wherever it fits, as Pillow resizes it."""
    n, (height, width) = 2000, (200, 300)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    draws, view = views.draw_epoch(0, 0, n), views.TrainingViews(56, 64, 64, flip=True, resized=True)
    areas, aspects = [], []
    for i in range(n):
        place = view.place((height, width), draws, i)
        rows, columns = round(height * 56 / place.height), round(width * 56 / place.width)
        top, left = round(place.top * rows / 56), round(place.left * columns / 56)
        assert 0 <= top <= height - rows and 0 <= left <= width - columns
        areas.append(rows * columns / (height * width)), aspects.append(columns / rows)
        if i < 20:
            box = (left, top, left + columns, top + rows)
            expected = np.asarray(Image.fromarray(image).resize((56, 56), Image.Resampling.BILINEAR, box=box))
            found = views.cut(image, place)
            found = found[:, ::-1] if place.mirrored else found
            assert np.abs(found.astype(int) - expected).max() <= 1
    whole = np.array(areas) < 0.6  # larger ones may be cut at a side of the image
    assert 0.079 < min(areas) < 0.1 and max(areas) > 0.9
    assert abs(np.mean(np.log(np.array(aspects)[whole]))) < 0.02
    assert 0.74 < np.array(aspects)[whole].min() < 0.77 and 1.3 < np.array(aspects)[whole].max() < 1.36


def test_a_draw_that_came_later_changes_none_of_the_others():
    """The draws of an epoch as they were before crops could be stretched: a recorded run comes again to the bit."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([3, 2])))
    uniform, colour = generator.random((4, 50), dtype=np.float32), generator.standard_normal((50, 3), dtype=np.float32)
    draws = views.draw_epoch(3, 2, 50)
    found = (draws.scale, draws.top, draws.left, draws.flip)
    assert np.array_equal(uniform, found) and np.array_equal(colour, draws.colour)
    assert np.array_equal(draws.order, generator.permutation(50))
    assert draws.aspect.shape == (50,) and draws.aspect.min() >= 0 and draws.aspect.max() < 1


def test_processes_share_out_the_very_batches_of_one(opened):
    rows, draws = opened.rows("train"), views.draw_epoch(5, 1, 8)
    view = views.TrainingViews(56, 64, 128, True)
    whole = views.TrainingBatches(opened, rows, view, draws, 4, 0, 1)
    parts = [views.TrainingBatches(opened, rows, view, draws, 4, part, 2) for part in (0, 1)]
    assert len(whole) == 2
    for k in range(len(whole)):
        together = [part[k] for part in parts]
        assert np.array_equal(np.concatenate([b.images for b in together]), whole[k].images)
        assert np.array_equal(np.concatenate([b.labels for b in together]), whole[k].labels)
        assert np.array_equal(np.concatenate([b.colour for b in together]), whole[k].colour)


@pytest.mark.parametrize(("scales", "shared_out"), [((64, 64), False), ((64, 128), True), ((80, 80), True)])
def test_views_that_are_rescaled_are_made_by_all_cores_and_are_the_same(opened, monkeypatch, scales, shared_out):
    rows, draws = opened.rows("train"), views.draw_epoch(5, 1, 8)
    view, pooled = views.TrainingViews(56, *scales, True), []
    monkeypatch.setattr(views, "prepared", lambda prepare, items: pooled.append(1) or prepared(prepare, items))
    batch = views.TrainingBatches(opened, rows, view, draws, 8, 0, 1)[0]
    assert bool(pooled) is shared_out
    alone = [view(opened.image(rows[i]), draws, i) for i in draws.order[:8]]
    assert np.array_equal(batch.images, alone)
    monkeypatch.setattr(views, "get_worker_info", object)  # one of several worker processes: each has its own core
    assert np.array_equal(views.TrainingBatches(opened, rows, view, draws, 8, 0, 1)[0].images, alone)
    assert len(pooled) == shared_out


def test_colour_shift_is_along_the_principal_axes(opened):
    normals = np.random.default_rng(0).standard_normal((20000, 3)).astype(np.float32)
    shifts = views.colour_shifts(opened.statistics, normals, 0.1)
    values, vectors = np.array(opened.statistics.eigenvalues), np.array(opened.statistics.eigenvectors)
    along = shifts @ vectors
    assert np.allclose(along.std(0), 255 * 0.1 * values / 255**2, rtol=0.03)
    assert np.all(views.colour_shifts(opened.statistics, normals, 0.0) == 0)


def test_the_manifest_hash_covers_every_field(opened):
    manifest: pd.DataFrame = opened.manifest
    for column, value in {"label": 1, "name": "other", "sha256": "0", "split": "val"}.items():
        changed = manifest.copy()
        changed.loc[0, column] = value
        assert store.manifest_sha256(changed) != opened.manifest_sha256


def test_what_desktops_leave_in_a_data_set_is_passed_over_and_everything_else_is_named(tmp_path):
    world = World.new(tmp_path / "world")
    for make, kind in ((small_sets.make, small_sets.Small), (small_sets.make_tiny, small_sets.SmallTiny)):
        folder = make(world)
        before = list(kind(folder).entries())
        for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            for name in (".DS_Store", "._n01_0.JPEG", "Thumbs.db", "desktop.ini", "__MACOSX/a.JPEG"):
                (place / name).parent.mkdir(exist_ok=True)
                (place / name).write_bytes(b"\x00")
        assert list(kind(folder).entries()) == before
        assert kind(folder).classes() == ["n01", "n02"]
    stray = world.data / "small" / "train" / "n01" / "list.txt"
    stray.write_text("x")
    with pytest.raises(DataError, match=r"train/n01/list.txt: not an image; small has nothing else there, remove it"):
        list(small_sets.Small(world.data / "small").entries())
    stray.unlink()
    (world.data / "small" / "train" / "spare").mkdir()
    with pytest.raises(DataError, match=r"3 class folders, 2 expected; spare has no name of WordNet's: remove it\?"):
        small_sets.Small(world.data / "small").classes()
