"""The book, built strictly from a trained checkout: its files, and why a build fails."""

import json
import re
import shutil

import nbformat
import pytest
from bs4 import BeautifulSoup

import scripts
from books import append, build
from verydeep import files, results, studies
from verydeep.book import pages, roles
from verydeep.chapters import display
from verydeep.results import citation, differences
from verydeep.runs import provenance

pytestmark = pytest.mark.book

#: Where a book that is published says to be.
PUBLISHED = {
    "VERYDEEP_BOOK_URL": "https://example.github.io/verydeep",
    "VERYDEEP_REPOSITORY_URL": "https://github.com/example/verydeep",
}


def test_the_pages_of_every_run_are_built(html):
    for name in ("index", "results/table3", "runs/smoke", "runs/smoke/A-256-s0", "runs/smoke/A-256-s0-train"):
        assert (html / f"{name}.html").exists(), name


def test_a_template_is_shown_and_not_executed(html):
    page = (html / "training/train.html").read_text()
    assert "requested_run" in page and "cell_output docutils" not in page


def test_the_executed_notebook_shows_its_curve(html):
    page = (html / "runs/smoke/A-256-s0-train.html").read_text()
    assert page.count("/_images/") >= 2 and ".svg" in page and ".jpg" in page and "epoch 12/12" in page


