"""The built book as a whole, in a real browser: every page, link and word, the audit, and all of it on paper."""

import re
import shutil
import subprocess
import sys

import pypdf
import pytest

from verydeep.book import lost_text, pdf

pytestmark = pytest.mark.book

#: Pages of every kind that the book has.
AUDITED = (
    "index", "findings", "paper/claims", "networks/shapes", "networks/peers", "training/recipe",
    "training/train", "evaluation/cost", "evaluation/touch", "results/table3", "results/claims", "reproduce",
    "cite", "departures", "faults", "runs/numbers", "runs/smoke", "runs/smoke/A-256-s0", "building/how",
    "reference/data", "references", "search",
)  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", AUDITED)
def test_an_accessibility_audit_finds_nothing_serious(page, address, name, theme):
    """On a desktop and on a phone."""
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=theme)
    page.goto(f"{address}/{name}.html")
    found = []
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        # it would ask for styles at the wrong address, and describe all that is well
        audit = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]})
        for fault in audit.response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                nodes = fault["nodes"]
                found.append(f"{width}: {fault['id']}, {len(nodes)} times, as {nodes[0]['html'][:200]}")
    assert not found, "\n".join(found)


@pytest.mark.browser
def test_no_internal_link_is_broken_and_no_page_scrolls_sideways(page, address):
    waiting, seen, anchors, ids = [f"{address}/index.html"], set(), {}, {}
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        page.goto(url)
        ids[url] = set(page.eval_on_selector_all("[id]", "found => found.map(one => one.id)"))
        for size in ({"width": 390, "height": 844}, {"width": 1280, "height": 900}):  # a phone, a desktop
            page.set_viewport_size(size)
            width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert width[0] <= width[1] + 1, (url, size)
        links = page.eval_on_selector_all("article a[href], .bd-sidebar a[href]", "links => links.map(a => a.href)")
        for link in links:
            target, _, anchor = link.partition("#")
            if anchor and target.startswith(address):
                anchors.setdefault(target, set()).add(anchor)
            if target.startswith(address) and target.endswith(".html"):
                waiting.append(target)
            elif target.startswith(address) and target != url and target not in seen:
                seen.add(target)
                assert page.request.get(target).ok, link
    assert len([url for url in seen if url.endswith(".html")]) >= 25
    for target, wanted in anchors.items():
        assert not (missing := wanted - ids[target]), (target, missing)


@pytest.mark.browser
def test_every_word_of_every_source_stands_in_its_page(page, address, html):
    """By what the browser shows, not by the tree that Sphinx wrote; boxes are opened, exponents stand apart."""
    book, compared = html.parents[1] / "book", 0
    for source in sorted([*book.rglob("*.md"), *book.rglob("*.ipynb")]):
        name = source.relative_to(book).with_suffix(".html").as_posix()
        if ".ipynb_checkpoints" in name:
            continue
        page.goto(f"{address}/{name}")
        shown = page.evaluate("""() => {
            document.querySelectorAll('article details').forEach(box => box.open = true);
            document.querySelectorAll('article sup, article sub').forEach(one => {
                one.textContent = ` ${one.textContent} `;
            });
            return document.querySelector('article').innerText;
        }""")
        for markdown in lost_text.prose(source):
            assert lost_text.lost(markdown, shown, own_roles=False) == [], name
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
    reader = pypdf.PdfReader(target)
    assert done.stdout == f"_build/verydeep.pdf: {len(reader.pages)} pages\n"
    chapters = list(pdf.read(html))
    starts = {name.removeprefix("/"): reader.get_destination_page_number(place)
              for name, place in reader.named_destinations.items()}  # fmt: skip
    contents = "".join(sheet.extract_text() for sheet in reader.pages[1 : min(starts.values())])
    assert len(chapters) >= 35 and not [one for one in chapters if one.name.startswith(("runs/", "reference/"))]
    for chapter in chapters:
        begins = starts[chapter.anchor]
        assert squeezed(reader.pages[begins].extract_text()).startswith(squeezed(chapter.title)), chapter.name
        assert squeezed(f"{chapter.title}{begins + 1}") in squeezed(contents), chapter.name
    assert len({starts[chapter.anchor] for chapter in chapters}) == len(chapters)
    for number, sheet in enumerate(reader.pages):
        assert (round(sheet.mediabox.width), round(sheet.mediabox.height)) == (595, 842)
        places = []
        sheet.extract_text(visitor_text=lambda text, cm, tm, *_, places=places: text.strip() and places.append(
            tm[4] * cm[0] + cm[4]))  # fmt: skip
        assert places and min(places) > 40 and max(places) < 555, number + 1
    with served(html) as address:
        page.goto(f"{address}/index.html")
        page.get_by_role("link", name="PDF", exact=True).wait_for()
        assert page.request.get(f"{address}/verydeep.pdf").body() == target.read_bytes()


def squeezed(text):
    return re.sub(r"\s+", "", text)
