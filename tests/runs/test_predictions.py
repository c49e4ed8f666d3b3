"""What can be computed from predictions: on made-up ones."""

import shutil

import numpy as np
import pandas as pd
import pytest

from verydeep.errors import RecordError, VerydeepError
from verydeep.runs import answers, predictions
from verydeep.runs.seals import SEAL, seal


def made_up(name: str, posteriors: list[list[float]], labels: list[int]) -> pd.DataFrame:
    images = [f"{k}.png" for k in range(len(labels))]
    return predictions.table(name, images, np.array(labels), np.array(posteriors))


def test_the_true_classs_probability_is_read_wherever_it_stands():
    posteriors = [
        [0.5, 0.2, 0.1, 0.09, 0.06, 0.05],
        [0.5, 0.2, 0.1, 0.09, 0.06, 0.05],
        [0.5, 0.2, 0.1, 0.09, 0.06, 0.05],
    ]
    found = predictions.true_class_probability(made_up("dense-224", posteriors, [0, 3, 5]))
    assert found[:2] == pytest.approx([0.5, 0.09])
    assert np.isnan(found[2])  # not among the best five: unknown, and not nothing


@pytest.mark.parametrize(("damage", "said"), [
    (lambda kept: kept.write_bytes(kept.read_bytes()[:200]), f"content differs from its sha256 in {SEAL}; restore it"),
    (lambda kept: shutil.copy(kept.with_name("others.parquet"), kept), f"content differs from its sha256 in {SEAL}"),
], ids=["truncated", "another run's"])  # fmt: skip
def test_numbers_are_read_from_the_answers_that_were_sealed(tmp_path, damage, said):
    """Those of another run once gave its errors under this one's name, and a damaged file a traceback."""
    kept = tmp_path / predictions.FILE
    table = made_up("dense-224", [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [0, 1])
    table.to_parquet(tmp_path / "others.parquet")
    table.iloc[:1].to_parquet(kept)
    seal(tmp_path, [kept.name])
    assert len(answers.read(kept, "dense-224")) == 1
    damage(kept)
    with pytest.raises(RecordError, match=said):
        answers.read(kept, "dense-224")
    (tmp_path / SEAL).unlink()
    kept.write_bytes(b"PAR1 and no more")
    with pytest.raises(RecordError, match=f"{predictions.FILE}: not a readable table .*; restore it"):
        answers.read(kept, "dense-224")


def test_the_image_that_gained_most_is_not_one_that_lost():
    """Image 0 falls from 0.45 as the second class to 0.43 as the first; image 1 gains 0.2, right both times."""
    before = made_up("dense-224", [[0.45, 0.55, 0.0], [0.3, 0.3, 0.4], [0.1, 0.2, 0.7]], [0, 2, 0])
    after = made_up("dense-224+256", [[0.43, 0.37, 0.2], [0.2, 0.2, 0.6], [0.49, 0.51, 0.0]], [0, 2, 0])
    every = pd.concat([before, after], ignore_index=True)
    position, row = predictions.gained_most(every, "dense-224+256", "dense-224")
    # image 2 gains more, but is wrong after all
    assert (position, row.name, row["class_1"]) == (1, "1.png", 2)
    before = made_up("dense-224", [[0.30, 0.55, 0.15], [0.3, 0.3, 0.4], [0.1, 0.2, 0.7]], [0, 2, 0])
    after = made_up("dense-224+256", [[0.63, 0.17, 0.2], [0.2, 0.2, 0.6], [0.49, 0.51, 0.0]], [0, 2, 0])
    every = pd.concat([before, after], ignore_index=True)
    assert predictions.gained_most(every, "dense-224+256", "dense-224")[0] == 0


def test_an_image_whose_gain_is_not_known_is_not_chosen():
    low = [0.2, 0.2, 0.2, 0.2, 0.19, 0.01]
    before = made_up("dense-224", [low, [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]], [5, 0])
    after = made_up("dense-224+256", [[0, 0, 0, 0, 0, 1.0], [0.6, 0.4, 0, 0, 0, 0]], [5, 0])
    every = pd.concat([before, after], ignore_index=True)
    assert predictions.gained_most(every, "dense-224+256", "dense-224")[0] == 1
    with pytest.raises(VerydeepError, match=r"no image is right by dense-224\+256"):
        predictions.gained_most(every[every["image"] == "0.png"], "dense-224+256", "dense-224")


def test_the_order_of_the_images_does_not_matter():
    before = made_up("dense-224", [[0.6, 0.4], [0.1, 0.9]], [0, 0]).iloc[::-1]
    after = made_up("dense-224+256", [[0.7, 0.3], [0.8, 0.2]], [0, 0])
    position, row = predictions.gained_most(pd.concat([before, after]), "dense-224+256", "dense-224")
    assert (position, row.name) == (1, "1.png")
