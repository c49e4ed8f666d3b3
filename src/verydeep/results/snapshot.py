"""A study's records, read once: its numbers, and its verdicts on the paper's claims."""

import difflib
from functools import cached_property, lru_cache

import numpy as np

from verydeep import paths, runs
from verydeep.errors import UnknownName
from verydeep.results import claims, numbers
from verydeep.results.claims import Effect, Evidence, Verdict, history
from verydeep.results.identity import NumberId
from verydeep.results.numbers import Number
from verydeep.studies import Study, load, names


class Snapshot:
    """What the records of a study say as they are now. Get one with :func:`read`.

    ``numbers`` has every number, in the order of :func:`verydeep.results.numbers.read_numbers`.
    """

    def __init__(self, study: Study):
        self.study = study
        self.numbers: tuple[Number, ...] = tuple(numbers.read_numbers(study))
        self._by_id = {number.id: number for number in self.numbers}

    def number(self, identity: str) -> Number:
        """One number; raises :class:`UnknownName` when there is none, with the nearest."""
        if identity not in self._by_id:
            near = difflib.get_close_matches(identity, self._by_id, 3, 0)
            raise UnknownName("number", identity, near, f"verydeep numbers {self.study.name}")
        return self._by_id[identity]

    def find(self, identity: str) -> Number | None:
        """The number of this identity, run or not; ``None`` where the study has none."""
        return self._by_id.get(identity)

    def wrong(self, identity: str) -> np.ndarray:
        """What a number that has been run counts as wrong: bool (seeds, images), ordered by image name."""
        return numbers.wrong(self.number(identity))

    @cached_property
    def done(self) -> tuple[Number, ...]:
        """The errors that have been measured; exact counts and what is no error are not among them."""
        return tuple(number for number in self.numbers if number.status == "done" and number.is_error)

    @cached_property
    def evidence(self) -> Evidence:
        """What the records say of the rows that claims compare."""
        return Evidence(self.study, self.numbers)

    @cached_property
    def _judged(self) -> tuple[tuple[Verdict, ...], dict[int, tuple[Verdict, Verdict]]]:
        """Verdicts densely and on one crop, at once: then no verdict after the first reads a record."""
        return tuple(claims.verdicts(self.evidence)), claims.on_one_crop(self.evidence)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict on each of the paper's 32 claims, in the paper's order."""
        return self._judged[0]

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """What each change is worth: the ablations whose networks the study has, the largest effect first."""
        return tuple(claims.effects(self.evidence))

    def effect(self, ablation: str) -> Effect:
        """What one change is worth; raises :class:`UnknownName` for one of which the study has no networks."""
        by_name = {effect.ablation.name: effect for effect in self.effects}
        if ablation not in by_name:
            raise UnknownName("ablation", ablation, list(by_name))
        return by_name[ablation]

    def verdict(self, claim: int | str) -> Verdict:
        """The verdict on one claim, or on an ablation by its name; raises :class:`UnknownName` for one that is none."""
        if isinstance(claim, str):
            return self.effect(claim).verdict
        by_claim = {verdict.number: verdict for verdict in self.verdicts}
        if claim not in by_claim:
            raise UnknownName("claim", claim, list(by_claim))
        return by_claim[claim]

    @property
    def on_one_crop(self) -> dict[int, tuple[Verdict, Verdict]]:
        """The rules about Table 3, tested densely and on a centre crop; see :func:`claims.on_one_crop`."""
        return self._judged[1]


def read(study: str) -> Snapshot:
    """The records of a study; read again only when one of them has changed.

    Raises
    ------
    UnknownName
        For a study that does not exist.
    RecordError
        For a record that does not fit its schema.
    """
    return _read(study, id(load(study)), _stamp(study))


def read_all() -> None:
    """Read the records of every study, and judge the claims by them: what is asked of them afterwards is there.

    Raises
    ------
    RecordError
        For a record that does not fit its schema.
    """
    for study in names():
        snapshot = read(study)
        snapshot.verdicts, snapshot.effects  # noqa: B018 (kept from the first time that they are asked for)
    history.versions()


def number(identity: str) -> Number:
    """The number with this identity, for example ``quarter.table3.D-384.top1``.

    Raises
    ------
    VerydeepError
        When ``identity`` is not of the form of one; the message shows it.
    UnknownName
        When there is none; the message lists the nearest.
    """
    return read(NumberId.parse(identity).study).number(identity)


@lru_cache(maxsize=16)
def _read(study: str, spec: int, changed: tuple) -> Snapshot:
    return Snapshot(load(study))


def _stamp(study: str) -> tuple:
    """Which records a study has, told without reading one: it is another whenever one of them is."""
    records = [path for pattern in ("*.json", runs.SEAL) for path in (paths.runs() / study).glob(f"*/{pattern}")]
    stats = [(str(path), path.stat()) for path in sorted(records)]
    return tuple((path, stat.st_ino, stat.st_mtime_ns, stat.st_size) for path, stat in stats)
