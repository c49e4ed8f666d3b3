"""One document of a built book: what becomes of its links, boxes and buttons. Its print is tested with the book."""

import pytest

from verydeep.book import pdf
from verydeep.errors import VerydeepError

CHAPTERS = "[{file: results/first}, {file: runs/numbers}]"
TOC = f"{{format: jb-book, root: index, parts: [{{caption: Results, chapters: {CHAPTERS}}}]}}"
FIRST = """<h1>First<a class="headerlink" href="#first">#</a></h1>
<p id="here"><a href="../index.html#top">front</a> <a href="../runs/numbers.html#n">number</a> <a href="#here">here</a>
<a href="https://example.org/a/">elsewhere</a> <a href="https://arxiv.org/pdf/1409.1556v6#page=4">Section 4</a></p>
<img src="../_images/one.png"><details><summary>Answer</summary>42</details><button>Press</button>
<section class="touch" id="touch"><input type="file">Choose</section>"""


@pytest.fixture
def html(checkout):
    (checkout / "book/_toc.yml").write_text(TOC)
    folder = checkout / "_build/html"
    for name, body in {"index": '<h1 id="top">Front</h1>', "results/first": FIRST}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.html").write_text(f'<article class="bd-article">{body}</article>')
    return folder


def test_the_chapters_are_one_document_whose_links_lead_within_it(html):
    chapters = list(pdf.read(html))
    assert [(one.name, one.title, one.part) for one in chapters] == [
        ("index", "Front", ""),
        ("results/first", "First", "Results"),
    ]
    text = pdf.document(html, chapters, {"results/first": 7})
    assert '<a href="#index--top">front</a>' in text and 'id="index--top"' in text
    assert '<a href="#results.first--here">here</a>' in text and 'id="results.first--here"' in text
    assert "<a>number</a>" in text  # a page that is not in it, of a book without an address
    assert 'elsewhere</a> <span class="address">(example.org/a)</span>' in text and "Section 4</a></p>" in text
    assert f'src="{(html / "_images/one.png").as_uri()}"' in text
    assert '<details open="">' in text and "Press" not in text and "headerlink" not in text
    assert "<input" not in text and "Choose" not in text and "runs in a browser, on the page of the book." in text
    assert '<a href="#results.first"><span>First</span><span>7</span></a>' in text


def test_a_link_to_what_is_not_in_it_leads_to_the_published_book(html, monkeypatch):
    monkeypatch.setenv("VERYDEEP_BOOK_URL", "https://example.org/book")
    text = pdf.document(html, list(pdf.read(html)), {})
    assert 'href="https://example.org/book/runs/numbers.html#n"' in text
    assert 'in a browser, on <a href="https://example.org/book/results/first.html">the page of the book</a>' in text


def test_without_a_built_book_or_a_browser_it_says_so(html, monkeypatch, tmp_path):
    target = tmp_path / "book.pdf"
    with pytest.raises(VerydeepError, match="no built book; make book builds it"):
        pdf.make(html / "absent", target)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VerydeepError, match="needs a browser, one of: chromium"):
        pdf.make(html, target)
    assert not target.exists()
