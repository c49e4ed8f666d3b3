"""Which notebook makes a record, and how papermill is asked for it."""

import json

import yaml

from verydeep.studies import Recorded

#: Kind of record -> the template that makes it.
TEMPLATES = {
    "train": "training/train.ipynb",
    "evaluate": "evaluation/evaluate.ipynb",
    "fuse": "evaluation/fuse.ipynb",
    "transfer": "evaluation/transfer.ipynb",
    "finetune": "training/finetune.ipynb",
}
#: The same of networks that give boxes in place of classes (Appendix A).
BOX_TEMPLATES = TEMPLATES | {"train": "training/localise.ipynb", "evaluate": "evaluation/localise.ipynb"}


def template(run: Recorded, kind: str) -> str:
    """The template, below the book's folder, that makes the record ``kind`` of a run or of what is made of runs."""
    return (BOX_TEMPLATES if run.boxes else TEMPLATES)[kind]


def command(run: Recorded, kind: str) -> str:
    """The plain papermill command that repeats one notebook of a run."""
    shown = {name: f"[{', '.join(v)}]" if isinstance(v, list) else _in_yaml(v) for name, v in run.parameters.items()}
    given = ", ".join(f"{name}: {value}" for name, value in shown.items())
    return f"papermill book/{template(run, kind)} out.ipynb -y '{{{given}}}'"


def _in_yaml(value) -> str:
    """A value as YAML reads it back: a word that it would take for a number or for yes or no stands in quotes."""
    text = str(value)
    return json.dumps(text) if isinstance(value, str) and not isinstance(yaml.safe_load(text), str) else text
