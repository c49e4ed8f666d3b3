"""What the recorded studies say is what they said when it was last written out."""

import json

import pytest

import golden


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, dict[str, str]]:
    return golden.collect(golden.checkout(tmp_path_factory.mktemp("golden") / "checkout", golden.recorded()))


@pytest.mark.parametrize("kind", ["numbers", "verdicts", "citations", "shown", "reports", "pages"])
def test_the_recorded_studies_say_what_they_said(said, kind):
    """Where the change is meant: ``PYTHONPATH=tests python -m golden``, and look at the difference in git."""
    expected = json.loads((golden.FOLDER / f"{kind}.json").read_text())
    found = golden.hashed(said[kind]) if kind in golden.HASHED else said[kind]
    assert sorted(found) == sorted(expected)
    changed = {name: (expected[name], found[name], said[kind][name]) for name in found if found[name] != expected[name]}
    assert not changed, "\n".join(f"{name}: was {was}\nis {now}\n{text[:500]}" for name, (was, now, text) in changed.items())


def test_records_keep_their_keys():
    """A key of a record is an address for others; it is neither renamed nor lost."""
    assert golden.keys(golden.recorded()) == json.loads((golden.FOLDER / "keys.json").read_text())
