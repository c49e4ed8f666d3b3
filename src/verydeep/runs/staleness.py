"""What was made before its study's settings or its networks changed: trainings, tests, and what is made of several."""

from pathlib import Path

from verydeep.errors import RecordError, VerydeepError
from verydeep.paths import short
from verydeep.runs.reading import parse, read_record
from verydeep.runs.records import EvaluateRecord, FuseRecord, OtherDataRecord, TrainRecord
from verydeep.studies import Run, load, names
from verydeep.studies.localisation import TESTING, Localisation
from verydeep.studies.parts import NetworkKeys, Recipe

#: The settings of a training, as records have them; the last are of a network that gives boxes alone.
_PARTS = {"network": NetworkKeys, "recipe": Recipe, "localisation": Localisation}


def trained_otherwise(run: Run, record: TrainRecord) -> dict[str, tuple]:
    """What its study says otherwise of how a run is trained now than when it was: key -> (then, now).

    That is its network and recipe, the images that it learns from, and of one that gives boxes (Appendix A) how it
    learns them; how boxes are merged in testing is of its tests. A key that was none when the record was written was as
    it is by default.
    """
    then, now = recorded_settings(record), asked_settings(run)
    return {key: (then[key], now[key]) for key in now if key in then and then[key] != now[key]}


def otherwise_words(changed: dict[str, tuple]) -> str:
    """What :func:`trained_otherwise` found, as it stands in a message: ``recipe.epochs: 12, now 2``."""
    return ", ".join(f"{key}: {then}, now {now}" for key, (then, now) in changed.items())


def told_otherwise(run: Run) -> str:
    """What changed since a run was trained, in those words, and whether what it started from did.

    Of one that is trained as asked, or not yet, none.
    """
    record = read_record(run, "train")
    if record is None:
        return ""
    started = [f"{record.parent.run} was trained anew"] if started_otherwise(run.folder, record) else []
    return ", ".join(filter(None, [otherwise_words(trained_otherwise(run, record)), *started]))


def require_trained_as_asked(run: Run) -> None:
    """Refuse to go on with a run that was trained otherwise than its study says now, and is not trained anew unasked.

    Raises
    ------
    VerydeepError
        Naming each key, then and now, and what to do.
    """
    if told := told_otherwise(run):
        raise VerydeepError(
            f"{run.address}: was trained otherwise than its study says now ({told}); put the study back, "
            f"or remove {run.folder} and give the same command again, which trains it again"
        )


def asked_settings(run: Run) -> dict:
    """How a run would be trained now, by key."""
    data = run.study.data
    asked = {"boxes": run.boxes, "data.source": data.source, "data.held_out_per_class": data.held_out_per_class}
    for part in [*_PARTS] if run.boxes else [*_PARTS][:-1]:
        asked |= _named(part, getattr(run, part).model_dump(mode="json"))
    return asked


def recorded_settings(record: TrainRecord) -> dict:
    """How a run was trained, by its record, with the keys that are there now."""
    kept, data = record.parameters, record.data
    held_out = data.held_out and data.held_out.per_class
    settings = {"boxes": kept.get("boxes"), "data.source": data.source, "data.held_out_per_class": held_out}
    for part, keys in _PARTS.items():
        if part in kept:
            usual = {key: field.default for key, field in keys.model_fields.items()}
            settings |= _named(part, {key: kept[part].get(key, default) for key, default in usual.items()})
    return settings


def _named(part: str, settings: dict) -> dict:
    return {f"{part}.{key}": value for key, value in settings.items() if part != "localisation" or key not in TESTING}


def trained_in(folder: Path) -> TrainRecord | None:
    """The record of a training, if there is one that can be read; of another its own folder says what is wrong."""
    try:
        return parse(folder / "train.json", "train")
    except (OSError, RecordError):
        return None


def started_otherwise(folder: Path, record: TrainRecord) -> bool:
    """Whether the network that the one of ``folder`` started from has been trained anew since."""
    parent = record.parent and trained_in(folder.with_name(record.parent.run))
    return bool(parent) and parent.weights_sha256 != record.parent.weights_sha256


def tests_trained(tested: EvaluateRecord, trained: TrainRecord | None) -> bool:
    """Whether a test is of the weights that the training left; of those of others nothing says otherwise.

    Weights that are not published are no file of the run's folder, and only the two records tell.
    """
    return trained is None or trained.weights_sha256 == tested.weights_sha256


def tested(run: Run) -> EvaluateRecord | None:
    """The record of a run's test; ``None`` where it was not tested, or with other weights than those that are there."""
    record = read_record(run, "evaluate")
    return record if record and still_holds(run.folder, record) else None


def still_holds(folder: Path, record: EvaluateRecord | FuseRecord | OtherDataRecord) -> bool:
    """Whether what was measured is of the networks that lie there now: none was trained or tested anew since.

    Of one without a record nothing says otherwise.
    """
    if isinstance(record, EvaluateRecord):
        return tests_trained(record, trained_in(folder))
    fused = isinstance(record, FuseRecord)
    told_by = "evaluate" if fused else _told_by(record)
    here = {
        name: made for name, made in record.members.items() if (folder.with_name(name) / f"{told_by}.json").exists()
    }
    return not (stale_members if fused else stale_networks)(folder, record.model_copy(update={"members": here}))


def stale_members(folder: Path, record: FuseRecord) -> list[str]:
    """The networks of a fusion must be those that lie beside it, tested as they were for it."""
    faults = []
    for name, member in record.members.items():
        path = folder.with_name(name) / "evaluate.json"
        if not path.exists():
            faults.append(f"{short(folder)}: its member {name} has no evaluate.json")
            continue
        try:
            evaluated = parse(path, "evaluate")
        except RecordError as error:
            faults.append(f"{short(folder)}: its member {name} has a record that cannot be read: {error}")
            continue
        if evaluated.weights_sha256 != member.weights_sha256:
            faults.append(f"{short(folder)}: was made from other weights of {name} than are there")
        elif evaluated.protocol != record.protocol:
            faults.append(f"{short(folder)}: its member {name} has been tested by another protocol since")
        elif evaluated.data.manifest_sha256 != record.data.manifest_sha256:
            faults.append(f"{short(folder)}: its member {name} has been tested on other images since")
        elif any(evaluated.parameters.get(key) != value for key, value in member.asked.items()):
            faults.append(f"{short(folder)}: the boxes of its member {name} were given to other classes since")
    return faults


def stale_networks(folder: Path, record: OtherDataRecord) -> list[str]:
    """The networks of a transfer, or of a tuning, must be those that lie beside it: trained, and not of need tested.

    Of a study that trains nothing a test tells which weights there are; where there is none nothing says otherwise.
    """
    faults, kind = [], _told_by(record)
    for name, digest in record.members.items():
        path = folder.with_name(name) / f"{kind}.json"
        if not path.exists():
            faults += [f"{short(folder)}: its member {name} has no {path.name}"] * (kind == "train")
            continue
        try:
            member = parse(path, kind)
        except RecordError as error:
            faults.append(f"{short(folder)}: its member {name} has a record that cannot be read: {error}")
            continue
        if member.weights_sha256 != digest:
            faults.append(f"{short(folder)}: was made from other weights of {name} than are there")
    return faults


def _told_by(record: OtherDataRecord) -> str:
    """Which record tells a network's weights: its training's, or of a study that trains nothing its test's."""
    return "train" if record.study not in names() or load(record.study).train else "evaluate"
