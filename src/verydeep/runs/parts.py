"""The parts of a record, each with its keys: who made it, on what, from which data, at what cost, and what came out.

A part is written with the keys that it was given, so a record of an earlier day, which lacks keys that came later, is
written back as it was. Errors are in percent, times in seconds, dates in ISO 8601.
"""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_serializer

#: Unknown keys and what is no number are refused; what stands below a key describes it, in the schema too.
STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


def _a_date(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date (ISO 8601)") from None
    return text


Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(gt=0)]
Percent = Annotated[float, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0)]
Moment = Annotated[str, AfterValidator(_a_date), Field(json_schema_extra={"format": "date-time"})]


#: The name of a run's folder, which lies beside the record that names it.
RunFolder = Annotated[str, Field(pattern=r"^[^./\\][^/\\]*$")]


class Part(BaseModel):
    """A part of a record."""

    model_config = STRICT

    @model_serializer(mode="wrap")
    def _as_given(self, write):
        return {key: value for key, value in write(self).items() if key in self.model_fields_set}


class Sources(Part):
    """The package that was imported."""

    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")] | None
    """Commit of the checkout, its whole name; none where it is not known."""
    dirty: bool | None
    """Whether the sources differ from the commit's; none where that is not known."""
    sources_sha256: str
    """Hash of the package's sources."""
    package: str | None = None
    """Where the package lies in the checkout, or that it lies outside."""
    unknown: str | None = None
    """Why commit or difference are not known."""


class Environment(Part):
    """Python, the packages that decide numbers, and the machine."""

    python: str
    """Version of Python."""
    packages: dict[str, str | None]
    """Version of each package that decides a number."""
    system: str
    """Operating system and architecture."""
    processor: str
    """Model of the processor."""
    cores: Some
    """Processors that this process might use."""


class Device(Part):
    """What multiplied."""

    type: str
    """``cpu`` or ``cuda``."""
    name: str
    """The GPU's name, or the architecture."""
    processes: Some
    """Processes that trained or tested together."""
    threads: Some
    """Threads of each."""
    deterministic_algorithms: bool
    """Whether torch was held to deterministic algorithms."""
    cuda: str | None
    """Version of CUDA."""
    instruction_set: str | None = None
    """The processor's instructions that torch uses."""
    variables: dict | None = None
    """Environment variables on which the last bits depend, and their values."""


class HeldOut(Part):
    """Which training images were held out."""

    rule: str
    """How they were chosen."""
    per_class: Some
    """Images of each class."""
    count: Some
    """Images in all."""
    sha256: str
    """Hash of their names."""


class BoxFingerprint(Part):
    """Which boxes there were around the objects of the images."""

    images: dict[str, Count]
    """Images that have a box, by split."""
    boxes: Some
    """Boxes in all."""
    sha256: str
    """Hash of them and of their images' names."""


Colour = Annotated[list[float], Field(min_length=3, max_length=3)]


class Colours(Part):
    """The colours of the training images, RGB, in pixel values 0-255 (Sect. 2.1 and 3.1)."""

    mean: Colour
    """Their mean, which is subtracted."""
    deviation: Annotated[float, Field(gt=0)]
    """Their standard deviation over all channels."""
    eigenvalues: Colour
    """Of their covariance."""
    eigenvectors: Annotated[list[Colour], Field(min_length=3, max_length=3)]
    """Of their covariance, along which colours are shifted."""
    images: Some
    """Images that were measured."""


class DataFingerprint(Part):
    """Which images there were."""

    source: str
    """The data set."""
    counts: dict[str, Count]
    """Images by split."""
    manifest_sha256: str
    """Hash of the list of all images, with the hash of each."""
    held_out: HeldOut | None = None
    """The training images that were held out; none in a study that trains nothing."""
    boxes: BoxFingerprint | None = None
    """The boxes of the images, of a network that gives boxes."""
    statistics: Colours | None = None
    """The training images' colours; none of the images of another data set."""


class Errors(Part):
    """The errors of one measurement."""

    n: Some
    """Images."""
    top1_error: Percent
    """Top-1 error, percent."""
    top5_error: Percent
    """Top-5 error, percent."""

    def error(self, metric: str) -> float:
        """The error by ``top1`` or ``top5``."""
        return getattr(self, f"{metric}_error")


class BoxErrors(Errors):
    """The errors of one measurement of boxes: of an image, no box is of the true class and fits a true box (A.1)."""

    mean_iou: Annotated[float, Field(ge=0, le=1)]
    """Mean intersection over union of the true class's box with a true one, 0 where that class is not named."""


