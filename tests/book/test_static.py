"""What the book's own style and scripts do to tables in a browser, on pages that hold nothing else."""

import itertools
import shutil

import pytest

from conftest import REPOSITORY

STATIC = REPOSITORY / "src/verydeep/book/static"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="verydeep.css">
<style>* { box-sizing: border-box }
html { font-size: 16px } body { margin: 24px } table { border-collapse: collapse }</style>
<script src="tables.js"></script><main class="bd-article">%s</main></html>"""
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 700, "height": 844}
#: The words of the cells of a row that stay where they are, and how far right the last of them reaches.
HELD = """table => {
  table.scrollTo(10_000, 0);
  return [...table.tBodies[0].rows].map(row => [...row.cells].filter(cell => cell.classList.contains('key')
    && cell.getBoundingClientRect().left >= table.getBoundingClientRect().left - 1).map(cell => cell.textContent));
}"""
REACH = "table => Math.max(...[...table.querySelectorAll('.key')].map(cell => cell.getBoundingClientRect().right))"


@pytest.fixture
def shown(page, served, tmp_path):
    """``shown(rows, size, index)``: a table of rows, the first its head, in a window of that size."""

    pages = itertools.count()

    def show(rows, size, index=0):
        def line(cells, tag):
            return "".join(f"<{t}>{c}</{t}>" for k, c in enumerate(cells) for t in ["th" if k < index else tag])

        head, *body = rows
        lines = "".join(f"<tr>{line(cells, 'td')}</tr>" for cells in body)
        table = f"<table><thead><tr>{line(head, 'th')}</tr></thead><tbody>{lines}</tbody></table>"
        (tmp_path / "page.html").write_text(PAGE % table)
        page.set_viewport_size(size)
        # the address of each is its own: within a second of another the server calls the page unchanged
        page.goto(f"{address}/page.html?{next(pages)}")
        page.wait_for_function("document.querySelector('table').style.length || innerWidth")
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return page.locator("table")

    for name in ("tables.js", "verydeep.css"):
        shutil.copy(STATIC / name, tmp_path)
    with served(tmp_path) as address:
        yield show


NUMBERS = [f"{k}.{k} [{k}.0, {k + 1}.0]" for k in range(10, 16)]


@pytest.mark.browser
def test_on_a_phone_what_stays_of_a_row_tells_it_from_the_others(shown):
    """Table 3 once kept C, C and C; Table 5 differs in its first column and its fourth."""
    scales = [("A", "256"), ("C", "256"), ("C", "384"), ("C", "[256;512]")]
    rows = [["config", "train S", "test Q", *NUMBERS], *([*names, "256", *NUMBERS] for names in scales)]
    table = shown(rows, PHONE)
    assert table.evaluate(HELD) == [list(names) for names in scales]
    assert table.evaluate(REACH) - 24 <= 0.45 * 390
    ways = [("D", "dense"), ("D", "multi-crop"), ("E", "dense"), ("E", "multi-crop")]
    rows = [["config", "train S", "test Q", "evaluation", *NUMBERS]]
    rows += [[name, "[256;512]", "256, 384, 512", way, *NUMBERS] for name, way in ways]
    assert shown(rows, PHONE).evaluate(HELD) == [list(names) for names in ways]


@pytest.mark.browser
def test_on_a_phone_what_is_the_same_in_every_row_is_told_once(shown):
    """Table 5's first four columns once took the whole screen, and two of them say one thing six times."""
    rows = [["config", "train S", "test Q", "evaluation", "paper", "code", *NUMBERS]]
    ways = ("dense", "multi-crop", "multi-crop &amp; dense")
    rows += [[name, "[256;512]", "256, 384, 512", way, "not run", "0", *NUMBERS] for name in "DE" for way in ways]
    table = shown(rows, PHONE)
    heads = table.locator("thead th")
    assert [head.inner_text() for head in heads.all() if head.is_visible()][:4] == [
        "config",
        "evaluation",
        "paper",
        "code",
    ]
    assert table.locator("caption").inner_text() == "In every row: train S [256;512]; test Q 256, 384, 512."
    first = table.locator("tbody tr").first.locator("td").nth(5).bounding_box()
    assert first["x"] + first["width"] < 390, "a value is in view"
    assert table.evaluate(HELD) == [[name, way.replace("&amp;", "&")] for name in "DE" for way in ways]
    wide = shown(rows, DESKTOP)
    assert wide.locator("caption").count() == 0 and wide.locator("thead th").nth(1).is_visible()


