"""The files of records: where each lies, how it is written, and how it is read without being taken for another."""

from pathlib import Path

from pydantic import ValidationError

from verydeep import files
from verydeep.errors import RecordError
from verydeep.paths import short
from verydeep.runs.records import KINDS, Record
from verydeep.runs.seals import SEAL, read_seal
from verydeep.studies import Recorded


def record_path(made: Recorded, kind: str | None = None) -> Path:
    """Where the record of this kind lies, or will; by default the one with which the work ends."""
    return made.folder / f"{kind or made.kind}.json"


def write_record(run: Recorded, record: Record) -> None:
    """Write a record; its files must be in place, since a folder with a record counts as finished."""
    files.write_text(record_path(run, record.kind), record.model_dump_json(indent=1) + "\n")


def read_record(made: Recorded, kind: str | None = None) -> Record | None:
    """The record of this kind, by default the one with which the work ends, or ``None`` when there is none yet.

    Raises
    ------
    RecordError
        When the file is not a record of ``made``.
    """
    path = record_path(made, kind)
    if not path.exists():
        return None
    record = parse_sealed(path, path.stem)
    if not record.is_of(made):
        whose = record.whose().removeprefix(f"{made.study.name}/")
        raise RecordError(f"{short(path)}: is the record of another {record.called}, {whose}")
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
