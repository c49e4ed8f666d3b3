"""Run folders: records with a schema, the seal over their files, and the check that both hold.

A folder ``runs/<study>/<run>/`` holds ``train.json`` and ``evaluate.json`` (the records), the files they name,
and ``SHA256SUMS``, the seal: a line for every file in the folder, in the format of ``sha256sum``. Files are
written whole or not at all, a record after the files it names, and the seal last.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import nbformat
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from verydeep import files, locks, paths, predictions, provenance
from verydeep.errors import RecordError, VerydeepError
from verydeep.identity import RunName
from verydeep.studies import Fusion, Run, Study, load, names, planned_runs
from verydeep.studies.fusions import member
from verydeep.studies.measurements import measured_by, protocol

SCHEMA_VERSION = 1
SEAL = "SHA256SUMS"
NOTEBOOKS = ("train.ipynb", "evaluate.ipynb", "fuse.ipynb")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    study: str
    sources: dict
    environment: dict
    device: dict
    data: dict
    started: str
    finished: str
    artefacts: dict[str, str]


class Session(BaseModel):
    """One stretch of training between a start or resume and the next stop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    started: str
    seconds: float
    images: int
    sources_sha256: str
    load_average: float | None


class _RunRecord(_Record):
    config: str
    train_scale: str
    variant: str | None
    seed: int
    parameters: dict


class TrainRecord(_RunRecord):
    """What a training left behind. Errors are in percent, on held-out images."""

    kind: Literal["train"] = "train"
    parent: dict | None
    cost: dict
    sessions: list[Session]
    metrics: dict


class EvaluateRecord(_RunRecord):
    """What an evaluation left behind: a row of metrics for every measurement, in percent.

    ``passes`` has for every pass over the images its cost and the sha256 of its posteriors, which are kept outside
    git.
    """

    kind: Literal["evaluate"] = "evaluate"
    weights_sha256: str
    protocol: dict
    cost: dict
    passes: dict[str, dict]
    measurements: dict[str, dict]


class FuseRecord(_Record):
    """What a fusion of networks left behind.

    ``members`` has for every run its weights' sha256, its measurement, and the sha256 of the posteriors used.
    """

    kind: Literal["fuse"] = "fuse"
    method: str
    members: dict[str, dict]
    protocol: dict
    cost: dict
    measurements: dict[str, dict]

    def weights(self) -> dict[str, str]:
        """Run name -> sha256 of the weights that were tested."""
        return {name: member["weights_sha256"] for name, member in self.members.items()}


_KINDS: dict[str, type[_Record]] = {"train": TrainRecord, "evaluate": EvaluateRecord, "fuse": FuseRecord}


def record_path(run: Run | Fusion, kind: str) -> Path:
    return run.folder / f"{kind}.json"


def write_record(run: Run | Fusion, record: _Record) -> None:
    """Write a record; its files must be in place, since a folder with a record counts as finished."""
    files.write_text(record_path(run, record.kind), record.model_dump_json(indent=1) + "\n")


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
    record = _parse_sealed(path, kind)
    if (record.study, record.config, record.train_scale, record.variant, record.seed) != (
        run.study.name,
        run.config,
        run.train_scale,
        run.variant,
        run.seed,
    ):
        raise RecordError(f"{_short(path)}: is the record of another run, {record.config}-{record.train_scale}")
    return record


def read_fusion(fusion: Fusion) -> FuseRecord | None:
    """The record of a fusion, or ``None`` when it has none yet; raises as :func:`read_record` does."""
    path = record_path(fusion, "fuse")
    if not path.exists():
        return None
    record = _parse_sealed(path, "fuse")
    if (record.study, record.method, [*record.members]) != (
        fusion.study.name,
        fusion.method,
        [run.name for run in fusion.members],
    ):
        raise RecordError(f"{_short(path)}: is the record of another fusion, {'+'.join(record.members)}")
    return record


def read_file(path: Path) -> TrainRecord | EvaluateRecord | FuseRecord:
    """The record in ``path``, whose name says its kind; raises as :func:`read_record` does."""
    return _parse(path, path.stem)


def _parse_sealed(path: Path, kind: str):
    """The record in ``path``, which must be the one that was sealed, if it was."""
    if (path.parent / SEAL).exists():
        sealed = read_seal(path.parent).get(path.name)
        if sealed is not None and sealed != files.sha256(path):
            raise RecordError(
                f"{_short(path)}: content differs from its sha256 in {SEAL}; restore it (git checkout), or delete it "
                f"to make it again"
            )
    return _parse(path, kind)


