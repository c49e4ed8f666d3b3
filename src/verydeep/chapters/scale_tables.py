"""Table 4 taken apart: each of its test scales alone, and what the blur of the rescaling to it costs by itself."""

import pandas as pd

from verydeep import results, runs, statistics
from verydeep.chapters import benchmarks, display
from verydeep.studies import Measurement, Run, load
from verydeep.studies.measurements import single

_LOST = ("lost at the smallest Q", "lost at the middle Q", "lost at the largest Q", "lost at all three")


def each_scale(study: str) -> pd.DataFrame:
    """What dense testing loses at each of the scales of Table 4 alone, and at all together, against Table 3's.

    One row a network that was tested, with the study's first seed: its scales Q, the top-1 error in percent at the
    single scale of Table 3, and what is lost against it in percentage points with the paired 95 % interval, positive
    where the error is higher; nothing where the two are the same.
    """
    rows, images = [], 0
    for row in results.rows("table4", load(study)):
        single_scale = single(row.run.train_scale)
        base = _wrong(row.run, single_scale)
        if base is None:
            continue
        images = len(base)
        cells = {"network": row.run.row, "Q": ", ".join(map(str, row.measurement.test_scales))}
        cells["top-1 at one scale"] = 100 * float(base.mean())
        for heading, measured in zip(_LOST, [*row.measurement.passes, row.measurement], strict=True):
            cells[heading] = "" if measured == single_scale else display.difference(_lost(row.run, measured, base))
        rows.append(cells)
    frame = pd.DataFrame(rows, columns=["network", "Q", "top-1 at one scale", *_LOST]).set_index("network")
    caption = f"{display.coverage(images, [1])} {display.FIRST_SEED}" if rows else ""
    idle = [heading for heading in _LOST if (frame[heading] == "").all()]
    units = {"top-1 at one scale": "%"} | dict.fromkeys(_LOST, "points")
    return display.table(frame.drop(columns=idle), units=units, caption=caption)


def blur(study: str) -> pd.DataFrame:
    """What a network loses at another test scale, beside what it loses by the blur of that rescaling alone.

    One row a network and test scale of ``benchmarks/resampling.py``: the top-1 error in percent at Q=S, at Q, and at
    Q=S with each pixel averaged with its neighbours as the rescaling to Q averages them; then both losses in percent
    points. A study for which that was not measured has no rows, and a caption that says how to measure it.
    """
    record = benchmarks.recorded("resampling", study)
    if record is None:
        return benchmarks.rates("resampling", study)
    rates, rows = record["rates"], []
    for row in results.rows("table4", load(study)):
        sharp = rates.get(f"{row.run.row}, as they are")
        for measured in row.measurement.passes if sharp else ():
            scale = measured.test_scales[0]
            blurred = rates.get(f"{row.run.row}, blurred as by Q={scale}")
            wrong = _wrong(row.run, measured)
            if blurred is None or wrong is None:
                continue
            base, there, only = sharp["top1_error"], 100 * float(wrong.mean()), blurred["top1_error"]
            rows.append((row.run.row, scale, base, there, only, there - base, only - base))
    names = ["network", "Q", "at Q=S", "at Q", "at Q=S, blurred as by Q", "lost at Q", "lost by the blur"]
    frame = pd.DataFrame(rows, columns=names).set_index(["network", "Q"]).round(2)
    units = {name: "points" if name.startswith("lost") else "%" for name in names[2:]}
    return display.table(frame, units=units)


def _wrong(run: Run, measured: Measurement):
    """Which images one measurement of a run answers wrongly, bool (images,); ``None`` where it was not run."""
    record = runs.tested(run)
    if record is None or measured.name not in record.measurements:
        return None
    return results.wrong_images(run.study.name, run.name, measured.name, 1)


def _lost(run: Run, measured: Measurement, base) -> statistics.Interval | None:
    wrong = _wrong(run, measured)
    return None if wrong is None else statistics.mean_difference([(wrong[None], base[None])])
