"""A network that was made for somebody's own images, taken up again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from verydeep import files, runs
from verydeep.data.normaliser import Normaliser
from verydeep.errors import VerydeepError
from verydeep.evaluation.prediction import OnePicture
from verydeep.evaluation.tester import Tester
from verydeep.finetuning.loop import new_network
from verydeep.networks import weights
from verydeep.paths import WEIGHTS
from verydeep.runs.parts import Colour
from verydeep.studies import Run
from verydeep.studies.parts import NetworkKeys, Recipe, Testing
from verydeep.studies.plan import named_run

#: What lies beside the weights of a network that was made for own images: how it was made, and the page about it.
NOTE, PAGE = "tuned.json", "page.html"
#: How the note was called when that of a network written for other programs (:mod:`verydeep.evaluation.export`) had the
#: same name; a network with it is taken up too.
FORMER = "network.json"


Divisor = Annotated[float, Field(gt=0)]


def _each_once(classes: list[str]) -> list[str]:
    if len({*classes}) < len(classes) or not all(map(str.isprintable, classes)) or "" in classes:
        raise ValueError("classes must be named, each once")
    return classes


class Note(BaseModel):
    """What :func:`verydeep.finetuning.own.tune` says of a network beside its weights."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    started_from: str
    """The network that was trained further: ``narrow/D-256-s0``."""
    settings: dict
    """How it is built and tested, see :func:`settings`."""
    classes: Annotated[list[str], AfterValidator(_each_once)]
    mean: Colour
    """Of the pixels, 0-255: RGB."""
    divisor: Divisor | Annotated[list[Divisor], Field(min_length=3, max_length=3)]
    test_scale: int
    """The shorter side of a picture, pixels."""
    epochs: int
    learning_rate: float
    images_learned_from: int
    images_tested_on: int
    error: float
    """Top-1 error in percent, on the images tested on."""
    interval: tuple[float, float]
    weights_sha256: str
    sources_sha256: str
    commit: str | None
    made: str
    """ISO 8601."""


@dataclass(frozen=True)
class OwnNetwork:
    """A network that :func:`verydeep.finetuning.own.tune` wrote: weights, classes, and what it expects of a picture."""

    name: str
    tester: Tester
    classes: list[str]
    scale: int

    def predict(self, picture: np.ndarray) -> pd.Series:
        """The probability of every class for a picture, RGB uint8 (height, width, 3), the most probable first.

        By the dense form, at the scale at which it was tested, with the mirror image where its study averages it.
        """
        made = self.tester.make("dense", OnePicture(picture), np.array([0]), self.scale)
        said = pd.Series(made.posteriors[0], index=self.classes, name="probability")
        return said.sort_values(ascending=False, kind="stable")


def is_own(folder: Path) -> bool:
    """Whether :func:`verydeep.finetuning.own.tune` wrote a network into a folder."""
    return _note_in(Path(folder)).is_file() and (Path(folder) / WEIGHTS).is_file()


def _note_in(folder: Path) -> Path:
    """Where the note about the network in a folder lies, or would."""
    return next((folder / name for name in (NOTE, FORMER) if (folder / name).is_file()), folder / NOTE)


def load(folder: Path) -> OwnNetwork:
    """The network that :func:`verydeep.finetuning.own.tune` wrote into a folder.

    Raises
    ------
    VerydeepError
        When there is none, its note is damaged, or its weights are others than were written.
    """
    folder = Path(folder)
    if not is_own(folder):
        raise VerydeepError(f"{folder}: no network there; verydeep finetune writes {NOTE} and {WEIGHTS}")
    path = _note_in(folder)
    note = _note(path)
    if files.sha256(folder / WEIGHTS) != note.weights_sha256:
        raise VerydeepError(f"{folder / WEIGHTS}: not the weights that {path.name} names; tune the network again")
    run = named_run(note.started_from)
    now = settings(run)
    # a key that was none then was as it is by default, as in records
    then = _named(NetworkKeys(), Testing(), Recipe().flip) | note.settings
    if told := runs.otherwise_words({key: (then[key], now[key]) for key in now if then[key] != now[key]}):
        raise VerydeepError(
            f"{folder}: was made otherwise than the study {run.study.name} says now ({told}); put the study back, or "
            f"tune the network again"
        )
    if note.test_scale < run.size.crop:
        raise VerydeepError(f"{path}: the test scale {note.test_scale} is smaller than the crop "
                            f"{run.size.crop} that its network learned from; tune the network again")  # fmt: skip
    net = new_network(run, len(note.classes), trained=False)
    weights.load_into(net, folder / WEIGHTS)
    normalise = Normaliser.stated(note.mean, note.divisor)
    testing = run.testing.model_copy(update={"precision": "float32"})
    return OwnNetwork(folder.name, Tester(net, normalise, testing, run.recipe.flip), note.classes, note.test_scale)


def settings(run: Run) -> dict:
    """How a network is built and tested, by key, for its note: its weights fit one of another pooling too."""
    return _named(run.network, run.testing, run.recipe.flip)


def _named(network: NetworkKeys, testing: Testing, flip: bool) -> dict:
    parts = {"network": network, "testing": testing}
    named = {
        f"{name}.{key}": value for name, part in parts.items() for key, value in part.model_dump(mode="json").items()
    }
    return named | {"flip": flip}


def _note(path: Path) -> Note:
    try:
        return Note.model_validate_json(path.read_bytes())
    except ValidationError:
        raise VerydeepError(f"{path}: not the note that verydeep finetune wrote; tune the network again") from None
