import pytest

from verydeep import paper
from verydeep.errors import UnknownName
from verydeep.paper import addresses


def test_every_table_has_the_rows_the_paper_prints():
    rows = {2: 6, 3: 12, 4: 10, 5: 6, 6: 4, "6-members": 13, 7: 15, 8: 3, 9: 4, 10: 4, 11: 7, 12: 5}
    assert {number: len(paper.table(number)) for number in rows} == rows


def test_types_are_those_of_the_content():
    table = paper.table(3)
    assert table["train_min"].dtype == "Int64"
    assert table["top1_val_error"].dtype == float
    assert table["test_sizes"].dtype == "string"
    assert paper.table(7)["top1_val_error"].isna().sum() == 5  # blank cells stay missing


def test_a_table_is_a_copy():
    table = paper.table(3)
    table.loc[0, "top1_val_error"] = 0
    assert paper.table(3).loc[0, "top1_val_error"] == 29.6


def test_an_unknown_table_is_refused():
    with pytest.raises(UnknownName, match="13"):
        paper.table(13)


def test_claims_are_numbered_and_complete():
    claims = paper.claims()
    assert [claim["number"] for claim in claims] == list(range(1, 33))
    assert all(set(claim) == {"number", "section", "statement", "evidence", "holds_in_paper"} for claim in claims)


def test_scales_have_the_papers_names():
    assert [paper.scale_name(*pair) for pair in ((256, 256), (384, 384), (256, 512))] == [
        "256",
        "384",
        "jitter",
    ]


@pytest.mark.parametrize(("text", "named"), [
    ("tests densely (Section 3.2).", {"Section 3.2": "subsection.3.2"}),
    ("in Sections 3.2 and 4.", {"Sections 3.2": "subsection.3.2", "4": "section.4"}),
    ("Sections 3.1, 3.2 and 4.1", {"Sections 3.1": "subsection.3.1", "3.2": "subsection.3.2", "4.1": "subsection.4.1"}),
    ("Appendix B and 12 others", {"Appendix B": "appendix.B"}),
    ("the section of 3.2 images, Section 12", {}),
])  # fmt: skip
def test_a_section_that_a_text_names_leads_into_the_paper(text, named):
    found = addresses.sections(text)
    assert {text[begins:ends]: url for begins, ends, url in found} == {
        part: f"https://arxiv.org/pdf/1409.1556v6#nameddest={place}" for part, place in named.items()
    }


def test_every_table_and_the_section_of_every_claim_and_gap_has_an_address():
    assert {addresses.table_url(number) for number in range(1, 13)} == {
        addresses.section_url(section) for section in ("2.2", "4.1", "4.2", "4.3", "4.4", "4.5", "A.2", "B")
    }
    for item in paper.claims() + paper.gaps():
        assert addresses.sections(f"Section {item['section']}") == [
            (0, len(f"Section {item['section']}"), addresses.section_url(item["section"]))
        ]
