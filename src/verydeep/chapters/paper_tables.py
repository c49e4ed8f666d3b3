"""What the paper alone says, as tables: its configurations, their parameters, its claims."""

import pandas as pd

from verydeep import paper
from verydeep.chapters import display
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.paper import addresses


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
    return display.table(frame)


def table2() -> pd.DataFrame:
    """Table 2: parameters in millions, the paper's printed figure beside the count from Table 1."""
    printed = paper.table(2).set_index("config")["params_millions"]
    counts = pd.Series({config: anatomy.parameters(all_configurations()[config]) for config in printed.index})
    frame = pd.DataFrame(
        {
            "paper (millions)": printed,
            "counted from Table 1": counts,
            "rounded (millions)": (counts / 1e6).round().astype(int),
            "multiply-adds per crop (billions)": pd.Series(
                {config: anatomy.multiply_adds(all_configurations()[config]) / 1e9 for config in printed.index}
            ).round(2),
        }
    )
    return display.table(frame)


def paper_claims() -> pd.DataFrame:
    """The paper's claims, the printed rows that support each, and our reading of those rows."""
    frame = pd.DataFrame(paper.claims()).set_index("number")
    frame = frame.rename(columns={"holds_in_paper": "in the paper's own rows"})
    return display.table(frame, links={"section": addresses.section_url})


def in_text() -> pd.DataFrame:
    """The numbers that the paper's text has and no table of it, each with its unit and section."""
    facts = paper.table("in-text").fillna({"unit": "", "notes": ""}).set_index("section")
    units = facts["unit"].replace("percent", "%")
    printed = [f"{value:,.12g} {unit}".rstrip() for value, unit in zip(facts["value"], units, strict=True)]
    notes = facts["notes"].str.removesuffix("; see PROTOCOL.md")  # which lies beside the tables, not in the book
    frame = pd.DataFrame({"what": facts["fact"], "paper": printed, "notes": notes})
    return display.table(frame, links={"section": addresses.section_url})
