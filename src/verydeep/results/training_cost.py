"""What the trainings of a study cost: multiply-adds, planned and done, and how long they take at the study's pace."""

from dataclasses import dataclass
from statistics import median

from verydeep import progress, runs
from verydeep.data.sources import SOURCES
from verydeep.runs import TrainRecord
from verydeep.studies import Run, Study, lineage, planned_runs


def training_images(run: Run) -> int:
    """Images that a training sees in one epoch: the data set's less the held-out ones, and of boxes those with one."""
    source = SOURCES[run.study.data.source]
    count = source.counts["train"] - source.num_classes * run.study.data.held_out_per_class
    return round(count * source.boxed / source.counts["train"]) if run.boxes and source.boxed else count


def planned_multiply_adds(run: Run) -> int:
    """Multiply-adds of the whole training, as planned."""
    return run.recipe.epochs * training_images(run) * run.training_multiply_adds


def done_multiply_adds(run: Run, record: TrainRecord) -> int:
    """Multiply-adds of a training that is over, by the crops that it saw.

    Its record has them too, but those of before 2026-11-28 count gradients of layers that did not learn.
    """
    return record.cost.images_seen * run.training_multiply_adds


@dataclass(frozen=True)
class Pace:
    """Multiply-adds a second of a study's trainings, by where (``"on a CPU"``, ``"on a GPU"``), and their basis."""

    rates: dict[str, float]
    basis: str

    def __str__(self) -> str:
        digits = {where: ",.0f" if rate >= 1e10 else ".2g" for where, rate in self.rates.items()}
        rates = [f"{r / 1e9:{digits[where]}} G multiply-adds/s {where}".strip() for where, r in self.rates.items()]
        return f"{', '.join(rates)}, {self.basis}"

    def time(self, multiply_adds: float) -> str:
        """How long so much work takes, in words."""
        return ", ".join(f"{progress.duration(multiply_adds / r)} {where}".strip() for where, r in self.rates.items())


_WHERE = {"cpu": "on a CPU", "cuda": "on a GPU"}


def pace(study: Study) -> Pace:
    """How fast a study trains: the median of its recorded trainings on each kind of device, or as the study assumes."""
    measured: dict[str, list[float]] = {}
    for run in planned_runs(study):
        if record := runs.read_record(run, "train"):
            rate = done_multiply_adds(run, record) / record.cost.seconds
            kind = record.device.type
            measured.setdefault(_WHERE.get(kind, f"on {kind}"), []).append(rate)
    if not measured:
        return Pace({"": study.assumed_rate}, "assumed")
    return Pace({where: median(measured[where]) for where in sorted(measured)}, "as measured on the recorded runs")


def time_left(run: Run) -> str:
    """How long a run takes, with what it starts from and is not trained yet, in words."""
    waiting = [ancestor for ancestor in lineage(run) if runs.read_record(ancestor, "train") is None]
    return pace(run.study).time(sum(map(planned_multiply_adds, waiting)))


def training_time(study: Study) -> str:
    """How long all trainings of a study take, in words."""
    if not study.train:
        return "trains nothing"
    at = pace(study)
    return f"{at.time(sum(map(planned_multiply_adds, planned_runs(study))))}, {at.basis}"
