"""Localisation (Appendix A): how a study settles what the paper leaves open, and to whose classes boxes are given."""

from typing import Annotated, Literal

from pydantic import Field

from verydeep.studies.strict import Strict

#: Of the learning rate of classification the paper has another in localisation (A.1), at both scales.
RATE = 1e-3
#: The keys of :class:`Localisation` by which boxes are tested; networks that are tested together have them alike.
TESTING = ("match", "threshold", "average", "rating", "mirror", "classes")
#: A predicted box is right when its intersection over union with a true one is above this (ILSVRC's rule).
OVERLAP = 0.5


class Localisation(Strict):
    """How boxes are trained and tested. Each key settles what Appendix A leaves open; defaults are our reading."""

    units: Literal["crop", "pixels"] = Field(
        "crop",
        description="unit of a box's four numbers: the crop's side, so that the loss is of order one, or a pixel",
    )
    loss: Literal["squared", "distance"] = Field(
        "squared", description="the Euclidean loss: half the squared distance, as Caffe's layer has it, or the distance"
    )
    cut: Literal["whole", "clipped"] = Field(
        "whole",
        description="a box that reaches out of the crop: meant whole, as testing asks for whole boxes, or clipped",
    )
    least_inside: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="part of a box's area that must lie in the crop for it to count in the loss: every crop counts, or "
        "as in OverFeat those that show half of the box",
    )
    several: Literal["largest", "first"] = Field(
        "largest", description="which box is trained on where an image has several; in testing each of them counts"
    )
    match: Literal["iou", "overfeat"] = Field(
        "iou",
        description="how far apart two boxes are: 1 less their intersection over union, or that and the distance of "
        "their centres in parts of their mean sides, our reading of OverFeat's sum",
    )
    threshold: Annotated[float, Field(gt=0)] = Field(
        0.5, description="boxes are merged, the nearest two first, until the nearest are further apart; ILSVRC's half"
    )
    average: Literal["pair", "members"] = Field(
        "pair", description="the merged box: the average of the two, as in OverFeat, or of all that went into both"
    )
    rating: Literal["sum", "best"] = Field(
        "sum", description="a merged box's score: the sum of its windows' class scores, as in OverFeat, or their best"
    )
    mirror: bool = Field(False, description="whether the mirror image's boxes are joined; the paper speaks of none")
    classes: str = Field(
        "D-jitter+E-jitter/both",
        description="the classification system whose five best classes the boxes are given to (Sect. 4.5), as row or "
        "rows/measurement",
    )
