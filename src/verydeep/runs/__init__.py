"""Run folders: records with a schema, the seal over their files, and the check that both hold.

A folder ``runs/<study>/<run>/`` holds ``train.json`` and ``evaluate.json`` (the records), the files they name,
and ``SHA256SUMS``, the seal: a line for every file in the folder, in the format of ``sha256sum``. Files are
written whole or not at all, a record after the files it names, and the seal last.
"""

from verydeep.runs.checks import check_all, check_chapters, check_folder, notebook_fault, unchecked
from verydeep.runs.folders import (
    all_runs,
    covers,
    covers_transfer,
    evaluated,
    finished_target,
    is_complete,
    publish_weights,
    recorded,
    recorded_fusions,
    recorded_runs,
    recorded_transfers,
    recorded_tunings,
    run_folders,
    seal_training,
    working_on,
)
from verydeep.runs.parts import Environment, Errors, Session, Sources
from verydeep.runs.records import (
    EvaluateRecord,
    FuseRecord,
    TrainRecord,
    TransferRecord,
    TuningRecord,
    identity,
    read_file,
    read_fusion,
    read_record,
    read_transfer,
    read_tuning,
    record_path,
    write_record,
)
from verydeep.runs.seals import SEAL, read_seal, seal, unseal
from verydeep.runs.staleness import otherwise_words, trained_otherwise

__all__ = [
    "SEAL",
    "Environment",
    "Errors",
    "EvaluateRecord",
    "FuseRecord",
    "Session",
    "Sources",
    "TrainRecord",
    "TransferRecord",
    "TuningRecord",
    "all_runs",
    "check_all",
    "check_chapters",
    "check_folder",
    "covers",
    "covers_transfer",
    "evaluated",
    "finished_target",
    "identity",
    "is_complete",
    "notebook_fault",
    "otherwise_words",
    "publish_weights",
    "read_file",
    "read_fusion",
    "read_record",
    "read_seal",
    "read_transfer",
    "read_tuning",
    "record_path",
    "recorded",
    "recorded_fusions",
    "recorded_runs",
    "recorded_transfers",
    "recorded_tunings",
    "run_folders",
    "seal",
    "seal_training",
    "trained_otherwise",
    "unchecked",
    "unseal",
    "working_on",
    "write_record",
]
