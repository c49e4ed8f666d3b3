"""The check of everything under ``runs/``: a line for every fault, and for what could not be looked at."""

import contextlib
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

from verydeep import files, paths
from verydeep.errors import RecordError, VerydeepError, first_line
from verydeep.paths import WEIGHTS, short
from verydeep.runs import answers, predictions, provenance, transfers
from verydeep.runs.folders import run_folders
from verydeep.runs.reading import parse, read_file
from verydeep.runs.records import (
    HISTORY,
    KINDS,
    EvaluateRecord,
    FuseRecord,
    OfSeveralRecord,
    OtherDataRecord,
    RunRecord,
    TrainRecord,
    run_name,
)
from verydeep.runs.seals import SEAL, read_seal
from verydeep.runs.staleness import stale_members, stale_networks, started_otherwise, tests_trained, trained_in
from verydeep.studies import find_run, load, names
from verydeep.studies.parts import RELEASED


def notebook_fault(path: Path) -> str | None:
    """Why an executed notebook does not count as success, or ``None``.

    A notebook that failed under papermill passes a strict book build, so this is looked for by hand.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises what json, jsonschema and itself raise
        return _unreadable(error)
    papermill = notebook.metadata.get("papermill", {})
    if papermill.get("exception"):
        return "papermill recorded a failure"
    if "end_time" not in papermill or papermill["end_time"] is None:
        return "papermill did not finish it"
    for cell in notebook.cells:
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return "a cell ended in an error"
    return None


def check_all() -> list[str]:
    """Every fault under ``runs/``, a line each: of the run folders, and files that belong to none."""
    strays = [path for pattern in ("*", "*/*") for path in files.listed(paths.runs(), pattern) if path.is_file()]
    faults = [f"{short(path)}: belongs to no run" for path in strays]
    faults += [fault for folder in run_folders() for fault in check_folder(folder)]
    faults += _check_none_is_gone()
    return faults + _check_fingerprints() + _check_copies() + check_chapters()


def _check_none_is_gone() -> list[str]:
    """A line for each run that the commit which is checked out has and that is not here, wholly."""
    folders = dict.fromkeys("/".join(name.split("/")[:3]) for name in provenance.gone() if name.count("/") > 2)
    return [f"{name}: is committed and not here; restore it (git checkout), or commit that it is gone"
            for name in folders if not (paths.root() / name).exists()]  # fmt: skip


def unchecked() -> list[str]:
    """What :func:`check_all` could not look at in this checkout, a line each, with the reason."""
    why = provenance.history_unknown()
    if why is None:
        return []
    records = [path for path in files.listed(paths.runs(), "*/*/*.json") if path.stem in KINDS]
    unknown = 0
    for path in records:
        with contextlib.suppress(RecordError):  # said by check_folder
            commit = read_file(path).sources.commit
            unknown += commit is not None and provenance.sources_sha256_at(commit) is None
    made_by = f"the sources of {unknown} of {len(records)} records are those of the commits they name, and whether "
    return [f"not checked: whether {made_by if unknown else ''}rules were changed ({why})"]


def _check_fingerprints() -> list[str]:
    """All runs of one study on one data set must be of the same images, the same of them held out."""
    faults, first = [], {}
    for path in files.listed(paths.runs(), "*/*/*.json"):
        try:
            data = read_file(path).data if path.stem in KINDS else None
        except RecordError:
            continue  # said by check_folder
        if data is None:
            continue
        fingerprint = (data.manifest_sha256, data.held_out and data.held_out.sha256)
        expected, where = first.setdefault((path.parent.parent.name, data.source), (fingerprint, path))
        if fingerprint != expected:
            faults.append(f"{short(path)}: was made from other images, or others held out, than {short(where)}")
    return faults


def _check_copies() -> list[str]:
    """A line for each training whose weights are those of another seed: it is a copy, and would count as a seed."""
    faults, first = [], {}
    for path in files.listed(paths.runs(), "*/*/train.json"):
        with contextlib.suppress(RecordError):  # said by check_folder
            record = read_file(path)
            if path.parent.name != run_name(record):
                continue  # said by check_folder, too
            network = record.study, record.config, record.train_scale, record.variant, record.weights_sha256
            if (where := first.setdefault(network, path.parent)) != path.parent:
                faults.append(f"{short(path.parent)}: has the very weights of {short(where)}; remove the copy")
    return faults


def _unreadable(error: Exception) -> str:
    return f"not a notebook ({type(error).__name__}: {first_line(error)})"


def check_chapters() -> list[str]:
    """A line for every chapter with outputs: what chapters show is made when the book is built."""
    faults = []
    for path in files.listed(paths.book(), "**/*.ipynb"):
        if "runs" in path.relative_to(paths.book()).parts:
            continue
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:  # as in notebook_fault
            faults.append(f"{short(path)}: {_unreadable(error)}")
            continue
        if any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells):
            faults.append(f"{short(path)}: has outputs; clear them, the build makes them anew")
    return faults


def check_folder(folder: Path) -> list[str]:
    """Every fault of one run folder, a line each; empty when it holds."""
    try:
        sums = read_seal(folder)
    except RecordError as error:
        return [str(error)]
    faults = []
    present = {path.relative_to(folder).as_posix() for path in files.listed(folder, "**/*") if path.is_file()} - {SEAL}
    faults += [f"{short(folder / name)}: missing" for name in sorted(set(sums) - present)]
    faults += [f"{short(folder / name)}: not listed in {SEAL}" for name in sorted(present - set(sums))]
    for name in sorted(present & set(sums)):
        if files.sha256(folder / name) != sums[name]:
            faults.append(f"{short(folder / name)}: content differs from its sha256 in {SEAL}")
    for name in (f"{kind}.ipynb" for kind in KINDS):
        if name in present and (fault := notebook_fault(folder / name)):
            faults.append(f"{short(folder / name)}: {fault}")
    for kind in KINDS:
        if f"{kind}.json" in present:
            faults += _check_record(folder, kind, sums)
    whole = {f"{kind}.json" for kind, record in KINDS.items() if issubclass(record, TrainRecord | OfSeveralRecord)}
    if not present & whole and not _is_of_published_weights(folder):
        faults.append(f"{short(folder)}: has no train.json")
    return faults


def _is_of_published_weights(folder: Path) -> bool:
    return folder.parent.name in names() and not load(folder.parent.name).train


def _check_record(folder: Path, kind: str, sums: dict[str, str]) -> list[str]:
    path = folder / f"{kind}.json"
    try:
        record = parse(path, kind)
    except RecordError as error:
        return [str(error)]
    faults = []
    if record.study != folder.parent.name:
        faults.append(f"{short(path)}: says study {record.study!r}, lies under {folder.parent.name!r}")
    if isinstance(record, RunRecord) and folder.name != (name := run_name(record)):
        faults.append(f"{short(path)}: is the record of {name}, lies in the folder {folder.name}")
    for name, digest in record.artefacts.items():
        if name in sums and sums[name] != digest:
            faults.append(f"{short(path)}: names another sha256 for {name} than {SEAL}")
    committed = provenance.sources_sha256_at(record.sources.commit) if record.sources.commit else None
    if committed and record.sources.dirty is False and committed != record.sources.sources_sha256:
        faults.append(f"{short(path)}: was made by other sources than those of the commit it names")
    if kind == "train":
        faults += _check_history(folder, record, sums)
        if started_otherwise(folder, record):
            faults.append(f"{short(folder)}: was trained from other weights of {record.parent.run} than are there")
    if kind == "evaluate" and (fault := _tested_weights_fault(folder, record, sums)):
        faults.append(f"{short(path)}: {fault}")
    if isinstance(record, FuseRecord):
        faults += stale_members(folder, record)
    if isinstance(record, OtherDataRecord):
        faults += stale_networks(folder, record)
    return faults + ([] if kind == "train" else _check_answers(folder, record, sums))


def _check_history(folder: Path, record: TrainRecord, sums: dict[str, str]) -> list[str]:
    """The record's losses, errors and epochs must be those of the history of all epochs beside it."""
    kept = folder / HISTORY
    if not _is_as_sealed(kept, sums):
        return [] if kept.name in sums else [f"{short(kept)}: missing; it says what every epoch of the training left"]
    try:
        history = pd.read_csv(kept)
    except ValueError as error:  # pandas' errors of a file that is no table among them
        return [f"{short(kept)}: no table ({first_line(error)})"]
    last = history.iloc[-1].to_dict() if len(history) else {}
    said = record.metrics.model_dump() | {"epochs": record.cost.epochs}
    found = {key: last.get(key) for key in said} | {"epochs": len(history)}
    return [
        f"{short(folder)}: {key} is {value}, {kept.name} yields {found[key]}"
        for key, value in said.items()
        if value != found[key]
    ]


