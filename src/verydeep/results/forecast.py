"""How long a training or a test takes on a card, by a stated model: what the full study would cost before it is run.

A step of training takes as long as the slowest of three things that go on side by side: the card's arithmetic, the
processor's launching of work on the card, and the preparing of the next images by other processes.

- *Arithmetic*: the multiply-adds at a share of the card's peak, what the first map takes beyond them (it is large and
  has few channels, so the memory bounds it), the update of the weights, and on several cards the exchange of gradients.
- *Launching*: so many seconds a layer and step, whatever the size of the batch.
- *Images*: decoding and cutting at so many images a second and core.

What is not on a data sheet (:func:`assumptions`) comes from measurements: :meth:`Model.fitted`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from verydeep import runs
from verydeep.data.sources import SOURCES
from verydeep.errors import UnknownName, VerydeepError
from verydeep.machine import PIXELS_PER_BATCH, WORKERS
from verydeep.networks import anatomy
from verydeep.studies import Run, load
from verydeep.studies.measurements import measured_by

#: Bytes of memory traffic a parameter that an update costs: gradient, momentum and weight are read and written in turn.
UPDATE_BYTES = 36
#: Bytes of a gradient that cards send each other, and of a number in each precision.
GRADIENT_BYTES, BYTES = 4, {"float32": 4, "bfloat16": 2, "float16": 2}
#: Bytes a parameter in training: weight, gradient, momentum and one more while the momentum is updated.
PARAMETER_BYTES = 16
#: Bytes of the place that a pooling keeps for each of its outputs.
PLACE_BYTES = 8


class Accelerator(BaseModel):
    """A card, as ``accelerators.yaml`` describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    teraflops: dict[str, float]
    bandwidth: float
    link: float | None = None
    memory: float
    specification: str
    dollars_an_hour: float | None = None
    price_from: str | None = None
    price_of: str | None = None

    def multiply_adds(self, precision: str) -> float:
        """The most in a second; a multiply-add is two operations. Raises :class:`UnknownName` for what it cannot do."""
        if precision not in self.teraflops:
            raise UnknownName(f"precision of {self.title}", precision, self.teraflops)
        return self.teraflops[precision] * 1e12 / 2


