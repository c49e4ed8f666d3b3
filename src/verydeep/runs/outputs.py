"""The files that work of each kind may leave in its folder."""

from verydeep.paths import WEIGHTS
from verydeep.runs import boxes, predictions, transfers
from verydeep.runs.records import HISTORY, KINDS

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
