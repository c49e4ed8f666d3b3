"""Every chapter with parameters reruns with papermill and another set of them, in time and with alt text."""

import time

import nbformat
import papermill
import pytest

from conftest import REPOSITORY
from verydeep import notebooks

#: Chapter -> other parameters than its own, and what its outputs must then show.
OTHERS = {
    "networks/shapes": ({"config": "E", "crop": 56, "width_divisor": 4}, "conv5_4"),
    "networks/small-filters": ({"channels": 512, "inputs": 9}, "81.5"),
    "networks/receptive-field": ({"config": "C", "layer": "conv3_3", "size": 96, "scheme": "glorot"}, "conv3_3"),
    "networks/pooling": ({"config": "A", "crop": 256}, "pool5"),
    "networks/lrn": ({"crop": 64, "width_divisor": 4}, "LRN"),
    "networks/one-by-one": ({"height": 56, "channels": 256, "reduced": 64, "out": 128}, "5x5, 256 to 128"),
    "networks/dense-form": ({"config": "A", "width_divisor": 8, "sizes": [224, 320]}, "4x4x1000"),
    "networks/initialisation": ({"config": "A", "width_divisor": 8, "crop": 64, "seed": 1}, ""),
    "networks/peers": ({"size": 64, "seconds": 0.05}, "ResNet-152"),
    "results/claims": ({"study": "smoke"}, "not tested"),
    "evaluation/cost": ({"study": "smoke"}, "multi-crop"),
    "departures": ({"study": "wide"}, "the budget of an afternoon"),
    "checklist": ({"study": "smoke"}, "1 of 13 networks"),
}


def chapters():
    """Every notebook of the book that is no template, by its path without suffix."""
    templates = set(notebooks.TEMPLATES.values())
    found = [path.relative_to(REPOSITORY / "book") for path in (REPOSITORY / "book").rglob("*.ipynb")]
    found = [path for path in found if path.parts[0] != "runs" and ".ipynb_checkpoints" not in path.parts]
    return sorted(path.with_suffix("").as_posix() for path in found if path.as_posix() not in templates)


def tagged(notebook) -> list:
    return [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]


def test_every_chapter_with_parameters_is_rerun_here():
    with_parameters = [c for c in chapters() if tagged(nbformat.read(REPOSITORY / f"book/{c}.ipynb", as_version=4))]
    assert sorted(OTHERS) == with_parameters


@pytest.mark.parametrize("chapter", OTHERS)
def test_a_chapter_reruns_with_other_parameters(chapter, trained):
    given, shown = OTHERS[chapter]
    source = trained / "book" / f"{chapter}.ipynb"
    scope = {}
    exec(tagged(nbformat.read(source, as_version=4))[0].source, scope)
    assert set(given) <= set(scope) and all(scope[name] != value for name, value in given.items())
    begun = time.monotonic()
    done = papermill.execute_notebook(source, None, given, kernel_name="python3", cwd=trained, progress_bar=False)
    assert time.monotonic() - begun < 60  # 30 s on two cores that nothing else uses
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert all(output.output_type != "stream" or output.name == "stdout" for output in outputs), "a warning was printed"
    assert shown in str(outputs)


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_has_alt_text_on_every_figure_exercises_and_a_summary(chapter):
    notebook = nbformat.read(REPOSITORY / f"book/{chapter}.ipynb", as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    if chapter.startswith("networks/"):
        assert "## Summary" in prose and "## Exercises" in prose
    for cell in notebook.cells:
        if cell.cell_type == "code" and ("figures." in cell.source.split("\n")[-1] or cell.source.endswith("picture")):
            assert cell.metadata.get("mystnb", {}).get("image", {}).get("alt"), cell.source