def test_no_page_loads_a_script_or_a_style_from_elsewhere(html):
    pattern = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["'](?:https?:)?//[^"']*""")
    pages_ = sorted(html.rglob("*.html"))
    assert len(pages_) > 25
    for page in pages_:
        found = [tag for tag in pattern.findall(page.read_text()) if 'rel="license"' not in tag]
        assert not found, (page, found)


def test_scripts_from_elsewhere_are_as_they_were_published(html):
    vendored = sorted((html / "_static/vendor").glob("*/SHA256SUMS"))
    assert vendored
    for sums in vendored:
        listed = dict(reversed(line.split()) for line in sums.read_text().splitlines())
        assert {*listed, sums.name} == {path.name for path in sums.parent.iterdir()} and "LICENSE" in listed
        assert all(files.sha256(sums.parent / name) == digest for name, digest in listed.items())


def test_a_formula_is_mathml(html):
    page = (html / "networks/lrn.html").read_text()
    assert "<mfrac>" in page and "MathJax" not in page


def test_a_chapter_shows_the_source_and_leads_to_it(html):
    page = (html / "networks/dense-form.html").read_text()
    assert "shown-source" in page and "unflatten" in page
    assert '<a class="reference internal" href="../_modules/verydeep/networks/dense.html#posteriors"' in page
    assert 'href="../_modules/verydeep/chapters/live/demonstrations.html#score_maps"' in page
    assert 'id="score_maps"' in (html / "_modules/verydeep/chapters/live/demonstrations.html").read_text()
    page = (html / "reproduce.html").read_text()  # whose cells are not shown
    assert 'href="_modules/verydeep/chapters/reruns.html#studies"' in page


@pytest.fixture
def small_book(trained):
    """A book of the same configuration and few pages, so that a build takes seconds."""
    chapters = "[{glob: cite}, {glob: networks/*}, {glob: training/*}, {glob: evaluation/*}, {glob: runs/*}]"
    (trained / "book/_toc.yml").write_text(f"{{format: jb-book, root: index, chapters: {chapters}}}\n")
    (trained / "book/index.md").write_text("# A small book\n")
    kept = {"index.md", "cite.md", "training/train.ipynb", "evaluation/evaluate.ipynb", "references.bib", "_toc.yml"}
    for path in sorted((trained / "book").rglob("*"), reverse=True):
        name = path.relative_to(trained / "book").as_posix()
        if path.is_file() and name not in kept and not name.startswith("images/"):
            path.unlink()
    (trained / "book/cite.md").write_text("# How to cite\n")
    for name in ("dense-form", "receptive-field"):
        notebook(trained / f"book/networks/{name}.ipynb")
    configure(trained, "exclude_patterns: [", "exclude_patterns: [reference/*, ")
    configure(trained, "execute_notebooks: cache", 'execute_notebooks: "off"')
    return trained


def configure(root, setting, other):
    """Another setting of the book, once."""
    config = (root / "_config.yml").read_text()
    assert setting in config
    (root / "_config.yml").write_text(config.replace(setting, other, 1))


def notebook(path, *code):
    """A chapter that the templates link to."""
    title = nbformat.v4.new_markdown_cell("# Dense form")
    nbformat.write(nbformat.v4.new_notebook(cells=[title, *map(nbformat.v4.new_code_cell, code)]), path)


def test_a_verdict_in_a_sentence_leads_to_the_table_of_its_study(html):
    links = re.findall(r'<span class="verdict"><a [^>]*href="([^"]*)"', (html / "findings.html").read_text())
    shown = {link for link in links if "#" in link}
    assert {link.partition("#")[2] for link in shown} == {f"tab-claims-{study}" for study in roles.SHOWN}
    for link in shown:
        page, _, anchor = link.partition("#")
        assert f'id="{anchor}"' in (html / page).read_text()


def test_numbers_in_sentences_are_printed_or_said_not_to_be_run(small_book):
    sentence = "A: {result}`smoke.table3.A-256.top1`, {paper}`table3.A-256.top1`. D: {result}`smoke.table3.D-256.top1`"
    sentence += "; depth: {verdict}`smoke.3`, {verdict}`smoke.3 centre-crop`"
    sentence += "; held out: {held-out}`smoke.A-256`, {held-out}`smoke.D-256`"
    sentence += (
        "; apart: {difference}`smoke table3.A-256 centre-crop.A-256`, {difference}`smoke table3.A-256 table3.D-256`"
    )
    append(small_book / "book/index.md", f"\n{sentence}\n")
    done = build(small_book)
    assert done.returncode == 0, done.stderr[-2000:]
    shown = (small_book / "_build/html/index.html").read_text()
    assert "29.6" in shown and 'class="spread"' in shown and "not run" in shown and shown.count("not tested") == 2
    held_out = json.loads((small_book / "runs/smoke/A-256-s0/train.json").read_text())["metrics"]["held_out_top1_error"]
    (led,) = re.findall(r"; held out: <.*?</span>(?=, )", shown)
    assert f">{held_out:.1f}<" in led and "on the 100 images held" in led
    assert 'href="runs/smoke/A-256-s0.html#learned"' in led
    assert 'id="learned"' in (small_book / "_build/html/runs/smoke/A-256-s0.html").read_text()
    apart = shown.partition("; apart: ")[2]
    found = differences.between("smoke", "table3.A-256", "centre-crop.A-256").interval
    assert f">{display.in_points(found, sign='')[0]}<" in apart and ">not run<" in apart.partition("</p>")[0]
    assert 'href="cite.html#two-numbers-compared"' in apart and "verydeep compare smoke table3.A-256" in apart
    rebuilt_where_something_changed(small_book)


def rebuilt_where_something_changed(root):
    """Another text changes its page and no other, but for the front page; another record every page that shows it."""
    names = ("index", "cite", "training/train", "runs/smoke/A-256-s0", "runs/smoke/A-256-s0-train")
    index, cite, other, run, executed = (root / "_build/html" / f"{name}.html" for name in names)
    written, unchanged = other.stat().st_mtime_ns, executed.stat().st_mtime_ns
    append(root / "book/cite.md", "\nAnother sentence.\n")
    done = build(root)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Another sentence" in cite.read_text() and other.stat().st_mtime_ns == written
    benchmark = scripts.load("build")
    benchmark.TESTED = "smoke/A-256-s0"
    benchmark.change_record(root)
    done = build(root)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"in {benchmark.SECONDS:.0f} s" in run.read_text() and executed.stat().st_mtime_ns == unchanged
    assert other.stat().st_mtime_ns > written  # a chapter shows what it likes of the records
    (offered,) = {path for path in (root / "_build/html/_downloads").glob("*/evaluate.json")}
    assert files.sha256(offered) == files.sha256(root / "runs/smoke/A-256-s0/evaluate.json")
    (root / "book/cite.md").write_text("# Citing\n")  # what others show of it
    shutil.rmtree(root / "runs/smoke/A-256-s0")
    done = build(root)
    assert done.returncode == 0, done.stderr[-2000:]
    shown = index.read_text()
    assert 'class="spread"' not in shown and "A-256-s0" not in shown
    assert "How to cite" not in shown and "Citing" in shown
    assert not (root / "book/runs/smoke/A-256-s0.md").exists()
    for module in (root / "_build/html/_modules").rglob("*.html"):
        assert "How to cite" not in module.read_text().partition("<article")[0], module  # in the contents beside it


def test_the_strict_build_fails_and_says_why(small_book):
    """Every fault of the page is said, not only the first."""
    wrong = {
        "{result}`smoke.table3.D-256.top1 required`": "smoke.table3.D-256.top1: not run",
        "{result}`smoke.table3.A-256.top1 bold`": "unknown option 'bold' of {result}",
        "{result}`smoke.table3.Z-256.top1`": "unknown number 'smoke.table3.Z-256.top1'",
        "{paper}`table3.Z-256.top1`": "unknown number of the paper",
        "{verdict}`smoke.33`": "unknown claim 33",
        "{held-out}`smoke.A-256-longest`": "unknown variant 'longest'",
        "{difference}`smoke table3.A-256`": "1 rows are no pairs",
        "{difference}`smoke table3.A-256 table3.Z`": "unknown row 'table3.Z'",
        "{verdict}`smoke.deeper`": "unknown ablation 'deeper'",
        "{verdict}`smoke.9 centre-crop`": "unknown claim about Table 3 9",
        "{verdict}`smoke.3 bold`": "unknown option 'bold' of {verdict}",
        "[nowhere](absent.md)": "absent.md",
        "A number\n% that is lost": "not shown by the page: 'that is lost'",
        "<!-- a remark -->": "not shown by the page: 'a remark'",
        r"$\unheardof{x}$": "formula '\\\\unheardof{x}'",
        "```{in-browser} absent\n```": "absent: no program there",
    }
    append(small_book / "book/index.md", "".join(f"\n{text}\n" for text in wrong))
    configure(small_book, 'execute_notebooks: "off"', "execute_notebooks: cache")
    notebook(small_book / "book/networks/dense-form.ipynb", "fault = 'in a cell'\nraise ValueError(fault)")
    for _ in range(2):  # nor does it pass when nothing was changed since
        done = build(small_book)
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)  # without its colours
        assert done.returncode != 0
        for message in (*wrong.values(), "Executing notebook failed", "ValueError: in a cell"):
            assert message in said


