"""The book, built strictly from a trained checkout and read in a real browser."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import jsonschema
import nbformat
import pypdf
import pytest
from bs4 import BeautifulSoup

from conftest import REPOSITORY
from verydeep import files, results
from verydeep.book import lost_text, pdf
from verydeep.results import citation

pytestmark = pytest.mark.book

#: Where a book that is published says to be.
PUBLISHED = {
    "VERYDEEP_BOOK_URL": "https://example.github.io/verydeep",
    "VERYDEEP_REPOSITORY_URL": "https://github.com/example/verydeep",
}


def build(root, **more):
    if not (root / "src").exists():
        (root / "src").symlink_to(REPOSITORY / "src")  # of which chapters show parts
    environment = os.environ | {"VERYDEEP_ROOT": str(root)} | more
    command = [f"{sys.prefix}/bin/jupyter-book", "build", "book", "-W", "-n", "--keep-going"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment, timeout=600)


def show_smoke(root):
    """Let the pages of results show the smoke study: no other is trained in the tests' checkout."""
    chapters = ["index.md", "cite.md", "departures.ipynb", "checklist.ipynb", "evaluation/cost.ipynb"]
    for path in [root / "book" / name for name in chapters] + sorted((root / "book/results").glob("*.ipynb")):
        text = re.sub(r'(\\?")quarter\1', r"\1smoke\1", path.read_text()).replace("`quarter.", "`smoke.")
        path.write_text(re.sub(r"(\{result-table\} \d) quarter", r"\1 smoke", text))
    append(root / "book/cite.md", f"\nA name as long as that of a fusion: `runs/smoke/{'D-256+' * 12}dense-s0/`\n")


@pytest.fixture(scope="module")
def html(trained_checkout, tmp_path_factory):
    root = tmp_path_factory.mktemp("book") / "checkout"
    shutil.copytree(trained_checkout, root)
    shutil.copytree(REPOSITORY / "book/evaluation/touch", root / "book/evaluation/touch")
    show_smoke(root)
    done = build(root)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return root / "_build" / "html"


def test_the_pages_of_every_run_are_built(html):
    for name in ("index", "results/table3", "runs/smoke", "runs/smoke/A-256-s0", "runs/smoke/A-256-s0-train"):
        assert (html / f"{name}.html").exists(), name


def test_a_template_is_shown_and_not_executed(html):
    page = (html / "training/train.html").read_text()
    assert "requested_run" in page and "cell_output docutils" not in page


def test_the_executed_notebook_shows_its_curve(html):
    page = (html / "runs/smoke/A-256-s0-train.html").read_text()
    assert page.count("/_images/") >= 2 and ".svg" in page and ".jpeg" in page and "epoch 12/12" in page


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


def append(path, text):
    with path.open("a") as stream:
        stream.write(text)


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
    linked = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A chapter that the templates link to")])
    nbformat.write(linked, trained / "book/networks/dense-form.ipynb")
    return trained


def test_numbers_in_sentences_are_printed_or_said_not_to_be_run(small_book):
    sentence = "A: {result}`smoke.table3.A-256.top1`, {paper}`table3.A-256.top1`. D: {result}`smoke.table3.D-256.top1`"
    sentence += "; depth: {verdict}`smoke.3`, {verdict}`smoke.3 centre-crop`"
    append(small_book / "book/index.md", f"\n{sentence}\n")
    done = build(small_book)
    assert done.returncode == 0, done.stderr[-2000:]
    shown = (small_book / "_build/html/index.html").read_text()
    assert "29.6" in shown and " ± " in shown and "not run" in shown and shown.count("not tested") == 2


