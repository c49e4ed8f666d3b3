"""The papermill templates of the book: their parameters, checked, and their execution into a run's folder."""

from verydeep.notebooks.execution import execute, execute_recorded, execute_run, is_done
from verydeep.notebooks.requests import (
    BOX_TEMPLATES,
    MACHINE,
    TEMPLATES,
    checked,
    command,
    parameters,
    requested_fusion,
    requested_run,
    requested_transfer,
    requested_tuning,
    template,
)

__all__ = [
    "BOX_TEMPLATES",
    "MACHINE",
    "TEMPLATES",
    "checked",
    "command",
    "execute",
    "execute_recorded",
    "execute_run",
    "is_done",
    "parameters",
    "requested_fusion",
    "requested_run",
    "requested_transfer",
    "requested_tuning",
    "template",
]
