"""The book as a reader meets it, in a real browser: what pages show, where links lead, what a search finds."""

import csv
import json
import pathlib
import re

import jsonschema
import pytest

from verydeep import paper
from verydeep.chapters import display
from verydeep.results import claims

pytestmark = pytest.mark.book


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
    page.wait_for_url("**/runs/smoke/A-256-s0.html#smoke.table3.A-256.top1")  # until it is loaded to its end
    text = page.inner_text("article")
    assert "verydeep verify smoke A-256-s0" in text and "verydeep check" in text
    with page.expect_download() as download:
        page.get_by_role("link", name="train.json").click()
    assert download.value.suggested_filename == "train.json"


@pytest.mark.browser
def test_the_front_page_tells_the_story_in_one_screen(page, address):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{address}/index.html")
    article = page.locator("article")
    story = [article.get_by_text(words) for words in ("the VGG paper", "What came out", "Before you believe it")]
    story.append(article.locator("img").first)
    for part in story:
        box = part.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, part


@pytest.mark.browser
def test_three_clicks_lead_from_a_number_in_a_sentence_to_its_record_and_command(page, address, numbers):
    page.goto(f"{address}/index.html")
    sentence = page.locator("article p", has_text="A, for one, has")
    number = sentence.locator("a:has(.spread)").first
    one = numbers["smoke.table3.A-256.top1"]
    assert number.inner_text() == f"{one.value:.1f} {display.spread(one)}"
    said = number.get_attribute("title")
    assert f"n = {one.n}" in said and "study smoke" in said and "95 % interval" in said and "dense" in said
    number.click()  # one
    page.wait_for_url(f"**#{one.id}")
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
    rows = {row["id"]: row for row in csv.DictReader(lines)}
    for one in found["numbers"]:  # whole numbers are no fractions there, though others of their column are missing
        written = {key: "" if one[key] is None else str(one[key]) for key in ("value", "low", "n", "paper")}
        assert {key: rows[one["id"]][key] for key in written} == written


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


#: The address of every page that a search lists, the best first.
FOUND = "links => links.map(link => link.href.split(/[?#]/)[0])"


@pytest.fixture(scope="module")
def search(browser, watched, address):
    """The page of searches, without the summaries for which it fetches every page that it lists."""
    with watched(browser) as page:
        page.goto(f"{address}/search.html")
        page.wait_for_function("Search.hasIndex()")
        page.evaluate("DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false")
        yield page


@pytest.mark.browser
@pytest.mark.parametrize("query", QUERIES)
def test_a_search_finds_the_chapter_among_the_first_three(search, address, query):
    search.evaluate("document.querySelector('#search-results').replaceChildren()")
    search.evaluate("query => Search.performSearch(query)", query)
    search.wait_for_function("Search.status.innerText")  # all that was found is listed: the next search starts afresh
    found = search.eval_on_selector_all("#search-results li > a", FOUND)
    assert f"{address}/{QUERIES[query]}.html" in found[:3], found[:5]
    assert not [link for link in found if "/runs/smoke/" in link]


@pytest.mark.browser
def test_a_search_from_another_page_shows_what_it_finds(page, address):
    page.goto(f"{address}/search.html?q=softmax")
    page.wait_for_selector("#search-results .search-summary:not(:empty)")
    assert f"{address}/{QUERIES['softmax']}.html" in page.eval_on_selector_all("#search-results li > a", FOUND)[:3]


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
    head, *rows = cells(page.locator("article table").first)
    judged = [
        [str(claim["number"]), claim["statement"]] for claim in paper.claims() if claim["number"] in claims.rules()
    ]
    assert [row[:2] for row in rows] == judged
    assert {row[head.index("verdict")] for row in rows} == {"not tested"}  # one trained network compares with nothing
    page.goto(f"{address}/checklist.html")
    assert "1 of 17 networks and 0 pilots trained, 1 tested" in page.inner_text("article")


def cells(table):
    """The words of a table's cells, row by row."""
    rows = table.evaluate("table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))")
    return [[" ".join(cell.split()) for cell in row] for row in rows]


def column(table, number):
    return [float(text) if (text := cell.strip()) else None for cell in table.locator(
        f"tbody tr:visible td:nth-child({number})").all_inner_texts()]  # fmt: skip


@pytest.mark.browser
def test_the_page_of_all_numbers_begins_with_what_was_run(page, address, numbers):
    page.goto(f"{address}/runs/numbers.html")
    assert page.locator("article h2").first.inner_text().startswith("smoke")
    _, *rows = cells(page.locator("article table").first)
    assert [row[0] for row in rows] == [number.id for number in numbers.values() if number.status == "done"]
    assert dict((row[0], row[2]) for row in rows)["smoke.table3.A-256.top1"] == "364"
    assert page.locator("article details[open]").count() == 0
    page.goto(f"{address}/runs/numbers.html#smoke.table3.D-256.top1")  # a number that was not run opens its box
    page.locator('[id="smoke.table3.D-256.top1"]').locator("xpath=ancestor::tr").wait_for()


@pytest.mark.browser
def test_a_table_is_sorted_by_mouse_and_by_keys_and_filtered(page, address, numbers):
    page.goto(f"{address}/runs/numbers.html")
    page.locator("article details").first.locator("summary").click()
    box = page.locator("article details").first
    table, field = box.locator("table"), box.get_by_label("Filter the rows")
    not_run = [number.id for number in numbers.values() if number.status == "not run"]
    everything = table.locator("tbody tr").count()
    assert everything == len(not_run) > 100
    field.fill("table3 top5")
    box.get_by_text(f" of {everything} rows").wait_for()
    shown = table.locator("tbody tr:visible td:first-child").all_inner_texts()
    wanted = [one for one in not_run if ".table3." in one and one.endswith(".top5")]
    assert [one.strip() for one in shown] == wanted and len(wanted) > 10
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
    assert [line.split("\t") for line in lines] == cells(page.locator("article table").first)
    assert len(lines) == 1 + len(claims.rules())


@pytest.mark.browser
def test_a_wide_table_takes_the_room_beside_the_text(page, address):
    """Lines of text stay as long as they are easy to read; a table is not cut where the window has room for it."""
    page.goto(f"{address}/results/table6.html")
    longest = "Math.max(...[...document.querySelectorAll('article p')].map(one => one.offsetWidth))"
    for width, room in {1280: 850, 1440: 1010, 1920: 1170}.items():
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator("article").evaluate("article => article.clientWidth") >= room, width
        assert page.evaluate(longest) <= 52 * 16, width
    assert page.locator("article .numbered-table table").first.evaluate("one => one.scrollWidth <= one.clientWidth")


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


@pytest.mark.browser
def test_without_javascript_every_row_is_there(browser, address):
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{address}/results/claims.html")
    rows = page.locator("article table").first.locator("tbody tr:visible")
    assert rows.count() == len(claims.rules())
    assert page.locator(".table-tools").count() == 0
    page.close()
