"""What the training and evaluation notebooks show of one run: its recipe, views, curves and predictions."""

import numpy as np
import pandas as pd
import torch

from verydeep import assembly
from verydeep.assembly import load_network, normaliser, open_data
from verydeep.chapters import display, figures, settings
from verydeep.chapters.figures import Picture
from verydeep.data.views import (
    colour_shifts,
    crop_of_rescaled,
    draw_epoch,
    grid_positions,
    rescale,
)
from verydeep.evaluation.tester import Tester, rescaled
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.networks import dense
from verydeep.networks.dense import score_map
from verydeep.results import wrong_images
from verydeep.runs import answers, predictions
from verydeep.runs.records import HISTORY
from verydeep.studies import Fusion, Run
from verydeep.studies.measurements import SEVERAL, several, several_scales, single


def recipe(run: Run) -> pd.DataFrame:
    """Every setting of the run beside the paper's, with the reason where they differ."""
    return settings.recipe(run.study.name, run.train_scale, run.variant)


def training_views(run: Run) -> Picture:
    """What this very run sees: a few training images and their crops in its first epochs.

    The first column is the whole image; the others are the crop, flip and colour that the run's seed draws.
    """
    store, epochs = open_data(run), min(5, run.recipe.epochs)
    rows, _ = assembly.training_rows(run, store)
    chosen = np.linspace(0, len(rows) - 1, 6, dtype=int)[1:-1]
    view = assembly.training_views(run)
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


def learning_curve(run: Run) -> Picture:
    """Loss, errors and learning rate of a finished training."""
    history = pd.read_csv(run.folder / HISTORY)
    return figures.learning_curve(history, f"{run.study.name}: {run.name}", boxes=run.boxes is not None)


def examples(run: Run, count: int = 16) -> Picture:
    """Validation images with what the network said of them, spread evenly over the validation set."""
    store = open_data(run)
    table = answers.read(run.folder / predictions.FILE, single(run.train_scale).name)
    chosen = np.linspace(0, len(table) - 1, count, dtype=int)
    rows = store.rows("val")[chosen]
    return figures.prediction_grid([store.image(row) for row in rows], table.iloc[chosen], store.words)


def confident_mistakes(run: Run, count: int = 8) -> Picture:
    """The validation images on which the network was most sure of a wrong class."""
    store = open_data(run)
    table = answers.read(run.folder / predictions.FILE, single(run.train_scale).name)
    wrong = table[~predictions.hits(table, 1)].sort_values("probability_1", ascending=False, kind="stable").head(count)
    rows = store.rows("val")[wrong.index]
    return figures.prediction_grid([store.image(row) for row in rows], wrong, store.words)


def disputed(run: Run, count: int = 8) -> Picture:
    """The validation images of which the ways of testing name most classes, and what each way says.

    Of those of which they name equally many, the ones that dense testing at one scale is least sure of.
    """
    store = open_data(run)
    table = answers.read_table(run.folder / predictions.FILE)
    usual, averaged = single(run.train_scale), [several(run.train_scale, method).name for method in SEVERAL]
    asked = [single(run.train_scale, "centre-crop").name, usual.name, *averaged]
    ways = {name: part.reset_index(drop=True) for name, part in table.groupby("measurement", observed=True)}
    ways = {name: ways[name] for name in asked if name in ways}
    best = pd.DataFrame({name: way["class_1"] for name, way in ways.items()})
    order = pd.DataFrame({"classes": -best.nunique(axis=1), "sure": ways[usual.name]["probability_1"]})
    chosen = order.sort_values(["classes", "sure"], kind="stable").index[:count]
    titles = []
    for place in chosen:
        label = ways[usual.name]["label"][place]
        said = [f"{name}: {store.words[best[name][place]][:16]}" for name in ways]
        titles.append("\n".join([f"true class: {store.words[label][:18]}", *said]))
    images = [store.image(row) for row in store.rows("val")[chosen]]
    return figures.image_grid(images, titles, columns=4, size=(2.1, 2.3 + 0.13 * len(ways)))


