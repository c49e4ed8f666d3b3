"""What the full study would cost by the model of :mod:`verydeep.results.forecast`: time, money, memory, disk, cores."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pandas as pd

from verydeep import paper, progress, studies
from verydeep.chapters import benchmarks, display, forecast_checks
from verydeep.chapters.forecast_checks import model
from verydeep.data.sources import SOURCES
from verydeep.networks import anatomy
from verydeep.results import forecast
from verydeep.results.forecast import Accelerator, Model
from verydeep.results.training_cost import training_images
from verydeep.studies import Run, load, planned_runs
from verydeep.studies.measurements import measured_by

STUDY = "full"
#: The cards that costs are shown for, and how many of them.
CARDS, COUNTS = ("H100", "A100"), (1, 8)
MICRO_BATCHES = (8, 16, 32, 64, 128, 256)
NETWORKS = ("A", "B", "C", "D", "E")
_HOUR, _DAY = 3600, 24
_GIB = 2**30


def _needs_model(make: Callable[[Model], display.Table]) -> display.Table:
    fit = model()
    return display.without_rows(benchmarks.NO_GPU) if fit is None else make(fit)


def assumed() -> display.Table:
    """What is taken from data sheets and price lists, a row a card, with source and date."""
    rows, addresses = {}, {}
    for card in forecast.assumptions()[0].values():
        price, sheet = (
            url and f"{card.title}, {urlsplit(url).netloc}" for url in (card.price_from, card.specification)
        )
        addresses |= {("price", price): card.price_from, ("sheet", sheet): card.specification}
        rows[card.title] = {
            "peak, bfloat16 (TFLOPS)": card.teraflops.get("bfloat16"),
            "peak, float32 (TFLOPS)": card.teraflops["float32"],
            "memory (GB)": card.memory,
            "its bandwidth (GB/s)": card.bandwidth,
            "link (GB/s)": card.link,
            "an hour (US dollars)": card.dollars_an_hour,
            "as of": card.price_of,
            "price from": price,
            "data sheet": sheet,
        }
    links = {
        "price from": lambda cell: addresses["price", cell],
        "data sheet": lambda cell: addresses["sheet", cell],
    }
    return display.table(pd.DataFrame(rows).T.rename_axis("card"), links=links, missing="")


def measured() -> display.Table:
    """What the model takes from measurements, a row a quantity."""

    def make(fit: Model) -> display.Table:
        on = fit.card.title
        rows = {
            "share of the peak": (100 * fit.share, "%", f"two networks on one {on}, make gpu"),
            "first map, each number": (1e12 * fit.first_map, "picoseconds", f"two networks on one {on}, make gpu"),
            "launching, each layer and step": (1e3 * fit.launching, "milliseconds", "trainings, runs/"),
            "images prepared, each core": (fit.prepared, "images/s", "JPEG files of 500x375, make gpu"),
        }
        frame = pd.DataFrame(rows, index=["value", "unit", "measured on"]).T.rename_axis("quantity")
        frame["value"] = [f"{value:.3g} {unit}" for value, unit, _ in rows.values()]
        return display.table(frame.drop(columns="unit"))

    return _needs_model(make)


def _groups() -> dict[str, list[Run]]:
    """The runs of the full study by what a reader may want of it."""
    every = planned_runs(load(STUDY))
    plain = [run for run in every if run.variant is None]
    shallow = [run for run in plain if run.train_scale == "256" and run.config in NETWORKS]
    classes = [run for run in every if not run.boxes]
    return {"A to E at S=256": shallow, "Tables 3 to 7": classes, "Tables 3 to 10": every}


def _hours(fit: Model, run: Run, card: Accelerator, cards: int, precision: str) -> tuple[float, float]:
    """Hours of training a network of the full study, and of testing it."""
    count = SOURCES[run.study.data.source].counts["val"]
    trained = fit.training_seconds(run, training_images(run), card, cards, precision=precision)
    tested = sum(
        fit.pass_seconds(run, work, count, card, precision=precision) for work in forecast.passes(run).values()
    )
    return trained / _HOUR, tested / _HOUR


def _in_all(fit: Model, of: list[Run], card: Accelerator, cards: int, precision: str) -> tuple[float, float]:
    """Hours of training some networks of the full study, and of testing them."""
    trained, tested = zip(*(_hours(fit, run, card, cards, precision) for run in of), strict=True)
    return sum(trained), sum(tested)


def in_short() -> str | None:
    """How long the whole study trains on eight H100, in words, by :func:`full_cost`; ``None`` if not measured."""
    if (fit := model()) is None:
        return None
    trained, _ = _in_all(fit, planned_runs(load(STUDY)), forecast.accelerator("H100"), 8, "float32")
    return f"{progress.duration(trained * _HOUR)} on 8 H100, by the model of What the full study costs"


def full_cost(precision: str = "float32") -> display.Table:
    """Hours and money of parts of the full study, by card and how many: training and tests, in this precision."""

    def make(fit: Model) -> display.Table:
        rows = {}
        for name in CARDS:
            card = forecast.accelerator(name)
            for cards in COUNTS:
                for group, of in _groups().items():
                    trained, tested = _in_all(fit, of, card, cards, precision)
                    rows[f"{cards} x {name}", group] = {
                        "networks": len(of),
                        "training (hours)": round(trained),
                        "tests (hours)": benchmarks.rounded(tested),
                        "in all (days)": benchmarks.rounded((trained + tested) / _DAY),
                        "price (US dollars)": round((trained + tested) * cards * card.dollars_an_hour, -1),
                    }
        frame = pd.DataFrame(rows).T.rename_axis(["cards", "what"])
        integers = ["networks", "training (hours)", "price (US dollars)"]
        return display.table(frame.astype(dict.fromkeys(integers, int)))

    return _needs_model(make)


def authors_time() -> display.Table:
    """Days that A to E at S=256 take by the model on the authors' card, and on four as fast as they say (Sect. 3.3).

    Images lie decoded: what preparing them took is not known.
    """

    def make(fit: Model) -> display.Table:
        card, rows = forecast.accelerator("Titan Black"), {}
        faster = paper.table("in-text").set_index("fact")["value"]["speed-up on 4 GPUs over 1"]
        for run in _groups()["A to E at S=256"]:
            days = fit.training_seconds(run, training_images(run), card, decoded=True) / _HOUR / _DAY
            rows[run.config] = {"one card (days)": days, f"four, {faster} times as fast (days)": days / faster}
        return display.table(pd.DataFrame(rows).T.rename_axis("network").round(1))

    return _needs_model(make)


def by_network(card: str = "H100", precision: str = "float32") -> display.Table:
    """Images a second and hours of every network of the full study on one and eight cards, and what bounds a step."""

    def make(fit: Model) -> display.Table:
        on, rows = forecast.accelerator(card), {}
        for run in planned_runs(load(STUDY)):
            rows[run.row] = {}
            for cards in COUNTS:
                step = fit.step(run, on, cards, precision=precision)
                trained, tested = _hours(fit, run, on, cards, precision)
                rows[run.row] |= {
                    f"{cards}: images/s": round(step.images_per_second),
                    f"{cards}: bound by": step.bound,
                    f"{cards}: training (hours)": benchmarks.rounded(trained),
                }
            rows[run.row]["tests (hours)"] = benchmarks.rounded(tested)
        return display.table(pd.DataFrame(rows).T.rename_axis("network"))

    return _needs_model(make)


def cores() -> display.Table:
    """Cores that must prepare images for each card so that its arithmetic alone bounds A and D."""

    def make(fit: Model) -> display.Table:
        rows = {}
        for name in CARDS:
            for cards in COUNTS:
                for precision in ("float32", "bfloat16"):
                    rows[f"{cards} x {name}", precision] = {}
                    for config in ("A", "D"):
                        run = studies.find_run(STUDY, config, 256)
                        step = fit.step(run, forecast.accelerator(name), cards, precision=precision)
                        each = step.images / cards / step.arithmetic
                        rows[f"{cards} x {name}", precision] |= {
                            f"{config}: each card (images/s)": round(each),
                            f"{config}: cores (of each card)": benchmarks.rounded(each / fit.prepared),
                        }
        frame = pd.DataFrame(rows).T.rename_axis(["cards", "precision"])
        said = f"{fit.prepared:.0f} images/s and core; our loop starts at most {forecast.WORKERS} processes a card."
        return display.table(frame, caption=said)

    return _needs_model(make)


def memory(precision: str = "bfloat16") -> display.Table:
    """Peak memory of a step of training (GiB) by micro-batch, a column each network, from the sizes of its maps.

    The caption says how far that is from what ``make gpu`` measured.
    """
    of = {config: studies.find_run(STUDY, config, 256) for config in NETWORKS}
    rows = {
        size: {
            f"{config} (GiB)": round(forecast.training_memory(run, size, precision) / _GIB, 1)
            for config, run in of.items()
        }
        for size in MICRO_BATCHES
    }
    errors = [abs(error) for error in forecast_checks.memory_errors()]
    said = benchmarks.NO_GPU
    if errors:
        said = f"Beside {len(errors)} measurements of make gpu the largest error is {max(errors):.0f} %."
    return display.table(pd.DataFrame(rows).T.rename_axis("micro-batch"), caption=said)


def disk() -> display.Table:
    """Disk that the full study takes (GB), an item a row: images, store, checkpoints, weights, posteriors."""
    _, images = forecast.assumptions()
    every = planned_runs(load(STUDY))
    parameters = [anatomy.parameters(run.configuration, run.size) for run in every]
    source = SOURCES[every[0].study.data.source]
    tested = sum(len({part for measurement in measured_by(run) for part in measurement.passes}) for run in every)
    sizes = {
        "images, as they are downloaded": sum(images.bytes.values()),
        "images, unpacked": sum(images.bytes.values()),
        "store": sum(images.bytes.values()),
        "checkpoint of the largest network": 8 * max(parameters),
        f"weights of {len(every)} networks": 2 * sum(parameters),
        f"posteriors of {tested} passes": 4 * tested * source.counts["val"] * source.num_classes,
    }
    frame = pd.DataFrame({"disk (GB)": {name: round(size / 1e9, 1) for name, size in sizes.items()}})
    frame.loc["in all"] = frame["disk (GB)"].sum().round(1)
    return display.table(frame.rename_axis("what"), caption="The downloaded archives may be deleted once unpacked.")