def _check_answers(
    folder: Path, record: EvaluateRecord | FuseRecord | OtherDataRecord, sums: dict[str, str]
) -> list[str]:
    """The record's numbers by the answers beside it, which may be sealed and yet no table of answers."""
    try:
        if isinstance(record, OtherDataRecord):
            return _check_transfer(folder, record, sums)
        kept = answers.file_of(folder)
        return _check_errors(kept, record) if _is_as_sealed(kept, sums) else []
    except RecordError as error:
        return [str(error)]
    except KeyError as error:
        return [f"{short(folder)}: what it has in place of answers has no column {error}"]


def _tested_weights_fault(folder: Path, record: EvaluateRecord, sums: dict[str, str]) -> str:
    """Whether a test is of other weights than lie beside it, than the training left, or than others published."""
    if sums.get(WEIGHTS, record.weights_sha256) != record.weights_sha256:
        return f"was made from other weights than {WEIGHTS}"
    if not tests_trained(record, trained_in(folder)):
        return "was made from other weights than those that train.json names; test the network again"
    return _other_classes_fault(folder, record) or _weights_of_others_fault(record)


def _other_classes_fault(folder: Path, record: EvaluateRecord) -> str:
    """Whether boxes were given to other classes than the system names now, where it lies beside them."""
    given = record.parameters.get("classes")
    system = given and folder.with_name(given["run"])
    if not given or not (system / SEAL).exists():
        return ""
    if read_seal(system).get(predictions.FILE, given["predictions_sha256"]) == given["predictions_sha256"]:
        return ""
    return f"gave its boxes to other classes than {given['run']} names now; test the network again"


