"""What people are told while they wait."""

import pytest

from verydeep import progress


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "5 s"), (89, "89 s"), (90, "2 min"), (1500, "25 min"), (9000, "2.5 h"), (200_000, "2 days")],
)
def test_a_time_in_words(seconds, said):
    assert progress.duration(seconds) == said
