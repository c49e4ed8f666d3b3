"""Testing of a trained network on the validation images (Sect. 3.2), from its published weights."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from verydeep import files, predictions, progress, provenance, runs
from verydeep.data.store import Store
from verydeep.data.views import INTERPOLATION, rescale
from verydeep.errors import VerydeepError
from verydeep.networks.dense import mean_scores
from verydeep.networks.vgg import VGG
from verydeep.studies import Run
from verydeep.studies.plan import SINGLE_TEST_SCALE
from verydeep.training import Normaliser, data_record, device_record, load_network, open_data

#: Pixels in one batch, flips not counted: bounds memory whatever the size of the images.
PIXELS_PER_BATCH = 2**20


@dataclass(frozen=True)
class Measurement:
    """One way of testing a network: dense evaluation at one test scale Q, in the paper's pixels."""

    test_scale: int

    @property
    def name(self) -> str:
        return f"dense-{self.test_scale}"


def measurements(run: Run) -> list[Measurement]:
    """What a run is measured by: Table 3's single-scale dense evaluation, Q = S, or 384 for jitter (Sect. 4.1)."""
    return [Measurement(SINGLE_TEST_SCALE[run.train_scale])]


def equal_shapes(store: Store, rows: np.ndarray, shorter: int, pixels: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (positions in ``rows``, uint8 images (n, h, w, 3)) rescaled to a shorter side, in batches of one shape.

    A batch is given out as soon as it holds ``pixels`` pixels, so memory is bounded by the number of distinct
    shapes times that.
    """
    waiting: dict[tuple, list] = {}
    for position, row in enumerate(rows):
        image = rescale(store.image(row), shorter)
        batch = waiting.setdefault(image.shape, [])
        batch.append((position, image))
        if (len(batch) + 1) * image.shape[0] * image.shape[1] > pixels:
            yield _stack(waiting.pop(image.shape))
    for batch in waiting.values():
        yield _stack(batch)


def _stack(batch: list) -> tuple[np.ndarray, np.ndarray]:
    return np.array([position for position, _ in batch]), np.stack([image for _, image in batch])


def dense_posteriors(
    net: VGG,
    store: Store,
    rows: np.ndarray,
    shorter: int,
    normalise: Normaliser,
    *,
    flip: bool = True,
    pixels_per_batch: int = PIXELS_PER_BATCH,
) -> np.ndarray:
    """Class posteriors by dense evaluation at one scale: float32 (n, classes).

    Scores are averaged over the positions of the score map, then soft-maxed, and the posteriors of the image
    and its mirror image are averaged (Sect. 3.2).

    Parameters
    ----------
    shorter
        Shorter side of the rescaled image, in this study's pixels.
    flip
        Whether the mirror image is used too.
    """
    device = normalise.mean.device
    net = net.to(device).eval()
    found = np.empty((len(rows), net.num_classes), np.float32)
    title = f"{net.config.name} dense at {shorter}"
    with torch.inference_mode(), progress.bar(title=title, total=len(rows)) as bar:
        for positions, images in equal_shapes(store, rows, shorter, pixels_per_batch):
            x = normalise(images)
            posterior = mean_scores(net, x).softmax(1)
            if flip:
                posterior = (posterior + mean_scores(net, x.flip(3)).softmax(1)) / 2
            found[positions] = posterior.cpu().numpy()
            bar.update(len(positions))
    return found


def evaluate(run: Run, *, report=progress.line) -> pd.DataFrame:
    """Test ``run`` in every way its study asks; do nothing for what is finished already.

    Leaves ``predictions.parquet`` and ``evaluate.json`` in the run's folder.

    Returns
    -------
    DataFrame
        A row a measurement: n, top1_error and top5_error in percent.

    Raises
    ------
    VerydeepError
        When the run is not trained yet.
    """
    trained = runs.read_record(run, "train")
    if trained is None:
        variant = f" --variant {run.variant}" if run.variant else ""
        raise VerydeepError(
            f"{run.name} is not trained yet; run: verydeep run {run.study.name} {run.config} {run.train_scale} "
            f"--seed {run.seed}{variant}"
        )
    digest = files.sha256(run.weights)
    record = runs.read_record(run, "evaluate")
    if record is None or record.weights_sha256 != digest:
        record = _measure(run, digest, report)
    return pd.DataFrame(record.measurements).T.convert_dtypes()


def _measure(run: Run, weights_sha256: str, report) -> runs.EvaluateRecord:
    started, clock, made_by = provenance.now(), time.monotonic(), provenance.sources()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    store = open_data(run)
    rows = store.rows("val")
    labels = store.manifest["label"].to_numpy()[rows]
    names = store.manifest["name"].iloc[rows].tolist()
    net = load_network(run)
    normalise = Normaliser.of(store, run.recipe.unit_variance, device)
    parts, found, seconds = [], {}, {}
    for measurement in measurements(run):
        begun = time.monotonic()
        shorter = run.study.pixels(measurement.test_scale)
        posteriors = dense_posteriors(net, store, rows, shorter, normalise, flip=run.recipe.flip)
        seconds[measurement.name] = time.monotonic() - begun
        part = predictions.table(measurement.name, names, labels, posteriors)
        parts.append(part)
        found[measurement.name] = predictions.errors(part)
        report(
            f"{run.name}: {measurement.name} ({shorter} pixels)  top-1 {found[measurement.name]['top1_error']:.2f}  "
            f"top-5 {found[measurement.name]['top5_error']:.2f}  n {len(rows)}"
        )
    with files.atomic(run.folder / "predictions.parquet") as part:
        pd.concat(parts, ignore_index=True).to_parquet(part, index=False, compression="zstd")
    record = runs.EvaluateRecord(
        study=run.study.name,
        config=run.config,
        train_scale=run.train_scale,
        variant=run.variant,
        seed=run.seed,
        parameters={"test_scales": {m.name: run.study.pixels(m.test_scale) for m in measurements(run)}},
        protocol={
            "split": "val",
            "method": "dense",
            "flip": run.recipe.flip,
            "average_over_positions": "scores, before the soft-max",
            "interpolation": INTERPOLATION,
            "longer_side": "rounded",
            "pooling": run.study.network.pooling,
            "precision": "float32, from half-precision weights",
        },
        sources=made_by,
        environment=provenance.environment(),
        device=device_record(device),
        data=data_record(store, run.study.data.held_out_per_class),
        started=started,
        finished=provenance.now(),
        cost={"seconds": time.monotonic() - clock, "seconds_by_measurement": seconds},
        weights_sha256=weights_sha256,
        measurements=found,
        artefacts={"predictions.parquet": files.sha256(run.folder / "predictions.parquet")},
    )
    runs.write_record(run, record)
    runs.seal(run.folder, ["predictions.parquet", "evaluate.json"])
    return record
