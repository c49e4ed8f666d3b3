"""What a page can show is part of one hash: no page is taken from an earlier build when something of it changed."""

import json
import shutil

import pytest

from conftest import REPOSITORY
from verydeep import paths
from verydeep.book import freshness


@pytest.fixture
def package(trained, monkeypatch):
    """A copy of the package, which the checkout takes for what it is made from."""
    package = shutil.copytree(paths.package(), trained / "src/verydeep", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(paths, "package", lambda: package)
    return package


CHANGED = {
    "a record": "runs/smoke/A-256-s0/evaluate.json",
    "predictions": "runs/smoke/A-256-s0/predictions.parquet",
    "the package": "src/verydeep/chapters/display.py",
    "a table of the paper": "src/verydeep/paper/table2_parameters.csv",
    "a style": "src/verydeep/book/static/verydeep.css",
    "a benchmark": "benchmarks/build.json",
    "the order of chapters": "book/_toc.yml",
    "a page beside the book": "CONTRIBUTING.md",
    "pins": "constraints.txt",
}


def test_the_same_has_the_same_hash_and_whatever_changes_another(package, trained, monkeypatch):
    first = freshness.made_from()
    (trained / "book/cite.md").write_text("# A text that Sphinx looks after\n")
    assert freshness.made_from() == first
    known = {first}
    for what, name in CHANGED.items():
        with (trained / name).open("ab") as stream:
            stream.write(b" ")
        known.add(changed := freshness.made_from())
        assert len(known) == 2 + list(CHANGED).index(what), what
    (trained / "runs/smoke/A-256-s0/train.json").unlink()
    monkeypatch.setenv("VERYDEEP_BOOK_URL", "https://example.org")
    known |= {freshness.made_from()}
    monkeypatch.setattr(freshness, "distributions", list)
    assert len(known | {freshness.made_from()}) == len(CHANGED) + 3 and changed in known


def test_another_parameter_of_a_chapter_is_seen_by_the_page_that_lists_them(package, trained):
    first, path = freshness.made_from(), trained / "book/networks/pooling.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["source"] = ["# Other words"]
    path.write_text(json.dumps(notebook))
    assert freshness.made_from() == first
    path.write_text(path.read_text().replace("crop = 224", "crop = 256"))
    assert freshness.made_from() != first


def test_pages_hold_by_their_mark(tmp_path):
    assert not freshness.holds(tmp_path, "a")
    freshness.mark(tmp_path, "a")
    assert freshness.holds(tmp_path, "a") and not freshness.holds(tmp_path, "b")


def test_the_whole_checkout_is_read_in_a_moment(monkeypatch):
    """Every build begins with it."""
    monkeypatch.setenv("VERYDEEP_ROOT", str(REPOSITORY))
    assert len(freshness.made_from()) == 64