def _parse(path: Path, kind: str):
    try:
        return _KINDS[kind].model_validate_json(path.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the file"
        raise RecordError(f"{_short(path)}: {where}: {fault['msg']}") from None


def _short(path: Path) -> str:
    try:
        return path.relative_to(paths.root()).as_posix()
    except ValueError:
        return str(path)


def seal(folder: Path, changed: list[str]) -> None:
    """Write the seal of ``folder`` after the files named in ``changed`` were written.

    Lines of other files are kept as they are, so that sealing never covers up a file that was damaged since.
    """
    sums = read_seal(folder) if (folder / SEAL).exists() else {}
    sums |= {name: files.sha256(folder / name) for name in changed}
    _write_seal(folder, sums)


def unseal(folder: Path, names: list[str]) -> None:
    """Take files that are about to be written anew out of the seal of ``folder``: until they are sealed again, a
    kill leaves an unfinished run and not a damaged one.
    """
    sums = read_seal(folder) if (folder / SEAL).exists() else {}
    if sums.keys() & set(names):
        kept = {name: digest for name, digest in sums.items() if name not in names}
        _write_seal(folder, kept)


def _write_seal(folder: Path, sums: dict[str, str]) -> None:
    files.write_text(folder / SEAL, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))


@contextlib.contextmanager
def working_on(run: Run | Fusion) -> Iterator[None]:
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
    with locks.hold(run.workspace / ".work.lock", run.name):
        for folder in (run.workspace, run.folder):
            files.clear_parts(folder)
        yield


def seal_record(run: Run, kind: str) -> None:
    """Seal a finished record that a kill has left unsealed.

    Raises
    ------
    RecordError
        When a file is not the one that the record names; then nothing is sealed.
    """
    path = record_path(run, kind)
    if (run.folder / SEAL).exists() and path.name in read_seal(run.folder):
        return
    record = _parse(path, kind)
    there = {name: digest for name, digest in record.artefacts.items() if (run.folder / name).exists()}
    for name, digest in there.items():
        if files.sha256(run.folder / name) != digest:
            raise RecordError(f"{_short(run.folder / name)}: is not the file that {path.name} names")
    seal(run.folder, [path.name, *there])


def read_seal(folder: Path) -> dict[str, str]:
    """File name -> sha256, from ``SHA256SUMS``.

    Raises
    ------
    RecordError
        When it is missing or a line is malformed.
    """
    path = folder / SEAL
    if not path.exists():
        raise RecordError(f"{_short(path)}: missing; the run is unfinished, or the file was lost")
    sums = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise RecordError(f"{_short(path)}: not text") from None
    if lines.pop() != "":
        raise RecordError(f"{_short(path)}: does not end with a new line")
    for number, line in enumerate(lines, 1):
        digest, gap, name = line[:64], line[64:66], line[66:]
        if gap != "  " or not name or set(digest) - set("0123456789abcdef"):
            raise RecordError(f"{_short(path)}: line {number} is not '<sha256>  <file>'")
        sums[name] = digest
    return sums


def is_complete(run: Run | Fusion, kind: str) -> bool:
    """Whether the record of this kind is there, sealed, and has everything that the study asks for now."""
    path = record_path(run, kind)
    if not path.exists() or not (run.folder / SEAL).exists():
        return False
    if read_seal(run.folder).get(path.name) != files.sha256(path):
        return False
    if kind == "fuse":
        return not _check_members(run.folder, read_fusion(run))
    return kind != "evaluate" or covers(run, read_record(run, kind))


def covers(run: Run, record: EvaluateRecord) -> bool:
    """Whether an evaluation has every measurement that the study asks for, by the protocol it now has."""
    asked = {measurement.name for measurement in measured_by(run)}
    return asked <= set(record.measurements) and record.protocol == protocol(run)


