"""What ``make faults`` recorded: kills, faults of the machine and bad input, as tables."""

import pandas as pd

from verydeep.chapters import benchmarks, display

#: Part of the record -> what it holds, in words.
PARTS = {
    "kills": "kills of a run",
    "workflow_kills": "kills of a study through Snakemake",
    "faults": "faults of the machine, and of what lies around a run",
    "bad_inputs": "bad inputs",
}


def _record() -> dict:
    return benchmarks.required("faults", "make faults")


def sums() -> pd.DataFrame:
    """How many of each kind were tried, and survived.

    Raises :class:`~verydeep.errors.VerydeepError` where there is no record, as every function here does.
    """
    record = _record()
    rows = {}
    for part, title in PARTS.items():
        survived = [tried["survived"] for tried in record[part]]
        rows[title] = {"tried": len(survived), "survived": sum(survived)}
    return display.table(pd.DataFrame(rows).T.rename_axis("what"))


def kills() -> pd.DataFrame:
    """Every kill: the file that was being written, any time, or the process below Snakemake; seconds after the start;
    whether all was well then.
    """
    frame = pd.DataFrame(_record()["kills"] + _record()["workflow_kills"])
    return display.table(frame.rename(columns={"aim": "aimed at", "hit": "met"}))


def machine() -> pd.DataFrame:
    """Every fault of the machine, and the line that it gave."""
    frame = pd.DataFrame(_record()["faults"])
    frame = frame.rename(columns={"what": "what happened", "said": "what the user reads"}).set_index("what happened")
    return _survived(frame)


def bad_inputs() -> pd.DataFrame:
    """Every bad input, and the line that it gave."""
    frame = pd.DataFrame(_record()["bad_inputs"])
    frame = frame.rename(columns={"group": "kind", "name": "input", "said": "what the user reads"})
    return _survived(frame.set_index(["kind", "input"]))


def _survived(frame: pd.DataFrame) -> pd.DataFrame:
    said = frame["survived"].map({True: "yes", False: "no"})
    return display.table(frame[["what the user reads"]].assign(survived=said))
