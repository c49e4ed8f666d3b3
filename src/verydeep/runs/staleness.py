"""What was made before its study's settings or its networks changed: trainings, tests, and what is made of several."""

from pathlib import Path

from verydeep.errors import RecordError
from verydeep.paths import short
from verydeep.runs.records import EvaluateRecord, FuseRecord, TargetRecord, TrainRecord, parse
from verydeep.studies import Run, load, names


def trained_otherwise(run: Run, record: TrainRecord) -> dict[str, tuple]:
    """What its study says otherwise of a run's network and recipe now than when it was trained: key -> (then, now).

    A key that was none when the record was written was as it is by default.
    """
    changed = {}
    for part, settings in (("network", run.network), ("recipe", run.recipe)):
        usual = {key: field.default for key, field in type(settings).model_fields.items()}
        then = usual | record.parameters[part]
        for key, now in settings.model_dump(mode="json").items():
            if then[key] != now:
                changed[f"{part}.{key}"] = then[key], now
    return changed


def tests_trained(tested: EvaluateRecord, trained: TrainRecord | None) -> bool:
    """Whether a test is of the weights that the training left; of those of others nothing says otherwise.

    Weights that are not published are no file of the run's folder, and only the two records tell.
    """
    return trained is None or trained.artefacts.get("weights.safetensors") in (None, tested.weights_sha256)


def stale_members(folder: Path, record: FuseRecord) -> list[str]:
    """The networks of a fusion must be those that lie beside it, tested as they were for it."""
    faults = []
    for name, digest in record.weights().items():
        path = folder.with_name(name) / "evaluate.json"
        if not path.exists():
            faults.append(f"{short(folder)}: its member {name} has no evaluate.json")
            continue
        try:
            evaluated = parse(path, "evaluate")
        except RecordError as error:
            faults.append(f"{short(folder)}: its member {name} has a record that cannot be read: {error}")
            continue
        if evaluated.weights_sha256 != digest:
            faults.append(f"{short(folder)}: was made from other weights of {name} than are there")
        elif evaluated.protocol != record.protocol:
            faults.append(f"{short(folder)}: its member {name} has been tested by another protocol since")
        elif evaluated.data.manifest_sha256 != record.data.manifest_sha256:
            faults.append(f"{short(folder)}: its member {name} has been tested on other images since")
    return faults


def stale_networks(folder: Path, record: TargetRecord) -> list[str]:
    """The networks of a transfer, or of a tuning, must be those that lie beside it: trained, and not of need tested.

    Of a study that trains nothing a test tells which weights there are; where there is none nothing says otherwise.
    """
    faults, kind = [], "train" if record.study not in names() or load(record.study).train else "evaluate"
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
        there = member.weights_sha256 if kind == "evaluate" else member.artefacts.get("weights.safetensors")
        if there not in (None, digest):
            faults.append(f"{short(folder)}: was made from other weights of {name} than are there")
    return faults
