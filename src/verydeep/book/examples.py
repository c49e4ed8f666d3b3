"""The chapters about training and testing show one run, and one of several networks together: each template with the
outputs that it had in it.

The template in the repository has none. Where the run is not recorded, its page is the template alone.
"""

import nbformat
import pandas as pd
from nbformat import NotebookNode
from sphinx.application import Sphinx

from verydeep import runs
from verydeep.chapters import figures, testing_tables, tuning_tables
from verydeep.chapters.figures import Picture
from verydeep.runs import templates
from verydeep.runs.records import HISTORY, Record
from verydeep.studies import Recorded, find_fusion, find_run, find_transfer, find_tuning

#: The run that is shown: study, configuration and training scale; the same of a network that gives boxes, with seed and
#: variant; and the networks tested together, with the method.
EXAMPLE = ("narrow", "D", "jitter")
BOXES = ("quarter", "D", "384", 0, "pcr-all")
TOGETHER = (["narrow/D-jitter", "narrow/E-jitter"], "both")
#: The networks whose features are carried to other data, and which.
CARRIED = (["narrow/D-jitter"], "caltech101")
#: The network that is tuned, and to which data.
TUNED = ("narrow/D-jitter", "caltech101")

#: What the build makes from a record, by the names of the cells: what is younger than some records, or better now.
_MADE = {
    "ways-apart": testing_tables.ways_apart,
    "gains": tuning_tables.gains,
    "curve-of-boxes": lambda run: figures.learning_curve(pd.read_csv(run.folder / HISTORY), run.name, boxes=True),
}


def example(kind: str, boxes: bool = False) -> Recorded:
    """What the chapter of a template shows, a run or several networks together; recorded or not.

    ``boxes`` says whether the chapter is about networks that give boxes; that of several networks is about both.
    """
    if kind == "fuse":
        return find_fusion(*TOGETHER)
    if kind == "transfer":
        return find_transfer(*CARRIED)
    if kind == "finetune":
        return find_tuning(*TUNED)
    return find_run(*(BOXES if boxes else EXAMPLE))


def shown_in(run: Recorded) -> list[str]:
    """The kinds of the chapters that show a run."""
    return [kind for kind in templates.TEMPLATES if example(kind, bool(run.boxes)) == run]


def page(kind: str, template: str, run: Recorded) -> str:
    """The notebook of a template, ``train``, ``evaluate`` and so on, with the outputs of its cells in a run.

    A cell has them where its code is what was executed. The parameters of the run stand below those of the template.
    """
    notebook = nbformat.reads(template, as_version=4)
    executed = nbformat.read(run.folder / f"{kind}.ipynb", as_version=4).cells
    outputs = {cell.source: cell.outputs for cell in executed if cell.cell_type == "code"}
    first, *rest = notebook.cells
    cells = [first, _markdown("as-it-ran", _said(kind, run))]
    for cell in rest:
        cells.append(cell)
        if "parameters" in cell.metadata.get("tags", []):
            cells += [injected for injected in executed if "injected-parameters" in injected.metadata.get("tags", [])]
        elif cell.cell_type == "code":
            cells += _with_outputs(cell, outputs, run)
    notebook.cells = cells
    return nbformat.writes(notebook)


def _with_outputs(cell: NotebookNode, outputs: dict[str, list], run: Recorded) -> list[NotebookNode]:
    """Give a cell its outputs; the cells that then follow it: a word on where they are from, if not from the record."""
    if cell.id in _MADE:
        cell.outputs = [nbformat.v4.new_output("display_data", _bundle(_MADE[cell.id](run)))]
        return [_markdown(f"{cell.id}-made", "*Made from the records when this book was built.*")]
    if cell.source in outputs:
        cell.outputs = outputs[cell.source]
        return []
    return [_markdown(f"{cell.id}-absent", "*This run is older than this cell, which shows nothing of it.*")]


def _bundle(shown: pd.DataFrame | Picture) -> dict[str, str]:
    """A table or a picture as a notebook has it, by media type."""
    if isinstance(shown, Picture):
        return shown._repr_mimebundle_()
    return {"text/html": shown._repr_html_(), "text/plain": repr(shown)}


def _markdown(name: str, text: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text, id=name)


def _said(kind: str, run: Recorded) -> str:
    """What is shown, how long it took and on what, and where it lies."""
    study = run.study
    network, folder = study.network, f"../runs/{study.name}"
    record = runs.read_record(run, kind)
    size = "the paper's own lengths" if network.length_divisor == 1 else f"lengths divided by {network.length_divisor}"
    return "\n".join(
        [
            "```{admonition} As it ran",
            f"Below each cell stands what it showed for {run.in_words} of the study "
            f"[{study.name}]({folder}.md), {size}, widths divided by {network.width_divisor}, {study.num_classes} "
            f"classes, {record.in_words} in {_time(record.cost.seconds)} on {_machine(record)}. "
            f"[The run's page]({folder}/{run.name}.md) has its record and "
            f"[the notebook as papermill executed it]({folder}/{run.name}-{kind}.ipynb). Its reasons "
            "are those of that day, and so are its readings of what the paper does not print; "
            "[Departures](../departures.ipynb) has today's, and says which they are. In Jupyter the template has no "
            "outputs.",
            "```",
        ]
    )


def _time(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def _machine(record: Record) -> str:
    return f"one {record.device.name}" if record.device.type == "cuda" else record.environment.processor


def _shown(app: Sphinx, docname: str, source: list[str]) -> None:
    for kind in templates.TEMPLATES:
        shown = {templates.template(run, kind): run for run in (example(kind), example(kind, boxes=True))}
        run = shown.get(f"{docname}.ipynb")
        if run and (run.folder / f"{kind}.ipynb").exists():
            source[0] = page(kind, source[0], run)


def setup(app: Sphinx) -> None:
    """Have Sphinx read the example in place of its template."""
    app.connect("source-read", _shown)
