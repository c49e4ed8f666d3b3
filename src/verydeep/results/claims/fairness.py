"""Whether a test of a claim is a fair one: conditions that a rule names, each computed from the records.

A condition is judged over the seeds over which the claim is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verydeep import runs, statistics
from verydeep.data.sources import SOURCES
from verydeep.results.claims.evidence import Evidence
from verydeep.results.transfers import row_name
from verydeep.studies import lineage
from verydeep.studies.transfer import ON, PIXELS, UNTRAINED, Transfer


@dataclass(frozen=True)
class Condition:
    """A condition of a fair test: whether it holds (``None``: a record is missing), and what the records say."""

    name: str
    holds: bool | None
    detail: str


def fits(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Condition:
    """Of two networks trained at one scale, the second fits its training images at least as well as the first.

    Its top-1 error on the random crops of the last epoch is not higher by more than chance (95 %). A deeper network
    that does not even fit what it was trained on says nothing of what depth is good for.
    """
    worse, missing = [], []
    alike = [pair for pair in pairs if _same_training(evidence, *pair)]
    for first, second in alike:
        errors = [evidence.training_error(reference, seeds) for reference in (first, second)]
        if None in errors:
            missing.append(_network(second if errors[1] is None else first))
            continue
        (before, n), (after, m) = errors
        if statistics.difference_of_shares(after, m, before, n).low > 0:
            worse.append(f"{_network(second)} {after:.1f} against {before:.1f} of {_network(first)}")
    if missing:
        return Condition("fits", None, f"no record of the training of {', '.join(sorted(set(missing)))}")
    if worse:
        return Condition("fits", False, f"training error, %: {'; '.join(dict.fromkeys(worse))}")
    if not alike:
        return Condition("fits", True, "no two networks that are compared were trained alike")
    return Condition("fits", True, "each fits its training images at least as well as the one before it")


def unhurt(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Condition:
    """Dense testing at one scale is not worse than a centre crop at the same scale, for any of the networks.

    Where it is, by the paired 95 % interval, a claim about ways of testing is about what dense testing does to
    networks that never saw an image without its border of zeros.
    """
    hurt = []
    networks = {run.row: None for pair in pairs for reference in pair for run in evidence.networks[reference]}
    for network in networks:
        gain, _ = evidence.paired(f"centre-crop.{network}", f"table3.{network}", seeds)
        if gain is None:
            return Condition("unhurt", None, f"{network} was not tested in both ways")
        if gain.high < 0:
            hurt.append(f"{network} {-gain.value:.1f}")
    if hurt:
        return Condition("unhurt", False, f"points lost by dense testing against a centre crop: {', '.join(hurt)}")
    return Condition("unhurt", True, "dense testing harms none of the networks")


def sharp(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Condition:
    """Networks that are compared across training scales were trained on images as large as those scales ask.

    An image that is enlarged shows no more detail at a larger S, and a crop shows less of it. Where the images of a
    data set have many sizes that cannot be told, and is taken to hold.
    """
    enlarged, untold = {}, False
    for pair in pairs:
        networks = [run for reference in pair for run in evidence.networks[reference]]
        for run in networks if len({run.train_scale for run in networks}) > 1 else ():
            shape = SOURCES[run.study.data.source].shape
            untold = untold or shape is None
            if shape and (times := run.scale_range[1] / min(shape)) > 1:
                enlarged[run.row] = f"{run.row} {times:.1f} times"
    if enlarged:
        return Condition("sharp", False, f"images enlarged in training, up to: {', '.join(enlarged.values())}")
    if untold:
        return Condition("sharp", True, "the images are of many sizes, and taken to be large enough")
    return Condition("sharp", True, "no training had to enlarge its images")


def epochs(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Condition:
    """Of two networks the one that is to do as well was trained for as many epochs, what each starts from included.

    A start from another network brings that one's epochs along, and longer training helps by itself.
    """
    fewer = []
    for pair in pairs:
        counted = [_epochs(evidence, reference, seeds) for reference in pair]
        if None in counted:
            return Condition("epochs", None, f"no record of the training of {_network(pair[counted.index(None)])}")
        if counted[0] < counted[1]:
            first, second = map(_network, pair)
            fewer.append(f"{counted[0]} of {first} against {counted[1]} of {second}")
    if fewer:
        return Condition("epochs", False, f"epochs, with those of what each starts from: {'; '.join(fewer)}")
    return Condition("epochs", True, "each had as many epochs, with those of what it starts from")


def _epochs(evidence: Evidence, reference: str, seeds: list[int]) -> int | None:
    """The most epochs that a row's network and all that it starts from had; ``None`` where a record is missing."""
    (run,) = evidence.networks[reference]
    trained = [evidence.trainings(ancestor, seeds) for ancestor in lineage(run)]
    if any(None in records for records in trained):
        return None
    return max(sum(record.cost.epochs for record in chain) for chain in zip(*trained, strict=True))


