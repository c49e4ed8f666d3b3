"""Fine-tuning on other images: a network's features frozen, trained further, or from random weights (notes, N19)."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from verydeep import paths
from verydeep.errors import VerydeepError
from verydeep.studies.plan import Run, named_run
from verydeep.studies.recorded import OfSeveral
from verydeep.studies.schema import Study
from verydeep.studies.targets import TARGETS
from verydeep.studies.transfer import Transfer

#: The three ways: descriptors and linear machines, all layers trained further, and all from random weights.
FROZEN, TUNED, RANDOM = "frozen", "tuned", "random"
WAYS = {
    FROZEN: "frozen features, linear classifier",
    TUNED: "all layers fine-tuned, the last one new",
    RANDOM: "from random weights",
}
#: Learning rates tried first, times the study's; the last layer learns at it, the layers below at a fifth of it.
RATES = (1, 4, 16, 64)
#: How many more are tried beyond an end of those, while the best is at it.
FURTHER = 4
#: Of a network's own recipe what it is tuned by.
LEARNT_BY = ("batch", "momentum", "weight_decay", "dropout", "initialisation", "flip", "clip_norm", "precision")
#: Between the network and the data set in a row's name.
TUNED_ON = "-tuned-on-"


@dataclass(frozen=True)
class Tuning(OfSeveral):
    """A network tuned to another data set in three ways, by the number of images a class. Make one with
    :func:`find_tuning`.
    """

    run: Run
    source: str

    kind = "finetune"

    @property
    def members(self) -> tuple[Run, ...]:
        """The one network that is tuned."""
        return (self.run,)

    @property
    def row(self) -> str:
        """The network's row and the data set, without the seed: ``D-jitter-tuned-on-caltech101``."""
        return f"{self.run.row}{TUNED_ON}{self.source}"

    @property
    def name(self) -> str:
        return f"{self.row}-s{self.run.seed}"

    @property
    def command(self) -> str:
        return shlex.join(["verydeep", "finetune", *self.addresses, self.source])

    @property
    def parameters(self) -> dict:
        """The papermill parameters that ask a template for it."""
        return {"network": self.addresses[0], "images": self.source}

    @property
    def in_words(self) -> str:
        """``D-jitter and caltech101, a network``."""
        return f"{self.run.row} and {self.source}, a network"

    @property
    def counts(self) -> tuple[int, ...]:
        """Training images of each class, rising."""
        return TARGETS[self.source].tuned

    @property
    def middle(self) -> int:
        """Images of each class at which the learning rate is chosen, for every number of them."""
        return self.counts[len(self.counts) // 2]

    @property
    def asked(self) -> list[str]:
        """The name of every measurement that its record is to have, ``tuned-30``."""
        return [f"{way}-{count}" for count in self.counts for way in WAYS]

    @property
    def protocol(self) -> dict:
        """How its study settles what is done; its record states it: of frozen features what a transfer states."""
        frozen, recipe = Transfer((self.run,), self.source), self.run.recipe.model_dump(mode="json")
        return frozen.protocol | {
            "recipe": {key: recipe[key] for key in LEARNT_BY} | {"learning_rate": first_rate(self.run)},
            "features": frozen.usual.name,
            "counts": [*self.counts],
            "rates": [*RATES],
            "further_rates": FURTHER,
        }


@dataclass(frozen=True)
class OwnImages:
    """A network that is to be tuned to a folder of somebody's own images."""

    run: Run
    folder: Path

    @property
    def study(self) -> Study:
        """The study of the network, by whose settings it is tuned."""
        return self.run.study


def find_tuning(network: str, images: str) -> Tuning | OwnImages:
    """What tunes a network, ``"narrow/D-jitter"``, to a data set by name, or to the images in a folder.

    Raises
    ------
    UnknownName
        For a study, configuration, scale or variant that does not exist.
    VerydeepError
        When the name of the network is malformed, it gives boxes, or ``images`` is neither a data set nor a folder.
    """
    run = named_run(network)
    if run.boxes:
        raise VerydeepError(f"{run.name} gives boxes and not classes: take the network of its scale that names classes")
    data_sets = [name for name, target in TARGETS.items() if target.tuned]
    if images in data_sets:
        return Tuning(run, images)
    if images and isinstance(images, str | Path) and (folder := paths.expanded(images)).is_dir():
        return OwnImages(run, folder)
    raise VerydeepError(f"{images!r} is neither a folder nor one of the data sets {', '.join(data_sets)}")


def first_rate(run: Run) -> float:
    """The learning rate that :data:`RATES` are multiples of: the study's own, of its first stage."""
    return run.study.resolve("256").learning_rate
