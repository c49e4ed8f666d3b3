"""What the paper printed, against a second reading of it, and where its sections lie."""

import re

import numpy as np
import pytest

from verydeep import paper
from verydeep.errors import UnknownName
from verydeep.paper import addresses


def test_every_table_has_the_rows_the_paper_prints():
    rows = {2: 6, 3: 12, 4: 10, 5: 6, 6: 4, "6-members": 13, 7: 15, 8: 3, 9: 4, 10: 4, 11: 7, 12: 5}
    assert {number: len(paper.table(number)) for number in rows} == rows


#: The errors and precisions of each table, typed from the paper a second time: rows in its order, cells by slashes.
PRINTED = {
    2: "133 133 133 134 138 144",
    3: "29.6/10.4 29.7/10.5 28.7/9.9 28.1/9.4 28.1/9.3 27.3/8.8 27.0/8.8 26.8/8.7 25.6/8.1 27.3/9.0 26.9/8.7 25.5/8.0",
    4: "28.2/9.6 27.7/9.2 27.8/9.2 26.3/8.2 26.6/8.6 26.5/8.6 24.8/7.5 26.9/8.7 26.7/8.6 24.8/7.5",
    5: "24.8/7.5 24.6/7.5 24.4/7.2 24.8/7.5 24.6/7.4 24.4/7.1",
    6: "24.7/7.5/7.3 24.0/7.1/7.0 23.9/7.2/- 23.7/6.8/6.8",
    7: "23.7/6.8/6.8 24.4/7.1/7.0 24.7/7.5/7.3 -/7.9/7.9 -/6.7/6.7 -/-/8.1 27.9/9.1/9.1 -/-/11.7 -/-/12.5 "
    "36.0/14.7/14.8 37.5/16.0/16.1 34.0/13.2/13.6 35.7/14.2/- 38.1/16.4/16.4 40.7/18.2/-",
    8: "36.4 34.3 33.1",
    9: "29.5/- 28.2/26.7 27.5/- 26.9/25.3",
    10: "26.9/25.3 -/26.7 30.0/29.9 -/34.2",
    11: "-/79.0/86.5/74.2 82.4/83.2/88.4/77.6 82.4/-/93.4/- 81.5/81.7/-/- 89.3/89.0/91.8/85.0 89.3/89.0/92.3/85.1 "
    "89.7/89.3/92.7/86.2",
    12: "70.2 73.6 76.3 79.2 84.0",
}
MEASURED = re.compile("params_millions|top._.*_error|gt_class_localisation_error|.*_map|.*_mean_class_recall")


@pytest.mark.parametrize("number", PRINTED)
def test_every_cell_is_as_the_paper_prints_it(number):
    columns = [name for name in paper.table(number) if MEASURED.fullmatch(name)]
    rows = [[None if cell == "-" else float(cell) for cell in row.split("/")] for row in PRINTED[number].split()]
    found = paper.table(number)[columns].astype(float).to_numpy()
    assert [[None if np.isnan(cell) else cell for cell in row] for row in found] == rows


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
