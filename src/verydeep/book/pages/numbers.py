"""The page of every number."""

from verydeep import results
from verydeep.results.numbers import Number
from verydeep.studies import names

_HEAD = ("| identity | value | images | paper |", "|:--|:--|--:|--:|")


def numbers_page() -> str:
    """Every number of every study with its identity, an anchor of that name, and a link to its run.

    What was measured comes first: the studies with most runs before the others, and of each what was not in a box.
    """
    lines = [
        "# Every number",
        "",
        "Each number of a study has an identity, `<study>.<table>.<row>.<metric>`, by which it is cited (see "
        "[how to cite a number](../cite.md)). Errors are in percent, with their 95 % interval; `parameters` are in "
        'millions. The same list for programs: <a href="../numbers.json">numbers.json</a> '
        '(<a href="../numbers.schema.json">schema</a>), '
        '<a href="../numbers.csv">numbers.csv</a>.',
        "",
    ]
    studies = {name: results.read(name).numbers for name in names()}
    for name, numbers in sorted(studies.items(), key=lambda study: -sum(map(_measured, study[1]))):
        lines += [f"## {name}", ""]
        if done := [number for number in numbers if number.status == "done"]:
            lines += [*_HEAD, *map(_row, done), ""]
        if others := [number for number in numbers if number.status != "done"]:
            lines += [f"```{{dropdown}} Not measured: {len(others)} numbers", "", *_HEAD, *map(_row, others), "```", ""]
    return "\n".join(lines)


def _measured(number: Number) -> bool:
    """Whether a run gave the number; counts of parameters are known without one."""
    return number.status == "done" and number.run is not None


def _row(number: Number) -> str:
    printed = "" if number.paper is None else f"{number.paper}"
    shown = f"{{result}}`{number.id} cell`" if number.run else f"{number.value:.3f}"
    return f'| <span id="{number.id}"></span>`{number.id}` | {shown} | {number.n or ""} | {printed} |'
