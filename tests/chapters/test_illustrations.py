"""Pictures of a run's own images are of what was tested."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from verydeep import studies
from verydeep.chapters.live import illustrations


def test_crops_lie_on_the_image_as_it_was_tested(monkeypatch):
    """torchvision rounds the longer side down, 298 pixels where others have 299."""
    run = next(run for run in studies.planned_runs(studies.load("released")) if run.testing.longer_side == "floor")
    image = np.zeros((375, 500, 3), np.uint8)
    store = SimpleNamespace(
        rows=lambda split: np.array([0]), image=lambda row: image, manifest=pd.DataFrame({"name": ["photograph.jpg"]}),
        too_narrow="",
    )  # fmt: skip
    monkeypatch.setattr(illustrations, "open_data", lambda run: store)
    monkeypatch.setattr(illustrations, "_an_image", lambda run: (0, None))
    drawn = [axes.get_title() for axes in illustrations.crop_grid(run).figure.axes]
    scales = illustrations.several_scales(run.train_scale)
    assert [title.partition(" pixels")[0] for title in drawn[: len(scales)]] == [
        f"Q={scale}: {scale * 500 // 375}x{scale}" for scale in scales
    ]
