"""Every chapter with parameters reruns with papermill and another set of them, in time and with alt text."""

import fnmatch
import itertools
import re
import time

import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup

from conftest import REPOSITORY
from verydeep import results
from verydeep.book import execution
from verydeep.chapters import reruns
from verydeep.notebooks import warm
from verydeep.runs import templates

#: Chapter -> other parameters than its own, and lines that its outputs must then show: rows of tables, what is printed,
#: words of a picture. ``*`` is any text. Values follow by hand from Table 1, the paper's tables and the study's file.
OTHERS = {
    "networks/shapes": ({"config": "E", "crop": 56, "width_divisor": 4}, [
        "conv5_4 | 128 | 4 | 4 | 147,456 | 128 | *", "fc6 | 1024 | 1 | 1 | 524,288 | 1024 | *",  # 9 128^2, 2x2x128x1024
    ]),
    "networks/small-filters": ({"channels": 512, "inputs": 9}, [  # 27 512^2, 49 512^2
        "3 x conv3 | 1 x conv7 | 7 | 7,077,888 | 12,845,056 | 81.5 | *", "3 x conv3: 3 outputs",
    ]),
    "networks/receptive-field": ({"config": "C", "layer": "conv3_3", "size": 96, "scheme": "glorot"}, [
        # conv3_2 sees 32 pixels from -14 on, 4 apart, and the 1x1 no more; unit 12 is in the middle
        "recursion | 34 | 65 | 32", "gradient | 34 | 65 | 32", "conv3_3 | 32 | *",
    ]),
    "networks/pooling": ({"config": "A", "crop": 256}, [
        "pool5 | 8 | 7 | 8 | 150 | 181 | *", "3x3, rounded down | 102,760,448", "2x2 | 134,217,728",
    ]),
    "networks/lrn": ({"crop": 64, "width_divisor": 4}, ["LRN | * | 1"]),  # 4 images, 16 channels, 64x64, 4 bytes: a MiB
    "networks/one-by-one": ({"height": 56, "channels": 256, "reduced": 64, "out": 128}, [  # 56^2 a weight
        "3x3, 256 to 128 | 294,912 | 90,112 | 924.8 | 282.6 | *", "5x5, 256 to 128 | 819,200 | 221,184 | *",
    ]),
    "networks/dense-form": ({"config": "A", "width_divisor": 8, "sizes": [224, 320]}, [
        "A | 1x1000 | 1x1000x1x1 | *", "320 | 4x4x1000 | 16 | *",
    ]),
    "networks/initialisation": ({"config": "A", "width_divisor": 8, "crop": 64, "seed": 1}, [
        "A: activations at the first step", "A: gradients at the first step",
    ]),
    "networks/peers": ({"size": 64, "seconds": 0.05}, [
        "VGG-16 (D) | 44.0 | * | 1.3 | 16 | *", "ResNet-152 | 60.2 | *",
    ]),
    "results/claims": ({"study": "smoke"}, ["5 | More non-linearity helps* | not tested | +0.55 | not run |*"]),
    "results/released": ({"study": "smoke"}, ["*The study smoke tests no weights of torchvision*"]),
    "results/authors": ({"study": "smoke"}, ["*The study smoke tests no weights of the authors*"]),
    **{f"results/table{number}": ({"study": "smoke"}, [f"*smoke {heading}*", row]) for number, heading, row in (
        (3, "top-1 (%)", "E | 384 | 384 | 26.9 | 8.7 | not run | not run"),
        (4, "top-1 (%)", "E | 384 | 352, 384, 416 | 26.7 | 8.6 | not run | not run"),
        (5, "top-1 (%)", "E | * | 256, 384, 512 | multi-crop | 24.6 | 7.4 | not run | not run"),
        (6, "top-1 (%)", "D-jitter, E-jitter | dense | 24.0 | 7.1 | 7.0 | not run | not run"),
        (7, "top-1 (%)", "VGG |  | 7 | dense | 24.7 | 7.5 | 7.3 | not run | not run"),
        (8, "true class's box (%)", "D | all | PCR | 384 | 33.1 | not run"),
        (9, "top-5 (%)", "384 | 352, 384 | 27.5 |  | not run | not run"),
        (10, "top-5 (%)", "VGG |  | 26.9 | 25.3 | not run"),
        (11, "(%)", "pieces of two photographs, 15 training images a class | VGG | E-jitter |  | not run"),
        (12, "(%)", "VOC-2012 actions* | VGG Net-D & Net-E, image-only | * | 79.2 | *"),
    )},
    "results/budget": ({"studies": ["smoke"]}, ["A-256 | A | 492 | *"]),  # 12 epochs of 41 steps of 32 images of 1,333
    "results/ablations": ({"study": "smoke"}, ["3x3 in place of 1x1 in blocks 3 to 5 | not run | *"]),
    "results/ladder": ({"study": "smoke"}, ["*has no ladder*"]),
    "results/classes": ({"study": "smoke", "networks": ["A-256"]}, ["classes | A-256 (%)", "harder half | *"]),
    "training/recipe": ({"study": "smoke"}, ["batch | * | 256 | 32 | *", "epochs | * | 74 | 12 | *"]),
    "evaluation/cost": ({"study": "smoke"}, ["multi-crop | 224, 256, 288 | 51 | *", "both | 224, 256, 288 | 54 | *"]),
    "departures": ({"study": "wide"}, ["training, 256 | epochs | * | 74 | 40 | the budget of an afternoon on one GPU"]),
    "checklist": ({"study": "smoke"}, [
        "*1 of 17 networks and 0 pilots trained, 1 tested*", "*1433 training images, 100 *",
    ]),
}  # fmt: skip


