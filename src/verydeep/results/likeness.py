"""Whether two recorded tests may be put together: as seeds of one number, or as the two sides of a difference.

What their study has alike for both must have been alike when they were made: images, settings of the test, settings of
the training. What it has otherwise, as of a variant, is what the difference is of.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from verydeep import runs
from verydeep.errors import RecordError
from verydeep.paths import short
from verydeep.studies import Fusion, Run, Transfer
from verydeep.studies.measurements import protocol
from verydeep.studies.transfer import RESAMPLING

#: What a row may be the number of.
Tested = runs.EvaluateRecord | runs.FuseRecord | runs.TransferRecord


@dataclass(frozen=True)
class Test:
    """A recorded test: of what, and its record."""

    made: Run | Fusion | Transfer
    record: Tested


def require_mean(row: str, one: Test, other: Test) -> None:
    """Refuse the mean over two seeds of a row of which one is of before a setting was changed.

    Raises
    ------
    RecordError
        Naming both, how they differ, and what to do.
    """
    if how := _unlike(one, other):
        raise RecordError(f"{row}: {how}: there is no mean over both; {_ANEW}")


def require_pair(first: str, second: str, one: Test, other: Test) -> None:
    """Refuse the difference of two rows of which one is of before a setting was changed for both.

    Raises
    ------
    RecordError
        Naming both, how they differ, and what to do; of two data sets there is nothing to do.
    """
    if how := _unlike(one, other):
        anew = "" if one.record.data.source != other.record.data.source else f"; {_ANEW}"
        raise RecordError(f"{first} and {second} cannot be compared: {how}{anew}")


_ANEW = "make the older of the two again"


def _unlike(one: Test, other: Test) -> str | None:
    """How two tests differ that should not; ``None`` if they do not."""
    how = _told(one, other)
    return how and f"{short(one.made.folder)} and {short(other.made.folder)} were {how}"


def _told(one: Test, other: Test) -> str | None:
    first, second = one.record, other.record
    if first.data.source != second.data.source:
        return f"tested on two data sets, {first.data.source} and {second.data.source}"
    if _images(first) != _images(second):
        return "tested on other images"
    asked = _changed(_protocol(one.made), _protocol(other.made), first.protocol, second.protocol)
    if asked:
        return f"tested by another protocol ({', '.join(asked)})"
    if _given_other_classes(one, other):
        return "tested with boxes of other classes"
    return _trained_unlike(one, other)


def _images(record: Tested) -> tuple:
    """Of features on other data what is true of the images, and which of them were learned from, count too."""
    if isinstance(record, runs.TransferRecord):
        return record.data.manifest_sha256, record.labels_sha256, record.splits
    return (record.data.manifest_sha256,)


def _protocol(made: Run | Fusion | Transfer) -> dict:
    """How something would be tested now. How images are resampled is not of it: that is done when numbers are read."""
    if isinstance(made, Transfer):
        return {key: value for key, value in made.protocol.items() if key not in RESAMPLING}
    return protocol(made.members[0] if isinstance(made, Fusion) else made)


def _changed(one_now: Mapping, other_now: Mapping, one: Mapping, other: Mapping) -> list[str]:
    """The keys that are alike for both now, and were not when they were recorded."""
    alike = [key for key in one_now if key in other_now and one_now[key] == other_now[key]]
    return [key for key in alike if one.get(key) != other.get(key)]


def _given_other_classes(one: Test, other: Test) -> bool:
    """Whether boxes were given to the classes of one system as it was twice: it was made anew between the tests."""
    first, second = one.made, other.made
    if not (isinstance(first, Run) and isinstance(second, Run) and first.boxes and second.boxes):
        return False
    if first.seed != second.seed or first.localisation.classes != second.localisation.classes:
        return False  # of another system, as each seed has its own
    return one.record.parameters.get("classes") != other.record.parameters.get("classes")


def _trained_unlike(one: Test, other: Test) -> str | None:
    """Of networks that are alone; those of a fusion are no pairs."""
    trained = [_training(test) for test in (one, other)]
    if None in trained:
        return None
    (one_now, one_then), (other_now, other_then) = trained
    changed = _changed(one_now, other_now, one_then, other_then)
    told = {key: (one_then.get(key), other_then.get(key)) for key in changed}
    said = ", ".join(f"{key}: {before} and {after}" for key, (before, after) in told.items())
    return f"trained otherwise ({said})" if told else None


def _training(test: Test) -> tuple[dict, dict] | None:
    """How the network of a test would be trained now, and was; ``None`` of several, and of others' networks."""
    members = [test.made] if isinstance(test.made, Run) else test.made.members
    if len(members) > 1:
        return None
    record = runs.read_record(members[0], "train")
    return None if record is None else (runs.asked_settings(members[0]), runs.recorded_settings(record))
