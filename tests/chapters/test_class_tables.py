"""Errors by class, and what is taken for what, against the predictions that they are of."""

import pandas as pd
import pytest

from conftest import REPOSITORY
from verydeep import results
from verydeep.chapters import class_tables, figures
from verydeep.errors import UnknownName


def predictions_of(run: str) -> pd.DataFrame:
    table = pd.read_parquet(REPOSITORY / f"runs/narrow/{run}/predictions.parquet")
    return table[table["measurement"] == "dense-256"]


def test_the_errors_of_the_classes_average_to_that_of_the_network():
    table, shown = predictions_of("D-256-s0"), class_tables.errors_by_class("narrow", "A-256", "D-256")
    images = table["label"].map(class_tables.class_words("narrow")).value_counts()
    for network in ("A-256", "D-256"):
        mean = (shown[network] * images).sum() / images.sum()
        assert mean == pytest.approx(results.number(f"narrow.table3.{network}.top1").value, abs=0.05)
    assert shown["D-256"].is_monotonic_decreasing and len(shown) == 20


def test_a_pair_counts_images_of_either_class_that_were_taken_for_the_other():
    table, words = predictions_of("D-256-s0"), {name: k for k, name in class_tables.class_words("narrow").items()}
    shown = class_tables.confused_pairs("narrow", "D-256", count=3)
    for pair, images in shown["images"].items():
        one, other = (words[name] for name in pair.split(" and "))
        either = ((table["label"] == one) & (table["class_1"] == other)) | (
            (table["label"] == other) & (table["class_1"] == one)
        )
        assert images == either.sum()
    assert shown["images"].is_monotonic_decreasing


def test_the_halves_are_all_classes_by_the_first_networks_errors():
    shown, halves = class_tables.errors_by_class("narrow", "A-256"), class_tables.errors_by_half("narrow", "A-256")
    assert halves["A-256"].mean() == pytest.approx(shown["A-256"].mean(), abs=0.1)
    assert halves.loc["harder half", "A-256"] > halves.loc["easier half", "A-256"]


def test_what_has_not_been_run_is_left_out_and_what_does_not_exist_is_said(checkout):
    assert class_tables.errors_by_class("narrow", "A-256").empty
    assert class_tables.errors_by_half("narrow", "A-256").empty and class_tables.confused_pairs("narrow", "A-256").empty
    assert figures.errors_by_class(class_tables.errors_by_class("narrow", "A-256")).figure.axes
    with pytest.raises(UnknownName, match="unknown network 'F-256'"):
        class_tables.errors_by_class("narrow", "F-256")


def test_classes_have_words_or_where_these_lie_in_a_sets_own_files_numbers():
    assert class_tables.class_words("narrow")[0] == "tench" and class_tables.class_words("quarter")[17] == "sea slug"
    assert class_tables.class_words("full")[17] == "class 17"
