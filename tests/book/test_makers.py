"""Which function made what a cell shows."""

import nbformat
import pytest

from conftest import REPOSITORY
from verydeep.book.makers import Definition, definition, maker

IMPORTS = "from verydeep import chapters, evaluation\nfrom verydeep.chapters import display, figures, testing_tables\n"


@pytest.mark.parametrize(("cell", "made"), [
    ("figures.errors_picture(errors)", ("chapters.figures.numbers", "errors_picture")),
    ("chapters.result_table(3, study)", ("chapters.result_tables", "result_table")),
    ('testing_tables.protocol_gap(study).T.fillna("not run")', ("chapters.testing_tables", "protocol_gap")),
    ("display.errors(evaluation.evaluate(run))", ("evaluation.measure", "evaluate")),
    ("display.errors(errors)", ("chapters.display", "errors")),
    ("picture, sides = figures.house()\npicture", ("chapters.figures.house", "house")),
    ("figures.house();", ("chapters.figures.house", "house")),
])  # fmt: skip
def test_the_function_that_made_what_a_cell_shows_is_found(cell, made):
    module, name = made
    assert maker([IMPORTS, cell]) == Definition(f"verydeep.{module}", name)


@pytest.mark.parametrize(
    "cell", ["", "x = figures.house()", "{1: 2}", "print(3)", "a = a\na", "%timeit x", "np.ones(3)"]
)
def test_what_no_function_of_this_package_made_has_no_source(cell):
    assert maker([IMPORTS, "import numpy as np", cell]) is None


def test_what_is_not_there_is_not_defined():
    assert definition("verydeep.chapters.figures", "absent") is None
    assert definition("verydeep.absent", "absent") is None and definition("torch", "nn") is None


def test_every_picture_and_table_of_the_templates_has_a_maker():
    for name in ("training/train", "evaluation/evaluate", "evaluation/fuse"):
        cells = [one.source for one in nbformat.read(REPOSITORY / f"book/{name}.ipynb", as_version=4).cells
                 if one.cell_type == "code"]  # fmt: skip
        assert all(maker(cells[: k + 1]) for k in range(1, len(cells)))
