"""What a page can show is part of one hash: no page is taken from an earlier build when something of it changed."""

import json
import shutil
import time
from types import SimpleNamespace

import pytest

import scripts
from verydeep import paths, runs, studies
from verydeep.book import extension, freshness, pages
from verydeep.chapters import display


@pytest.fixture
def package(trained, monkeypatch):
    """A copy of the package, which the checkout takes for what it is made from."""
    package = shutil.copytree(paths.package(), trained / "src/verydeep", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(paths, "package", lambda: package)
    return package


#: What makes every page, and what chapters show: with a change of the latter, the pages of other runs stay as they are.
MAKES = {
    "the package": "src/verydeep/chapters/display.py",
    "a table of the paper": "src/verydeep/paper/table2_parameters.csv",
    "a style": "src/verydeep/book/static/verydeep.css",
    "the order of chapters": "book/_toc.yml",
    "references": "book/references.bib",
    "pins": "constraints.txt",
}
SHOWN = {
    "a record": "runs/smoke/A-256-s0/evaluate.json",
    "predictions": "runs/smoke/A-256-s0/predictions.parquet",
    "a benchmark": "benchmarks/manifest.json",
    "a page beside the book": "CONTRIBUTING.md",
}


def test_the_same_has_the_same_hash_and_whatever_changes_another(package, trained, monkeypatch):
    first = freshness.made_from()
    (trained / "book/cite.md").write_text("# A text that Sphinx looks after\n")
    assert freshness.made_from() == first
    known = [first]
    for what, name in (MAKES | SHOWN).items():
        with (trained / name).open("ab") as stream:
            stream.write(b" ")
        known.append(freshness.made_from())
        assert len({made.of for made in known}) == len(known), what
        assert (known[-1].by == known[-2].by) == (what in SHOWN), what
    (trained / "runs/smoke/A-256-s0/train.json").unlink()
    known.append(freshness.made_from())
    assert known[-1].by == known[-2].by
    monkeypatch.setenv("VERYDEEP_BOOK_URL", "https://example.org")
    known.append(freshness.made_from())
    monkeypatch.setattr(freshness, "distributions", list)
    known.append(freshness.made_from())
    assert len({made.of for made in known}) == len(known) and len({made.by for made in known[-3:]}) == 3


def test_another_parameter_of_a_chapter_is_seen_by_the_page_that_lists_them(package, trained):
    first, path = freshness.made_from(), trained / "book/networks/pooling.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["source"] = ["# Other words"]
    path.write_text(json.dumps(notebook))
    assert freshness.made_from() == first
    path.write_text(path.read_text().replace("crop = 224", "crop = 256"))
    assert freshness.made_from().of != first.of and freshness.made_from().by == first.by


def test_pages_hold_by_their_mark(tmp_path):
    assert not freshness.holds(tmp_path, "a")
    freshness.mark(tmp_path, "a")
    assert freshness.holds(tmp_path, "a") and not freshness.holds(tmp_path, "b")
    freshness.unmark(tmp_path)
    assert not freshness.holds(tmp_path, "a")


def test_pages_whose_writing_was_stopped_are_written_again(trained, monkeypatch):
    """What was written until then is of other records than what lay there before."""
    monkeypatch.setenv(display.BUILDING, "1")  # which a build sets for its kernels
    monkeypatch.setattr(extension.freshness, "made_from", lambda: freshness.Made("by", "of"))
    folder = trained / "book" / "runs"
    folder.mkdir(exist_ok=True)
    freshness.mark(folder, "before")
    monkeypatch.setattr(extension.pages, "write_pages", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        extension.write_run_pages(None, SimpleNamespace(nb_execution_mode="off"))
    assert not freshness.holds(folder, "before") and not freshness.holds(folder, "of")


def test_the_whole_checkout_is_read_in_a_moment(repository):
    """Every build begins with it. By the processor's clock, since a disk takes what it takes."""
    begun = time.process_time()
    first = freshness.made_from()
    assert time.process_time() - begun < 5 and first == freshness.made_from()


def test_a_benchmark_of_builds_changes_a_record_that_still_holds(trained, monkeypatch):
    build = scripts.load("build")
    monkeypatch.setattr(build, "TESTED", "smoke/A-256-s0")
    first = freshness.made_from()
    build.change_record(trained)
    assert runs.check_all() == []
    changed = freshness.made_from()
    assert changed.of != first.of and changed.by == first.by
    assert f"in {build.SECONDS:.0f} s" in pages.run_page(studies.find_run("smoke", "A", 256))
    build.change_prose(trained)
    assert freshness.made_from() == changed and build.SENTENCE in (trained / f"book/{build.CHAPTER}.ipynb").read_text()
