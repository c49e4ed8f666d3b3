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
    assert set(expected) <= set(found)  # what is new, as a further study is, changes nothing that was said
    changed = [
        f"{name}: was {was}\nis {found[name]}\n{said[kind][name][:500]}"
        for name, was in expected.items()
        if found[name] != was
    ]
    assert not changed, "\n".join(changed[:5])


def test_records_keep_their_keys():
    """A key of a record is an address for others; it is neither renamed nor lost."""
    assert golden.keys(golden.recorded()) == json.loads((golden.FOLDER / "keys.json").read_text())
