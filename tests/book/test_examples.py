"""The chapters about training and testing show a recorded run, and are templates where there is none."""

import re

import nbformat
import pytest
import yaml

from conftest import REPOSITORY
from verydeep import runs, studies
from verydeep.book import examples, pages
from verydeep.book.pages import writing
from verydeep.book.pages.runs import fusion_page
from verydeep.runs import templates

#: The templates that show one run.
RUNS = ("train", "evaluate")


def template(kind: str) -> str:
    return (REPOSITORY / "book" / templates.TEMPLATES[kind]).read_text()


def code(text: str) -> dict:
    return {cell.id: cell for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"}


def read(kind: str) -> str:
    """What Sphinx is given to read as the chapter."""
    source = [template(kind)]
    examples._shown(None, templates.TEMPLATES[kind].removesuffix(".ipynb"), source)
    return source[0]


@pytest.mark.parametrize("kind", templates.TEMPLATES)
def test_a_chapter_without_a_record_is_its_template(kind, trained):
    assert read(kind) == template(kind)


@pytest.mark.parametrize("kind", RUNS)
def test_a_chapter_shows_every_cell_as_it_ran(kind, trained, monkeypatch):
    monkeypatch.setattr(examples, "EXAMPLE", ("smoke", "A", "256"))
    text = read(kind)
    cells = code(text)
    shown = [name for name, cell in cells.items() if cell.outputs]
    assert len(shown) >= 4 and set(code(template(kind))) - set(shown) == {"cell-1"}  # the parameters
    assert any('study = "smoke"' in cell.source for name, cell in cells.items() if name not in code(template(kind)))
    assert "A at S=256 of the study [smoke](../runs/smoke.md), the paper's own lengths" not in text
    assert "A at S=256 of the study [smoke](../runs/smoke.md), lengths divided by 7, widths divided by 16, 10" in text
    run = studies.find_run("smoke", "A", 256)
    assert "../../training/train.ipynb" in pages.run_page(run)
    assert not any(cell.outputs for cell in code(template(kind)).values())


def test_the_recorded_example_fills_the_chapters_but_for_what_is_younger(repository):
    train, evaluate = (code(read(kind)) for kind in RUNS)
    assert [name for name, cell in train.items() if not cell.outputs and name.startswith("cell")] == ["cell-1"]
    empty = [name for name in code(template("evaluate")) if not evaluate[name].outputs]
    assert set(empty) <= {"cell-1", "disputed", "crops", "filters", "responses"}
    assert "another best class (%)" in evaluate["ways-apart"].outputs[0]["data"]["text/html"]
    assert "the paper's own lengths, widths divided by 8, 20 classes" in read("train")


def test_several_networks_together_are_shown_too(repository):
    text, asked = read("fuse"), code(template("fuse"))
    cells = code(text)
    assert [name for name in asked if not cells[name].outputs] == ["cell-1"]
    assert "together" in cells["together"].outputs[-1]["data"]["text/html"]
    assert "D-jitter and E-jitter, tested together by the method `both`, each of the study [narrow]" in text
    assert "../../evaluation/fuse.ipynb" in fusion_page(examples.example("fuse"))


def test_what_fine_tuning_gains_is_told_of_a_record_that_is_older(repository):
    text, asked = read("finetune"), code(template("finetune"))
    cells = code(text)
    assert [name for name in asked if not cells[name].outputs] == ["parameters"]
    gained = cells["gains"].outputs[0]["data"]["text/html"]
    assert "random weights (points)" in gained and "older than this cell" not in text


@pytest.mark.parametrize("kind", RUNS)
def test_the_chapters_of_boxes_show_a_network_that_gives_boxes(kind):
    run = examples.example(kind, boxes=True)
    assert run.boxes and templates.template(run, kind) == templates.BOX_TEMPLATES[kind]
    assert examples.shown_in(run) == list(RUNS)
    assert not examples.example(kind).boxes


def test_the_curve_of_boxes_is_drawn_from_the_record(repository):
    """The notebook of that day calls its loss cross-entropy, and has a top-5 error."""
    page = templates.BOX_TEMPLATES["train"]
    source = [(REPOSITORY / "book" / page).read_text()]
    examples._shown(None, page.removesuffix(".ipynb"), source)
    (drawn,) = code(source[0])["curve-of-boxes"].outputs
    assert "Euclidean loss" in drawn["data"]["image/svg+xml"] and "top-5" not in drawn["data"]["image/svg+xml"]


def test_building_the_book_executes_no_template():
    """Else the build would train and test, and write below runs/."""
    left_out = yaml.safe_load((REPOSITORY / "_config.yml").read_text())["execute"]["exclude_patterns"]
    assert {*templates.TEMPLATES.values(), *templates.BOX_TEMPLATES.values()} <= {*left_out}


@pytest.mark.parametrize("kind", ["train", "evaluate"])
def test_links_of_a_template_lead_somewhere_from_the_page_of_a_run(kind):
    """To other rooms of the book, and to the pages beside the template."""
    run = studies.find_run("quarter", "D", 384, 0, "scr-fc")
    page = nbformat.reads(writing._notebook_page(run.folder / f"{kind}.ipynb", run, kind), as_version=4)
    text = "\n".join(cell.source for cell in page.cells[1:] if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#:]+\.ipynb)", text)
    assert links and all((REPOSITORY / "book/runs/quarter" / link).resolve().exists() for link in links)


def test_the_page_of_a_run_says_how_well_it_learned_and_what_each_seed_gave(repository):
    run = studies.find_run("narrow", "A", 256)
    page, trained = pages.run_page(run), runs.read_record(run, "train")
    rows = page.partition('<span id="learned"></span>')[2].splitlines()[2:4]
    assert f"| {trained.metrics.train_top1_error:.2f} | {trained.cost.training_images} |" in rows[0]
    assert f"| {trained.metrics.held_out_top1_error:.2f} [" in rows[1]
    mean = next(line for line in page.splitlines() if "`narrow.table3.A-256.top1` |" in line)
    seeds = [float(error) for error in re.findall(r"\[A-256-s\d\]\(A-256-s\d\.md\) ([\d.]+)", mean)]
    assert len(seeds) == 3 and f"| {sum(seeds) / 3:.1f}" in mean