@pytest.mark.browser
def test_of_an_index_that_is_too_wide_the_levels_stay_by_which_rows_differ(shown):
    rows = [["claim", "first", "second", *NUMBERS]]
    names = [("1", f"centre-crop.{one}-256-longest", f"centre-crop.{one}-384-long-0.01") for one in "ABC"]
    rows += [[*levels, *NUMBERS] for levels in names]
    table = shown(rows, PHONE, index=3)
    assert table.evaluate(HELD) == [list(levels[1:]) for levels in names], "the claim is the same in all"
    assert table.evaluate(REACH) - 24 <= 0.45 * 390


@pytest.mark.browser
def test_a_number_stays_with_the_words_beside_it(shown):
    """A claim's number names nothing."""
    rows = [["claim", "in few words", *NUMBERS], ["1", "LRN does not help", *NUMBERS], ["3", "deeper helps", *NUMBERS]]
    assert shown(rows, PHONE, index=1).evaluate(HELD) == [["1", "LRN does not help"], ["3", "deeper helps"]]


@pytest.mark.browser
def test_a_name_is_not_broken_and_three_columns_fit_a_phone(shown):
    """The front page's table of studies once said "narr/ow", and its last column was cut off."""
    words = "every length in pixels, and of the channels of each layer three quarters, and what else a study gives up"
    rows = [["study", "keeps", "gives up"], *([f"<code>{name}</code>", words, words] for name in ("narrow", "quarter"))]
    table = shown(rows, PHONE)
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
    heights = table.evaluate("table => [...table.querySelectorAll('code')].map(name => name.getClientRects().length)")
    assert heights == [1, 1]


@pytest.mark.browser
def test_few_words_have_room_on_a_phone(shown):
    """The page of a study once broke "not run: needs D-256-s0" into four lines."""
    rows = [["networks", "data", "state", "measure", *NUMBERS]]
    rows += [[f"D-{k}", "voc2007-val", f"not run: needs D-256-s{k}", "map", *NUMBERS] for k in range(3)]
    state, number = (shown(rows, PHONE).locator("tbody tr").first.locator("td").nth(column) for column in (2, 4))
    assert state.bounding_box()["width"] >= 8.5 * 16 > number.bounding_box()["width"]


@pytest.mark.browser
def test_the_reason_for_a_verdict_is_in_view_on_a_desktop(shown):
    """Sentences of a last column stand below the rest of their row, and are still its last cell."""
    reason = "no; training error, %: B-256 11.7 against 5.1 of A-256-longer; C-256 14.8 against 5.1 of A-256-longer"
    rows = [["claim", "in the paper", "verdict", *("paper's", "ours", "direction", "size"), "fair test"]]
    statement = "Depth lowers the error, from 11 to 19 layers."
    rows += [[str(k), statement, "not tested fairly", "+1.83", *NUMBERS[:3], reason] for k in range(9)]
    table = shown(rows, DESKTOP, index=1)
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
    cells = table.locator("tbody tr").first.locator("td")
    first, last = cells.first.bounding_box(), cells.last.bounding_box()
    assert last["y"] >= first["y"] + first["height"] - 1 and last["x"] == pytest.approx(first["x"], abs=1)
    assert last["x"] + last["width"] > 600 and last["height"] < 80
    assert cells.last.inner_text() == reason
    assert "last-below" not in (shown(rows, PHONE, index=1).get_attribute("class") or "")
