"""Synchronous data parallelism beside one device (Sect. 3.3): the same crops, and which bits differ after how long.

    python benchmarks/processes.py [--processes 3]

Trains A of the study `smoke` on one process, on several that share each batch, and on one that takes a batch in
pieces: the same sums in another order. Writes ``benchmarks/processes.json``, which the chapter on what can go wrong
shows.
"""

import os
import shutil
import tempfile
from pathlib import Path

import click
import numpy as np
import pandas as pd
import torch
from common import Record
from safetensors.torch import load_file

from verydeep import files, paths, runs
from verydeep.assembly import device_record, open_data
from verydeep.data.views import TrainingBatches, TrainingViews, draw_epoch
from verydeep.studies import Run, load
from verydeep.training import train

#: Epochs over which everything is compared, images of a piece, and the relative difference of a loss that is the same.
SHORT, PIECES, SAME = 2, 8, 1e-5


def run_of(epochs: int | None = None) -> Run:
    """A of `smoke`, for so many epochs or as long as it says."""
    study = load("smoke")
    changed = {} if epochs is None else {"epochs": epochs}
    return Run(study.model_copy(update={"recipe": study.recipe | changed}), "A", "256", 0)


def _silent(line: str) -> None:
    """Say nothing."""


def trained(run: Run, processes: int, micro_batch: int) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    """History and published weights of one training, which is forgotten."""
    train(run, processes=processes, micro_batch=micro_batch, report=_silent)
    assert runs.read_record(run, "train").device.processes == processes
    found = pd.read_csv(run.folder / "history.csv"), load_file(run.weights)
    shutil.rmtree(run.folder)
    return found


def crops(run: Run, parts: int) -> str:
    """Hash of every crop of an epoch, in the order of the batches, as so many processes draw them."""
    store = open_data(run)
    rows, views = store.rows("train"), TrainingViews(run.study.crop, *run.scale_range, run.recipe.flip)
    draws = draw_epoch(run.seed, 0, len(rows))
    shares = [TrainingBatches(store, rows, views, draws, run.recipe.batch, part, parts) for part in range(parts)]
    batches = [np.concatenate([share[k].images for share in shares]).tobytes() for k in range(len(shares[0]))]
    return files.sha256_bytes(b"".join(batches))


def compare(alone: dict, other: dict) -> dict:
    """One way of training beside one process, each as epochs -> (history, weights)."""
    (curve, weights), (other_curve, other_weights) = alone[SHORT], other[SHORT]
    errors = [name for name in curve if name.endswith("_error")]
    apart = (alone[None][0]["train_loss"] / other[None][0]["train_loss"] - 1).abs()
    return {
        "same_held_out_errors": curve[errors].equals(other_curve[errors]),
        "largest_difference_of_loss": float((curve["train_loss"] - other_curve["train_loss"]).abs().max()),
        "largest_difference_of_a_weight": max(
            float((weights[name].float() - other_weights[name].float()).abs().max()) for name in weights
        ),
        "epochs_with_the_same_loss": int((apart < SAME).astype(int).cummin().sum()),
        "held_out_top1_error_at_the_end": float(other[None][0]["held_out_top1_error"].iloc[-1]),
    }


@click.command()
@click.option("--processes", "most", default=3, show_default=True, help="Up to so many.")
def main(most: int) -> None:
    """Compare each way with one process."""
    ways = {"1 process, again": (1, 256), f"1 process, batch in pieces of {PIECES}": (1, PIECES)}
    ways |= {f"{count} processes": (count, 256) for count in range(2, most + 1)}
    record, rates = Record(__file__), {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("_config.yml", "book"):
            (Path(folder) / name).symlink_to(paths.root() / name)
        (Path(folder) / "runs").mkdir()
        os.environ |= {"VERYDEEP_ROOT": folder, "VERYDEEP_ARTIFACTS": f"{folder}/artifacts"}
        alone = {epochs: trained(run_of(epochs), 1, 256) for epochs in (SHORT, None)}
        for way, (count, micro_batch) in ways.items():
            found = {epochs: trained(run_of(epochs), count, micro_batch) for epochs in (SHORT, None)}
            rates[way] = {"same_crops": crops(run_of(), count) == crops(run_of(), 1)} | compare(alone, found)
            click.echo(f"{way}: {rates[way]}")
    what = f"A of smoke beside one process over {SHORT} epochs, and how long its loss stays the same"
    device = device_record(torch.device("cpu"))
    record.write(what, rates, device, batch=run_of().recipe.batch)


if __name__ == "__main__":
    main()