def test_the_strict_build_fails_and_says_why(small_book):
    """Every fault of the page is said, not only the first."""
    wrong = {
        "{result}`smoke.table3.D-256.top1 required`": "smoke.table3.D-256.top1 has not been run",
        "{result}`smoke.table3.A-256.top1 bold`": "unknown option 'bold' of {result}",
        "{result}`smoke.table3.Z-256.top1`": "unknown number 'smoke.table3.Z-256.top1'",
        "{paper}`table3.Z-256.top1`": "unknown number of the paper",
        "{verdict}`smoke.33`": "unknown claim 33",
        "{verdict}`smoke.deeper`": "unknown claim 'deeper'",
        "{verdict}`smoke.9 centre-crop`": "unknown claim about Table 3 9",
        "{verdict}`smoke.3 bold`": "unknown option 'bold' of {verdict}",
        "[nowhere](absent.md)": "absent.md",
        "A number\n% that is lost": "not shown by the page: 'that is lost'",
        "<!-- a remark -->": "not shown by the page: 'a remark'",
        r"$\unheardof{x}$": "formula '\\\\unheardof{x}'",
        "```{in-browser} absent\n```": "absent: no program there",
    }
    append(small_book / "book/index.md", "".join(f"\n{text}\n" for text in wrong))
    done = build(small_book)
    assert done.returncode != 0
    for message in wrong.values():
        assert message in done.stdout + done.stderr


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


# -- in a browser --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(html, served):
    with served(html) as found:
        yield found


