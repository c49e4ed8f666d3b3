"""What work of each kind starts from, and the files that it may leave in its folder."""

from verydeep.paths import WEIGHTS
from verydeep.runs import boxes, predictions, transfers
from verydeep.runs.records import HISTORY, KINDS
from verydeep.studies import Fusion, OfSeveral, Recorded, classes_of

#: What was trained, or said of every image.
_MADE = {
    "train": (HISTORY, WEIGHTS),
    "evaluate": (predictions.FILE, boxes.FILE),
    "fuse": (predictions.FILE, boxes.FILE),
    "transfer": (transfers.FILE, transfers.RESAMPLED),
    "finetune": (transfers.FILE, transfers.RESAMPLED),
}
#: Kind -> its record, what was made, and the executed notebook.
OUTPUTS = {kind: (f"{kind}.json", *_MADE[kind], f"{kind}.ipynb") for kind in KINDS}


def rests_on(run: Recorded, kind: str) -> list[tuple[Recorded, str]]:
    """The records that work of a kind starts from, each as of what it is and its kind.

    Boxes are rated by what their network started from, and given to the classes that a system named (A.1).
    """
    if isinstance(run, OfSeveral):
        made_from = ("train", "evaluate") if isinstance(run, Fusion) else ("train",)
        return [(member, of) for member in run.members for of in made_from if of in member.kinds]
    if kind == "train":
        return [(run.parent, "train")] if run.parent else []
    rated = [(run.parent, "train"), (classes_of(run)[0], "evaluate")] if run.boxes else []
    return [*((run, of) for of in run.kinds if of == "train"), *rated]
