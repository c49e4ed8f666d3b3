"""Training and testing beside others, decoding, and memory, as the scripts of ``benchmarks/`` measured them."""

from collections.abc import Callable

import pandas as pd

from verydeep.chapters import benchmarks, display

#: The least that is aimed at: our loop beside the bare step, beside the common loop at equal precision, which decodes
#: images in each epoch, and beside timm's; our tests beside their forward passes, and beside loops that do the same.
OF_BARE_STEP, OF_COMMON_LOOP, OF_TIMM, OF_FORWARD, OF_LOOPS = 0.95, 2.0, 1.0, 0.90, 1.0
#: The most seconds that a build of the book may take on two cores, whole and after one chapter was changed.
BUILD_GOALS = {"whole build": 90, "one chapter changed": 15}
#: The most seconds that the tests may take on two cores, installation included.
SUITE_GOAL = 480
_DROPPED = ("images", "turns", "multiply_adds")


def not_run(name: str) -> display.Table:
    """In place of the table of a benchmark that has no record: no rows, and a caption with its command."""
    return display.without_rows(f"Not run; on a machine that is not busy: python benchmarks/{name}.py")


def training() -> display.Table:
    """Images a second of training, by network and way, and how ours stands to each, with what is aimed at.

    Where it was not measured, no rows, and a caption with the command; so of the others here.
    """
    record = benchmarks.recorded("training")
    if record is None:
        return not_run("training")

    def goal(way: str) -> tuple[str, float] | None:
        if way == "our loop":
            return "ratio_to_bare_step", OF_BARE_STEP
        if way == "timm":
            return "ratio_of_our_loop", OF_TIMM
        if way == "common loop, our precision":
            return "ratio_of_our_loop", OF_COMMON_LOOP
        return None

    setting = record["setting"]
    said = (
        f"Medians of {setting['turns']} turns of {setting['steps']} batches; {setting['workers']} workers for others."
    )
    return _beside(record, goal, said)


def evaluation() -> display.Table:
    """Images a second of testing, by network and way, and how ours stands to each, with what is aimed at."""
    record = benchmarks.recorded("evaluation")
    if record is None:
        return not_run("evaluation")

    def goal(way: str) -> tuple[str, float] | None:
        if way == "ours":
            return "ratio_to_forward_passes", OF_FORWARD
        return ("ratio_of_ours", OF_LOOPS) if way.startswith("loop, ") else None

    setting = record["setting"]
    return _beside(record, goal, f"Medians of {setting['turns']} turns over up to {setting['images']} images.")


def sharing() -> display.Table:
    """What a test of a network saves by making each pass over the images once, a row a network."""
    record = benchmarks.recorded("evaluation")
    if record is None:
        return not_run("evaluation")
    names = {
        "measurements": "measurements",
        "passes": "passes made",
        "passes_of_each_by_itself": "passes, each measurement by itself",
        "seconds_an_image": "seconds an image",
        "seconds_an_image_of_each_by_itself": "seconds an image, each measurement by itself",
        "saved": "ratio to each by itself",
    }
    frame = _chosen(record["sharing"], names).rename_axis("network")
    integers = ["measurements", "passes made", "passes, each measurement by itself"]
    return display.table(frame.astype(dict.fromkeys(integers, int)).map(benchmarks.rounded))


def bfloat16() -> display.Table:
    """Images a second of training and testing in bfloat16, by torch's layers and by ours, beside float32."""
    record = benchmarks.recorded("bfloat16")
    if record is None:
        return not_run("bfloat16")
    names = {
        "training_images_per_second": "training, images per second",
        "training_ratio_to_torchs_own": "ratio of training to torch's own",
        "testing_images_per_second": "testing, images per second",
        "testing_ratio_to_torchs_own": "ratio of testing to torch's own",
        "gradients_from_torchs_own": "gradients from torch's own (%)",
    }
    frame = _chosen(record["rates"], names).map(benchmarks.rounded)
    setting, has = record["setting"], "with" if record["setting"]["instructions"] else "without"
    said = (
        f"Medians of {setting['turns']} turns of {setting['steps']} batches. {record['environment']['processor']}, "
        f"{has} instructions for bfloat16, {record['device']['threads']} threads."
    )
    return display.table(frame, caption=said)


def decoding() -> display.Table:
    """Images a second and core by each decoder, alone and with training's view, and whether pixels stay the same."""
    record = benchmarks.recorded("decoding")
    if record is None:
        return not_run("decoding")
    names = {
        "images_per_second": "images per second",
        "ratio_to_Pillow": "ratio to Pillow",
        "same_pixels": "images with the same pixels (%)",
        "mean_difference": "mean difference (levels)",
        "largest_difference": "largest difference (levels)",
    }
    frame = _chosen(record["rates"], names).map(benchmarks.rounded)
    setting = record["setting"]
    said = f"{setting['images']} images of {setting['bytes'] / 1000:.0f} kB ({setting['from']}), one core of "
    return display.table(frame, missing="another size", caption=f"{said}{record['environment']['processor']}.")


