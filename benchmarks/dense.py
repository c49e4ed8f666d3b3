"""How fast dense evaluation runs beside the bare forward pass: the cost of everything that is not the network.

    python benchmarks/dense.py [--study quarter] [--config D] [--images 4000]

Both run in turns on the same machine in the same process, so the ratio does not depend on what else the machine does
for longer than a turn. Writes ``benchmarks/dense.json``, which the chapter on cost shows.
"""

import time

import click
import numpy as np
import torch
from common import write

from verydeep.assembly import device_record, network, normaliser
from verydeep.data import sources
from verydeep.data.store import open_store
from verydeep.evaluation.tester import Tester
from verydeep.networks import dense
from verydeep.runs import provenance
from verydeep.studies import find_run


@click.command()
@click.option("--study", default="quarter", show_default=True)
@click.option("--config", default="D", show_default=True)
@click.option("--train-scale", default="256", show_default=True)
@click.option("--images", default=4000, show_default=True, help="Validation images a turn.")
@click.option("--turns", default=3, show_default=True)
def main(study: str, config: str, train_scale: str, images: int, turns: int) -> None:
    """Time dense evaluation at one scale against the bare forward pass on random tensors of the same shapes."""
    run = find_run(study, config, train_scale)
    store = open_store(sources.source(run.study.data.source))
    rows = store.rows("val")[:images]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shorter = run.scale_range[0]
    rates = {}
    for precision in ("float32", "bfloat16"):
        testing = run.study.testing.model_copy(update={"precision": precision})
        tester = Tester(network(run), normaliser(run, store, device), testing, run.recipe.flip)
        shapes = [images.shape[:3] for _, images in tester.batches(store, rows, shorter)]
        timed = []
        for _ in range(turns):
            bare = _bare(tester, shapes)
            timed.append((tester.make("dense", store, rows, shorter).seconds, bare))
        evaluating, forward = (float(np.median(seconds)) for seconds in zip(*timed, strict=True))
        rates[precision] = {
            "evaluation_images_per_second": len(rows) / evaluating,
            "forward_images_per_second": len(rows) / forward,
            "ratio": float(np.median([bare / whole for whole, bare in timed])),
        }
        click.echo(f"{run.row} at {shorter} pixels, {precision}: {rates[precision]}")
    asked = {"run": run.row, "study": study, "pixels": shorter, "images": len(rows), "turns": turns}
    what = "dense evaluation at one scale beside the bare forward pass on random tensors of the same shapes"
    write(__file__, what, rates, device_record(device), load_average=provenance.load_average(), **asked)


def _bare(tester: Tester, shapes: list[tuple[int, int, int]]) -> float:
    """Seconds for the forward passes alone, image and mirror image, on random tensors that are ready."""
    device = tester.normalise.mean.device
    seconds = 0.0
    with torch.inference_mode():
        for n, height, width in shapes:
            x = torch.randn(n, 3, height, width, device=device).contiguous(memory_format=torch.channels_last)
            begun = time.monotonic()
            for _ in range(1 + tester.flip):
                dense.posteriors(tester.net, x, tester.testing.average, tester.testing.positions).cpu()
            seconds += time.monotonic() - begun
    return seconds


if __name__ == "__main__":
    main()
