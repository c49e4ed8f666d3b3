"""Whether a test of a claim is a fair one: conditions that a rule names, each computed from the records."""

from collections.abc import Callable
from dataclasses import dataclass

from verydeep.results import statistics
from verydeep.results.claims.evidence import Evidence


@dataclass(frozen=True)
class Condition:
    """A condition of a fair test: whether it holds (``None``: a record is missing), and what the records say."""

    name: str
    holds: bool | None
    detail: str


def fits(evidence: Evidence, pairs: list[list[str]]) -> Condition:
    """Of two networks trained at one scale, the second fits its training images at least as well as the first.

    Its top-1 error on the random crops of the last epoch is not higher by more than chance (95 %). A deeper network
    that does not even fit what it was trained on says nothing of what depth is good for.
    """
    worse, missing = [], []
    for first, second in pairs:
        if not _same_training(evidence, first, second):
            continue
        seeds = evidence.seeds([first, second])
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
    return Condition("fits", True, "each fits its training images at least as well as the one before it")


def unhurt(evidence: Evidence, pairs: list[list[str]]) -> Condition:
    """Dense testing at one scale is not worse than a centre crop at the same scale, for any of the networks.

    Where it is, by the paired 95 % interval, a claim about ways of testing is about what dense testing does to
    networks that never saw an image without its border of zeros.
    """
    hurt = []
    networks = {run.row: None for pair in pairs for reference in pair for run in evidence.networks[reference]}
    for network in networks:
        both = [f"centre-crop.{network}", f"table3.{network}"]
        if not evidence.complete([both]):
            return Condition("unhurt", None, f"{network} was not tested in both ways")
        gain = evidence.difference([both], evidence.seeds(both))
        if gain.high < 0:
            hurt.append(f"{network} {-gain.value:.1f}")
    if hurt:
        return Condition("unhurt", False, f"points lost by dense testing against a centre crop: {', '.join(hurt)}")
    return Condition("unhurt", True, "dense testing harms none of the networks")


def _same_training(evidence: Evidence, first: str, second: str) -> bool:
    """Whether two rows are of two single networks trained at one scale, whose training errors can be compared."""
    networks = [evidence.networks[reference] for reference in (first, second)]
    if any(len(members) != 1 for members in networks):
        return False
    (before,), (after,) = networks
    return before.row != after.row and before.train_scale == after.train_scale


def _network(reference: str) -> str:
    return reference.partition(".")[2]


CONDITIONS: dict[str, Callable[[Evidence, list[list[str]]], Condition]] = {"fits": fits, "unhurt": unhurt}
