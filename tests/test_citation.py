"""How a number is cited."""

import re

import pytest

from verydeep import citation, results, runs, studies
from verydeep.errors import UnknownName, VerydeepError


def test_the_entry_leads_back_to_the_number(trained):
    found = results.number("smoke.table3.A-256.top1")
    entry, sentence = citation.bibtex(found), citation.plain(found)
    record = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate")
    assert entry.startswith("@misc{verydeep:smoke.table3.A-256.top1,") and entry.endswith("}")
    assert entry.count("{") == entry.count("}")
    for text in (entry, sentence):
        assert "version 0.1.0" in text
        assert re.search(r"commit ([0-9a-f]{40}|unknown)", text)
        assert "A-256-s0.html" in text and "smoke.table3.A-256.top1" in text
        assert f"{found.value:.2f}" in text and "n = 364" in text and "one seed" in text
    assert f"year = {{{record.finished[:4]}}}" in entry
    assert r"\%" in entry and " % " not in entry.replace(r"\%", "")
    assert "Top-1 error of A-256 (Table 3: dense testing, Q=256)" in sentence


@pytest.mark.parametrize(("identity", "words"), [
    ("smoke.table5.A-256-both.top5", "Top-5 error of A-256-both (Table 5: both testing, Q=224, 256, 288)"),
    ("smoke.centre-crop.A-256.top1", "centre-crop testing, Q=256"),
    ("smoke.table2.D.parameters", "Millions of parameters of network D in the study smoke"),
])  # fmt: skip
def test_every_kind_of_number_is_said_in_words(trained, identity, words):
    assert words in citation.plain(results.number(identity))


def test_a_number_that_was_not_run_says_so_and_points_to_the_list(trained):
    found = results.number("smoke.table3.D-256.top1")
    assert "not run" in citation.plain(found)
    assert citation.page(found) == "runs/numbers.html#smoke.table3.D-256.top1"
    assert "year = {2026}" in citation.bibtex(found)


def test_an_unknown_number_suggests_the_nearest_three(trained):
    with pytest.raises(UnknownName) as caught:
        results.number("smoke.table3.A-265.top1")
    assert "smoke.table3.A-256.top1" in str(caught.value)
    assert str(caught.value).count("smoke.") == 4  # what was asked for, and three


def test_without_its_citation_file_nothing_is_cited(trained):
    (trained / "CITATION.cff").unlink()
    citation.software.cache_clear()
    with pytest.raises(VerydeepError, match=r"CITATION.cff: missing"):
        citation.plain(results.number("smoke.table3.A-256.top1"))
    citation.software.cache_clear()
