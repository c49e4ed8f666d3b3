"""The built book as a whole, in a real browser: every page, link and word, the audit, and all of it on paper."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe

from verydeep.book import lost_text, pdf

pytestmark = pytest.mark.book

#: Pages of every kind that the book has.
AUDITED = (
    "index", "findings", "paper/claims", "networks/shapes", "networks/peers", "training/recipe",
    "training/train", "evaluation/cost", "evaluation/touch", "results/table3", "results/claims", "reproduce",
    "cite", "departures", "faults", "runs/numbers", "runs/smoke", "runs/smoke/A-256-s0", "building/how",
    "reference/finetuning", "references", "search",
)  # fmt: skip


#: What a page shows, without its repeats: its links, the anchors that others may lead to.
_SHOWN = """() => ({
    links: [...new Set([...document.querySelectorAll('article a[href], .bd-sidebar a[href]')].map(one => one.href))],
    anchors: [...document.querySelectorAll('[id]')].map(one => one.id),
})"""
#: Its words, with boxes opened and exponents apart.
_WORDS = """() => {
    document.querySelectorAll('article details').forEach(box => box.open = true);
    document.querySelectorAll('article sup, article sub').forEach(one => {
        one.textContent = ` ${one.textContent} `;
    });
    return document.querySelector('article').innerText;
}"""
#: Whether a page is in a theme, and no colour is still on its way there.
_SETTLED = """theme => document.documentElement.dataset.theme === theme
    && !document.getAnimations().some(one => one instanceof CSSTransition && one.playState === 'running')"""
#: The rules of axe that look at colours.
COLOURS = ["color-contrast", "link-in-text-block"]
#: Of a page, what is the same beside and above all.
ALIKE = (".bd-sidebar-primary", ".bd-header-article")
#: Of a desktop and a phone.
WIDTHS = (1440, 390)
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def audited(request, browser, watched, address):
    """A page of the book with axe in it, for the audits of a desktop and then of a phone."""
    with watched(browser) as page:
        page.goto(f"{address}/{request.param}.html")
        page.evaluate(Axe().axe_script)
        yield page


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("audited", AUDITED, indirect=True)
def test_an_accessibility_audit_finds_nothing_serious(audited, width):
    """In light, and on a desktop in dark what hangs on colours: nothing else differs there, nor a colour on phones.

    What stands beside and above every page is looked at on the first.
    """
    first = audited.evaluate("document.location.pathname").endswith("/index.html")
    around = "document" if first else {"exclude": [[part] for part in ALIKE]}
    audited.set_viewport_size({"width": width, "height": 900})
    found = []
    for theme in ("light", "dark") if width == WIDTHS[0] else ("light",):
        audited.emulate_media(color_scheme=theme)
        audited.wait_for_function(_SETTLED, arg=theme)
        # it would ask for styles at the wrong address, and describe all that is well
        options = {"preload": False, "resultTypes": ["violations"]}
        if theme == "dark":
            options["runOnly"] = COLOURS
        if width != WIDTHS[0]:
            options["rules"] = {rule: {"enabled": False} for rule in COLOURS}
        ask = "([around, options]) => axe.run(around === 'document' ? document : around, options)"
        for fault in audited.evaluate(f"given => ({ask})(given).then(found => found.violations)", [around, options]):
            if fault["impact"] in ("serious", "critical"):
                nodes = fault["nodes"]
                found.append(f"{theme}: {fault['id']}, {len(nodes)} times, as {nodes[0]['html'][:200]}")
    assert not found, "\n".join(found)


@dataclass
class Visit:
    """What a page shows: where it leads, its anchors, (width, window) by size, and its words where it has a source.

    A page that was read and not opened has no widths.
    """

    links: set[str]
    anchors: set[str]
    widths: list[tuple[int, int]] = field(default_factory=list)
    words: str | None = None


@pytest.fixture(scope="module")
def sources(html) -> dict[str, Path]:
    """The sources of the book by the names of their pages."""
    book = html.parents[1] / "book"
    found = {path.relative_to(book).with_suffix(".html").as_posix(): path
             for path in sorted([*book.rglob("*.md"), *book.rglob("*.ipynb")])}  # fmt: skip
    return {name: path for name, path in found.items() if ".ipynb_checkpoints" not in name}


@pytest.fixture(scope="module")
def visits(browser, watched, html, address, sources) -> dict[str, Visit]:
    """Every page that links lead to from the front page, and that of every source, opened once for all tests.

    The modules' sources are as many pages as all others, of one form: of these the longest alone is opened, and the
    others are read.
    """
    modules = {f"{address}/{path.relative_to(html).as_posix()}": path for path in html.glob("_modules/**/*.html")}
    longest = max(modules, key=lambda url: modules[url].stat().st_size)
    found, sizes = {}, [DESKTOP, PHONE]
    waiting = [f"{address}/{name}" for name in ("index.html", *sources)]
    with watched(browser) as page:
        while waiting:
            url = waiting.pop()
            if url in found:
                continue
            if url in modules and url != longest:
                found[url] = _read(url, modules[url].read_text())
            else:
                found[url] = _open(page, url, sizes, has_source=url.removeprefix(f"{address}/") in sources)
                sizes.reverse()  # the next page is opened in the size of this one: opened in one and changed once
            targets = {link.partition("#")[0] for link in found[url].links}
            waiting += [target for target in targets if target.startswith(address) and target.endswith(".html")]
    return found


def _open(page, url: str, sizes: list[dict[str, int]], has_source: bool) -> Visit:
    """A page as the browser shows it, in every size."""
    page.goto(url)
    shown, widths = page.evaluate(_SHOWN), []
    for size in sizes:
        page.set_viewport_size(size)
        widths.append(page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]"))
    return Visit({*shown["links"]}, {*shown["anchors"]}, widths, page.evaluate(_WORDS) if has_source else None)


def _read(url: str, text: str) -> Visit:
    """A page as it was written, not opened: where its article leads, and its anchors."""
    links = re.findall(r'<a [^>]*\bhref="([^"]+)"', text.partition("<article")[2].partition("</article>")[0])
    return Visit({urljoin(url, link) for link in links}, set(re.findall(r'<\w[^>]*\bid="([^"]+)"', text)))


@pytest.mark.browser
def test_no_page_scrolls_sideways(visits):
    opened = {url: visit.widths for url, visit in visits.items() if visit.widths}
    assert len([url for url in opened if "/_modules/" in url]) == 1 and len(opened) > 60
    assert {window for widths in opened.values() for _, window in widths} == {390, 1280}
    assert not {url: widths for url, widths in opened.items() if any(width > window + 1 for width, window in widths)}


@pytest.mark.browser
def test_on_paper_every_column_of_a_table_is_seen(page, address):
    """By the browser's own command, as the button of every page does; in the dark theme too, on white."""
    page.set_viewport_size({"width": 760, "height": 900})
    for name in ("evaluation/cost", "results/claims", "results/table3"):
        page.goto(f"{address}/{name}.html")
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        page.emulate_media(media="print")
        cut = page.evaluate("""() => [...document.querySelectorAll('.bd-article table, .bd-article pre')]
            .filter(one => getComputedStyle(one).overflowX !== 'visible' || getComputedStyle(one).maskImage !== 'none')
            .map(one => `${one.localName} ${getComputedStyle(one).overflowX} ${one.textContent.slice(0, 60)}`)""")
        assert not cut, (name, cut)
        drawn = "[...document.querySelectorAll('.bd-article img')].map(one => getComputedStyle(one).filter)"
        assert {*page.evaluate(drawn)} <= {"none"}, name
        page.emulate_media(media="screen")