def test_a_damaged_record_stops_the_build(small_book):
    append(small_book / "runs/smoke/A-256-s0/train.json", " ")
    done = build(small_book)
    assert done.returncode != 0
    assert "train.json: content differs from its sha256" in done.stdout + done.stderr


def test_a_published_book_carries_its_addresses_and_a_citation_leads_into_it(small_book, monkeypatch):
    done = build(small_book, **PUBLISHED)
    assert done.returncode == 0, done.stderr[-2000:]
    html, (book, repository) = small_book / "_build/html", PUBLISHED.values()
    for variable, value in PUBLISHED.items():
        monkeypatch.setenv(variable, value)
    number = results.number("smoke.table3.A-256.top1")
    (item,) = json.loads(citation.cite(number, "csl"))
    path, _, anchor = item["URL"].removeprefix(f"{book}/").partition("#")
    page = (html / path).read_text()
    assert f'id="{anchor}"' in page and f"url = {{{item['URL']}}}" in re.sub(r"<[^>]+>", "", page)
    assert f'rel="canonical" href="{book}/{path}"' in page
    assert f"{repository}/tree/" in page and "mybinder.org" not in page and f"{repository}/blob/" not in page
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "is_committed", lambda folder: False)
        told = pages.run_page(studies.find_run("smoke", "A", 256))
    assert "Not in the repository, but on the machine that built this book: `runs/smoke/A-256-s0/`" in told
    assert f"{repository}/tree/" not in told.partition("## Files")[2]
    template = (html / "training/train.html").read_text()
    assert re.search(rf"{repository}/blob/[^/]+/book/training/train.ipynb", template)
    assert re.search(
        r"https://mybinder.org/v2/gh/example/verydeep/[^?]+\?urlpath=lab/tree/book/training/train", template
    )
    assert f"url: {book}\n" in (html / "CITATION.cff").read_text()
    assert json.loads((html / "numbers.json").read_text())["address"] == book