def memory() -> display.Table:
    """Peak memory of training by micro-batch, and of a dense test by size of image (MiB)."""
    record = benchmarks.recorded("memory")
    if record is None:
        return not_run("memory")
    names = {"peak_memory_mib": "peak memory (MiB)", "above_start_mib": "above start (MiB)"}
    frame = _chosen(record["rates"], names).map(benchmarks.rounded)
    return display.table(frame, caption=f"{record['network']}, {record['device']['threads']} threads.")


def epochs() -> display.Table:
    """Memory in use (MiB) after each epoch of a training, and what it is beyond the first."""
    record = benchmarks.recorded("memory")
    if record is None:
        return not_run("memory")
    after = pd.Series(record["after_each_epoch_mib"], index=range(1, 1 + len(record["after_each_epoch_mib"])))
    frame = pd.DataFrame({"in use (MiB)": after.round(1), "beyond the first epoch (MiB)": (after - after[1]).round(1)})
    said = f"{record['network']}, {record['device']['threads']} threads."
    return display.table(frame.rename_axis("epoch"), caption=said)


def book() -> display.Table:
    """Seconds of a build of the book, whole and after a change, then and now, with what is aimed at."""
    record = benchmarks.recorded("build")
    if record is None:
        return not_run("build")
    (_, before), (_, now) = record["rates"].items()
    rows = {}
    for name in (key.removesuffix(": seconds") for key in now if key.endswith(": seconds")):
        row = rows[name] = {}
        for when, rates in (("before", before), ("now", now)):
            row[f"{when} (s)"] = rates[f"{name}: seconds"]
            row[f"{when}, of all processes (s)"] = rates[f"{name}: processor seconds"]
        row |= _within(row["now (s)"], BUILD_GOALS.get(name))
    commits, cores = " and ".join(record["rates"]), record["environment"]["cores"]
    said = f"{commits}. {record['environment']['processor']}, {cores} cores."
    return display.table(pd.DataFrame(rows).T.map(benchmarks.rounded), missing="", caption=said)


def suite() -> display.Table:
    """Seconds that the tests take as CI runs them, with what is aimed at, and those of the slowest files."""
    record = benchmarks.recorded("suite")
    if record is None:
        return not_run("suite")
    total, tests = record["rates"]["whole"], record["tests"]
    rows = {"all, with the installation": {"took (s)": total["seconds"]} | _within(total["seconds"], SUITE_GOAL)}
    rows |= {name: {"took (s)": seconds} for name, seconds in tests["slowest"].items()}
    counts = ", ".join(f"{number} {outcome}" for outcome, number in tests["counts"].items())
    said = (
        f"{counts}. {total['processor_seconds']:.0f} seconds of processor time; files run side by side, on "
        f"{record['environment']['processor']}, {record['environment']['cores']} cores."
    )
    return display.table(pd.DataFrame(rows).T.map(benchmarks.rounded), missing="", caption=said)


def _chosen(rates: dict[str, dict], names: dict[str, str]) -> pd.DataFrame:
    """A row for each of the rates, of theirs those in ``names``, called so."""
    return pd.DataFrame(rates).T[list(names)].rename(columns=names)


def _within(took: float, goal: float | None) -> dict[str, str]:
    """The most seconds that are aimed at, and whether they sufficed; nothing where nothing is aimed at."""
    if goal is None:
        return {"goal": "", "reached": ""}
    return {"goal": f"at most {goal} s", "reached": "yes" if took <= goal else f"missed by {took - goal:.0f} s"}


def sentences() -> display.Table:
    """How often a build opens a record, and what a number in a sentence costs, then and now."""
    record = benchmarks.recorded("build")
    if record is None:
        return not_run("build")
    names = {"records opened": "files opened (times)"}
    for role in ("result", "verdict"):
        names |= {
            f"{role}: records opened for each": f"files opened for each {role} (times)",
            f"{role}: milliseconds each": f"each {role} (ms)",
        }
    return display.table(_chosen(record["rates"], names).map(benchmarks.rounded))


def _beside(record: dict, goal: Callable[[str], tuple[str, float] | None], said: str) -> display.Table:
    """The rates of a record, each beside what is aimed at: ``goal`` of a way gives a column and a least."""
    rows = {}
    for name, rate in record["rates"].items():
        way = name.split(": ", 1)[1]
        rows[name] = {key: value for key, value in rate.items() if key not in _DROPPED}
        rows[name] |= {"goal": "", "reached": ""}
        if aim := goal(way):
            column, least = aim
            rows[name]["goal"] = f"{column.replace('_', ' ')} at least {least:g}"
            short = 1 - rate[column] / least
            rows[name]["reached"] = "yes" if short <= 0 else f"short by {100 * short:.0f} %"
    frame = pd.DataFrame(rows).T.rename(columns=lambda column: column.replace("_", " "))
    frame = frame.map(benchmarks.rounded)
    machine = f"{record['environment']['processor']}, {record['device']['threads']} threads."
    return display.table(frame, missing="", caption=f"{said} {machine}")