class TrainingMetrics(Part):
    """Losses and errors of the last epoch; of a network that gives boxes, those of the true class's box (A.1)."""

    train_loss: float
    """Mean loss on the epoch's random crops: cross-entropy, or the Euclidean loss of boxes."""
    train_top1_error: Percent
    """Top-1 error on the epoch's random crops, percent."""
    held_out_loss: float
    """Mean loss on the held-out images' centre crops."""
    held_out_top1_error: Percent
    """Top-1 error on the held-out images, percent."""
    held_out_top5_error: Percent
    """Top-5 error on the held-out images, percent."""

    def held_out_error(self, metric: str) -> float:
        """The error on held-out images by ``top1`` or ``top5``."""
        return getattr(self, f"held_out_{metric}_error")


class TrainingCost(Part):
    """What a training cost."""

    training_images: Some
    """Images that were trained on; the held-out ones are not among them."""
    epochs: Some
    """Epochs."""
    steps: Some
    """Updates of the weights."""
    images_seen: Some
    """Crops that went through the network."""
    seconds: Annotated[float, Field(gt=0)]
    """Wall time over all sessions."""
    images_per_second: Annotated[float, Field(gt=0)]
    """Crops a second, while epochs ran."""
    multiply_adds: Some
    """Multiply-adds: forward, and twice for the gradients of layers that learn (before 2026-11-28: of all layers)."""


class TestingCost(Part):
    """What a test cost."""

    seconds: Seconds
    """Wall time."""
    pixels_per_batch: Some | None = None
    """Pixels that went through the network at once."""
    load_average: float | None = None
    """Processes that wanted to run, over the last minute."""


class PassRecord(Part):
    """One pass over the images at one test scale."""

    seconds: Seconds
    """Wall time."""
    images: Some
    """Images."""
    forward_passes: Some
    """Forward passes over all images."""
    multiply_adds: Some
    """Multiply-adds over all images."""
    posteriors_sha256: str
    """Hash of the file that keeps the posteriors, outside git, with the time that they took."""


class Parent(Part):
    """The run whose weights a training started from."""

    run: RunFolder
    """Its folder's name."""
    weights_sha256: str
    """Hash of its weights."""


class Member(Part):
    """A network of a fusion."""

    weights_sha256: str
    """Hash of its weights."""
    measurement: str
    """The measurement whose posteriors were averaged."""
    posteriors: dict[str, str]
    """Hash of the file that keeps the posteriors of each pass."""
    asked: dict = {}
    """Of a network that gives boxes: the system that named their classes and the network that rated them, as its own
    test states them."""


class Session(Part):
    """One stretch of training between a start or resume and the next stop."""

    started: Moment
    """When it was started."""
    seconds: Seconds
    """Wall time."""
    images: Count
    """Crops that went through the network."""
    sources_sha256: str
    """Hash of the package's sources."""
    load_average: float | None
    """Processes that wanted to run, over the last minute."""
    device: str | None = None
    """The GPU's name, or the architecture; of older sessions it was not kept, nor what follows."""
    processor: str | None = None
    """The processor's name."""
    processes: Some | None = None
    """Processes that trained together."""
    threads: Some | None = None
    """Threads of each."""
    micro_batch: Some | None = None
    """Images that a device took at once at most: how a batch's gradients were summed, on which the last bits depend."""


class SplitRecord(Part):
    """What was trained on and what was tested on."""

    train: Some
    """Images, or objects in them, that were trained on."""
    test: Some
    """Images, or objects in them, that were tested on."""
    sha256: str
    """Hash of the names of both."""


class WayCost(Part):
    """What it cost to learn from so many images in one way."""

    epochs: Count
    """Epochs; 0 where features were frozen."""
    multiply_adds: Some
    """Multiply-adds of learning: of describing the images, or forward and twice that for the gradients."""
    seconds: Seconds
    """Wall time of learning; of frozen features without describing the images, which is done once for all."""
    rate: Annotated[float, Field(gt=0)] | None = None
    """Learning rate of the last layer, chosen on training images kept aside; none where features were frozen."""


class TransferScore(Part):
    """What one way of describing images is worth on another data set."""

    n: Some
    """Images, or objects in them, that were tested in any split."""
    value: Percent
    """Mean average precision or mean class recall, percent, the mean over splits."""
    splits: list[Percent]
    """The same of each split."""
    classes: list[Percent]
    """Average precision or recall of each class, percent, the mean over splits."""
    other: float | None = None
    """Mean average precision by another definition, percent, in older records; no longer written."""
    costs: list[float]
    """The C of the linear SVM that was chosen, by split; none where there is no such machine."""