class Images(BaseModel):
    """How large the data of the full study are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: dict[str, int]
    width: int
    height: int
    source: str


@cache
def assumptions() -> tuple[dict[str, Accelerator], Images]:
    """The cards by the name that torch gives them, and the size of the data: what ``accelerators.yaml`` says."""
    text = resources.files("verydeep.results").joinpath("accelerators.yaml").read_text(encoding="utf-8")
    said = yaml.load(text, yaml.BaseLoader)  # a month is no number
    return {name: Accelerator(name=name, **card) for name, card in said["cards"].items()}, Images(**said["images"])


def accelerator(name: str) -> Accelerator:
    """The card of that name, or of that title; raises :class:`UnknownName`."""
    cards, _ = assumptions()
    for card in cards.values():
        if name in (card.name, card.title):
            return card
    raise UnknownName("card", name, [card.title for card in cards.values()])


@dataclass(frozen=True)
class Step:
    """How long a step of training takes one of the cards, in seconds, by what may bound it."""

    images: int  # of the whole batch
    arithmetic: float
    launching: float
    preparing: float

    @property
    def seconds(self) -> float:
        """What takes longest: the three go on side by side."""
        return max(self.arithmetic, self.launching, self.preparing)

    @property
    def images_per_second(self) -> float:
        """Over all cards."""
        return self.images / self.seconds

    @property
    def bound(self) -> str:
        """What takes longest."""
        parts = {"arithmetic": self.arithmetic, "launching": self.launching, "images": self.preparing}
        return max(parts, key=parts.get)


@dataclass(frozen=True)
class Model:
    """What of the model was measured, and on which card.

    ``share`` of the peak is what each further multiply-add gets, ``first_map`` the seconds that each number of the
    first map costs on that card, ``launching`` those of a layer and step, ``prepared`` the images a second and core.
    """

    card: Accelerator
    share: float
    first_map: float
    launching: float
    prepared: float

    @classmethod
    def fitted(cls, record: dict, trainings: Iterable[tuple[Run, runs.TrainRecord]]) -> "Model":
        """From the record of ``benchmarks/gpu.py``, and the records of trainings on cards.

        Two networks give share and first map, JPEG files the images. Launching is the median of the trainings whose
        arithmetic is a tenth of their time at most, whose images lay decoded, and which so waited for nothing else.

        Raises
        ------
        VerydeepError
            Where the record is not of a known card, or its two networks do not suffice, as in a miniature.
        """
        setting, rates = record["setting"], record["rates"]
        on = accelerator(record["device"]["name"])
        pairs = [(config, rates[f"{config}: our loop, decoded images"]) for config in setting["configs"]]
        if len(pairs) < 2:
            raise VerydeepError("benchmarks/gpu.json: one network alone; the model of cost needs two: make gpu")
        equations, seconds = [], []
        for config, rate in pairs:
            run = Run(load(setting["study"]), config, "256", 0)
            update = _update(run, on) / setting["batch"]
            peak = on.multiply_adds(setting["precision"])
            equations.append([run.training_multiply_adds / peak, _first_map(run)])
            seconds.append(1 / rate["images_per_second"] - update)
        inverse, first_map = np.linalg.lstsq(np.array(equations), np.array(seconds), rcond=None)[0]
        files = min((rates[f"{config}: our loop, JPEG files"] for config, _ in pairs), key=lambda rate: rate[_BUSY])
        prepared = files["images_per_second"] / setting["workers"]
        model = cls(on, 1 / float(inverse), float(first_map), 0.0, prepared)
        waits = [_wait(run, training) for run, training in trainings if model.rests_on(run, training)]
        return replace(model, launching=float(np.median(waits or [0.0])))

    def rests_on(self, run: Run, training: runs.TrainRecord) -> bool:
        """Whether a training was bound by the launching of work alone, and so says how long that takes."""
        on, device = assumptions()[0].get(training.device.name), training.device
        if on is None or device.processes > 1 or not decoded_in_store(run.study.name):
            return False
        seconds = run.recipe.batch / training.cost.images_per_second
        return self.step(run, on, decoded=True).arithmetic < seconds / 10

    def step(
        self, run: Run, on: Accelerator, cards: int = 1, *, precision: str | None = None, cores: int = WORKERS,
        decoded: bool = False,
    ) -> Step:  # fmt: skip
        """A step of training ``run`` on so many cards, each with so many cores that prepare its images.

        Parameters
        ----------
        decoded
            Whether the images lie decoded in the store, so that none is prepared.

        Raises
        ------
        VerydeepError
            For several of a card that no link joins, or a precision that it does not compute in.
        """
        precision = precision or run.recipe.precision
        images = -(-run.recipe.batch // cards)
        image_seconds = run.training_multiply_adds / (self.share * on.multiply_adds(precision))
        image_seconds += _first_map(run) * self.first_map * self._slower(on, precision)
        layers = run.configuration.weight_layers
        return Step(
            run.recipe.batch,
            images * image_seconds + _update(run, on) + _exchange(run, on, cards),
            layers * self.launching,
            0.0 if decoded else images / (self.prepared * min(cores, WORKERS)),
        )

    def _slower(self, on: Accelerator, precision: str) -> float:
        """How much longer a card takes for what its memory bounds than the one that was measured, in bfloat16."""
        return self.card.bandwidth / on.bandwidth * BYTES[precision] / BYTES["bfloat16"]

    def training_seconds(self, run: Run, images: int, on: Accelerator, cards: int = 1, **options) -> float:
        """Of the whole training on so many images."""
        step = self.step(run, on, cards, **options)
        return run.recipe.epochs * (images // run.recipe.batch) * step.seconds

    def pass_seconds(
        self, run: Run, multiply_adds: float, images: int, on: Accelerator, *,
        precision: str | None = None, cores: int = WORKERS,
    ) -> float:  # fmt: skip
        """Of one pass over so many images, each of which costs so many multiply-adds, on one card.

        A pass is a third of a step, as it has no gradients; what goes through the network at once are pixels, not
        images. Every core prepares images.
        """
        precision = precision or run.testing.precision
        crops = multiply_adds / run.multiply_adds  # of which the views of an image have the pixels
        image_seconds = multiply_adds / (self.share * on.multiply_adds(precision))
        image_seconds += crops * _first_map(run) * self.first_map / 3 * self._slower(on, precision)
        batches = crops * run.study.crop**2 / PIXELS_PER_BATCH
        handed = batches * run.configuration.weight_layers * self.launching / 3
        return images * max(image_seconds, handed, 1 / (self.prepared * cores))


_BUSY = "ratio_to_bare_step"


def _first_map(run: Run) -> int:
    return anatomy.layers(run.configuration, run.size)[0].activations


def _parameters(run: Run) -> int:
    return anatomy.parameters(run.configuration, run.size)


def _update(run: Run, on: Accelerator) -> float:
    """Seconds that updating the weights takes; those that do not learn are counted too."""
    return UPDATE_BYTES * _parameters(run) / (on.bandwidth * 1e9)


def _exchange(run: Run, on: Accelerator, cards: int) -> float:
    if cards == 1:
        return 0.0
    if on.link is None:
        raise VerydeepError(f"{on.title}: accelerators.yaml has no link, over which {cards} would exchange gradients")
    return 2 * (cards - 1) / cards * GRADIENT_BYTES * _parameters(run) / (on.link * 1e9 / 2)


def _wait(run: Run, training: runs.TrainRecord) -> float:
    """Seconds a layer and step."""
    return run.recipe.batch / training.cost.images_per_second / run.configuration.weight_layers


def decoded_in_store(study: str) -> bool:
    """Whether the images of a study have one small size, so that the store keeps them decoded."""
    return SOURCES[load(study).data.source].shape is not None


def trained(study: str) -> Iterator[tuple[Run, runs.TrainRecord]]:
    """Every run of a study that was trained, its pilots too, with its record."""
    for run in runs.all_runs(load(study)):
        if record := runs.read_record(run, "train"):
            yield run, record


def training_memory(run: Run, micro_batch: int, precision: str | None = None) -> float:
    """Bytes that a step of training takes at its peak, with so many images at once.

    Every number that the gradients need is kept: what goes in, every map, and of a pooling the place of each maximum
    besides. In half precision the weights are there in it too.
    """
    precision = precision or run.recipe.precision
    size = BYTES[precision]
    copy = 0 if precision == "float32" else size
    layers = anatomy.layers(run.configuration, run.size)
    image = 3 * run.size.crop**2 * BYTES["float32"]
    kept = sum(layer.activations * (size + PLACE_BYTES * (layer.kind == "maxpool")) for layer in layers)
    return (PARAMETER_BYTES + copy) * _parameters(run) + micro_batch * (image + kept)


def passes(run: Run) -> dict[str, float]:
    """Every pass by which a network is tested, by name: multiply-adds of an image of the usual size.

    Boxes of the whole image are of two networks, one of which rates them, and mirrored where the study asks it.
    """
    _, usual = assumptions()
    flips, longer = 2 if run.recipe.flip else 1, max(usual.width, usual.height) / min(usual.width, usual.height)
    networks, sides = ([run, run.parent], 1 + run.localisation.mirror) if run.boxes else ([run], flips)
    by_name = {}
    for single in dict.fromkeys(part for measurement in measured_by(run) for part in measurement.passes):
        shorter = run.study.pixels(single.test_scales[0])
        if "dense" in single.method:
            image = (shorter, round(shorter * longer))
            work = sum(anatomy.multiply_adds(each.configuration, each.size, image=image) for each in networks)
            by_name[single.name] = sides * work
        else:
            views = flips * run.testing.crops_per_side**2 if single.method == "multi-crop" else 1
            by_name[single.name] = views * run.multiply_adds
    return by_name