@pytest.fixture(scope="module")
def numbers(html):
    """The numbers of the checkout that the book was built from, by identity."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERYDEEP_ROOT", str(html.parents[1]))
        return {number.id: number for number in results.read("smoke").numbers}


@pytest.mark.browser
def test_table3_shows_the_numbers_and_they_lead_to_the_record(page, address, numbers):
    page.goto(f"{address}/results/table3.html")
    row = page.locator("table tr", has=page.locator("td", has_text=re.compile(r"^A$"))).first
    cells = row.locator("td").all_inner_texts()
    assert cells[:5] == ["A", "256", "256", "29.6", "10.4"]
    for cell, metric in zip(cells[5:], ("top1", "top5"), strict=True):
        number = numbers[f"smoke.table3.A-256.{metric}"]
        assert cell == f"{number.value:.1f} {number.low:.1f}–{number.high:.1f}"
    assert page.get_by_text("not run", exact=True).count() >= 22
    row.get_by_role("link").first.click()
    assert page.url.endswith("/runs/smoke/A-256-s0.html#smoke.table3.A-256.top1")
    text = page.inner_text("article")
    assert "verydeep verify smoke A-256-s0" in text and "verydeep check" in text
    with page.expect_download() as download:
        page.get_by_role("link", name="train.json").click()
    assert download.value.suggested_filename == "train.json"


@pytest.mark.browser
def test_the_front_page_tells_the_story_in_one_screen(page, address):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{address}/index.html")
    story = [page.get_by_text(words) for words in ("the VGG paper", "What came out", "Before you believe it")]
    story.append(page.locator("article img"))
    for part in story:
        box = part.first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, part


@pytest.mark.browser
def test_three_clicks_lead_from_a_number_in_a_sentence_to_its_record_and_command(page, address, numbers):
    page.goto(f"{address}/index.html")
    sentence = page.locator("article p", has_text="A, for one, reaches")
    number = sentence.locator("a", has_text="±").first
    one = numbers["smoke.table3.A-256.top1"]
    assert number.inner_text() == f"{one.value:.1f} ± {(one.high - one.low) / 2:.1f}"
    said = number.get_attribute("title")
    assert f"n = {one.n}" in said and "study smoke" in said and "95 % interval" in said and "dense" in said
    number.click()  # one
    assert page.url.endswith(f"#{one.id}")
    text = page.inner_text("article")
    assert "papermill book/evaluation/evaluate.ipynb out.ipynb -y '{study: smoke, config: A" in text
    page.get_by_text(f"Cite {one.id}").click()  # two
    assert "@misc{verydeep:smoke.table3.A-256.top1" in page.inner_text("article")
    with page.expect_download() as download:
        page.get_by_role("link", name="evaluate.json").click()  # three
    record = json.loads(pathlib.Path(download.value.path()).read_text())
    assert record["measurements"][one.measurement]["top1_error"] == one.value


@pytest.mark.browser
def test_the_numbers_are_published_for_programs_by_their_schema(page, address, numbers):
    found = page.request.get(f"{address}/numbers.json").json()
    schema = page.request.get(f"{address}/numbers.schema.json").json()
    jsonschema.validate(found, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found | {"numbers": [found["numbers"][0] | {"value": "63.8"}]}, schema)
    listed = {one["id"]: one["value"] for one in found["numbers"]}
    assert {identity: one.value for identity, one in numbers.items()}.items() <= listed.items()
    lines = page.request.get(f"{address}/numbers.csv").text().splitlines()
    assert len(lines) == len(listed) + 1 and lines[0].startswith("id,value,low,high,n,paper,status,run")


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


#: What a reader would type, and the page that is meant.
QUERIES = {
    "A-256": "results/table3", "overfitting": "results/table3", "jitter": "training/recipe",
    "receptive field": "networks/receptive-field", "learning rate": "training/recipe", "multi-crop": "results/table5",
    "dense": "evaluation/evaluate", "cite": "cite", "1x1": "networks/one-by-one", "parameters": "networks/parameters",
    "GPU": "reproduce", "Tiny ImageNet": "reproduce", "LRN": "networks/lrn",
    "initialisation": "networks/initialisation",
    "initialization": "networks/initialisation", "seed": "checklist", "VGG16": "networks/configurations",
    "softmax": "evaluation/evaluate", "ensemble": "results/table6", "pretrained weights": "results/released",
}  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("query", QUERIES)
def test_a_search_finds_the_chapter_first(page, address, query):
    page.goto(f"{address}/search.html?q={query}")
    page.wait_for_selector("#search-results .search-summary:not(:empty)")
    found = [link.partition("?")[0].partition("#")[0] for link in page.eval_on_selector_all(
        "#search-results li > a", "links => links.map(link => link.href)")]  # fmt: skip
    assert f"{address}/{QUERIES[query]}.html" in found[:3], found[:5]
    assert not [link for link in found if "/runs/smoke/" in link]


@pytest.mark.browser
def test_a_network_runs_in_the_book_by_its_own_files_alone(page, address):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/evaluation/touch.html")
    page.click("[data-picture$='/dog.jpg']")
    page.wait_for_function("document.querySelector('#touch').result?.both", timeout=60_000)
    assert page.locator(".touch-classes tbody tr").first.inner_text().startswith("Rhodesian ridgeback")
    assert all(url.startswith((address, "data:", f"blob:{address}")) for url in asked), asked
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width + 1


@pytest.mark.browser
def test_every_note_has_its_anchor_and_leads_to_a_chapter(page, address):
    page.goto(f"{address}/networks/notes.html")
    for k in range(1, 23):
        assert page.locator(f'[id="N{k}"]').count() == 1
    links = page.eval_on_selector_all("article table a", "links => links.map(a => [a.innerText, a.href])")
    targets = {name: target for name, target in links if name.startswith("N")}
    assert len(targets) == 22
    for name, target in targets.items():
        page.goto(target)
        assert page.locator("article table, article img").count(), f"{name}: {target} shows no computation"


@pytest.mark.browser
def test_the_claims_board_is_filled_from_the_records(page, address, html):
    page.goto(f"{address}/results/claims.html")
    text = page.inner_text("article")
    assert text.count("not tested") >= 10  # one trained network compares with nothing
    assert "Local response normalisation does not help." in text
    page.goto(f"{address}/checklist.html")
    assert "1 of 13 networks and 0 pilots trained, 1 tested" in page.inner_text("article")


#: Pages of every kind that the book has.
AUDITED = (
    "index", "findings", "paper/claims", "networks/shapes", "networks/peers", "training/recipe",
    "training/train", "evaluation/cost", "evaluation/touch", "results/table3", "results/claims", "reproduce",
    "cite", "departures", "faults", "runs/numbers", "runs/smoke", "runs/smoke/A-256-s0", "building/how",
    "reference/data", "references", "search",
)  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_an_accessibility_audit_finds_nothing_serious(page, address, theme, width):
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    found = []
    for name in AUDITED:
        page.goto(f"{address}/{name}.html")
        audit = Axe().run(page, options={"preload": False})  # it would ask for styles at the wrong address
        for fault in audit.response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                found.append(
                    f"{name}: {fault['id']}, {len(fault['nodes'])} times, as {fault['nodes'][0]['html'][:200]}"
                )
    assert not found, "\n".join(found)


@pytest.mark.browser
def test_no_internal_link_is_broken_and_no_page_scrolls_sideways(page, address):
    waiting, seen, anchors = [f"{address}/index.html"], set(), {}
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        page.goto(url)
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
        page.goto(target)
        known = set(page.eval_on_selector_all("[id]", "found => found.map(one => one.id)"))
        assert not (missing := wanted - known), (target, missing)


def column(table, number):
    return [float(text) if (text := cell.strip()) else None for cell in table.locator(
        f"tbody tr:visible td:nth-child({number})").all_inner_texts()]  # fmt: skip


@pytest.mark.browser
def test_the_page_of_all_numbers_begins_with_what_was_run(page, address):
    page.goto(f"{address}/runs/numbers.html")
    assert page.locator("article h2").first.inner_text().startswith("smoke")
    first = page.locator("article table").first.inner_text()
    assert "smoke.table3.A-256.top1" in first and "not run" not in first
    assert page.locator("article details[open]").count() == 0
    page.goto(f"{address}/runs/numbers.html#smoke.table3.D-256.top1")  # a number that was not run opens its box
    page.locator('[id="smoke.table3.D-256.top1"]').locator("xpath=ancestor::tr").wait_for()


@pytest.mark.browser
def test_a_table_is_sorted_by_mouse_and_by_keys_and_filtered(page, address):
    page.goto(f"{address}/runs/numbers.html")
    page.locator("article details").first.locator("summary").click()
    box = page.locator("article details").first
    table, field = box.locator("table"), box.get_by_label("Filter the rows")
    everything = table.locator("tbody tr").count()
    assert everything > 100
    field.fill("table3 top5")
    box.get_by_text(f" of {everything} rows").wait_for()
    shown = table.locator("tbody tr:visible td:first-child").all_inner_texts()
    assert 10 < len(shown) < everything and all("table3" in one and one.strip().endswith("top5") for one in shown)
    heading = table.get_by_role("columnheader", name="paper")
    heading.click()
    page.wait_for_function("cell => cell.ariaSort === 'ascending'", arg=heading.element_handle())
    upwards = column(table, 4)
    printed = [value for value in upwards if value is not None]
    assert printed == sorted(printed) and len(set(printed)) > 5 and upwards[: len(printed)] == printed
    heading.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("cell => cell.ariaSort === 'descending'", arg=heading.element_handle())
    assert [value for value in column(table, 4) if value is not None] == printed[::-1]
    field.fill("")
    assert table.locator("tbody tr:visible").count() == everything


@pytest.mark.browser
def test_a_table_is_copied_as_cells(page, address):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{address}/results/claims.html")
    page.get_by_role("button", name="Copy", exact=True).first.click()
    page.get_by_text(re.compile(r"copied \d+ rows")).wait_for()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0].startswith("claim\tin the paper\t") and len(lines) > 10
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}


@pytest.mark.browser
def test_on_a_phone_the_first_column_stays_and_an_edge_that_goes_on_fades(page, address):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/results/claims.html")
    table = page.locator("article table").first
    cell, last = table.locator("tbody th").first, table.locator("tbody tr").first.locator("td").last
    before, far = cell.bounding_box()["x"], last.bounding_box()["x"]
    assert "goes-on" in table.get_attribute("class") and far > 390
    table.focus()
    table.evaluate("table => table.scrollTo(10_000, 0)")
    page.wait_for_function("table => !table.classList.contains('goes-on')", arg=table.element_handle())
    assert cell.bounding_box()["x"] == before and last.bounding_box()["x"] < far - 100


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
            if not number or len(caption.get_text()) < 40:
                faults.append(f"{name}: {table.get_text(' ', strip=True)[:60]}")
            else:
                found.append(number.get_text(strip=True))
    assert not faults, "\n".join(faults)
    assert len(set(found)) > 60 and all(re.fullmatch(r"Tab\. \d+", number) for number in found)


@pytest.mark.browser
def test_without_javascript_every_row_is_there(browser, address):
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{address}/results/claims.html")
    assert page.locator("article table").first.locator("tbody tr:visible").count() >= 10
    assert page.locator(".table-tools").count() == 0
    page.close()


@pytest.mark.browser
def test_the_chapters_are_one_pdf_that_paper_can_hold(html, browser, page, address, monkeypatch):
    monkeypatch.setenv("VERYDEEP_ROOT", str(html.parents[1]))
    target = html.parent / "verydeep.pdf"
    front = (html / "index.html").read_text()
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
    page.goto(f"{address}/index.html")
    page.get_by_role("link", name="PDF", exact=True).wait_for()
    assert page.request.get(f"{address}/verydeep.pdf").body() == target.read_bytes()
    (html / "index.html").write_text(front)


def squeezed(text):
    return re.sub(r"\s+", "", text)
