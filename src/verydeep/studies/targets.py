"""The data sets to which features are carried, and what the paper does on each (Appendix B); a study's keys for it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from verydeep.networks.published import AUTHORS
from verydeep.studies.strict import Strict

#: Training scales of the networks whose features are tested: the paper's were trained with scale jitter.
JITTERED = ("jitter", AUTHORS)
#: The two networks that stand for a shallow one with large filters, and for a deep one, in claim 25.
SHALLOW = (("B-5x5", "256"), ("D", "256"))
_FIVE, _THREE = (256, 384, 512, 640, 768), (256, 384, 512)


@dataclass(frozen=True)
class Parts:
    """On which parts of a data set the paper trains and tests, on which we do, and why."""

    paper: str
    here: str
    why: str


_ON_VAL = "trained on train, tested on val"


@dataclass(frozen=True)
class TargetDataset:
    """What the paper does on one data set.

    Parameters
    ----------
    metric
        ``"map"``, mean average precision over the classes, or ``"recall"``, mean class recall.
    scales, join
        The scales Q, and how their descriptors are joined.
    train, test
        Of random splits: images of each class that are trained on, and at most tested on. ``None`` for a data set with
        a split of its own, or where all others are tested on.
    boxes
        Whether an object's box is described too, beside the image.
    compared
        Whether the shallow network of claim 25 is tested on it.
    area
        Whether average precision is the area by the data set's own definition, and nothing is open.
    tuned
        Images of each class on which networks are fine-tuned, rising; none where they are not.
    parts
        Where they are others than the paper's; ``None`` where they are the same.
    """

    title: str
    metric: str
    scales: tuple[int, ...]
    join: str
    train: int | None = None
    test: int | None = None
    boxes: bool = False
    compared: bool = False
    area: bool = False
    tuned: tuple[int, ...] = ()
    parts: Parts | None = None

    @property
    def table(self) -> str:
        """The table of the paper that it belongs to."""
        return "table12" if self.boxes else "table11"


TARGETS = {
    "voc2007": TargetDataset("VOC-2007, trained on trainval, tested on test", "map", _FIVE, "average", compared=True),
    "voc2007-val": TargetDataset(
        "VOC-2007, trained on train, tested on val",
        "map",
        _FIVE,
        "average",
        compared=True,
        parts=Parts("trained on trainval, tested on test", _ON_VAL, "the images of `test` could not be had"),
    ),
    "voc2012": TargetDataset(
        "VOC-2012 (the paper: tested on test; here: trained on train, tested on val)",
        "map",
        _FIVE,
        "average",
        area=True,
        parts=Parts("trained on trainval, tested on test", _ON_VAL, "a server keeps the labels of `test`"),
    ),
    "voc2012-action": TargetDataset(
        "VOC-2012 actions (the paper: tested on test; here: trained on train, tested on val)",
        "map",
        _FIVE,
        "average",
        boxes=True,
        area=True,
        parts=Parts("trained on trainval, tested on test", _ON_VAL, "a server keeps the labels of `test`"),
    ),
    "caltech101": TargetDataset(
        "Caltech-101, 30 training images a class", "recall", _THREE, "stack", 30, 50, tuned=(5, 10, 15, 30)
    ),
    "caltech256": TargetDataset("Caltech-256, 60 training images a class", "recall", _THREE, "stack", 60),
    "photographs": TargetDataset(
        "pieces of two photographs, 15 training images a class", "recall", _THREE, "stack", 15, 50, tuned=(5, 15)
    ),
}
#: The tables of the paper that are of features on other data, whose numbers are shares of which more is better.
TRANSFER_TABLES = ("table11", "table12")
_PAPERS = ("voc2007", "voc2007-val", "voc2012", "voc2012-action", "caltech101", "caltech256")


def target_of(named: str) -> str | None:
    """The data set with which the name of a row ends, or what is described behind it; ``None`` where it is none."""
    return max((name for name in TARGETS if named.startswith(name)), key=len, default=None)


class TransferKeys(Strict):
    """How features are carried to other data. A key settles what Appendix B leaves open; defaults are our reading."""

    data: list[Literal[tuple(TARGETS)]] = Field([*_PAPERS], description="data sets that the study asks for")
    scales: dict[Literal[tuple(TARGETS)], Annotated[list[Annotated[int, Field(ge=224)]], Field(min_length=1)]] = Field(
        {}, description="other scales Q than the paper's, by data set, rising"
    )
    hidden: Literal["relu", "linear"] = Field(
        "relu", description="activations of the last hidden layer: after its ReLU, or before"
    )
    normalise: Literal["each", "whole"] = Field(
        "each",
        description="what is divided by its Euclidean length: the descriptor of each scale and network before they are "
        "joined, and the whole again, or the whole alone",
    )
    average_precision: Literal["eleven", "area"] = Field(
        "eleven",
        description="average precision on VOC-2007: the mean at eleven recalls, as it has it, or the area, as VOC-2012",
    )
    costs: list[Annotated[float, Field(gt=0)]] = Field(
        [0.1, 1.0, 10.0, 100.0],
        min_length=1,
        description="C of the linear SVM, one against the rest, squared hinge loss, to choose from",
    )
    aside: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="share of the training images on which C is chosen, as the paper does on Caltech"
    )
    splits: Annotated[int, Field(gt=0)] = Field(3, description="random splits of a data set that has none of its own")

    @model_validator(mode="after")
    def _rising(self):
        for source, scales in self.scales.items():
            if sorted({*scales}) != scales:
                raise ValueError(f"transfer.scales.{source}: they rise, and each is given once, not {scales}")
        return self