def test_a_book_without_an_address_pretends_none(html):
    for page in html.rglob("*.html"):
        text = page.read_text()
        if "_modules" in page.parts:  # a source, which may name what it puts into the configuration
            text = text.partition("<pre>")[0]
        assert 'rel="canonical"' not in text and "mybinder.org" not in text and "/blob/" not in text, page
    assert "url:" not in (html / "CITATION.cff").read_text()


def test_every_picture_of_a_chapter_has_a_caption_and_an_alternative(html):
    faults = []
    for path in sorted(html.rglob("*.html")):
        name = path.relative_to(html).as_posix()
        if name.startswith(("runs/", "reference/", "_", "py-modindex", "genindex")):
            continue
        for image in BeautifulSoup(path.read_text(), "html.parser").select("article img"):
            if image.find_parent("button"):  # a picture to press, which says what it shows
                continue
            caption = image.find_parent("figure") and image.find_parent("figure").find("figcaption")
            if len(image.get("alt", "")) < 15 or not caption or len(caption.get_text()) < 40:
                faults.append(f"{name}: {image.get('alt')}")
    assert not faults, "\n".join(faults)


def test_a_picture_of_a_chapter_leads_to_itself(html):
    """On a phone a wide one is too small to be read."""
    images = BeautifulSoup((html / "results/claims.html").read_text(), "html.parser").select("article img")
    assert images and all(image.parent["href"] == image["src"] for image in images)


def test_a_part_of_a_page_is_not_published_as_a_page(html):
    assert (html / "evaluation/touch/touch.js").exists() and not (html / "evaluation/touch/page.html").exists()
    pages = [path for path in html.rglob("*.html") if "_static" not in path.parts]  # but the theme's
    assert pages and all("<title>" in path.read_text() for path in pages)


def test_every_table_of_a_chapter_has_a_number_and_a_caption(html):
    faults, found = [], []
    for path in sorted(html.rglob("*.html")):
        name = path.relative_to(html).as_posix()
        if name.startswith(("runs/", "reference/", "_", "py-modindex", "genindex", "search")):
            continue
        for table in BeautifulSoup(path.read_text(), "html.parser").select("article table"):
            if "parameter" in table.get_text()[:20] or table.find_parent(id="touch"):
                continue  # what a template is called with; what a page fills by itself
            figure = table.find_parent("figure", class_="numbered-table")
            caption = figure.find("figcaption") if figure else table.find("caption")
            number = caption and caption.find(class_="caption-number")
            if not number or len(caption.get_text()) < 40 or "`" in caption.get_text():
                faults.append(f"{name}: {table.get_text(' ', strip=True)[:60]}")
            else:
                found.append(number.get_text(strip=True))
    assert not faults, "\n".join(faults)
    assert len(set(found)) > 60 and all(re.fullmatch(r"Tab\. \d+", number) for number in found)
