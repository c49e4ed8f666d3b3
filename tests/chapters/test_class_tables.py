"""Errors by class, and what is taken for what, against the predictions that they are of."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from conftest import REPOSITORY
from verydeep.chapters import class_tables, figures
from verydeep.data.sources import Imagenet20
from verydeep.errors import UnknownName, VerydeepError


def predictions_of(run: str) -> pd.DataFrame:
    table = pd.read_parquet(REPOSITORY / f"runs/narrow/{run}/predictions.parquet")
    return table[table["measurement"] == "dense-256"]


WORDS = list(Imagenet20.class_names.values())
#: The dog of WordNet, and every breed of it, is between these two.
DOGS = {word for synset, word in Imagenet20.class_names.items() if "n02084071" <= synset < "n02114100"} | {"dingo"}


def errors(run: str) -> list[float]:
    """Of each class in turn, percent, from scikit-learn's table of what was taken for what."""
    table = predictions_of(run)
    counts = confusion_matrix(table["label"], table["class_1"])
    return (100 * (1 - counts.diagonal() / counts.sum(1))).tolist()


def test_every_class_has_its_error_the_hardest_for_the_last_network_first():
    shown = class_tables.errors_by_class("narrow", "A-256", "D-256")
    for network in ("A-256", "D-256"):
        expected = dict(zip(WORDS, errors(f"{network}-s0"), strict=True))
        assert shown[network].to_dict() == pytest.approx(expected, abs=0.051)
    assert shown["D-256"].is_monotonic_decreasing and not shown["A-256"].is_monotonic_decreasing


def test_the_hardest_classes_are_those_that_the_chapter_names():
    """It says: the six hardest, the same for all three networks, are five dogs and the chain saw."""
    networks = ("A-256-batch-norm", "D-256-ladder-1", "E-256-batch-norm")
    hardest = [{WORDS[k] for k in np.argsort(errors(f"{network}-s0"))[-6:]} for network in networks]
    assert hardest[0] == hardest[1] == hardest[2]
    assert "chain saw" in hardest[0] and len(hardest[0] & DOGS) == 5 and len(DOGS) == 11


def test_the_pairs_are_those_that_are_confused_most_either_way_round():
    table = predictions_of("D-256-s0")
    counts = confusion_matrix(table["label"], table["class_1"])
    both = {(one, other): counts[one, other] + counts[other, one] for one in range(20) for other in range(one)}
    shown = class_tables.confused_pairs("narrow", "D-256", count=3)
    assert shown["images"].tolist() == sorted(both.values(), reverse=True)[:3]
    for pair, row in shown.iterrows():
        one, other = sorted((WORDS.index(name) for name in pair.split(" and ")), reverse=True)
        share = 100 * both[one, other] / (counts[one].sum() + counts[other].sum())
        assert (row["images"], row["of both"].split()[0]) == (both[one, other], f"{share:.1f}")


def test_the_halves_are_all_classes_by_the_mean_of_the_networks_errors():
    halves = class_tables.errors_by_half("narrow", "A-256", "D-256")
    each = {network: np.array(errors(f"{network}-s0")) for network in ("A-256", "D-256")}
    order = np.argsort(sum(each.values()))
    for network, wrong in each.items():
        expected = [np.mean(wrong[part]) for part in (order[:10], order[10:])]
        assert halves.loc[["easier half", "harder half"], network].tolist() == pytest.approx(expected, abs=0.11)


def test_what_a_network_gains_in_each_half_is_the_mean_of_what_it_gains_in_each_class():
    halves = class_tables.errors_by_half("narrow", "A-256", "D-256")
    first, second = (np.array(errors(f"{network}-s0")) for network in ("A-256", "D-256"))
    order = np.argsort(first + second)
    easier, harder = ((first - second)[part].mean() for part in (order[:10], order[10:]))
    shown = halves["D-256: better by"]
    for name, gain in {
        "easier half": easier,
        "harder half": harder,
        "difference of the halves": harder - easier,
    }.items():
        value, low, high = map(float, re.findall(r"[+-][\d.]+", shown[name]))
        assert value == pytest.approx(gain, abs=0.006) and low < value < high
        assert high - value == pytest.approx(value - low, abs=0.011)
    widths = [np.diff(list(map(float, re.findall(r"[+-][\d.]+", one)))[1:])[0] for one in shown]
    assert widths[2] == pytest.approx(np.hypot(*widths[:2]), abs=0.02), "the halves are different images"


def made_up(*wrong: int) -> pd.DataFrame:
    """The predictions of a network that calls so many of ten images wrong, of each class in turn."""
    labels = np.repeat(np.arange(len(wrong)), 10)
    missed = np.concatenate([np.arange(10) < count for count in wrong])
    return pd.DataFrame(
        {"image": [f"{k:02d}" for k in range(len(labels))], "label": labels, "class_1": labels + missed}
    )


def test_no_one_network_says_which_classes_are_the_harder(monkeypatch):
    """Easier for both together are the second class and the last; for either alone the second and another."""
    said = {"A-256": made_up(1, 2, 9, 4), "D-256": made_up(9, 2, 1, 3)}
    monkeypatch.setattr(class_tables, "_tested", lambda study, network: said[network])
    halves = class_tables.errors_by_half("narrow", *said)[[*said]].loc[["easier half", "harder half"]]
    assert halves.to_dict("list") == {"A-256": [30.0, 50.0], "D-256": [25.0, 50.0]}


def test_a_network_without_errors_confuses_no_classes(monkeypatch):
    right = predictions_of("D-256-s0").assign(class_1=lambda table: table["label"])
    monkeypatch.setattr(class_tables, "_tested", lambda study, network: right)
    assert class_tables.confused_pairs("narrow", "D-256").empty


def test_what_has_not_been_run_is_left_out_and_what_does_not_exist_is_said(checkout):
    assert class_tables.errors_by_class("narrow", "A-256").empty
    assert class_tables.errors_by_half("narrow", "A-256").empty and class_tables.confused_pairs("narrow", "A-256").empty
    assert figures.errors_by_class(class_tables.errors_by_class("narrow", "A-256")).figure.axes
    with pytest.raises(UnknownName, match="unknown network of narrow 'F-256'"):
        class_tables.errors_by_class("narrow", "F-256")


@pytest.mark.parametrize(
    ("study", "networks"),
    [
        ("narrow", ["A-256-batch-norm", "D-256-ladder-1", "E-256-batch-norm"]),
        ("quarter", ["A-256", "D-256", "E-256"]),
        ("released", [f"{config}-torchvision-batch-norm" for config in "ADE"]),
    ],
)
def test_where_no_networks_are_named_depth_is_shown_by_the_fairest_that_a_study_has(study, networks):
    assert class_tables.networks_shown(study) == networks
    assert class_tables.networks_shown(study, ["B-256"]) == ["B-256"]


@pytest.mark.parametrize("named", ["A-256", [], [256]])
def test_networks_that_are_no_names_are_refused(named):
    with pytest.raises(VerydeepError, match="networks must be a list of rows of Table 3"):
        class_tables.networks_shown("narrow", named)


def test_classes_have_words_or_where_these_lie_in_a_sets_own_files_numbers():
    assert class_tables.class_words("narrow")[0] == "tench" and class_tables.class_words("quarter")[17] == "sea slug"
    assert class_tables.class_words("full")[17] == "class 17"
