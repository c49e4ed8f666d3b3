"""What people are told while they wait."""

import ast

import pytest

from conftest import REPOSITORY
from verydeep import progress


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "5 s"), (89, "89 s"), (90, "2 min"), (1500, "25 min"), (9000, "2.5 h"), (200_000, "2 days")],
)
def test_a_time_in_words(seconds, said):
    assert progress.duration(seconds) == said


def test_in_a_log_what_takes_long_is_said_now_and_then_and_what_is_quick_is_not(capsys, monkeypatch):
    with progress.bar(title="D dense at 384", total=4) as bar:
        bar.update(4)
    assert list(progress.bar(range(3), "reading")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "INTERVAL", 1e-9)
    with progress.bar(title="D dense at 384", total=4000) as bar:
        for _ in range(2):
            bar.update(1000)
    out, error = capsys.readouterr()
    said = "D dense at 384: {} of 4,000 images after 0 s, 0 s left"
    assert error == "" and out.splitlines() == [said.format("1,000"), said.format("2,000")]
    assert list(progress.bar(range(3), "reading", unit="step", shown=False)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_the_time_that_is_left_follows_from_what_is_done(capsys, monkeypatch):
    """A quarter done after ten minutes leaves thirty."""
    bar = progress.bar(title="D multi-crop at 384", total=8000)
    monkeypatch.setattr(bar, "_time", lambda: 600.0 + bar.start_t)
    bar.update(2000)
    assert capsys.readouterr().out == "D multi-crop at 384: 2,000 of 8,000 images after 10 min, 30 min left\n"


def test_units_have_a_plural_in_s_alone():
    """Lines once spoke of batchs: each unit that is counted is to be seen here with its plural."""
    calls = [
        node
        for path in (REPOSITORY / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "bar"
    ]
    units = {word.value.value for call in calls for word in call.keywords if word.arg == "unit"}
    assert {f"{unit}s" for unit in units} == {"steps", "epochs"}
