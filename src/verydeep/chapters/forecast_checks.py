"""The model of cost beside every measurement there is: those of ``make gpu``, and every recorded training and pass."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from verydeep import runs, studies
from verydeep.chapters import benchmarks, display
from verydeep.results import forecast
from verydeep.results.forecast import Model
from verydeep.studies import Run, load

_MIB = 2**20
#: Sessions of less than this share of a training say nothing of its speed.
_SHARE = 0.05
#: A session so many times faster than another was on another machine; beside other work a step takes four times as
#: long at most.
_ALIKE = 4.5


#: What may be measured, beside trainings and tests.
IMAGES = "images, one core"


class Check(NamedTuple):
    """The model beside a measurement, in images a second; ``fitted`` where the model rests on this measurement."""

    study: str
    name: str
    device: str
    kind: str
    measured: float
    predicted: float
    fitted: bool
    load: float | None

    @property
    def error(self) -> float:
        """Percent; below zero where the model says too few."""
        return 100 * (self.predicted / self.measured - 1)


class Measured(NamedTuple):
    """Images a second of a training or of a pass of a test, and what was multiplied for each image."""

    run: Run
    kind: str
    name: str
    record: runs.TrainRecord | runs.EvaluateRecord
    rate: float
    multiply_adds: float
    precision: str
    load: float | None

    @property
    def processor(self) -> tuple[str, ...]:
        """Records of the same kind, processor and precision."""
        environment, kind = self.record.environment, "training" if self.kind == "training" else "test"
        if self.record.device.type == "cuda":  # a card without a data sheet here: by its own records, as a processor
            return self.record.device.name, str(self.record.device.processes), self.precision, kind
        return environment.processor, str(environment.cores), self.precision, kind

    @property
    def device(self) -> str:
        """What multiplied, in words: the card, or the processor with its cores."""
        if self.record.device.type == "cuda":
            return self.record.device.name
        return f"{self.record.environment.processor}, {self.record.environment.cores} cores"


def model() -> Model | None:
    """The model by the record of ``make gpu`` and the recorded trainings on cards; ``None`` without that record."""
    record = benchmarks.recorded("gpu")
    if record is None or len(record["setting"]["configs"]) == 1:  # a miniature
        return None
    return Model.fitted(record, [training for study in studies.names() for training in forecast.trained(study)])


def checks() -> list[Check]:
    """The model beside every measurement.

    A processor has no data sheet that would help: what it multiplies in a second is the median of its own records, so
    that their errors show how they scatter.
    """
    fit = model()
    if fit is None:
        return []
    every = [timed for study in studies.names() for timed in _recorded(study)]
    rates = _processors(every)
    return [*_of_gpu(fit), *_of_runs(fit, every, rates), *_of_scripts(rates), *_of_decoding(fit)]


def summary() -> display.Table:
    """How far the model is from what was measured, a row a study, device and kind of measurement (:func:`checks`)."""
    groups = defaultdict(list)
    for check in checks():
        groups[check.study, check.device, check.kind].append(check)
    rows = {}
    for group, of in groups.items():
        errors, ratios = [check.error for check in of], [check.predicted / check.measured for check in of]
        rows[group] = {
            "measurements": len(of),
            "measured (images/s)": benchmarks.rounded(float(np.median([check.measured for check in of]))),
            "by the model (images/s)": benchmarks.rounded(float(np.median([check.predicted for check in of]))),
            "median error (%)": round(float(np.median(errors))),
            "worst (ratio)": _worst(ratios),
            "fitted": "yes" if all(check.fitted for check in of) else "in part" if any(c.fitted for c in of) else "no",
        }
    if not rows:
        return display.without_rows(benchmarks.NO_GPU)
    frame = pd.DataFrame(rows).T
    return display.table(frame.rename_axis(["study", "device", "what"]).astype({"measurements": int}))


def _worst(ratios: list[float]) -> str:
    """The ratio of model to measurement that is farthest from one."""
    return f"{max(ratios, key=lambda ratio: abs(np.log(ratio))):.2g}"


def every_check() -> display.Table:
    """Every measurement beside the model, a row each, with the load of the machine where it is recorded."""
    rows = {
        (check.study, check.name): {
            "device": check.device,
            "what": check.kind,
            "measured (images/s)": benchmarks.rounded(check.measured),
            "by the model (images/s)": benchmarks.rounded(check.predicted),
            "error (%)": round(check.error),
            "fitted": "yes" if check.fitted else "no",
            "load": None if check.load is None else round(check.load, 1),
        }
        for check in checks()
        if check.kind == "training"
    }
    if not rows:
        return display.without_rows(benchmarks.NO_GPU)
    frame = pd.DataFrame(rows).T.rename_axis(["study", "measurement"])
    return display.table(frame, missing="", units={"load": "processes"})


def memory_errors() -> list[float]:
    """Errors of the model of memory beside every peak that ``make gpu`` measured, percent."""
    record = benchmarks.recorded("gpu")
    errors = []
    for config, sizes in (record["peak_memory_mib"] if record else {}).items():
        run = studies.find_run(record["setting"]["study"], config, 256)
        for size, peak in sizes.items():
            if peak is not None:  # not counted on a CPU, or more than the card has
                said = forecast.training_memory(run, int(size), record["setting"]["precision"]) / _MIB
                errors.append(100 * (said / peak - 1))
    return errors


def _of_gpu(fit: Model) -> Iterator[Check]:
    record = benchmarks.recorded("gpu")
    setting = record["setting"]
    # what was slowest gave how many images a core prepares
    ways = {config: record["rates"][f"{config}: our loop, JPEG files"] for config in setting["configs"]}
    waiting = min(ways, key=lambda config: ways[config]["ratio_to_bare_step"])
    for config in setting["configs"]:
        run = studies.find_run(setting["study"], config, 256)
        for decoded, way in ((True, "our loop, decoded images"), (False, "our loop, JPEG files")):
            step = fit.step(run, fit.card, precision=setting["precision"], decoded=decoded, cores=setting["workers"])
            rate = record["rates"][f"{config}: {way}"]["images_per_second"]
            fitted = decoded or config == waiting
            title = f"{config}: {way}"
            yield Check("make gpu", title, fit.card.title, "training", rate, step.images_per_second, fitted, None)


#: Processor, cores, precision, and whether it trained or tested -> multiply-adds a second.
Rates = dict[tuple[str, ...], float]


def _processors(every: list[Measured]) -> Rates:
    """What each processor multiplies in a second: the median of its records."""
    by_processor = defaultdict(list)
    for timed in every:
        if timed.record.device.name not in forecast.assumptions()[0]:
            by_processor[timed.processor].append(timed.rate * timed.multiply_adds)
    return {processor: float(np.median(rates)) for processor, rates in by_processor.items()}


def _of_runs(fit: Model, every: list[Measured], rates: Rates) -> Iterator[Check]:
    accelerators, _ = forecast.assumptions()
    for timed in every:
        on = accelerators.get(timed.record.device.name)
        if on is None:
            said, fitted = rates[timed.processor] / timed.multiply_adds, True
        elif timed.kind == "training":
            cards, decoded = timed.record.device.processes, forecast.decoded_in_store(timed.run.study.name)
            step = fit.step(timed.run, on, cards, decoded=decoded)
            said, fitted = step.images_per_second, fit.rests_on(timed.run, timed.record)
        else:
            cores = timed.record.environment.cores
            said, fitted = 1 / fit.pass_seconds(timed.run, timed.multiply_adds, 1, on, cores=cores), False
        device = on.title if on else timed.device
        yield Check(timed.run.study.name, timed.name, device, timed.kind, timed.rate, said, fitted, timed.load)


def _of_scripts(rates: Rates) -> Iterator[Check]:
    """Our loop and our tests by the scripts of ``benchmarks/``, where their processor has records of its own."""
    for script, ours, kind in (("training", "our loop", "training"), ("evaluation", "ours", "test, ")):
        record = benchmarks.recorded(script)
        for name, rate in (record["rates"] if record else {}).items():
            title, way = name.split(": ", 1)
            if way != ours:
                continue
            place, _, method = title.partition(" ")
            study, config = place.split("/")
            run = studies.find_run(study, config, 256)
            training = script == "training"
            precision = run.recipe.precision if training else run.testing.precision
            environment, what = record["environment"], "training" if training else "test"
            work = run.training_multiply_adds if training else rate["multiply_adds"]
            speed = rates.get((environment["processor"], str(environment["cores"]), precision, what))
            if speed is not None:
                device = f"{environment['processor']}, {environment['cores']} cores"
                sort = kind if training else kind + ("dense" if method == "dense" else "crops")
                said, load_average = speed / work, record["load_average"]
                yield Check(script, title, device, sort, rate["images_per_second"], said, False, load_average)


def _of_decoding(fit: Model) -> Iterator[Check]:
    """Images that a core prepares, as photographs were decoded on one core."""
    if record := benchmarks.recorded("decoding"):
        name = "view of 224 at S=256: Pillow"
        device, rate = record["environment"]["processor"], record["rates"][name]["images_per_second"]
        yield Check("decoding", name, device, IMAGES, rate, fit.prepared, False, record["load_average"])


def _recorded(study: str) -> Iterator[Measured]:
    """Every training of a study and every pass of its tests."""
    for run in runs.all_runs(load(study)):
        if (record := runs.read_record(run, "train")) and _on_one_machine(record):
            loads = [session.load_average for session in record.sessions if session.load_average is not None]
            rate, work = record.cost.images_per_second, run.training_multiply_adds
            most = max(loads, default=None)
            yield Measured(run, "training", run.name, record, rate, work, run.recipe.precision, most)
        if record := runs.read_record(run, "evaluate"):
            for name, made in record.passes.items():
                kind = "test, " + ("crops" if "crop" in name else "dense")
                rate, work = made.images / made.seconds, made.multiply_adds / made.images
                precision = record.protocol.get("precision", "float32")
                title = f"{run.name} {name}"
                yield Measured(run, kind, title, record, rate, work, precision, record.cost.load_average)


def _on_one_machine(record: runs.TrainRecord) -> bool:
    """Whether all sessions of a training ran alike: the record's device is the last one's, its rate the mean of all.

    Where they do not name their device, as older ones, their speeds tell: beside other work a machine is not so slow.
    """
    if len({(session.device, session.processor) for session in record.sessions}) > 1:
        return False
    long = [s for s in record.sessions if s.images >= _SHARE * record.cost.images_seen]
    speeds = [session.images / session.seconds for session in long]
    return not speeds or max(speeds) < _ALIKE * min(speeds)
