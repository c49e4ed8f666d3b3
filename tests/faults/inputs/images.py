"""Images that are none, or not what they seem."""

import io
import os
import re
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from faults import small
from faults.cases import Entry, call, case
from faults.world import World


def image_case(name: str, says: str, make: Callable[[], bytes], file: str = "train/n01/train_n01_1.JPEG"):
    @case("image", name, rf"error: .*{re.escape(file)}: {says}")
    def add(world: World) -> Entry:
        (small.make(world) / file).write_bytes(make())
        return ["data", "verify", "small"]


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 2.5 thousand megapixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
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
image_case("JPEG cut short", "not a readable image .*truncated", lambda: small.encoded()[:900])
image_case("PNG cut short", "not a readable image", lambda: small.encoded("PNG")[:900])
image_case("JPEG with zeros in its middle", "not a readable image", lambda: small.encoded()[:20] + bytes(400))
image_case("decompression bomb", "not a readable image .*decompression bomb", bomb)
image_case("PostScript, which would be run", "not a readable image", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n" + b" " * 200)
image_case("SVG", "not a readable image", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>")
image_case("grey with 16 bits", "an image of mode I;16", lambda: deep("PNG", np.uint16, "I;16"))
image_case("floating point", "an image of mode F", lambda: deep("TIFF", np.float32, "F"))
image_case("animated GIF", "3 frames", lambda: frames("GIF"))
image_case("animated PNG", "3 frames", lambda: frames("PNG"))
image_case("TIFF of several pages", "3 frames", lambda: frames("TIFF"))
image_case("damaged validation image", "not a readable image", lambda: small.encoded()[:900], "val/n02/val_n02_0.JPEG")


@case("image", "named pipe", r"error: .*train_n01_1.JPEG: not a file")
def _pipe(world):
    path = small.make(world) / "train/n01/train_n01_1.JPEG"
    path.unlink()
    os.mkfifo(path)
    return ["data", "verify", "small"]


@case("image", "folder with an image's name", r"error: .*train_n01_1.JPEG: not a file")
def _folder(world):
    path = small.make(world) / "train/n01/train_n01_1.JPEG"
    path.unlink()
    path.mkdir()
    return ["data", "verify", "small"]


@case("image", "link to nowhere", r"error: .*train_n01_1.JPEG: cannot be read \(No such file")
def _dangling(world):
    path = small.make(world) / "train/n01/train_n01_1.JPEG"
    path.unlink()
    path.symlink_to(world.data / "nowhere.JPEG")
    return ["data", "verify", "small"]


@case("image", "another size in a set of one size", r"error: .*n01_1.JPEG: \(32, 64\) pixels, \(64, 64\) expected")
def _size(world):
    (small.make_tiny(world) / "train/n01/images/n01_1.JPEG").write_bytes(small.encoded(size=(32, 64)))
    return ["data", "verify", "small-tiny"]


@case("image", "changed since it was stored", r"error: .*train_n02_0.JPEG: content has changed")
def _changed(world):
    folder = small.make(world)
    call(["data", "verify", "small"])
    (folder / "train/n02/train_n02_0.JPEG").write_bytes(small.encoded(size=(60, 70), seed=99))
    return ["data", "verify", "small"]
