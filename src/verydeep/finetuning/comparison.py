"""Three ways of learning a data set from few images, side by side and at one cost, from weights to a record."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from verydeep import progress, runs
from verydeep.assembly import normaliser
from verydeep.data.examples import Split, random_split
from verydeep.evaluation.measure import require_trained
from verydeep.evaluation.passes import kept_or_made
from verydeep.evaluation.transfer import OnOtherData
from verydeep.finetuning.loop import Lesson, batch_size, fit, new_network
from verydeep.finetuning.rates import best_rate
from verydeep.finetuning.testing import posteriors
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.networks import anatomy
from verydeep.runs import transfers
from verydeep.runs.parts import TransferScore, WayCost
from verydeep.studies import Transfer, Tuning
from verydeep.studies.tuning import FROZEN, TUNED, WAYS


def compare(
    tuning: Tuning, *, pixels_per_batch: int = PIXELS_PER_BATCH, report=progress.line
) -> dict[str, TransferScore]:
    """Learn a data set from few images of each class in three ways, and test each; do nothing when that is done.

    Frozen features with a linear classifier, all layers trained further, and all from random weights. The last two are
    trained for as many epochs as cost what describing the images at the paper's scales does, at the rate that is best
    on training images kept aside, as the first one's C is. What each of these trainings gives is kept in the tuning's
    workspace, so an interrupted comparison goes on with the next one. Leaves ``transfer.parquet``,
    ``resampled.parquet`` and ``finetune.json`` in the tuning's folder.

    Returns
    -------
    dict
        Mean class recall by way and number of images a class, ``tuned-30``.

    Raises
    ------
    VerydeepError
        When the network is not trained, or the data set is not there.
    """
    require_trained(tuning.run)
    record = runs.finished_target(tuning)
    if record is None:
        with runs.working_on(tuning):
            record = runs.finished_target(tuning) or _Comparison(tuning, pixels_per_batch, report).finish()
    return record.measurements


class _Comparison(OnOtherData):
    """One comparison from its first way to its record."""

    def __init__(self, tuning: Tuning, pixels_per_batch: int, report):
        transfer = Transfer((tuning.run,), tuning.source)
        super().__init__(tuning, transfer, pixels_per_batch, report)
        self.run = tuning.run
        self.store, self.examples = self.material.store, self.material.examples
        self.described = self.material.describe(transfer.usual)
        passes = self.material.networks[0].made.values()
        #: multiply-adds of describing one image, on average
        self.describing = sum(made["multiply_adds"] for made in passes) / len(self.examples.names)

    @property
    def epochs(self) -> int:
        """As many as cost what describing the images does: an update costs three forward passes."""
        return max(1, round(self.describing / (3 * self.run.multiply_adds)))

    def split(self, count: int) -> Split:
        """``count`` images of each class to train on, and the same images to test on whatever the count."""
        most = random_split(self.examples, 0, max(self.made.counts), self.material.transfer.target.test)
        return Split(random_split(self.examples, 0, count, None).train, most.test)

    def finish(self) -> runs.TuningRecord:
        """Learn in every way from every number of images; write the record ``finetune`` and return it."""
        tables, resampled, measured, work, splits = [], {}, {}, {}, []
        labels, names = self.examples.labels, self.examples.names
        rates = {way: self._rate(way) for way in WAYS if way != FROZEN}
        for count in self.made.counts:
            split = self.split(count)
            splits.append(split)
            for way in WAYS:
                name, rate = f"{way}-{count}", rates.get(way)
                given, costs, seconds = self._frozen(split) if way == FROZEN else self._trained(split, way, name, rate)
                table = transfers.table(name, 0, names[split.test], labels[split.test], given, "recall")
                work[name] = self._work(way, len(split.train), seconds, rate)
                measured[name] = TransferScore(**transfers.value(table, "recall"), costs=costs)
                resampled[name] = transfers.resampled(table, "recall")
                tables.append(table)
                self.report(f"{self.made.name}: {name:12} mean class recall {measured[name].value:.2f}")
        return self.leave(
            tables,
            resampled,
            splits,
            protocol=self.made.protocol,
            work=work,
            measurements=measured,
        )

    def _work(self, way: str, images: int, seconds: float, rate: float | None) -> WayCost:
        if way == FROZEN:
            return WayCost(epochs=0, multiply_adds=round(self.describing * images), seconds=seconds)
        batch = batch_size(self.run, images)
        crops = images // batch * batch * self.epochs
        outputs = replace(self.run.size, num_classes=self.store.num_classes)
        work = 3 * crops * anatomy.multiply_adds(self.run.configuration, outputs)
        return WayCost(epochs=self.epochs, multiply_adds=work, seconds=seconds, rate=rate)

    def _kept(self, name: str, rate: float, learn: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
        """What ``learn`` gives, and the seconds that it took: kept in the workspace, or done now and kept there."""

        def timed() -> tuple[dict[str, np.ndarray], dict[str, float]]:
            begun = time.monotonic()
            return {"given": learn()}, {"seconds": time.monotonic() - begun}

        path = self.made.workspace / "learned" / f"{name}.safetensors"
        own = {"protocol": self.made.protocol, "learned": name, "rate": rate}
        arrays, cost = kept_or_made(path, self.material.networks[0].key | own, (), timed)
        return arrays["given"], cost["seconds"]

    def _frozen(self, split: Split) -> tuple[np.ndarray, list[float], float]:
        """What a linear classifier says of the images tested, its C, and the seconds it took to learn and to say."""
        begun = time.monotonic()
        given, cost = self.material.classified(self.described, split)
        return given, [cost], time.monotonic() - begun

    def _lesson(self, split: Split) -> Lesson:
        return Lesson(self.store, self.examples.rows[split.train], self.epochs, self.run.seed)

    def _rate(self, way: str) -> float:
        """The rate of a way of training, chosen on a share of its images for a middle number of them."""
        lesson = self._lesson(self.split(self.made.middle))
        normalise = normaliser(self.run, self.material.device)

        def keep(rate: float, left: Callable[[], float]) -> float:
            return self._kept(f"{way}-rate-{rate:g}", rate, lambda: np.array([left()]))[0].item()

        rate = best_rate(self.run, lesson, self.store.num_classes, normalise, way == TUNED, self.pixels_per_batch, keep)
        self.report(f"{self.made.name}: {way:12} rate {rate:g}")
        return rate

    def _trained(self, split: Split, way: str, name: str, rate: float) -> tuple[np.ndarray, list[float], float]:
        """As of frozen features, of a network that is trained; there is no C."""
        run = self.run

        def learn() -> np.ndarray:
            net = new_network(run, self.store.num_classes, way == TUNED)
            normalise = normaliser(run, self.material.device)
            fit(net, run, self._lesson(split), normalise, way == TUNED, rate)
            return posteriors(net, run, normalise, self.store, self.examples.rows[split.test], self.pixels_per_batch)

        given, seconds = self._kept(name, rate, learn)
        return given, [], seconds