def notebook_fault(path: Path) -> str | None:
    """Why an executed notebook does not count as success, or ``None``.

    A notebook that failed under papermill passes a strict book build, so this is looked for by hand.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises what json, jsonschema and itself raise
        return f"not a notebook ({type(error).__name__}: {str(error).splitlines()[0]})"
    papermill = notebook.metadata.get("papermill", {})
    if papermill.get("exception"):
        return "papermill recorded a failure"
    if "end_time" not in papermill or papermill["end_time"] is None:
        return "papermill did not finish it"
    for cell in notebook.cells:
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return "a cell ended in an error"
    return None


def run_folders() -> list[Path]:
    """Every folder ``runs/<study>/<run>`` there is."""
    return [path for path in files.listed(paths.runs(), "*/*") if path.is_dir()]


def evaluated(study: str) -> list[RunName]:
    """The names of the runs of a study that were tested; a folder that names no run is left to :func:`check_all`."""
    found = []
    for path in files.listed(paths.runs(), f"{study}/*/evaluate.json"):
        with contextlib.suppress(VerydeepError):
            found.append(RunName.parse(path.parent.name))
    return found


def recorded_runs(study: Study) -> list[Run]:
    """Every run of ``study`` that has a record, also those it does not plan: another seed, another network.

    Raises
    ------
    RecordError
        When a record does not fit its schema or lies in the folder of another run.
    """
    found = []
    kind = "train" if study.train else "evaluate"
    for path in files.listed(paths.runs(), f"{study.name}/*/{kind}.json"):
        record = _parse_sealed(path, kind)
        if path.parent.name != (name := _run_name(record)):
            raise RecordError(f"{_short(path)}: is the record of another run, {name}")
        if record.variant is not None and record.variant not in study.variants:
            raise RecordError(f"{_short(path)}: is of a variant that the study does not have, {record.variant}")
        found.append(Run(study, record.config, record.train_scale, record.seed, record.variant))
    return found


def recorded_fusions(study: Study) -> list[Fusion]:
    """Every fusion of networks of ``study`` that has a record; raises as :func:`recorded_runs` does."""
    found = []
    for path in files.listed(paths.runs(), f"{study.name}/*/fuse.json"):
        record = _parse_sealed(path, "fuse")
        fusion = Fusion(tuple(member(f"{study.name}/{name}") for name in record.members), record.method)
        if fusion.folder != path.parent:
            raise RecordError(f"{_short(path)}: is the record of another fusion, {fusion.name}")
        found.append(fusion)
    return found


def all_runs(study: Study) -> list[Run]:
    """The runs a study plans, its pilots, and whatever else was recorded."""
    planned = planned_runs(study) + planned_runs(study, pilots=True)
    names = {run.name for run in planned}
    return planned + [run for run in recorded_runs(study) if run.name not in names]


def check_all() -> list[str]:
    """Every fault under ``runs/``, a line each: of the run folders, and files that belong to none."""
    strays = [path for pattern in ("*", "*/*") for path in files.listed(paths.runs(), pattern) if path.is_file()]
    faults = [f"{_short(path)}: belongs to no run" for path in strays]
    faults += [fault for folder in run_folders() for fault in check_folder(folder)]
    return faults + _check_fingerprints() + _check_chapters()


def unchecked() -> list[str]:
    """What :func:`check_all` could not look at in this checkout, a line each, with the reason."""
    why = provenance.git_unknown() or provenance.history_unknown()
    if why is None:
        return []
    records = [path for path in files.listed(paths.runs(), "*/*/*.json") if path.stem in _KINDS]
    unknown = 0
    for path in records:
        with contextlib.suppress(RecordError):  # said by check_folder
            commit = read_file(path).sources.get("commit")
            unknown += commit is not None and provenance.sources_sha256_at(commit) is None
    made_by = f"the sources of {unknown} of {len(records)} records are those of the commits they name, and whether "
    return [f"not checked: whether {made_by if unknown else ''}rules were changed ({why})"]


def _check_fingerprints() -> list[str]:
    """All runs of one study must be of the same images, the same of them held out."""
    faults, first = [], {}
    for path in files.listed(paths.runs(), "*/*/*.json"):
        try:
            data = read_file(path).data if path.stem in _KINDS else None
        except RecordError:
            continue  # said by check_folder
        if data is None:
            continue
        fingerprint = (data.get("manifest_sha256"), data.get("held_out", {}).get("sha256"))
        study = path.parent.parent.name
        known, where = first.setdefault(study, (fingerprint, path))
        if fingerprint != known:
            faults.append(f"{_short(path)}: was made from other images, or others held out, than {_short(where)}")
    return faults


def _check_chapters() -> list[str]:
    """Chapters are kept without outputs: what they show is made when the book is built."""
    faults = []
    for path in files.listed(paths.book(), "**/*.ipynb"):
        if "runs" in path.relative_to(paths.book()).parts:
            continue
        notebook = nbformat.read(path, as_version=4)
        if any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells):
            faults.append(f"{_short(path)}: has outputs; clear them, the build makes them anew")
    return faults


def check_folder(folder: Path) -> list[str]:
    """Every fault of one run folder, a line each; empty when it holds."""
    try:
        sums = read_seal(folder)
    except RecordError as error:
        return [str(error)]
    faults = []
    present = {path.relative_to(folder).as_posix() for path in files.listed(folder, "**/*") if path.is_file()} - {SEAL}
    faults += [f"{_short(folder / name)}: missing" for name in sorted(set(sums) - present)]
    faults += [f"{_short(folder / name)}: not listed in {SEAL}" for name in sorted(present - set(sums))]
    for name in sorted(present & set(sums)):
        if files.sha256(folder / name) != sums[name]:
            faults.append(f"{_short(folder / name)}: content differs from its sha256 in {SEAL}")
    for name in NOTEBOOKS:
        if name in present and (fault := notebook_fault(folder / name)):
            faults.append(f"{_short(folder / name)}: {fault}")
    for kind in _KINDS:
        if f"{kind}.json" in present:
            faults += _check_record(folder, kind, sums)
    if not present & {"train.json", "fuse.json"} and not _is_of_published_weights(folder):
        faults.append(f"{_short(folder)}: has no train.json")
    return faults


def _is_of_published_weights(folder: Path) -> bool:
    return folder.parent.name in names() and not load(folder.parent.name).train


def _check_record(folder: Path, kind: str, sums: dict[str, str]) -> list[str]:
    path = folder / f"{kind}.json"
    try:
        record = _parse(path, kind)
    except RecordError as error:
        return [str(error)]
    faults = []
    if record.study != folder.parent.name:
        faults.append(f"{_short(path)}: says study {record.study!r}, lies under {folder.parent.name!r}")
    if kind != "fuse" and folder.name != (name := _run_name(record)):
        faults.append(f"{_short(path)}: is the record of {name}, lies in the folder {folder.name}")
    for name, digest in record.artefacts.items():
        if name in sums and sums[name] != digest:
            faults.append(f"{_short(path)}: names another sha256 for {name} than {SEAL}")
    committed = provenance.sources_sha256_at(record.sources["commit"]) if record.sources.get("commit") else None
    if committed and record.sources["dirty"] is False and committed != record.sources["sources_sha256"]:
        faults.append(f"{_short(path)}: was made by other sources than those of the commit it names")
    if kind == "evaluate" and "weights.safetensors" in sums and record.weights_sha256 != sums["weights.safetensors"]:
        faults.append(f"{_short(path)}: was made from other weights than weights.safetensors")
    if kind == "fuse":
        faults += _check_members(folder, record)
    if kind != "train" and sums.get("predictions.parquet") == files.sha256(folder / "predictions.parquet"):
        faults += _check_errors(folder, record)
    return faults


def _run_name(record: _RunRecord) -> str:
    try:
        return str(RunName(record.config, record.train_scale, record.variant, record.seed))
    except VerydeepError as error:
        return f"no run ({error})"


def _check_members(folder: Path, record: FuseRecord) -> list[str]:
    """The networks of a fusion must be those that lie beside it."""
    faults = []
    for name, digest in record.weights().items():
        evaluated = folder.with_name(name) / "evaluate.json"
        if not evaluated.exists():
            faults.append(f"{_short(folder)}: its member {name} has no evaluate.json")
        elif _parse(evaluated, "evaluate").weights_sha256 != digest:
            faults.append(f"{_short(folder)}: was made from other weights of {name} than are there")
    return faults


def _check_errors(folder: Path, record: EvaluateRecord | FuseRecord) -> list[str]:
    """Every error in the record must be what the predictions beside it yield."""
    table = pd.read_parquet(folder / "predictions.parquet")
    faults = []
    for name, found in record.measurements.items():
        again = predictions.errors(table[table["measurement"] == name])
        for key, value in found.items():
            if again[key] != value:
                faults.append(f"{_short(folder)}: {name}: {key} is {value}, predictions.parquet yields {again[key]}")
    return faults