@pytest.mark.browser
def test_no_internal_link_is_broken(page, address, visits):
    anchors, others = {}, set()
    for link in {link for visit in visits.values() for link in visit.links if link.startswith(address)}:
        target, _, anchor = link.partition("#")
        if anchor:
            anchors.setdefault(target, set()).add(anchor)
        if target not in visits:
            others.add(target)
    assert len(visits) >= 25
    for target in sorted(others):
        assert page.request.get(target).ok, target
    for target, wanted in anchors.items():
        assert not (missing := wanted - visits[target].anchors), (target, missing)


@pytest.mark.browser
def test_every_word_of_every_source_stands_in_its_page(address, sources, visits):
    """By what the browser shows, not by the tree that Sphinx wrote; boxes are opened, exponents stand apart."""
    compared = 0
    for name, source in sources.items():
        for markdown in lost_text.prose(source):
            assert lost_text.lost(markdown, visits[f"{address}/{name}"].words, own_roles=False) == [], name
            compared += len(lost_text.words(markdown))
    assert compared > 10_000


@pytest.mark.browser
def test_the_chapters_are_one_pdf_that_paper_can_hold(html, page, served, tmp_path, monkeypatch):
    """Of a copy: the front page then leads to it."""
    left_out = shutil.ignore_patterns("runs", "artifacts", ".doctrees", ".jupyter_cache")
    root = shutil.copytree(html.parents[1], tmp_path / "checkout", ignore=left_out, symlinks=True)
    monkeypatch.setenv("VERYDEEP_ROOT", str(root))
    html, target = root / "_build/html", root / "_build/verydeep.pdf"
    # Playwright's loop is the browser's here, and one process has one: the command runs in its own, as for a user
    done = subprocess.run([sys.executable, "-m", "verydeep", "pdf"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reader = pypdfium2.PdfDocument(target)
    assert done.stdout == f"_build/verydeep.pdf: {len(reader)} pages\n"
    chapters = list(pdf.read(html))
    starts = {chapter.anchor: pdf.begins_on(reader, chapter) for chapter in chapters}
    texts, sides = zip(*map(printed, reader), strict=True)
    contents = "".join(texts[1 : min(starts.values())])
    assert len(chapters) >= 35 and not [one for one in chapters if one.name.startswith(("runs/", "reference/"))]
    for chapter in chapters:
        begins = starts[chapter.anchor]
        assert squeezed(texts[begins]).startswith(squeezed(chapter.title)), chapter.name
        assert squeezed(f"{chapter.title}{begins + 1}") in squeezed(contents), chapter.name
    assert len({starts[chapter.anchor] for chapter in chapters}) == len(chapters)
    for number, (sheet, places) in enumerate(zip(reader, sides, strict=True)):
        assert tuple(map(round, sheet.get_size())) == (595, 842)
        assert places and min(places) > 40 and max(places) < 555, number + 1
    with served(html) as address:
        page.goto(f"{address}/index.html")
        page.get_by_role("link", name="PDF", exact=True).wait_for()
        assert page.request.get(f"{address}/verydeep.pdf").body() == target.read_bytes()


def printed(sheet: pypdfium2.PdfPage) -> tuple[str, list[float]]:
    """The text of a sheet, and the left and right sides of its pieces, in points from the sheet's left edge."""
    text = sheet.get_textpage()
    pieces = [text.get_rect(piece) for piece in range(text.count_rects())]
    written = text.get_text_range().replace("\ufffe", "-")  # as PDFium says a hyphen at which a line may break
    return written, [side for left, _, right, _ in pieces for side in (left, right)]


def squeezed(text):
    return re.sub(r"\s+", "", text)
