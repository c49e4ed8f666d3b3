"""Records: what a training, an evaluation, a fusion, a transfer and a tuning left behind, each with a schema."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from verydeep import files
from verydeep.errors import RecordError, VerydeepError
from verydeep.paths import WEIGHTS, short
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
from verydeep.runs.seals import SEAL, read_seal
from verydeep.studies import Fusion, Recorded, Run, Transfer, Tuning
from verydeep.studies.names import RunName

SCHEMA_VERSION = 1
#: Each epoch of a training, beside its record.
HISTORY = "history.csv"


class Record(BaseModel):
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


class FuseRecord(Record):
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

    def weights(self) -> dict[str, str]:
        """Run name -> sha256 of the weights that were tested."""
        return {name: member.weights_sha256 for name, member in self.members.items()}


class TargetRecord(Record):
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


class TransferRecord(TargetRecord):
    """What carrying features to another data set left behind."""

    kind: Literal["transfer"] = "transfer"
    """Which record it is."""
    passes: dict[str, PassRecord]
    """Every pass over the images, by run and name; what was kept of it are descriptors."""
    measurements: Annotated[dict[str, TransferScore], Field(min_length=1)]
    """What every way of describing images is worth, by its name."""


class TuningRecord(TargetRecord):
    """What fine-tuning a network to another data set left behind, beside two other ways of learning from as much."""

    kind: Literal["finetune"] = "finetune"
    """Which record it is."""
    work: dict[str, WayCost]
    """What learning cost, by way and number of images a class."""
    measurements: Annotated[dict[str, TransferScore], Field(min_length=1)]
    """Mean class recall, by way and number of images a class."""


KINDS: dict[str, type[Record]] = {
    "train": TrainRecord,
    "evaluate": EvaluateRecord,
    "fuse": FuseRecord,
    "transfer": TransferRecord,
    "finetune": TuningRecord,
}
#: The files that work of each kind may leave in its folder: its record, what was trained or said of every image, and
#: the executed notebook.
OUTPUTS = {
    "train": ("train.json", HISTORY, WEIGHTS, "train.ipynb"),
    "evaluate": ("evaluate.json", "predictions.parquet", "boxes.parquet", "evaluate.ipynb"),
    "fuse": ("fuse.json", "predictions.parquet", "boxes.parquet", "fuse.ipynb"),
    "transfer": ("transfer.json", "transfer.parquet", "resampled.parquet", "transfer.ipynb"),
    "finetune": ("finetune.json", "transfer.parquet", "resampled.parquet", "finetune.ipynb"),
}
#: The kinds of records that are of a test of images.
TESTS = ("evaluate", "fuse", "transfer")
#: How people call what the records of several networks are of.
SPOKEN = {"fuse": "fusion", "transfer": "transfer", "finetune": "tuning"}


def record_path(run: Recorded, kind: str) -> Path:
    """Where the record of this kind lies, or will."""
    return run.folder / f"{kind}.json"


def write_record(run: Recorded, record: Record) -> None:
    """Write a record; its files must be in place, since a folder with a record counts as finished."""
    files.write_text(record_path(run, record.kind), record.model_dump_json(indent=1) + "\n")


def identity(run: Run) -> dict:
    """The keys by which a record says of which run it is."""
    return {
        "study": run.study.name,
        "config": run.config,
        "train_scale": run.train_scale,
        "variant": run.variant,
        "seed": run.seed,
    }


def read_record(run: Run, kind: str) -> TrainRecord | EvaluateRecord | None:
    """The record of a run, or ``None`` when it has none yet.

    Raises
    ------
    RecordError
        When the file is not a record of this run.
    """
    path = record_path(run, kind)
    if not path.exists():
        return None
    record = parse_sealed(path, kind)
    if any(getattr(record, key) != value for key, value in identity(run).items()):
        study = "" if record.study == run.study.name else f"{record.study}/"
        raise RecordError(f"{short(path)}: is the record of another run, {study}{run_name(record)}")
    return record


def read_fusion(fusion: Fusion) -> FuseRecord | None:
    """The record of a fusion, or ``None`` when it has none yet; raises as :func:`read_record` does."""
    return _read_of_several(fusion, "fuse")


def read_transfer(transfer: Transfer) -> TransferRecord | None:
    """The record of a transfer, or ``None`` when it has none yet; raises as :func:`read_record` does."""
    return _read_of_several(transfer, "transfer")


def read_tuning(tuning: Tuning) -> TuningRecord | None:
    """The record of a tuning, or ``None`` when it has none yet; raises as :func:`read_record` does."""
    return _read_of_several(tuning, "finetune")


def _read_of_several(made: Fusion | Transfer | Tuning, kind: str) -> FuseRecord | TargetRecord | None:
    path = record_path(made, kind)
    if not path.exists():
        return None
    record = parse_sealed(path, kind)
    how, asked = (record.method, made.method) if kind == "fuse" else (record.data.source, made.source)
    if (record.study, how, [*record.members]) != (made.study.name, asked, [run.name for run in made.members]):
        raise RecordError(f"{short(path)}: is the record of another {SPOKEN[kind]}, of {'+'.join(record.members)}")
    return record


def read_file(path: Path) -> Record:
    """The record in ``path``, whose name says its kind; raises as :func:`read_record` does."""
    return parse(path, path.stem)


def parse_sealed(path: Path, kind: str):
    """The record in ``path``, which must be the one that was sealed, if it was."""
    if (path.parent / SEAL).exists():
        sealed = read_seal(path.parent).get(path.name)
        if sealed is not None and sealed != files.sha256(path):
            raise RecordError(
                f"{short(path)}: content differs from its sha256 in {SEAL}; restore it (git checkout), or delete it "
                f"to make it again"
            )
    return parse(path, kind)


def parse(path: Path, kind: str):
    """The record of this kind in ``path``; raises :class:`RecordError` where it is none."""
    try:
        return KINDS[kind].model_validate_json(path.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the file"
        raise RecordError(f"{short(path)}: {where}: {fault['msg']}") from None


def run_name(record: RunRecord) -> str:
    """The name of the run that a record says it is of."""
    try:
        return str(RunName(record.config, record.train_scale, record.variant, record.seed))
    except VerydeepError as error:
        return f"no run ({error})"