def _an_image(run: Run) -> tuple[int, pd.Series]:
    """Position among the validation images, and prediction, of one on which multi-scale testing changes most.

    The image that gained most probability of its true class against testing at the smallest scale alone: a case in
    which the scale matters, chosen by a rule and not by eye (:func:`verydeep.runs.predictions.gained_most`).
    """
    table = answers.read_table(run.folder / predictions.FILE)
    smallest = f"dense-{several_scales(run.train_scale)[0]}"
    return predictions.gained_most(table, several(run.train_scale).name, smallest)


def score_maps(run: Run) -> Picture:
    """The probability of the predicted class at every position of the score map, at each test scale.

    Shown for the validation image that testing at several scales helped most.
    """
    store, net = open_data(run), load_network(run)
    position, row = _an_image(run)
    normalise, testing = normaliser(run), run.testing
    tester = Tester(net, normalise, testing.model_copy(update={"precision": "float32"}), run.recipe.flip)
    images, maps, titles, counted = [], [], [], []
    with torch.inference_mode():
        for scale in several_scales(run.train_scale):
            image = tester.rescaled(store, store.rows("val")[position], run.study.pixels(scale))
            x = normalise(image[None])
            scores = score_map(net, x, PIXELS_PER_BATCH)
            said = dense.posteriors(net, x, testing.average, testing.positions, PIXELS_PER_BATCH)[0]
            images.append(image)
            counted.append(dense.counted(net, *image.shape[:2], testing.positions))
            maps.append(scores.softmax(1)[0, row["class_1"]].numpy())
            titles.append(f"Q={scale}: {store.words[int(said.argmax())][:16]} {100 * float(said.max()):.0f}%")
    return figures.score_maps(images, maps, counted, titles, f"probability of {store.words[row['class_1']]}")


def crop_grid(run: Run) -> Picture:
    """The crops of multi-crop testing on a validation image, at each test scale."""
    store = open_data(run)
    position, _ = _an_image(run)
    images, titles, positions = [], [], []
    testing = run.testing
    for scale in several_scales(run.train_scale):
        image = rescaled(testing, store, store.rows("val")[position], run.study.pixels(scale))
        sides = image.shape[:2]
        places = [grid_positions(side, run.study.crop, testing.crops_per_side, testing.grid) for side in sides]
        distinct = len(set(places[0])) * len(set(places[1]))
        images.append(image)
        positions.append(tuple(places))
        titles.append(f"Q={scale}: {image.shape[1]}x{image.shape[0]} pixels, {distinct} places")
    return figures.crop_grid(images, titles, positions, run.study.crop)


def crop_posteriors(run: Run) -> Picture:
    """What each crop of multi-crop testing says of the image of :func:`score_maps`: the probability of its class.

    Averaged over a crop and its mirror image, at each test scale.
    """
    store, net = open_data(run), load_network(run)
    position, row = _an_image(run)
    normalise, testing, crop = normaliser(run), run.testing, run.size.crop
    titles, probabilities = [], []
    with torch.inference_mode():
        for scale in several_scales(run.train_scale):
            image = rescaled(testing, store, store.rows("val")[position], run.study.pixels(scale))
            tops, lefts = (grid_positions(side, crop, testing.crops_per_side, testing.grid) for side in image.shape[:2])
            crops = [image[top : top + crop, left : left + crop] for top in tops for left in lefts]
            x = normalise(np.stack(crops))
            said = sum(
                dense.posteriors(net, view)[:, row["class_1"]] for view in ([x, x.flip(3)] if run.recipe.flip else [x])
            )
            said = said.numpy().reshape(len(tops), len(lefts)) / (2 if run.recipe.flip else 1)
            probabilities.append(said)
            titles.append(f"Q={scale}: {100 * said.mean():.0f}% on average")
    average = 100 * np.mean([said.mean() for said in probabilities])
    title = f"probability of {store.words[row['class_1']]}, {average:.0f}% over all crops"
    return figures.crop_posteriors(probabilities, titles, title)


