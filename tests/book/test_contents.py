"""The contents beside a page: made once, and on every page as if they had been made for it."""

from urllib.parse import urljoin

import pytest
from bs4 import BeautifulSoup, SoupStrainer

from verydeep.book.contents import seen_from

#: All that is read of a page: most of it is sources of modules, which take long.
NAVIGATION = SoupStrainer("nav")

CONTENTS = """<p aria-level="2" class="caption" role="heading"><span class="caption-text">Part</span></p>
<ul class="nav bd-sidenav">
<li class="toctree-l1"><a class="reference internal" href="start.html">Start</a></li>
<li class="toctree-l1 has-children"><a class="reference internal" href="room/index.html">Room</a><details><summary><i class="fa"></i></summary><ul>
<li class="toctree-l2"><a class="reference internal" href="room/a.html"><code><span class="pre">a</span></code></a></li>
<li class="toctree-l2"><a class="reference internal" href="room/b.html">b</a></li>
</ul></details></li>
<li class="toctree-l1"><a class="reference external" href="https://example.org/room/a.html">Elsewhere</a></li>
</ul>
"""  # noqa: E501 (as the theme writes it)


def test_links_begin_at_the_page():
    shown = seen_from("runs/quarter/x.html", CONTENTS)
    assert shown.count('href="../../') == 4 and 'href="https://example.org/room/a.html"' in shown
    assert "current" not in shown and shown.replace("../../", "") == CONTENTS


def test_the_page_and_what_it_lies_in_are_marked():
    """To the letter what the theme writes."""
    marked = [
        ('<ul class="nav bd-sidenav">', '<ul class="current nav bd-sidenav">'),
        ('<li class="toctree-l1 has-children">', '<li class="toctree-l1 current active has-children">'),
        ("<details>", '<details open="open">'),
        ("<ul>", '<ul class="current">'),
        (
            '<li class="toctree-l2"><a class="reference internal" href="room/a.html">',
            '<li class="toctree-l2 current active"><a class="current reference internal" href="#">',
        ),
        ('href="start.html"', 'href="../start.html"'),
        ('href="room/index.html"', 'href="index.html"'),
        ('href="room/b.html"', 'href="b.html"'),
    ]
    expected = CONTENTS
    for before, after in marked:
        assert expected.count(before) == 1
        expected = expected.replace(before, after)
    assert seen_from("room/a.html", CONTENTS) == expected


def test_a_page_is_open_at_what_lies_below_it():
    shown = seen_from("room/index.html", CONTENTS)
    assert '<a class="current reference internal" href="#">Room</a><details open="open">' in shown
    assert shown.count("current active") == 1 and '<ul class="current">' not in shown
    assert "open=" not in seen_from("start.html", CONTENTS)


@pytest.mark.book
def test_on_every_page_they_lead_to_pages_and_mark_the_one_that_is_shown(html):
    titles, marked = None, set()
    for path in sorted(html.rglob("*.html")):
        page = path.relative_to(html).as_posix()
        navigation = BeautifulSoup(path.read_text(), "html.parser", parse_only=NAVIGATION).select_one("nav.bd-links")
        if navigation is None:
            continue
        links = [(urljoin(f"/{page}", link["href"]).partition("#")[0], link.get_text()) for link in navigation("a")]
        titles = titles or links
        assert links == titles, page
        current = [link["href"] for link in navigation.select("li.current.active > a.current")]
        assert current == (["#"] if f"/{page}" in dict(links) else []), page
        marked |= {f"/{page}" for _ in current}
    assert marked == set(dict(titles)) and all((html / link.lstrip("/")).exists() for link in marked)