#: The templates that papermill runs.
TEMPLATES = sorted({*templates.TEMPLATES.values(), *templates.BOX_TEMPLATES.values()})


@pytest.fixture(scope="module", autouse=True)
def warm_kernels():
    """A kernel that has yet to import what chapters import takes seconds for it."""
    with warm.own_world(execution.modules()):
        yield


def chapters():
    """Every notebook of the book that is no template, by its path without suffix."""
    found = [path.relative_to(REPOSITORY / "book") for path in (REPOSITORY / "book").rglob("*.ipynb")]
    found = [path for path in found if path.parts[0] != "runs" and ".ipynb_checkpoints" not in path.parts]
    return sorted(path.with_suffix("").as_posix() for path in found if path.as_posix() not in TEMPLATES)


def tagged_cell(cell) -> bool:
    return "parameters" in cell.metadata.get("tags", [])


def tagged(notebook) -> list:
    return [cell for cell in notebook.cells if tagged_cell(cell)]


def test_every_chapter_with_parameters_is_rerun_here():
    with_parameters = [c for c in chapters() if tagged(nbformat.read(REPOSITORY / f"book/{c}.ipynb", as_version=4))]
    assert sorted(OTHERS) == with_parameters


#: What :func:`rerun` has executed.
EXECUTED: dict[tuple[str, str], nbformat.NotebookNode] = {}


def rerun(chapter: str, given: dict, checkout) -> nbformat.NotebookNode:
    """A chapter executed with parameters in a checkout with A of the smoke study; once for all tests of this file."""
    key = chapter, repr(given)
    if key not in EXECUTED:
        source = checkout / "book" / f"{chapter}.ipynb"
        EXECUTED[key] = papermill.execute_notebook(
            source, None, given, kernel_name="python3", cwd=checkout, progress_bar=False
        )
    return EXECUTED[key]


@pytest.mark.parametrize("chapter", OTHERS)
def test_a_chapter_reruns_with_other_parameters(chapter, trained):
    given, expected = OTHERS[chapter]
    source = trained / "book" / f"{chapter}.ipynb"
    scope = {}
    exec(tagged(nbformat.read(source, as_version=4))[0].source, scope)
    assert set(given) <= set(scope) and all(scope[name] != value for name, value in given.items())
    begun = time.monotonic()
    done = rerun(chapter, given, trained)
    assert time.monotonic() - begun < 60  # 30 s on two cores that nothing else uses
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert all(output.output_type != "stream" or output.name == "stdout" for output in outputs), "a warning was printed"
    lines = list(told(outputs))
    assert [one for one in expected if not fnmatch.filter(lines, one)] == []


def told(outputs):
    """What a reader reads, line by line: a row of a table has its cells between bars."""
    for output in outputs:
        data = output.get("data", {})
        if "text/html" in data:
            page = BeautifulSoup(data["text/html"], "html.parser")
            for row in page.select("tr"):
                yield " | ".join(cell.get_text(" ", strip=True) for cell in row.select("th, td"))
            yield page.get_text(" ", strip=True)
        elif "image/svg+xml" in data:
            yield from re.findall("<!-- (.*?) -->", data["image/svg+xml"])
        yield output.get("text", "") or data.get("text/plain", "")


