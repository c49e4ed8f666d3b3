"""What the records of one study say of the rows that claims compare."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from verydeep import paths, runs, statistics
from verydeep.results import transfers
from verydeep.results.likeness import Test, Tested, require_pair
from verydeep.results.numbers import (
    BOX_TABLES,
    SINGLE_NETWORK_TABLES,
    Number,
    rows,
    unnamed_images,
    wrong,
)
from verydeep.results.printed import judged_cell, more_is_better
from verydeep.runs import provenance
from verydeep.runs.records import TESTS
from verydeep.statistics import Interval, basic_bootstrap, mean_difference
from verydeep.studies import Fusion, Run, Study, Transfer, table6_fusions, table9_fusions
from verydeep.studies.names import seed_of


class Evidence:
    """The errors of a study that claims are about, by row (``table3.D-384``), and the networks behind each row.

    They are top-1 errors, and in localisation those of :func:`verydeep.results.printed.judged`; read once.
    """

    def __init__(self, study: Study, numbers: Iterable[Number]):
        every = {f"{number.table}.{number.row}": number for number in numbers if _is_judged(number)}
        self.numbers: dict[str, Number] = every
        #: of the rows of Tables 11 and 12, which networks' features are carried to which data
        self.transfers = {f"{row.table}.{row.name}": row.transfer for row in transfers.rows(study)}
        self._made: dict[str, Run | Fusion | Transfer] = {
            f"{table}.{row.name}": row.run
            for table in (*SINGLE_NETWORK_TABLES, *BOX_TABLES)
            for row in rows(table, study)
        }
        for table, fusions in (("table6", table6_fusions(study)), ("table9", table9_fusions(study))):
            self._made |= {f"{table}.{name}": fusion for name, fusion in fusions.items()}
        self._made |= self.transfers
        self.networks: dict[str, tuple[Run, ...]] = {
            reference: (made,) if isinstance(made, Run) else made.members for reference, made in self._made.items()
        }
        self._fitted: dict[tuple, tuple[float, int] | None] = {}
        self._read: dict[Path, Tested | None] = {}
        self._differences: dict[tuple, Interval] = {}

    def has(self, pairs: list[list[str]]) -> bool:
        """Whether the study has a cell for every row."""
        return all(reference in self.numbers for pair in pairs for reference in pair)

    def complete(self, pairs: list[list[str]]) -> bool:
        """Whether every row was run, all of them with one seed at least in common."""
        return self.has(pairs) and bool(self.seeds([reference for pair in pairs for reference in pair]))

    def seeds(self, references: list[str]) -> list[int]:
        """The seeds with which every one of the rows was run."""
        seeds = [{seed_of(run) for run in self.numbers[reference].runs} for reference in references]
        return sorted(set.intersection(*seeds))

    def difference(self, pairs: list[list[str]], seeds: list[int]) -> Interval:
        """Average over pairs of rows of the first's error less the second's, percentage points, over ``seeds``.

        Of rows whose numbers are no errors, of the second's number less the first's: what is positive speaks for the
        second in both cases.

        Raises
        ------
        RecordError
            When two rows were tested on other images, or tested or trained by a setting that their study now has
            alike for both otherwise.
        """
        asked = (tuple(map(tuple, pairs)), tuple(seeds))
        if asked not in self._differences and more_is_better(pairs[0][0]):
            self._differences[asked] = self._gain(pairs, seeds)
        if asked not in self._differences:
            for pair in pairs:
                self._require_alike(*pair, seeds)
            wrong = {reference: self.answers(reference, seeds) for pair in pairs for reference in pair}
            self._differences[asked] = mean_difference([(wrong[first], wrong[second]) for first, second in pairs])
        return self._differences[asked]

    def paired(self, first: str, second: str, seeds: list[int] | None = None) -> tuple[Interval | None, list[int]]:
        """The difference of two rows over all seeds that both were run with, and those seeds.

        ``None`` and no seeds where there are none; ``seeds`` are those that may be taken.
        """
        pair = [first, second]
        common = self.seeds(pair) if self.has([pair]) else []
        common = [seed for seed in common if seeds is None or seed in seeds]
        return self.difference([pair], common) if common else None, common

    def _gain(self, pairs: list[list[str]], seeds: list[int]) -> Interval:
        """:meth:`difference` of rows of Tables 11 and 12: every row of a data set is resampled alike."""
        values, resampled = [], []
        for first, second in pairs:
            self._require_alike(first, second, seeds)
            before, after = (self._carried(reference, seeds) for reference in (first, second))
            values.append(after[0] - before[0])
            resampled.append(after[1] - before[1])
        return basic_bootstrap(float(np.mean(values)), np.mean(resampled, 0))

    def _records(self, reference: str, seeds: list[int]) -> dict[Path, Tested]:
        """The record of the test of each seed of a row, by its folder."""
        number = self.numbers[reference]
        names = {seed_of(run): run for run in number.runs}
        folders = [paths.runs() / number.study / names[seed] for seed in seeds]
        return {folder: self._record(folder) for folder in folders}

    def _record(self, folder: Path) -> Tested | None:
        """The record of a test, a fusion or a transfer in ``folder``, read once; ``None`` where there is none."""
        if folder not in self._read:
            there = (folder / f"{kind}.json" for kind in TESTS)
            self._read[folder] = next((runs.read_file(path) for path in there if path.exists()), None)
        return self._read[folder]

    def _require_alike(self, first: str, second: str, seeds: list[int]) -> None:
        """Refuse a pair of rows of which one is of other images, or of before a setting was changed for both."""
        tests = ([self._test(reference, seed) for seed in seeds] for reference in (first, second))
        for one, other in zip(*tests, strict=True):
            require_pair(first, second, one, other)

    def _test(self, reference: str, seed: int) -> Test:
        """The test of a row with one seed."""
        made = self._made[reference]
        if isinstance(made, Run):
            made = replace(made, seed=seed)
        elif isinstance(made, Transfer):
            made = replace(made, members=tuple(replace(run, seed=seed) for run in made.members))
        (record,) = self._records(reference, [seed]).values()
        return Test(made, record)

    def _carried(self, reference: str, seeds: list[int]) -> tuple[float, np.ndarray]:
        """A number over ``seeds``, and on resampled images, (seeds, resamples)."""
        records, name = self._records(reference, seeds), self.numbers[reference].measurement
        values = [record.measurements[name].value for record in records.values()]
        resampled = [transfers.resamples(folder, record, name) for folder, record in records.items()]
        return float(np.mean(values)), np.stack(resampled)

    def answers(self, reference: str, seeds: Iterable[int]) -> np.ndarray:
        """Which images a row answers wrongly, bool (seeds, images)."""
        number = self.numbers[reference]
        by_seed = dict(zip(map(seed_of, number.runs), wrong(number), strict=True))
        return np.stack([by_seed[seed] for seed in seeds])

    def only_one_wrong(self, first: str, second: str, seeds: list[int]) -> tuple[int, int] | None:
        """How many images only the first row answers wrongly, and only the second; ``None`` of several seeds, and of
        rows whose numbers are no errors."""
        if len(seeds) > 1 or more_is_better(first):
            return None
        return statistics.only_one_wrong(*(self.answers(reference, seeds)[0] for reference in (first, second)))

    def unnamed(self, reference: str, seeds: Iterable[int]) -> float:
        """Of a row of Table 9, the share of images (percent) whose true class is not among the five that are named."""
        number = self.numbers[reference]
        by_seed = dict(zip(map(seed_of, number.runs), unnamed_images(number), strict=True))
        return 100 * float(np.mean([by_seed[seed] for seed in seeds]))

    def training_error(self, reference: str, seeds: list[int]) -> tuple[float, int] | None:
        """A network's top-1 error (percent) on the random crops of its last epoch, and how many those were.

        The error is the mean over ``seeds``, the count that of all of them; ``None`` where a record is missing.
        """
        asked = (reference, *seeds)
        if asked not in self._fitted:
            self._fitted[asked] = self._read_training_error(reference, seeds)
        return self._fitted[asked]

    def _read_training_error(self, reference: str, seeds: list[int]) -> tuple[float, int] | None:
        (run,) = self.networks[reference]
        records = self.trainings(run, seeds)
        if None in records:
            return None
        errors = [record.metrics.train_top1_error for record in records]
        return float(np.mean(errors)), sum(record.cost.training_images for record in records)

    def trainings(self, run: Run, seeds: Iterable[int]) -> list[runs.TrainRecord | None]:
        """The record of each seed's training of a network, ``None`` where it is missing."""
        return [runs.read_record(replace(run, seed=seed), "train") for seed in seeds]

    def first_test(self, references: Iterable[str]) -> str | None:
        """When the first test of any of the rows was started, ISO 8601; ``None`` where none was tested.

        Also of a test whose record another has replaced since, as far as git has it.
        """
        numbers = [self.numbers[reference] for reference in references]
        folders = {paths.runs() / number.study / run for number in numbers for run in number.runs}
        tested = {folder: record.started for folder in folders if (record := self._record(folder))}
        return min((provenance.first_started(*test) for test in tested.items()), default=None)


def _is_judged(number: Number) -> bool:
    """Whether a number is the one of its row that claims are about."""
    return judged_cell(f"{number.table}.{number.row}").endswith(f".{number.metric}")
