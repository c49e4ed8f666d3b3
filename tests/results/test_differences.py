"""Two rows of a study on the same images: by hand from the answers, and what is refused."""

import json

import numpy as np
import pytest

from verydeep import results
from verydeep.errors import RecordError, UnknownName, VerydeepError
from verydeep.results import citation, differences

A, D = "table3.A-256-batch-norm", "table3.D-256-ladder-1"


def test_a_difference_is_that_of_the_answers():
    found = differences.between("narrow", A, D)
    first, second = (results.wrong(results.number(f"narrow.{row}.top1"))[0] for row in (A, D))
    assert found.interval.value == pytest.approx(100 * (first.mean() - second.mean()))
    assert found.only_wrong == ((first & ~second).sum(), (~first & second).sum())
    # the normal interval of a mean of -1, 0 and 1
    half = 196 * (first.astype(int) - second).std() / len(first) ** 0.5
    assert found.interval.low == pytest.approx(found.interval.value - half, abs=0.05)
    assert found.interval.high == pytest.approx(found.interval.value + half, abs=0.05)
    assert (found.seeds, found.n) == ((0,), len(first))
    records = [results.read("narrow").evidence.training_error(row, [0])[0] for row in (A, D)]
    assert list(found.training) == records
    back = differences.between("narrow", D, A)
    assert (back.interval.value, back.only_wrong) == (-found.interval.value, found.only_wrong[::-1])


def test_several_pairs_are_averaged():
    rows = [A, D, "table3.A-256-batch-norm", "table3.E-256-batch-norm"]
    each = [differences.between("narrow", *rows[k : k + 2]).interval.value for k in (0, 2)]
    found = differences.between("narrow", *rows)
    assert found.interval.value == pytest.approx(np.mean(each))
    assert found.p is None and found.training is None and len(found.pairs) == 2
    assert "on average over table3.A-256-batch-norm and" in citation.describe_difference(found)


def test_only_seeds_that_both_were_run_with_count():
    """A has three; its own number is their mean, and what is compared is seed 0 of both."""
    one, three = (differences.between("narrow", "table3.A-256", row) for row in ("table3.D-256", "table4.A-256"))
    assert (one.seeds, three.seeds) == ((0,), (0, 1, 2))
    assert three.p is None and "seeds 0, 1, 2" in citation.compared(three)
    assert "of one seed; another may move it further" in citation.compared(one)
    assert "another" not in citation.compared(three)


def test_of_precisions_more_is_better():
    single, pair = ("table11.D-jitter-on-voc2007-val", "table11.D-jitter+E-jitter-on-voc2007-val")
    found = differences.between("narrow", single, pair)
    values = [results.number(f"narrow.{row}.map").value for row in (single, pair)]
    assert found.interval.value == pytest.approx(values[1] - values[0]) and found.interval.value > 0
    assert found.p is None and found.training is None and "taken from that of table11." in citation.compared(found)


def test_what_was_not_run_has_no_difference():
    row = next(n for n in results.read("wide").numbers if n.table == "table3" and n.status != "done").row
    assert differences.between("wide", "table3.A-256", f"table3.{row}") is None


@pytest.mark.parametrize(("rows", "error", "says"), [
    ((A,), VerydeepError, "1 rows are no pairs: give two"),
    ((), VerydeepError, "0 rows are no pairs"),
    ((A, "table3.Z-256"), UnknownName, "unknown row 'table3.Z-256': verydeep numbers narrow lists all; like it are"),
    ((A, "table11.D-jitter-on-voc2007-val"), VerydeepError, "an error and a share of which more is better are no pair"),
    (("table11.D-jitter-on-voc2007-val", "table11.D-jitter-on-caltech101"), RecordError, "on two data sets, voc"),
])  # fmt: skip
def test_what_is_no_pair_is_refused(rows, error, says):
    with pytest.raises(error, match=says):
        differences.between("narrow", *rows)


def test_a_difference_for_programs_has_every_part():
    found = differences.between("narrow", A, D)
    told = json.loads(json.dumps(differences.as_dict(found)))
    assert (told["first"], told["second"]) == (f"narrow.{A}.top1", f"narrow.{D}.top1")
    assert (told["difference"], told["low"], told["high"]) == tuple(vars(found.interval).values())
    assert (told["only_first_wrong"], told["only_second_wrong"]) == found.only_wrong
    assert told["p"] == found.p < 0.001 and told["detectable"] == found.detectable and told["seeds"] == [0]
