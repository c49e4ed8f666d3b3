"""The ways of testing a network (Sect. 3.2, A.1), and which of them each network is tested in (Sect. 4.1-4.3, A.2).

Test scales Q are in the paper's pixels; a study divides them by its own divisor.
"""

import re
from dataclasses import dataclass
from functools import cache

from verydeep import paper
from verydeep.errors import UnknownName
from verydeep.networks.published import AUTHORS
from verydeep.studies.localisation import OVERLAP
from verydeep.studies.parts import PAPER_SCALES, RELEASED
from verydeep.studies.plan import Run

#: What each method is, in words for a table.
METHODS = {
    "centre-crop": "one crop, the image's centre, without its mirror image",
    "dense": "the whole image and its mirror image, score map averaged",
    "multi-crop": "a grid of crops and their mirror images",
    "both": "the average of dense and multi-crop",
}
#: What each method of testing a network that gives boxes is, in words for a table (A.1).
BOX_METHODS = {
    "centre-boxes": "one crop, the image's centre; the box of the true class",
    "dense-boxes": "the whole image, boxes merged; those of the five best classes",
    "true-dense-boxes": "the whole image, boxes merged; the box of the true class",
}
#: What needs no network, for one or for five classes an image; the boxes are known from the training images alone.
BASELINES = {
    "whole-image": "the whole image",
    "mean-box": "the mean box of the training images",
    "class-mean-box": "the mean box of the class's training images",
}
#: Before a baseline's name: that the true class is given.
GIVEN = "true-"
#: The methods of Table 5, in its order.
SEVERAL = ("dense", "multi-crop", "both")

#: What the same crop averaged with its mirror image is called: the fair partner of dense testing, which has both.
MIRRORED_CENTRE = "centre crop and its mirror image"

# torchvision tests on the centre crop at 256; its training crops have sizes of a range like the paper's jitter. The
# authors say that theirs are the networks trained with jitter (https://gist.github.com/ksimonyan/211839e770f7b538e2d8).
_TORCHVISION_SINGLE, _RELEASED_LIKE = 256, "jitter"


@dataclass(frozen=True)
class Measurement:
    """One way of testing: a method of :data:`METHODS` at one or several test scales Q."""

    method: str
    test_scales: tuple[int, ...]

    @classmethod
    def named(cls, name: str) -> "Measurement":
        """The measurement of this :attr:`name`."""
        method, _, scales = name.rpartition("-")
        if not re.fullmatch(r"[0-9]+(\+[0-9]+)*", scales):
            return cls(name, ())
        return cls(method, tuple(int(scale) for scale in scales.split("+")))

    @property
    def name(self) -> str:
        """``dense-256``, ``both-256+384+512``; the method alone where it looks at no image."""
        return "-".join(filter(None, (self.method, "+".join(map(str, self.test_scales)))))

    @property
    def merges_boxes(self) -> bool:
        """Whether the boxes of many windows of an image are merged (A.1)."""
        return self.method.removeprefix(GIVEN) == "dense-boxes"

    @property
    def passes(self) -> tuple["Measurement", ...]:
        """The measurements at one scale by one method that it rests on.

        It averages their posteriors with equal weight, or merges their boxes.
        """
        methods = {"both": ("dense", "multi-crop"), "true-dense-boxes": ("dense-boxes",)}.get(
            self.method, (self.method,)
        )
        return tuple(Measurement(method, (scale,)) for method in methods for scale in self.test_scales)


@cache
def single_scale(train_scale: str) -> int:
    """Q of single-scale testing: S, or the middle of its range (Sect. 4.1, as Table 3 prints it)."""
    if train_scale in RELEASED:
        return single_scale(_RELEASED_LIKE) if train_scale == AUTHORS else _TORCHVISION_SINGLE
    return int(_printed(3)[train_scale])


@cache
def several_scales(train_scale: str) -> tuple[int, ...]:
    """The Qs of multi-scale testing (Sect. 4.2, as Table 4 prints them)."""
    if train_scale in RELEASED:
        return several_scales(_RELEASED_LIKE)
    return tuple(int(scale) for scale in _printed(4)[train_scale].split(";"))


