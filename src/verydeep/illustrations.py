"""What the training and evaluation notebooks show of one run: its recipe, views, curves and predictions."""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from verydeep import figures, predictions, tables
from verydeep.data.store import held_out
from verydeep.data.views import TrainingViews, colour_shifts, crop_of_rescaled, draw_epoch, rescale
from verydeep.evaluation import measurements
from verydeep.networks.dense import score_map
from verydeep.studies import Run
from verydeep.training import Normaliser, load_network, open_data


def recipe(run: Run) -> pd.DataFrame:
    """Every setting of the run beside the paper's, with the reason where they differ."""
    return tables.recipe(run.study.name, run.train_scale, run.variant)


def training_views(run: Run, images: int = 4, epochs: int = 5) -> Figure:
    """What this very run sees: a few training images and their crops in the first epochs.

    The first column is the whole image; the others are the crop, flip and colour that the run's seed draws.
    """
    store = open_data(run)
    rows = np.setdiff1d(store.rows("train"), held_out(store.manifest, run.study.data.held_out_per_class))
    chosen = np.linspace(0, len(rows) - 1, images + 2, dtype=int)[1:-1]
    low, high = run.scale_range
    view = TrainingViews(run.study.crop, low, high, run.recipe.flip)
    shown, titles = [], []
    labels = store.manifest["label"].to_numpy()
    for i in chosen:
        image = store.image(rows[i])
        shown.append(image)
        titles.append(store.words[labels[rows[i]]][:18])
        for epoch in range(epochs):
            draws = draw_epoch(run.seed, epoch, len(rows))
            shift = colour_shifts(store.statistics, draws.colour[[i]], run.recipe.colour_shift)
            shown.append((view(image, draws, i) + shift).clip(0, 255).astype(np.uint8))
            titles.append(f"epoch {epoch + 1}")
    return figures.image_grid(shown, titles, columns=epochs + 1)


def learning_curve(run: Run) -> Figure:
    """Loss, errors and learning rate of a finished training."""
    history = pd.read_csv(run.folder / "history.csv")
    return figures.learning_curve(history, f"{run.study.name}: {run.name}")


def examples(run: Run, count: int = 16) -> Figure:
    """Validation images with what the network said of them, spread evenly over the validation set."""
    store = open_data(run)
    table = pd.read_parquet(run.folder / "predictions.parquet")
    table = table[table["measurement"] == measurements(run)[0].name]
    chosen = np.linspace(0, len(table) - 1, count, dtype=int)
    rows = store.rows("val")[chosen]
    return figures.prediction_grid([store.image(row) for row in rows], table.iloc[chosen], store.words)


def confident_mistakes(run: Run, count: int = 8) -> Figure:
    """The validation images on which the network was most sure of a wrong class."""
    store = open_data(run)
    table = pd.read_parquet(run.folder / "predictions.parquet")
    table = table[table["measurement"] == measurements(run)[0].name].reset_index(drop=True)
    wrong = table[~predictions.hits(table, 1)].sort_values("probability_1", ascending=False, kind="stable").head(count)
    rows = store.rows("val")[wrong.index]
    return figures.prediction_grid([store.image(row) for row in rows], wrong, store.words)


def dense_against_crops(run: Run, images: int = 200) -> pd.DataFrame:
    """How far dense evaluation is from cropping the image at each window of the score map.

    Both see the window, but a crop is padded with zeros where dense evaluation has the neighbouring image (Sect.
    3.2); and where the crop is not a multiple of 32 pixels and pooling rounds up, the window's last cells see the
    pixels beyond the crop. Windows lie a multiple of 32 pixels apart, where the crop's own grid of poolings falls
    together with the image's.

    Returns
    -------
    DataFrame
        A row a window: its position in pixels, the median absolute difference of class scores, the scores' own
        standard deviation, and the share of images (percent) that both give the same best class.
    """
    store, net = open_data(run), load_network(run)
    normalise = Normaliser.of(store, run.recipe.unit_variance)
    crop, step = run.study.crop, 2 ** len(run.configuration.blocks)
    shorter = max(run.scale_range[1], crop + step)
    rows = store.rows("val")[np.linspace(0, len(store.rows("val")) - 1, images, dtype=int)]
    table = []
    with torch.inference_mode():
        whole = torch.cat(
            [score_map(net, normalise(rescale(store.image(row), shorter)[None]))[:, :, :2, :2] for row in rows]
        )
        for top in (0, step):
            for left in (0, step):
                crops = np.stack([crop_of_rescaled(store.image(row), shorter, top, left, crop, crop) for row in rows])
                cropped = net(normalise(crops))
                dense = whole[:, :, top // step, left // step]
                table.append(
                    {
                        "window at (pixels)": f"({top}, {left})",
                        "median |difference| of scores": float((dense - cropped).abs().median()),
                        "standard deviation of scores": float(cropped.std()),
                        "same best class (%)": 100 * float((dense.argmax(1) == cropped.argmax(1)).float().mean()),
                    }
                )
    return pd.DataFrame(table).set_index("window at (pixels)").round(2)