@pytest.mark.parametrize("table", [3, 4, 5, 6, 7])
def test_a_chapter_about_a_table_shows_the_study_that_it_was_asked_for(table, trained):
    done = rerun(f"results/table{table}", {"study": "smoke"}, trained)
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    (said,) = [output.text for output in outputs if output.output_type == "stream"]
    assert said == "The tables and pictures are of the study smoke; the numbers in sentences are of quarter.\n"
    shown = [output.data.get("text/html", "") for output in outputs if output.output_type != "stream"]
    assert not any("quarter." in text or "quarter/" in text for text in shown)
    numbers = [number for number in results.read("smoke").numbers if number.table == f"table{table}" and number.value]
    assert bool(numbers) == (table < 6)  # A alone is trained, and tested in every way
    both = "".join(shown[:2])  # the paper's rows, and the others
    for number in numbers:
        assert f'title="{number.id}: ' in both and f">{number.value:.1f}</span>" in both
    assert '<caption>Beside <a href="https://arxiv.org/pdf/1409.1556v6#' in shown[0]
    assert f">Table {table} of the paper</a>, errors in percent." in shown[0]
    told = bool(numbers) or table == 7  # which has the numbers of the others
    assert ("errors in percent. Intervals: 95 %, over the 364 validation" in shown[0]) == told
    assert ("for the one seed" in shown[0]) == told
    assert shown[0].count("not run") > 5


@pytest.mark.parametrize("chapter", OTHERS)
def test_the_first_cell_after_the_parameters_checks_every_one_of_them(chapter):
    cells = [cell for cell in nbformat.read(REPOSITORY / f"book/{chapter}.ipynb", as_version=4).cells]
    code = [cell for cell in cells if cell.cell_type == "code"]
    parameters, first = next(pair for pair in itertools.pairwise(code) if tagged_cell(pair[0]))
    names = [line.split(" = ")[0] for line in parameters.source.splitlines()]
    asked = "" if names == ["study"] else ", " + ", ".join(f'"{name}"' for name in names)
    assert f"chapters.check(globals(){asked}" in first.source
    assert all(" # " in line for line in parameters.source.splitlines()), "each is explained"


@pytest.mark.parametrize("chapter", ["networks/shapes", "results/table3", "departures"])
def test_a_chapter_refuses_a_parameter_that_it_does_not_have(chapter, trained):
    source = trained / "book" / f"{chapter}.ipynb"
    with pytest.raises(papermill.PapermillExecutionError, match="unknown parameter 'crp'"):
        papermill.execute_notebook(source, None, {"crp": 3}, kernel_name="python3", cwd=trained, progress_bar=False)


def test_the_page_about_rerunning_lists_the_parameters_of_every_chapter():
    listed = reruns.parameters()["parameters"]
    assert {*OTHERS, *(path.removesuffix(".ipynb") for path in TEMPLATES)} == {*listed.index}
    assert listed["networks/pooling"] == 'config = "D" (A, A-LRN, B, C, D or E); crop = 224 (pixels)'


@pytest.mark.parametrize(("given", "message"), [
    ({"studdy": "smoke"}, "unknown parameter 'studdy'"), ({"study": "smok"}, "unknown study 'smok'"),
    ({"study": 3}, "study must be a text, such as .*, not 3"),
])  # fmt: skip
def test_a_mistyped_parameter_of_a_chapter_is_refused(given, message, trained):
    source = trained / "book" / "results" / "table3.ipynb"
    with pytest.raises(papermill.PapermillExecutionError, match=message):
        papermill.execute_notebook(source, None, given, kernel_name="python3", cwd=trained, progress_bar=False)


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_has_alt_text_on_every_figure_exercises_and_a_summary(chapter):
    notebook = nbformat.read(REPOSITORY / f"book/{chapter}.ipynb", as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    if chapter.startswith("networks/"):
        assert "## Summary" in prose and "## Exercises" in prose
    for cell in notebook.cells:
        if cell.cell_type == "code" and ("figures." in cell.source.split("\n")[-1] or cell.source.endswith("picture")):
            assert cell.metadata.get("mystnb", {}).get("image", {}).get("alt"), cell.source


@pytest.mark.parametrize("chapter", chapters())
def test_every_exercise_has_an_answer_folded_away(chapter):
    notebook = nbformat.read(REPOSITORY / f"book/{chapter}.ipynb", as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    _, heading, asked = prose.partition("\n## Exercise")
    questions, fold, answers = asked.partition("```{dropdown} Answer")
    assert bool(heading) == bool(fold)
    numbers = [re.findall(r"^\d+\.", text, re.MULTILINE) for text in (questions, answers)]
    assert numbers[0] == numbers[1]
