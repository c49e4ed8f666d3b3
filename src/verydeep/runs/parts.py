"""The parts of a record, each with its keys: who made it, on what, from which data, at what cost, and what came out.

A part is written with the keys that it was given, so a record of an earlier day, which lacks keys that came later, is
written back as it was. Errors are in percent, times in seconds, dates in ISO 8601.
"""

from pydantic import BaseModel, ConfigDict, model_serializer


class Part(BaseModel):
    """A part of a record; an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_serializer(mode="wrap")
    def _as_given(self, write):
        return {key: value for key, value in write(self).items() if key in self.model_fields_set}


class Sources(Part):
    """The package that was imported: its hash, and the commit that has it.

    ``commit`` and ``dirty`` (whether it differs from the commit) are ``None`` where that is not known, and ``unknown``
    says why.
    """

    commit: str | None
    dirty: bool | None
    sources_sha256: str
    package: str | None = None
    unknown: str | None = None


class Environment(Part):
    """Python, the packages that decide numbers, and the machine."""

    python: str
    packages: dict[str, str | None]
    system: str
    processor: str
    cores: int


class Device(Part):
    """What multiplied: its type and name, processes and threads, and the variables that were set for it."""

    type: str
    name: str
    processes: int
    threads: int
    deterministic_algorithms: bool
    cuda: str | None
    instruction_set: str | None = None
    variables: dict | None = None


class HeldOut(Part):
    """Which training images were held out of each class: by which rule, how many, and a hash of their names."""

    rule: str
    per_class: int
    count: int
    sha256: str


class DataFingerprint(Part):
    """Which images there were: source, counts by split, the manifest's hash, what was held out, and the colours.

    A study that trains nothing holds nothing out.
    """

    source: str
    counts: dict[str, int]
    manifest_sha256: str
    held_out: HeldOut | None = None
    statistics: dict | None = None


class Errors(Part):
    """Top-1 and top-5 error over ``n`` images."""

    n: int
    top1_error: float
    top5_error: float

    def error(self, metric: str) -> float:
        """The error by ``top1`` or ``top5``."""
        return getattr(self, f"{metric}_error")


class TrainingMetrics(Part):
    """Losses and errors of the last epoch: on its random crops, and on the held-out images."""

    train_loss: float
    train_top1_error: float
    held_out_loss: float
    held_out_top1_error: float
    held_out_top5_error: float

    def held_out_error(self, metric: str) -> float:
        """The error on held-out images by ``top1`` or ``top5``."""
        return getattr(self, f"held_out_{metric}_error")


class TrainingCost(Part):
    """What a training cost. Multiply-adds are forward, and twice that for the gradients."""

    training_images: int
    epochs: int
    steps: int
    images_seen: int
    seconds: float
    images_per_second: float
    multiply_adds: int


class TestingCost(Part):
    """What a test cost: seconds, pixels that went through the network at once, processes that wanted to run."""

    seconds: float
    pixels_per_batch: int | None = None
    load_average: float | None = None


class PassRecord(Part):
    """One pass over the images at one test scale: its cost, and the hash of its posteriors, kept outside git."""

    seconds: float
    images: int
    forward_passes: int
    multiply_adds: int
    posteriors_sha256: str


class Parent(Part):
    """The run whose weights a training started from."""

    run: str
    weights_sha256: str


class Member(Part):
    """A network of a fusion: its weights, the measurement that was averaged, and the posteriors by pass."""

    weights_sha256: str
    measurement: str
    posteriors: dict[str, str]


class Session(Part):
    """One stretch of training between a start or resume and the next stop."""

    started: str
    seconds: float
    images: int
    sources_sha256: str
    load_average: float | None
