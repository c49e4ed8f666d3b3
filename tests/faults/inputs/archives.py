"""Archives that would write where they must not, or more than they should."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from faults import small
from faults.cases import Entry, case, with_changed
from faults.world import World
from verydeep import files
from verydeep.data import downloads


def archive_case(what: str, says: str, make: Callable[[], bytes]):
    """The archive lies where the download would have put it, and its checksum is right."""

    @case("archive", what, rf"error: .*small.zip: .*({says})")
    def add(world: World) -> Entry:
        data = make()
        downloads = world.data / "downloads"
        downloads.mkdir()
        (downloads / "small.zip").write_bytes(data)
        checksum = f"sha256:{files.sha256_bytes(data)}"
        archives = (replace(small.Small.archives[0], checksum=checksum),)
        return with_changed(small.Small, "archives", archives, ["data", "get", "small"])


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
        retrieve = downloads.pooch.core.retrieve
        give = lambda _, target, __: Path(target).write_bytes(zipped())  # noqa: E731
        return retrieve(url, known_hash=f"sha256:{'0' * 64}", fname=fname, path=path, downloader=give)

    (world.data / "downloads").mkdir()
    return with_changed(downloads.pooch, "retrieve", other, ["data", "get", "small"])