def _printed(table: int) -> dict[str, str]:
    rows = paper.table(table).itertuples()
    return {paper.scale_name(row.train_min, row.train_max): row.test_sizes for row in rows}


def single(train_scale: str, method: str = "dense") -> Measurement:
    """The single-scale measurement of Table 3, or by another method at the same scale."""
    return Measurement(method, (single_scale(train_scale),))


def several(train_scale: str, method: str = "dense") -> Measurement:
    """The multi-scale measurement of Tables 4 and 5.

    Raises
    ------
    UnknownName
        For a method that Table 5 does not have.
    """
    if method not in SEVERAL:
        raise UnknownName("method", method, SEVERAL)
    return Measurement(method, several_scales(train_scale))


def measured_by(run: Run) -> list[Measurement]:
    """Everything a network is measured by; the first is Table 3's, or Table 8's.

    Table 3's single scale first, then the centre crop of Sect. 4.1's comparison with 5x5 filters, dense testing at
    each of the several scales and over all of them, and, where the study asks it, Table 5's other methods. The authors'
    networks are also tested as the paper tests each that they could be, trained at one scale or with jitter.
    """
    if run.boxes:
        return _measured_with_boxes(run)
    scale = run.train_scale
    measurements = [single(scale), single(scale, "centre-crop")]
    measurements += [Measurement("dense", (test_scale,)) for test_scale in several_scales(scale)]
    methods = SEVERAL if run.study.multi_crop == "all" or run.row in _printed_with_crops() else ("dense",)
    measurements += [several(scale, method) for method in methods]
    if scale == AUTHORS:
        measurements += [measurement for could_be in PAPER_SCALES for measurement in as_printed(could_be)]
    return list(dict.fromkeys(measurements))


def as_printed(train_scale: str) -> tuple[Measurement, Measurement]:
    """How the paper tests a network of this training scale densely: in Table 3, and in Table 4."""
    return single(train_scale), several(train_scale)


def _measured_with_boxes(run: Run) -> list[Measurement]:
    """Table 8's crop, of Table 9's networks its scales too; then what needs no network, by both protocols (A.1)."""
    measurements = [Measurement("centre-boxes", (single_scale(run.train_scale),))]
    for scales in box_scales(run):
        measurements += [Measurement(method, scales) for method in ("dense-boxes", "true-dense-boxes")]
    return measurements + [Measurement(given + name, ()) for given in (GIVEN, "") for name in BASELINES]


def box_scales(run: Run) -> list[tuple[int, ...]]:
    """The Qs at which a network's boxes are found over the whole image, as Table 9 prints them; the last are several.

    None for a network with one box for all classes, or whose convolutions stayed as they were: the paper tests so
    only the best of Table 8.
    """
    if run.boxes != "pcr" or run.recipe.trained_layers != "all":
        return []
    rows = paper.table(9)
    rows = rows[rows["row_type"] == "single"].itertuples()
    printed = [row.test_sizes for row in rows if paper.scale_name(row.train_min, row.train_max) == run.train_scale]
    return [tuple(int(scale) for scale in scales.split(";")) for scales in printed]


@cache
def _printed_with_crops() -> set[str]:
    """The networks that the paper tests on many crops (Table 5), by row."""
    return {f"{row.config}-{paper.scale_name(row.train_min, row.train_max)}" for row in paper.table(5).itertuples()}


def protocol(run: Run) -> dict:
    """How a run's study settles what the paper leaves open; an evaluation's record states it."""
    settings = {
        "split": "val",
        "crop": run.study.crop,
        "length_divisor": run.study.network.length_divisor,
        "pooling": run.size.pooling,
        "flip": run.recipe.flip,
        **run.testing.model_dump(mode="json"),
    }
    if run.boxes:
        settings["localisation"] = {"overlap": OVERLAP} | run.localisation.model_dump(mode="json")
    return settings
