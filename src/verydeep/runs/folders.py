"""Run folders: which there are, whether they are complete, and who works on one."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from verydeep import files, locks, paths
from verydeep.errors import RecordError, VerydeepError
from verydeep.paths import short
from verydeep.runs import predictions, provenance
from verydeep.runs.reading import parse, parse_sealed, read_record, record_path
from verydeep.runs.records import KINDS, EvaluateRecord, FuseRecord, OfSeveralRecord, OtherDataRecord, run_name
from verydeep.runs.seals import SEAL, read_seal, seal, unseal
from verydeep.runs.staleness import stale_members, stale_networks, tests_trained
from verydeep.studies import (
    Fusion,
    OfSeveral,
    Recorded,
    Run,
    Study,
    Transfer,
    Tuning,
    classes_of,
    planned_runs,
)
from verydeep.studies.measurements import measured_by, protocol
from verydeep.studies.names import RunName
from verydeep.studies.plan import named_run
from verydeep.studies.transfer import RESAMPLING

#: What whoever is at work on a run holds in its workspace.
_LOCK = ".work.lock"


@contextlib.contextmanager
def working_on(run: Recorded) -> Iterator[None]:
    """Be the only process at work on ``run`` within the block; first clear away what a killed one left half-written.

    Raises
    ------
    Busy
        When another process is at work on it; says which.
    StorageError
        When its folder could not be written: better said now than after weeks of training.
    VerydeepError
        When the sources that were imported are not those of this checkout.
    """
    provenance.require_own_sources()
    files.require_writable(run.folder)
    with locks.hold(run.workspace / _LOCK, run.name):
        for folder in (run.workspace, run.folder):
            files.clear_parts(folder)
        yield


def is_worked_on(run: Recorded) -> bool:
    """Whether a process is at work on ``run``, by the lock, which dies with it."""
    return locks.is_held(run.workspace / _LOCK)


def seal_training(run: Run) -> None:
    """Seal the record of a finished training that a kill has left unsealed.

    Raises
    ------
    RecordError
        When a file is not the one that the record names; then nothing is sealed.
    """
    path = record_path(run, "train")
    if (run.folder / SEAL).exists() and path.name in read_seal(run.folder):
        return
    record = parse(path, "train")
    there = {name: digest for name, digest in record.artefacts.items() if (run.folder / name).exists()}
    for name, digest in there.items():
        if files.sha256(run.folder / name) != digest:
            raise RecordError(f"{short(run.folder / name)}: is not the file that {path.name} names")
    seal(run.folder, [path.name, *there])


def publish_weights(run: Run) -> None:
    """Put the weights of a trained network from this machine's workspace into its folder, and seal them there.

    For a network that its study publishes only since it was trained. Those of one that it publishes no more go back to
    the workspace. Where nothing is to be done nothing is.

    Raises
    ------
    RecordError
        When the weights are not those that the record names; then they stay where they are.
    """
    record, name = read_record(run, "train"), run.weights.name
    if record is None or not (run.folder / SEAL).exists():
        return
    published, publish = run.folder / name, run.publishes_weights
    there = next((path for path in (run.weights, published, run.workspace / name) if path.exists()), None)
    sealed = read_seal(run.folder)
    if there is None or record_path(run, "train").name not in sealed or publish == (name in sealed):
        return
    if files.sha256(there) != record.artefacts[name]:
        why = "not published" if publish else "left there"
        raise RecordError(f"{short(there)}: not the weights that {run.name} was trained to, so {why}")
    with working_on(run):
        if there != run.weights:
            with files.atomic(run.weights) as part:
                shutil.copyfile(there, part)
        if publish:
            seal(run.folder, [name])
        else:
            unseal(run.folder, [name])
    (run.workspace if publish else run.folder).joinpath(name).unlink(missing_ok=True)


def is_complete(made: Recorded, kind: str | None = None) -> bool:
    """Whether the record of this kind, by default the last, is there, sealed, with the answers that it names, and with
    everything that the study asks for now."""
    path = record_path(made, kind)
    if not path.exists() or not (made.folder / SEAL).exists():
        return False
    if read_seal(made.folder).get(path.name) != files.sha256(path):
        return False
    return kind == "train" or _has_answers(made)


def _has_answers(made: Recorded) -> bool:
    """Whether the answers that a record names are there, and all that its study asks for now."""
    record = read_record(made)
    if not all((made.folder / name).exists() for name in record.artefacts):
        return False
    if isinstance(record, OtherDataRecord):
        return covers_target(made, record) and not stale_networks(made.folder, record)
    if isinstance(record, FuseRecord):
        return not stale_members(made.folder, record)
    return covers(made, record) and tests_trained(record, read_record(made, "train"))


def is_done(made: Recorded, kind: str | None = None) -> bool:
    """Whether nothing is left to do of this kind, by default the last: record and executed notebook are sealed."""
    kept = record_path(made, kind).with_suffix(".ipynb")
    return is_complete(made, kind) and kept.exists() and kept.name in read_seal(made.folder)


def finished_target(made: Transfer | Tuning) -> OtherDataRecord | None:
    """The record of a transfer or a tuning if nothing is left to do: complete, and of the weights that are there."""
    record = read_record(made)
    if record is None or not is_complete(made):
        return None
    there = {run.name: files.sha256(run.weights) for run in made.members if run.weights.exists()}
    return record if all(record.members[name] == digest for name, digest in there.items()) else None


def covers(run: Run, record: EvaluateRecord) -> bool:
    """Whether an evaluation has every measurement that the study asks for, by the protocol it now has."""
    asked = {measurement.name for measurement in measured_by(run)}
    return asked <= set(record.measurements) and record.protocol == protocol(run) and _has_its_classes(run, record)


def covers_target(made: Transfer | Tuning, record: OtherDataRecord) -> bool:
    """Whether a transfer or a tuning has every measurement that is asked for, by the settings its study has now."""
    return {*made.asked} <= {*record.measurements} and is_by_protocol(record, made.protocol)


def is_by_protocol(record: OtherDataRecord, protocol: dict) -> bool:
    """Whether numbers were made by this protocol. How images are resampled is not of them: that is done when read."""
    then, now = ({key: said[key] for key in said if key not in RESAMPLING} for said in (record.protocol, protocol))
    return then == now


def _has_its_classes(run: Run, record: EvaluateRecord) -> bool:
    """Whether the classes that its boxes were given to are those which the system names now, where it is there."""
    if not run.boxes:
        return True
    named = classes_of(run)[0].folder / predictions.FILE
    return not named.exists() or record.parameters["classes"]["predictions_sha256"] == files.sha256(named)


def run_folders() -> list[Path]:
    """Every folder ``runs/<study>/<run>`` there is."""
    return [path for path in files.listed(paths.runs(), "*/*") if path.is_dir()]


def evaluated(study: str) -> list[RunName]:
    """The names of the runs of a study that were tested; a folder that names no run is left to :func:`check_all`."""
    named = []
    for path in files.listed(paths.runs(), f"{study}/*/evaluate.json"):
        with contextlib.suppress(VerydeepError):
            named.append(RunName.parse(path.parent.name))
    return named


def recorded_runs(study: Study) -> list[Run]:
    """Every run of ``study`` that has a record, also those it does not plan: another seed, another network.

    Raises
    ------
    RecordError
        When a record does not fit its schema or lies in the folder of another run.
    """
    recorded = []
    kind = "train" if study.train else "evaluate"
    for path in files.listed(paths.runs(), f"{study.name}/*/{kind}.json"):
        record = parse_sealed(path, kind)
        if path.parent.name != (name := run_name(record)):
            raise RecordError(f"{short(path)}: is the record of another run, {name}")
        if record.variant is not None and record.variant not in study.variants:
            raise RecordError(f"{short(path)}: is of a variant that the study does not have, {record.variant}")
        recorded.append(Run(study, record.config, record.train_scale, record.seed, record.variant))
    return recorded


def recorded_fusions(study: Study) -> list[Fusion]:
    """Every fusion of networks of ``study`` that has a record; raises as :func:`recorded_runs` does."""
    return _recorded(study, Fusion.kind)


def recorded_transfers(study: Study) -> list[Transfer]:
    """Every transfer of networks of ``study`` that has a record; raises as :func:`recorded_runs` does."""
    return _recorded(study, Transfer.kind)


def recorded_tunings(study: Study) -> list[Tuning]:
    """Every tuning of a network of ``study`` that has a record; raises as :func:`recorded_runs` does."""
    return _recorded(study, Tuning.kind)


def recorded(study: Study) -> list[Recorded]:
    """Everything of ``study`` that has a record: runs, and what was made of them; raises as :func:`recorded_runs`."""
    of_several = [kind for kind, record in KINDS.items() if issubclass(record, OfSeveralRecord)]
    return [*recorded_runs(study), *(made for kind in of_several for made in _recorded(study, kind))]


def _recorded(study: Study, kind: str) -> list[OfSeveral]:
    """What the records of this kind, each of several networks, say they are of."""
    recorded = []
    for path in files.listed(paths.runs(), f"{study.name}/*/{kind}.json"):
        record = parse_sealed(path, kind)
        try:
            made = record.subject()
        except VerydeepError as error:  # of networks or data that there are not
            raise RecordError(f"{short(path)}: {error}") from None
        if made.folder != path.parent:
            raise RecordError(f"{short(path)}: is the record of another {record.called}, {made.name}")
        recorded.append(made)
    return recorded


def all_runs(study: Study) -> list[Run]:
    """The runs a study plans, its pilots, and whatever else was recorded."""
    planned = planned_runs(study) + planned_runs(study, pilots=True)
    names = {run.name for run in planned}
    return planned + [run for run in recorded_runs(study) if run.name not in names]


def begun_runs(study: Study) -> list[Run]:
    """Runs that were begun here and are not of :func:`all_runs` yet: of another seed, at work or stopped."""
    named, begun = {run.name for run in all_runs(study)}, []
    for path in files.listed(paths.artifacts(), f"{study.name}/*"):
        with contextlib.suppress(VerydeepError):  # of a fusion or a transfer, or of nothing that there is now
            run = named_run(f"{study.name}/{path.name}")
            if run.name not in named and (is_worked_on(run) or (run.workspace / paths.CHECKPOINT).exists()):
                begun.append(run)
    return begun
