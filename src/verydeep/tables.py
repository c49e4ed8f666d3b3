"""The paper's tables as DataFrames, its columns beside ours, and as Markdown with links to the runs."""

from collections.abc import Callable

import pandas as pd

from verydeep import paper, reports, runs
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.results import Number, error_interval, numbers
from verydeep.studies import load, planned_runs

NOT_RUN = "not run"

# Some cells hold a sentence; a notebook would cut it short.
pd.set_option("display.max_colwidth", None)


def table1() -> pd.DataFrame:
    """Table 1 as printed: a column a configuration, a row a layer, blocks and poolings aligned."""
    printed = paper.table(1)
    columns = {}
    for config, rows in printed.groupby("config", sort=False):
        blocks = rows[rows["kind"].isin(["conv", "lrn"])].groupby("block")["layer"].apply(list)
        columns[config] = blocks
    depth = {block: max(len(column[block]) for column in columns.values()) for block in range(1, 6)}
    cells = {}
    for config, blocks in columns.items():
        layers = ["input"]
        for block in range(1, 6):
            layers += blocks[block] + [""] * (depth[block] - len(blocks[block])) + ["maxpool"]
        cells[config] = [*layers, "FC-4096", "FC-4096", "FC-1000", "soft-max"]
    frame = pd.DataFrame(cells)
    weight_layers = [f"{all_configurations()[config].weight_layers} weight layers" for config in frame.columns]
    frame.columns = pd.MultiIndex.from_arrays([frame.columns, weight_layers], names=["config", "depth"])
    return frame


def table2() -> pd.DataFrame:
    """Table 2: parameters in millions, the paper's printed figure beside the count from Table 1."""
    printed = paper.table(2).set_index("config")["params_millions"]
    counts = pd.Series({config: anatomy.parameters(all_configurations()[config]) for config in printed.index})
    return pd.DataFrame(
        {
            "paper (millions)": printed,
            "counted from Table 1": counts,
            "rounded (millions)": (counts / 1e6).round().astype(int),
            "multiply-adds per crop (billions)": pd.Series(
                {config: anatomy.multiply_adds(all_configurations()[config]) / 1e9 for config in printed.index}
            ).round(2),
        }
    )


def table3(studies: list[str]) -> pd.DataFrame:
    """Table 3, single-scale dense evaluation: the paper's errors beside those of each study, in percent.

    Numbers of a study that have not been run are missing values.
    """
    printed = paper.table(3)
    scales = [paper.scale_name(row.train_min, row.train_max) for row in printed.itertuples()]
    frame = pd.DataFrame(
        {
            ("", "config"): printed["config"],
            ("", "train S"): ["[256;512]" if scale == "jitter" else scale for scale in scales],
            ("", "test Q"): printed["test_sizes"],
            ("paper", "top-1"): printed["top1_val_error"],
            ("paper", "top-5"): printed["top5_val_error"],
        }
    )
    frame.index = [f"{config}-{scale}" for config, scale in zip(printed["config"], scales, strict=True)]
    for study in studies:
        known = {found.id: found.value for found in numbers(study)}
        for metric in ("top1", "top5"):
            values = [known.get(f"{study}.table3.{row}.{metric}") for row in frame.index]
            frame[(study, metric.replace("top", "top-"))] = pd.array(values, dtype="Float64")
    return frame


def cell(found: Number, digits: int = 1) -> str:
    """A number with its interval as text, or ``not run``."""
    if found.status != "done":
        return NOT_RUN
    if found.low is None:
        return f"{found.value:.{digits}f}"
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def table3_markdown(studies: list[str], link: Callable[[str, str], str]) -> str:
    """Table 3 as a Markdown table, each reproduced number with a link to its run and its 95 % interval.

    Parameters
    ----------
    link
        Maps (study, run name) to the address of the run's page.
    """
    frame = table3(studies)
    head = ["network", "train S", "test Q", "paper top-1", "top-5"]
    head += [name for study in studies for name in (f"{study} top-1", "top-5")]
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join([":--"] * 3 + ["--:"] * (len(head) - 3)) + "|"]
    found = {study: {number.id: number for number in numbers(study)} for study in studies}
    for row, cells in frame.iterrows():
        shown = [str(value) for value in cells.iloc[:3]] + [f"{value:.1f}" for value in cells.iloc[3:5]]
        for study in studies:
            for metric in ("top1", "top5"):
                one = found[study].get(f"{study}.table3.{row}.{metric}")
                if one is None:
                    shown.append("")
                elif one.status == "done":
                    interval = f'<span class="interval">{one.low:.1f}–{one.high:.1f}</span>'
                    shown.append(f"[{one.value:.1f}]({link(study, one.run)}) {interval}")
                else:
                    shown.append(NOT_RUN)
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)


def headline(study: str) -> str:
    """Table 3 for the README: the paper beside one study, with links to the run folders."""
    return (
        table3_markdown([study], link=lambda study, run: f"runs/{study}/{run}")
        .replace('<span class="interval">', "(")
        .replace("</span>", ")")
    )


def pilots(study: str) -> pd.DataFrame:
    """The short runs by which a study's recipe was chosen: what each changed, and its errors on held-out images.

    Errors are in percent with their 95 % interval over the held-out images; a pilot that has not been run says so.
    """
    spec = load(study)
    rows = []
    for run in planned_runs(spec, pilots=True):
        base = spec.resolve(run.train_scale)
        changed = {key: value for key, value in run.recipe if key != "epochs" and value != getattr(base, key)}
        record = runs.read_record(run, "train")
        row = {
            "pilot": run.variant.removeprefix("pilot-"),
            "changes": ", ".join(f"{key}: {value}" for key, value in changed.items()) or "nothing",
            "why": spec.variants[run.variant].why,
            "epochs": run.recipe.epochs,
        }
        for metric in ("top1", "top5"):
            row[f"held-out {metric.replace('top', 'top-')}"] = _held_out(record, metric)
        row["training loss"] = round(record.metrics["train_loss"], 2) if record else NOT_RUN
        rows.append(row)
    return pd.DataFrame(rows).set_index("pilot")


def _held_out(record, metric: str) -> str:
    if record is None:
        return NOT_RUN
    error = record.metrics[f"held_out_{metric}_error"]
    low, high = error_interval(error, record.data["held_out"]["count"])
    return f"{error:.1f} [{low:.1f}, {high:.1f}]"


def recipe(study: str, train_scale: str = "256", variant: str | None = None) -> pd.DataFrame:
    """Every setting of a study's recipe beside the paper's, with the reason where they differ."""
    spec = load(study)
    rows = reports.recipe_rows(spec, train_scale, spec.resolve(train_scale, variant))
    return pd.DataFrame(rows, dtype=object).set_index("setting")


def departures(study: str, train_scale: str = "256") -> pd.DataFrame:
    """The rows of :func:`recipe` that differ from the paper's."""
    frame = recipe(study, train_scale)
    return frame[[ours != papers for ours, papers in zip(frame["study"], frame["paper"], strict=True)]]


def claims() -> pd.DataFrame:
    """The paper's claims, the printed rows that support each, and our reading of those rows."""
    frame = pd.DataFrame(paper.claims()).set_index("number")
    return frame.rename(columns={"holds_in_paper": "in the paper's own rows"})
