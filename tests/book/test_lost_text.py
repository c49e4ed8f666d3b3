"""Words of a source that its page lacks are found, and nothing else is."""

import re

import pytest
from docutils import nodes
from hypothesis import given
from hypothesis import strategies as st

from verydeep.book import lost_text

#: The lines of the front page that once lost two numbers.
ONCE_LOST = """A, for one, reaches {result}`quarter.table3.A-256.top1` % top-1 and {result}`quarter.table3.A-256.top5`
% top-5; the paper's A {paper}`table3.A-256.top1` % and {paper}`table3.A-256.top5` %.
"""


def test_the_line_that_the_front_page_once_lost_is_found():
    page = "A, for one, reaches {result}`quarter.table3.A-256.top1` % top-1 and {result}`quarter.table3.A-256.top5`"
    (found,) = lost_text.lost(ONCE_LOST, page)
    assert found.line == 2 and found.words.startswith("top 5 the paper s A paper table3")
    assert lost_text.lost(ONCE_LOST, ONCE_LOST.replace("\n% ", "\n")) == []


@pytest.mark.parametrize(("source", "page"), [
    ("---\ntitle: gone\n---\n\n# Head\n", "Head"),
    ("```{code-cell}\nx = 1\n```\n\nsaid", "said"),
    ("```{figure} a.png\n:alt: unseen\n\na caption\n```", "a caption"),
    ("````{dropdown} A title\n\n```bibtex\n@misc{key,\n```\n````", "A title @misc{key,"),
    (":::::{grid} 1 1 2 2\n:gutter: 3\n\n::::{grid-item}\n**left**\n::::\n:::::", "left"),
    ("1. one\n2. two", "one two"),
    ("see [the page](other.md) and ![picture](x.png) there", "see the page and there"),
    ('<a href="numbers.json">numbers.json</a>, `<study>.<row>`', "numbers.json, <study>.<row>"),
    ("10{sup}`15` and {cite}`a2015` or $x^2$ end", "10 15 and [1] or x end"),
    ("| a | b |\n|:--|--:|\n| 1.5 | 2 |", "a b\n1.5 2"),
])  # fmt: skip
def test_what_the_page_shows_is_not_called_lost(source, page):
    assert lost_text.lost(source, page) == []


@pytest.mark.parametrize("lost", ["% A comment.", "<!-- A comment. -->", "10.4", "{result}`quarter.table3.A-256.top1`"])
def test_what_the_page_lacks_is_found_with_its_line(lost):
    source = f"# Head\n\nbefore\n{lost}\nafter\n"
    (found,) = lost_text.lost(source, "Head before after")
    assert found.line == 4 and set(found.words.split()) <= set(re.findall(r"\w+", lost))


@given(st.lists(st.text("abcdefgh123", min_size=1), min_size=2, max_size=30, unique=True), st.data())
def test_any_word_left_out_of_a_page_is_found(words, data):
    left_out = data.draw(st.integers(0, len(words) - 1))
    page = words[:left_out] + words[left_out + 1 :]
    assert lost_text.lost(" ".join(words), " ".join(words)) == []
    assert lost_text.lost(" ".join(words), " ".join(page))


def test_a_role_stands_in_the_document_by_its_source_and_a_comment_does_not():
    number = nodes.inline("", "", nodes.inline("", "63.8"), **{lost_text.SOURCE: "{paper}`table3.A-256.top1`"})
    document = nodes.section(
        "",
        nodes.comment("", "unseen"),
        nodes.paragraph("", "", nodes.Text("ours "), number, nodes.superscript("", "2"), nodes.Text("is")),
    )
    assert lost_text.words(lost_text.rendered(document)) == ["ours", "paper", "table3", "A", "256", "top1", "2", "is"]
