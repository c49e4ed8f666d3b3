"""Boxes as data sets state them, read with care: every fault is one line with the file and the reason (Appendix A).

A box is (left, top, right, bottom), in parts of its image's width and height. Data sets name the first and the last row
and column of pixels that belong to the object, so a box ends one pixel further, as in ILSVRC's development kit.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from verydeep.errors import DataError, in_one_line

#: Those of ILSVRC are below twenty kilobytes.
MAX_XML_BYTES = 1_000_000
_WHOLE = re.compile("-?[0-9]+")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class Annotation(NamedTuple):
    """The boxes of one image: its name in the data set, and its boxes, in parts of its width and height."""

    name: str
    boxes: tuple[tuple[float, float, float, float], ...]


def box(corners: list[str] | tuple, size: tuple[int, int], where: str, beyond: int = 0) -> tuple[float, ...]:
    """A box from the first and last pixels (left, top, right, bottom) that belong to it.

    Parameters
    ----------
    corners
        Four whole numbers, or what a file has in their place.
    size
        (width, height) of the image in pixels.
    where
        File and line, for the message.
    beyond
        By how many pixels it may reach out of the image on the right and below, where it is cut.

    Raises
    ------
    DataError
        When they are no four whole numbers, negative, outside the image or of an empty box.
    """
    left, top, right, bottom = _whole(corners, where)
    (width, height), shown = size, f"the box {left} {top} {right} {bottom}"
    if min(left, top) < 0:
        raise DataError(f"{where}: {shown} begins outside the image")
    if right >= width + beyond or bottom >= height + beyond:
        raise DataError(f"{where}: {shown} ends outside the image of {width}x{height} pixels")
    right, bottom = min(right + 1, width), min(bottom + 1, height)
    if right <= left or bottom <= top:
        raise DataError(f"{where}: {shown} is empty")
    return left / width, top / height, right / width, bottom / height


def clipped(corners: list[str], size: tuple[int, int], where: str) -> tuple[float, ...] | None:
    """A box as :func:`box` makes it, of corners drawn by hand: cut at the border, from whichever corner it was drawn.

    ``None`` for one that lies outside the image. Raises where they are no four whole numbers.
    """
    x0, y0, x1, y1 = _whole(corners, where)
    (left, right), (top, bottom), (width, height) = sorted((x0, x1)), sorted((y0, y1)), size
    inside = max(left, 0), max(top, 0), min(right, width - 1), min(bottom, height - 1)
    return box(inside, size, where) if inside[0] <= inside[2] and inside[1] <= inside[3] else None


def _whole(corners: list[str] | tuple, where: str) -> list[int]:
    try:
        if any(isinstance(corner, str) and not _WHOLE.fullmatch(corner.strip()) for corner in corners):
            raise ValueError  # int() would take 1_0, and digits of other scripts
        left, top, right, bottom = (int(corner) for corner in corners)
    except (TypeError, ValueError):
        raise DataError(f"{where}: {' '.join(map(str, corners))!r} are no four whole numbers of a box") from None
    return [left, top, right, bottom]


def one_for_each(listed: dict[str, tuple], images: list[str], path: Path) -> Iterator[Annotation]:
    """The annotation of each of ``images``, when the file at ``path`` lists boxes for them all and for no others."""
    there = set(images)
    if strange := next((name for name in listed if name not in there), None):
        raise DataError(f"{path}: has a box for {strange}, which is not there")
    for name in images:
        if name not in listed:
            raise DataError(f"{path}: has no box for {name}")
        yield Annotation(name, (listed[name],))


def from_xml(path: Path, name: str) -> Annotation:
    """The boxes of one image of ILSVRC from its XML file: several where it shows several objects of its class.

    Some of its annotators drew beyond the image, or from the lower right corner: boxes are :func:`clipped`, and one
    that lies outside is none. Some files count pixels from one, so that their last is one beyond the size.

    Entities and external files, by which a small file becomes a large one or reads another, are refused.

    Raises
    ------
    DataError
        When it is missing, too large, no XML of this form, or a box is no four whole numbers.
    """
    root = read_xml(path)
    size = size_in(root, path)
    elements = root.findall("object/bndbox")
    if not elements:
        raise DataError(f"{path}: has no box")
    boxes = (clipped([element.findtext(corner) for corner in _CORNERS], size, str(path)) for element in elements)
    return Annotation(name, tuple(one for one in boxes if one))


def read_xml(path: Path) -> Element:
    """The root of an XML file that states boxes; raises as :func:`from_xml`."""
    try:
        if path.stat().st_size > MAX_XML_BYTES:
            raise DataError(f"{path}: larger than {MAX_XML_BYTES} bytes; boxes of one image are not")
        return fromstring(path.read_bytes(), forbid_dtd=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); restore it") from None
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise DataError(f"{path}: not the XML of boxes ({in_one_line(error)})") from None


def size_in(root: Element, path: Path) -> tuple[int, int]:
    """The (width, height) of its image that an annotation states; raises as :func:`from_xml`."""
    width, height = (root.findtext(f"size/{side}") or "" for side in ("width", "height"))
    if not all(re.fullmatch("0*[1-9][0-9]{0,8}", side) for side in (width, height)):
        raise DataError(f"{path}: states no size of its image")
    return int(width), int(height)


def around_ink(image: np.ndarray, name: str) -> Annotation:
    """The box around what is drawn on a black ground: grey values (height, width) of at least half the largest.

    Raises
    ------
    DataError
        When nothing is drawn.
    """
    inked = image >= max(1, int(image.max()) / 2)
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if not len(rows):
        raise DataError(f"{name}: an empty image has no box")
    height, width = image.shape
    return Annotation(name, (box((columns[0], rows[0], columns[-1], rows[-1]), (width, height), name),))