def acts(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Condition:
    """Response normalisation, where a network has it, does more than divide by a constant.

    Its alpha is for the activations of pixels from 0 to 255. A training that divides those by their deviation leaves
    squares so small that the bracket stays at k, unless alpha is made larger (``lrn_alpha: unit-variance``).
    """
    networks = {run.row: run for pair in pairs for reference in pair for run in evidence.networks[reference]}
    idle = []
    for name, run in networks.items():
        records = evidence.trainings(run, seeds) if run.configuration.lrn else []
        if None in records:
            return Condition("acts", None, f"no record of the training of {name}")
        trained = map(runs.recorded_settings, records)
        if any(by["recipe.unit_variance"] and by["network.lrn_alpha"] != "unit-variance" for by in trained):
            idle.append(name)
    if idle:
        return Condition("acts", False, f"pixels of unit variance leave response normalisation idle: {', '.join(idle)}")
    return Condition("acts", True, "response normalisation acts")


def placed(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Condition:
    """Every network beats the class's mean box, which needs none, by the paired 95 % interval.

    One that does not has learned nothing of where on an image the object is.
    """
    lost = []
    for reference in dict.fromkeys(reference for pair in pairs for reference in pair):
        gain, _ = evidence.paired(f"{reference.partition('.')[0]}.class-mean-box", reference, seeds)
        if gain is None:
            return Condition("placed", None, "the mean boxes were not tested")
        if gain.low <= 0:
            lost.append(f"{_network(reference)} {gain.value:+.1f}")
    if lost:
        return Condition("placed", False, f"points gained over the class's mean box: {', '.join(lost)}")
    return Condition("placed", True, "each network finds more objects than the class's mean box does")


def named(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Condition:
    """The classes leave room: more objects are named among the five than the first row of a comparison places.

    A row of Table 9 is wrong wherever the true class is not named. Where that is oftener than the first row is wrong,
    no box could have made it better.
    """
    short = []
    for first, second in pairs:
        unnamed, error = evidence.unnamed(second, seeds), 100 * float(evidence.answers(first, seeds).mean())
        if unnamed >= error:
            short.append(f"{_network(second)} {unnamed:.1f} %, against {error:.1f} % wrong of {_network(first)}")
    if short:
        return Condition("named", False, f"true class not among the five named: {'; '.join(short)}")
    return Condition("named", True, "the classes named leave room to be better")


def learned(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Condition:
    """The features of every network serve better than its own did before it was trained, and than pixels (Appendix B).

    At the lowest scale, by the paired 95 % interval: features that do not have learned nothing that serves other data.
    """
    lost = []
    for reference in dict.fromkeys(reference for pair in pairs for reference in pair):
        for network, alone, others in _baselines(evidence, reference):
            for other in others:
                gain, _ = evidence.paired(other, alone, seeds)
                if gain is None:
                    return Condition("learned", None, f"{network} was not tested beside its baselines")
                if gain.low <= 0:
                    lost.append(f"{network} {gain.value:+.1f} over {'pixels' if PIXELS in other else 'none trained'}")
    if lost:
        return Condition("learned", False, f"points gained: {', '.join(dict.fromkeys(lost))}")
    return Condition("learned", True, "the features of each network serve better than untrained ones and than pixels")


def _baselines(evidence: Evidence, reference: str) -> Iterator[tuple[str, str, list[str]]]:
    """Of each network of a row of Tables 11 and 12: its name, its row at one scale, and the rows of what needs none."""
    table, transfer = reference.partition(".")[0], evidence.transfers[reference]
    for run in transfer.members:
        alone = Transfer((run,), transfer.source)
        rows = [f"{table}.{row_name(alone, features)}" for features in (alone.at_lowest(), alone.at_lowest(UNTRAINED))]
        yield run.row, rows[0], [rows[1], f"{table}.{PIXELS}{ON}{transfer.source}"]


def _same_training(evidence: Evidence, first: str, second: str) -> bool:
    """Whether two rows are of two single networks trained at one scale, whose training errors can be compared."""
    networks = [evidence.networks[reference] for reference in (first, second)]
    if any(len(members) != 1 for members in networks):
        return False
    (before,), (after,) = networks
    return before.row != after.row and before.train_scale == after.train_scale


def _network(reference: str) -> str:
    return reference.partition(".")[2]


CONDITIONS: dict[str, Callable[[Evidence, list[list[str]], list[int]], Condition]] = {
    "fits": fits,
    "unhurt": unhurt,
    "sharp": sharp,
    "epochs": epochs,
    "acts": acts,
    "placed": placed,
    "named": named,
    "learned": learned,
}
