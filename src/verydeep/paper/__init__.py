"""What the paper printed: Tables 1-12, the in-text figures and the claims, as packaged data; and what it left open.

Everything was transcribed from arXiv 1409.1556v6. Errors are in percent.
"""

from functools import cache
from importlib.resources import files

import pandas as pd
import yaml

from verydeep.errors import UnknownName

_FILES = {
    "1": "table1_configurations",
    "2": "table2_parameters",
    "3": "table3_single_scale",
    "4": "table4_multi_scale",
    "5": "table5_dense_vs_multicrop",
    "6": "table6_fusion",
    "6-members": "table6_fusion_members",
    "7": "table7_classification_sota",
    "8": "table8_localisation_variants",
    "9": "table9_localisation",
    "10": "table10_localisation_sota",
    "11": "table11_transfer",
    "12": "table12_voc_action",
    "in-text": "intext_numbers",
}

# Columns that hold whole numbers in every filled cell; pandas would make them floats where one is empty.
_INTEGERS = {
    "order", "block", "kernel_size", "out_channels", "params_millions", "derived_params_exact",
    "train_min", "train_max", "fusion_id", "member", "n_models",
}  # fmt: skip
# Columns that look like numbers in some rows and are text in others.
_TEXT = {"test_sizes", "weight_layers", "n_nets", "section", "notes", "members"}


@cache
def _read(name: str) -> pd.DataFrame:
    with files(__name__).joinpath(f"{name}.csv").open(encoding="utf-8") as stream:
        header = stream.readline().rstrip("\n").split(",")
        stream.seek(0)
        dtypes = {column: "Int64" for column in header if column in _INTEGERS}
        dtypes |= {column: "string" for column in header if column in _TEXT}
        return pd.read_csv(stream, dtype=dtypes)


def table(number: int | str) -> pd.DataFrame:
    """Table ``number`` (1-12, ``"6-members"`` or ``"in-text"``) in the paper's row order.

    A fresh copy, so that a caller may change it. Blank cells are missing values, never zero.

    Raises
    ------
    UnknownName
        When the paper has no such table.
    """
    if str(number) not in _FILES:
        raise UnknownName("table of the paper", number, _FILES)
    return _read(_FILES[str(number)]).copy()


def scale_name(train_min: int, train_max: int) -> str:
    """The name of a training scale in the paper's own pixels: ``"256"``, ``"384"`` or ``"jitter"``."""
    return str(train_min) if train_min == train_max else "jitter"


@cache
def claims() -> list[dict]:
    """The paper's 32 claims: ``number``, ``section``, ``statement``, ``evidence``, ``holds_in_paper``.

    ``evidence`` names the printed rows, ``holds_in_paper`` is our reading of them.
    """
    return yaml.safe_load(files(__name__).joinpath("claims.yaml").read_text(encoding="utf-8"))


@cache
def gaps() -> list[dict]:
    """What the paper leaves open: ``section``, ``open``, and ``key`` of a study or ``settled`` in words, or both."""
    return yaml.safe_load(files(__name__).joinpath("gaps.yaml").read_text(encoding="utf-8"))


@cache
def errors_of_others() -> pd.DataFrame:
    """What others published on the data sets of our studies, top-1 errors in percent; ``source`` is in the book's list.

    Not the paper's: it stands here with what else was printed and is not ours.
    """
    with files(__name__).joinpath("errors_of_others.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream)
