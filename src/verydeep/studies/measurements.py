"""The ways of testing a network (Sect. 3.2), and which of them each network is tested in (Sect. 4.1-4.3).

Test scales Q are in the paper's pixels; a study divides them by its own divisor.
"""

from dataclasses import dataclass
from functools import cache

from verydeep import paper
from verydeep.errors import UnknownName
from verydeep.studies.keys import RELEASED
from verydeep.studies.plan import Run

#: What each method is, in words for a table.
METHODS = {
    "centre-crop": "one crop, the image's centre, without its mirror image",
    "dense": "the whole image and its mirror image, score map averaged",
    "multi-crop": "a grid of crops and their mirror images",
    "both": "the average of dense and multi-crop",
}
#: The methods of Table 5, in its order.
SEVERAL = ("dense", "multi-crop", "both")

#: What the same crop averaged with its mirror image is called: the fair partner of dense testing, which has both.
MIRRORED_CENTRE = "centre crop and its mirror image"

# torchvision tests on the centre crop at 256; its training crops have sizes of a range like the paper's jitter.
_RELEASED_SINGLE, _RELEASED_LIKE = 256, "jitter"


@dataclass(frozen=True)
class Measurement:
    """One way of testing: a method of :data:`METHODS` at one or several test scales Q."""

    method: str
    test_scales: tuple[int, ...]

    @classmethod
    def named(cls, name: str) -> "Measurement":
        """The measurement of this :attr:`name`."""
        method, scales = name.rsplit("-", 1)
        return cls(method, tuple(int(scale) for scale in scales.split("+")))

    @property
    def name(self) -> str:
        """``dense-256``, ``both-256+384+512``."""
        return f"{self.method}-{'+'.join(map(str, self.test_scales))}"

    @property
    def passes(self) -> tuple["Measurement", ...]:
        """The measurements at one scale by one method whose posteriors it averages, with equal weight."""
        methods = ("dense", "multi-crop") if self.method == "both" else (self.method,)
        return tuple(Measurement(method, (scale,)) for method in methods for scale in self.test_scales)


@cache
def single_scale(train_scale: str) -> int:
    """Q of single-scale testing: S, or the middle of its range (Sect. 4.1, as Table 3 prints it)."""
    if train_scale == RELEASED:
        return _RELEASED_SINGLE
    return int(_printed(3)[train_scale])


@cache
def several_scales(train_scale: str) -> tuple[int, ...]:
    """The Qs of multi-scale testing (Sect. 4.2, as Table 4 prints them)."""
    if train_scale == RELEASED:
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
    """Everything a network is measured by; the first is Table 3's.

    Table 3's single scale first, then the centre crop of Sect. 4.1's comparison with 5x5 filters, dense testing at
    each of the several scales and over all of them, and, where the study asks it, Table 5's other methods.
    """
    scale = run.train_scale
    measurements = [single(scale), single(scale, "centre-crop")]
    measurements += [Measurement("dense", (test_scale,)) for test_scale in several_scales(scale)]
    methods = SEVERAL if run.study.multi_crop == "all" or run.row in _printed_with_crops() else ("dense",)
    measurements += [several(scale, method) for method in methods]
    return list(dict.fromkeys(measurements))


@cache
def _printed_with_crops() -> set[str]:
    """The networks that the paper tests on many crops (Table 5), by row."""
    return {f"{row.config}-{paper.scale_name(row.train_min, row.train_max)}" for row in paper.table(5).itertuples()}


def protocol(run: Run) -> dict:
    """How a run's study settles what the paper leaves open; an evaluation's record states it."""
    return {
        "split": "val",
        "crop": run.study.crop,
        "length_divisor": run.study.network.length_divisor,
        "pooling": run.study.network.pooling,
        "flip": run.recipe.flip,
        **run.study.testing.model_dump(mode="json"),
    }
