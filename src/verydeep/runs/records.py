"""Records: what a training, an evaluation, a fusion, a transfer and a tuning left behind, each with a schema."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, model_validator

from verydeep.errors import VerydeepError
from verydeep.paths import WEIGHTS
from verydeep.runs.parts import (
    STRICT,
    BoxErrors,
    DataFingerprint,
    Device,
    Environment,
    Errors,
    Member,
    Moment,
    Parent,
    PassRecord,
    RunFolder,
    Session,
    Sources,
    SplitRecord,
    TestingCost,
    TrainingCost,
    TrainingMetrics,
    TransferScore,
    WayCost,
)
from verydeep.studies import Fusion, OfSeveral, Recorded, Run, find_transfer, find_tuning
from verydeep.studies.names import RunName
from verydeep.studies.plan import named_run

SCHEMA_VERSION = 1
#: Each epoch of a training, beside its record.
HISTORY = "history.csv"


class Record(BaseModel, ABC):
    """What every record says."""

    model_config = STRICT

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this form."""
    study: str
    """The study."""
    sources: Sources
    """The package that made it."""
    environment: Environment
    """Python, packages and machine."""
    device: Device
    """What multiplied."""
    data: DataFingerprint
    """Which images there were."""
    started: Moment
    """When it was started."""
    finished: Moment
    """When the record was written."""
    artefacts: dict[str, str]
    """Hash of each file beside the record that it names."""

    #: How people call what it is of.
    called: ClassVar[str] = "run"

    @abstractmethod
    def is_of(self, made: Recorded) -> bool:
        """Whether it is the record of what lies in its folder, and no other."""

    @abstractmethod
    def whose(self) -> str:
        """What it is the record of, as a message names it."""

    @property
    def in_words(self) -> str:
        """What was done, as a sentence says it before "in 3 minutes"."""
        return f"tested on {self.data.counts['val']:,} images"


class OfSeveralRecord(Record):
    """What the records say of what is made of networks that were trained before."""

    @property
    def addresses(self) -> list[str]:
        """Its members as a command takes them."""
        return [f"{self.study}/{name}" for name in self.members]

    def is_of(self, made: OfSeveral) -> bool:
        members = [run.name for run in made.members]
        return (self.study, [*self.members]) == (made.study.name, members) and self._is_made_as(made)

    @abstractmethod
    def _is_made_as(self, made: OfSeveral) -> bool:
        """Whether the same was made of those members."""

    def whose(self) -> str:
        return f"of {'+'.join(self.members)}"

    @abstractmethod
    def subject(self) -> OfSeveral:
        """What it says it is the record of.

        Raises
        ------
        VerydeepError
            When there are no such networks or data.
        """


class RunRecord(Record):
    """What the records of a run say, beside those of a fusion."""

    config: str
    """Configuration of Table 1."""
    train_scale: str
    """Training scale: 256, 384, jitter, or who published the weights: torchvision or authors."""
    variant: str | None
    """The study's variant, if any."""
    seed: int
    """Seed of every random draw."""
    parameters: dict
    """The settings as they were then: of a training the recipe and the network's size, of a test its scales' pixels."""

    def is_of(self, made: Run) -> bool:
        return all(getattr(self, key) == value for key, value in identity(made).items())

    def whose(self) -> str:
        return f"{self.study}/{run_name(self)}"