def posteriors_by_scale(run: Run, classes: int = 4, scales: int = 9) -> Picture:
    """How the posteriors of a validation image move with the test scale, for the classes that lead somewhere."""
    store, net = open_data(run), load_network(run)
    position, _ = _an_image(run)
    chosen = several_scales(run.train_scale)
    least = run.study.crop * run.study.network.length_divisor
    every = sorted({*chosen, *np.linspace(max(least, chosen[0] - 32), chosen[-1] + 64, scales, dtype=int).tolist()})
    row, normalise = store.rows("val")[position], normaliser(run)
    posteriors = []
    with torch.inference_mode():
        for scale in every:
            x = normalise(rescaled(run.testing, store, row, run.study.pixels(scale))[None])
            views = [x, x.flip(3)] if run.recipe.flip else [x]
            options = (run.testing.average, run.testing.positions, PIXELS_PER_BATCH)
            posteriors.append(sum(dense.posteriors(net, view, *options)[0] for view in views).numpy() / len(views))
    posteriors = np.stack(posteriors)
    average = posteriors[[every.index(scale) for scale in chosen]].mean(0)
    shown = np.argsort(-posteriors.max(0), kind="stable")[:classes]
    names = [store.words[k][:22] for k in shown]
    return figures.posteriors_by_scale(every, posteriors[:, shown], average[shown], names)


def disagreement(fusion: Fusion) -> Picture:
    """How often each pair of a fusion's members disagrees, percent of the validation images.

    They name different best classes; of networks that give boxes, just one of the two has a right one among its five.
    """
    if fusion.boxes:
        every = [(run, fusion.measurement(run).name) for run in fusion.members]
        wrong = {run.label: wrong_images(fusion.study.name, run.name, name, predictions.BEST) for run, name in every}
        shares = pd.DataFrame({a: {b: 100 * (wrong[a] != wrong[b]).mean() for b in wrong} for a in wrong})
        return figures.heat_map(shares, "just one of the two right (%)")
    best = {}
    for run in fusion.members:
        table = answers.read(run.folder / predictions.FILE, fusion.measurement(run).name)
        best[run.label] = table.set_index("image")["class_1"]
    frame = pd.DataFrame(best)
    shares = pd.DataFrame({a: {b: 100 * (frame[a] != frame[b]).mean() for b in frame} for a in frame})
    return figures.heat_map(shares, "different best class (%)")


def dense_against_crops(run: Run) -> pd.DataFrame:
    """How far dense evaluation is from cropping the image at each window of the score map, on 200 images.

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
    normalise = normaliser(run)
    crop, step = run.study.crop, run.configuration.stride
    shorter = max(run.scale_range[1], crop + step)
    rows = store.rows("val")[np.linspace(0, len(store.rows("val")) - 1, 200, dtype=int)]
    table = []
    with torch.inference_mode():
        every = (normalise(rescale(store.image(row), shorter)[None]) for row in rows)
        maps = torch.cat([score_map(net, x, PIXELS_PER_BATCH)[:, :, :2, :2] for x in every])
        for top in (0, step):
            for left in (0, step):
                crops = np.stack([crop_of_rescaled(store.image(row), shorter, top, left, crop, crop) for row in rows])
                cropped = net(normalise(crops))
                dense = maps[:, :, top // step, left // step]
                table.append(
                    {
                        "window at (pixels)": f"({top}, {left})",
                        "median |difference| of scores": float((dense - cropped).abs().median()),
                        "standard deviation of scores": float(cropped.std()),
                        "same best class (%)": 100 * float((dense.argmax(1) == cropped.argmax(1)).float().mean()),
                    }
                )
    caption = (
        f"{len(rows)} validation images, the shorter side rescaled to {shorter} pixels; the windows at the top left."
    )
    return display.of_rows(table, "window at (pixels)", digits=2, caption=caption)
