"""The page of every number."""

from verydeep import results
from verydeep.studies import names


def numbers_page() -> str:
    """Every number of every study with its identity, an anchor of that name, and a link to its run."""
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
    for name in names():
        lines += [f"## {name}", "", "| identity | value | images | paper |", "|:--|:--|--:|--:|"]
        for number in results.read(name).numbers:
            printed = "" if number.paper is None else f"{number.paper}"
            shown = f"{{result}}`{number.id} cell`" if number.run else f"{number.value:.3f}"
            lines.append(f'| <span id="{number.id}"></span>`{number.id}` | {shown} | {number.n or ""} | {printed} |')
        lines.append("")
    return "\n".join(lines)