def _weights_of_others_fault(record: EvaluateRecord) -> str:
    """Of a record that others may have sent: whether it tested other weights than were published under that name."""
    if record.train_scale not in RELEASED:
        return ""
    try:
        others = find_run(record.study, record.config, record.train_scale, record.seed, record.variant).published
    except VerydeepError as error:
        return str(error)
    stated = others.file_sha256
    if record.weights_sha256.startswith(stated):
        return ""
    return f"tested weights whose sha256 begins {record.weights_sha256[: len(stated)]}; {others.name}'s is {stated}"


def _is_as_sealed(path: Path, sums: dict[str, str]) -> bool:
    """Whether a file is there and the one that was sealed."""
    return path.exists() and sums.get(path.name) == files.sha256(path)


def _check_transfer(folder: Path, record: OtherDataRecord, sums: dict[str, str]) -> list[str]:
    """Every number in the record must be what was said of the images beside it."""
    kept, faults = folder / transfers.FILE, []
    if not _is_as_sealed(kept, sums):
        return faults  # said by the seal
    table, protocol = transfers.read(folder), record.protocol
    for name, score in record.measurements.items():
        part = table[table["measurement"] == name]
        again = transfers.value(part, protocol["metric"], protocol["average_precision"]) if len(part) else {}
        for key in ("n", "value", "splits"):
            if again.get(key) != getattr(score, key):
                faults.append(
                    f"{short(folder)}: {name}: {key} is {getattr(score, key)}, {kept.name} yields {again.get(key)}"
                )
    return faults + _check_resamples(folder, record, table, sums)


#: How far a resampled number may be from what it is made of, percentage points: sums are added up in another order.
_ROUNDING = 1e-3


def _check_resamples(folder: Path, record: OtherDataRecord, table: pd.DataFrame, sums: dict[str, str]) -> list[str]:
    """Intervals are read from the resampled numbers; those by a rule of before are not read."""
    kept, protocol = folder / transfers.RESAMPLED, record.protocol
    if sums.get(kept.name) != (files.sha256(kept) if kept.exists() else None):
        return []  # said by the seal
    if not transfers.is_resampled_by_rule(record):
        return []
    if not kept.exists():
        return [f"{short(kept)}: missing; the record's intervals are read from it"]
    faults, resampled = [], answers.read_table(kept)
    for name in record.measurements:
        part = table[table["measurement"] == name]
        again = transfers.resampled(part, protocol["metric"], protocol["average_precision"]) if len(part) else []
        alike = name in resampled and len(resampled) == len(again)
        if not alike or not np.allclose(resampled[name], again, rtol=0, atol=_ROUNDING):
            faults.append(f"{short(folder)}: {name}: {kept.name} is not what {transfers.FILE} yields")
    return faults


def _check_errors(kept: Path, record: EvaluateRecord | FuseRecord) -> list[str]:
    """Every error in the record must be what the answers beside it, in the file ``kept``, yield."""
    table, faults, tested = answers.read_table(kept), [], set()
    for name, errors in record.measurements.items():
        part = table[table["measurement"] == name]
        tested.add(frozenset(part["image"].to_numpy(object)))
        images, asked = part["image"].nunique(), record.data.counts["val"]
        if not len(part) == images == asked:
            faults.append(
                f"{short(kept.parent)}: {name}: {kept.name} has {len(part)} answers of {images} images; "
                f"{record.data.source} has {asked} validation images"
            )
        again = answers.errors(kept, part)
        for key, value in errors:
            if again.get(key) != value:
                faults.append(f"{short(kept.parent)}: {name}: {key} is {value}, {kept.name} yields {again.get(key)}")
    if len(tested) > 1:
        faults.append(f"{short(kept.parent)}: {kept.name} has other images by one measurement than by another")
    return faults
