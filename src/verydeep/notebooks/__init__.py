"""The papermill templates of the book: their parameters, checked, and their execution into a run's folder."""

from verydeep.notebooks.execution import execute, execute_recorded, execute_run
from verydeep.notebooks.requests import (
    MACHINE,
    checked,
    requested_fusion,
    requested_run,
    requested_transfer,
    requested_tuning,
    require_kinds,
)

__all__ = [
    "MACHINE",
    "checked",
    "execute",
    "execute_recorded",
    "execute_run",
    "requested_fusion",
    "requested_run",
    "requested_transfer",
    "requested_tuning",
    "require_kinds",
]