class TrainRecord(RunRecord):
    """What a training left behind."""

    kind: Literal["train"] = "train"
    """Which record it is."""
    parent: Parent | None
    """The run whose weights it started from, if any."""
    cost: TrainingCost
    """What it cost."""
    sessions: list[Session]
    """Each stretch of training between two stops."""
    metrics: TrainingMetrics
    """Losses and errors of the last epoch."""

    @model_validator(mode="after")
    def _complete(self):
        for key in ("recipe", "network"):
            if not isinstance(self.parameters.get(key), dict):
                raise ValueError(f"parameters has no {key}")
        if WEIGHTS not in self.artefacts:
            raise ValueError(f"artefacts has no {WEIGHTS}")
        if self.data.held_out is None or self.data.statistics is None:
            raise ValueError("data does not say which images were held out, and how the colours of the others are")
        return self

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights that it was trained to."""
        return self.artefacts[WEIGHTS]

    @property
    def in_words(self) -> str:
        return f"trained for {self.cost.epochs} epochs"


class EvaluateRecord(RunRecord):
    """What an evaluation left behind."""

    kind: Literal["evaluate"] = "evaluate"
    """Which record it is."""
    weights_sha256: str
    """Hash of the weights that were tested."""
    protocol: dict
    """The settings of the test as they were then."""
    cost: TestingCost
    """What it cost."""
    passes: dict[str, PassRecord]
    """Every pass over the images, by its name."""
    measurements: Annotated[dict[str, BoxErrors | Errors], Field(min_length=1)]
    """The errors of every measurement, by its name."""


class FuseRecord(OfSeveralRecord):
    """What a fusion of networks left behind."""

    kind: Literal["fuse"] = "fuse"
    """Which record it is."""
    method: str
    """The way of testing whose posteriors were averaged."""
    members: dict[RunFolder, Member]
    """The networks, by the name of the run."""
    protocol: dict
    """The settings of the test as they were then."""
    cost: TestingCost
    """What it cost."""
    measurements: Annotated[dict[str, BoxErrors | Errors], Field(min_length=1)]
    """The errors of all together."""

    called = "fusion"

    def _is_made_as(self, made: Fusion) -> bool:
        return self.method == made.method

    def subject(self) -> Fusion:
        return Fusion(tuple(map(named_run, self.addresses)), self.method)

    def weights(self) -> dict[str, str]:
        """Run name -> sha256 of the weights that were tested."""
        return {name: member.weights_sha256 for name, member in self.members.items()}


class OtherDataRecord(OfSeveralRecord):
    """What the records of another data set say, to which networks were carried or tuned."""

    members: dict[RunFolder, str]
    """Hash of the weights of each network, by the name of the run."""
    protocol: dict
    """The settings as they were then."""
    labels_sha256: str
    """Hash of what is true of every image: names, labels and boxes."""
    splits: list[SplitRecord]
    """What was trained and tested on, in the order of the numbers."""
    cost: TestingCost
    """What it cost."""

    def _is_made_as(self, made: OfSeveral) -> bool:
        return self.data.source == made.source


class TransferRecord(OtherDataRecord):
    """What carrying features to another data set left behind."""

    kind: Literal["transfer"] = "transfer"
    """Which record it is."""
    passes: dict[str, PassRecord]
    """Every pass over the images, by run and name; what was kept of it are descriptors."""
    measurements: Annotated[dict[str, TransferScore], Field(min_length=1)]
    """What every way of describing images is worth, by its name."""

    called = "transfer"

    def subject(self) -> OfSeveral:
        return find_transfer(self.addresses, self.data.source)

    @property
    def in_words(self) -> str:
        return f"carried to {sum(self.data.counts.values()):,} images"


class TuningRecord(OtherDataRecord):
    """What fine-tuning a network to another data set left behind, beside two other ways of learning from as much."""

    kind: Literal["finetune"] = "finetune"
    """Which record it is."""
    work: dict[str, WayCost]
    """What learning cost, by way and number of images a class."""
    measurements: Annotated[dict[str, TransferScore], Field(min_length=1)]
    """Mean class recall, by way and number of images a class."""

    called = "tuning"

    def subject(self) -> OfSeveral:
        return find_tuning(self.addresses[0], self.data.source)

    @property
    def in_words(self) -> str:
        return f"learned from {self.splits[-1].train:,} images at most"


KINDS: dict[str, type[Record]] = {
    record.model_fields["kind"].default: record
    for record in (TrainRecord, EvaluateRecord, FuseRecord, TransferRecord, TuningRecord)
}
#: The kinds of records that are of a test of images.
TESTS = ("evaluate", "fuse", "transfer")


def identity(run: Run) -> dict:
    """The keys by which a record says of which run it is."""
    return {
        "study": run.study.name,
        "config": run.config,
        "train_scale": run.train_scale,
        "variant": run.variant,
        "seed": run.seed,
    }


def run_name(record: RunRecord) -> str:
    """The name of the run that a record says it is of."""
    try:
        return str(RunName(record.config, record.train_scale, record.variant, record.seed))
    except VerydeepError as error:
        return f"no run ({error})"
