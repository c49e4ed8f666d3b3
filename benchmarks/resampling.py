"""Whether resampling alone harms a network that was trained on images that were never rescaled.

    python benchmarks/resampling.py [--study quarter] [--network A-256]...

Tests published weights densely at Q=S on the validation images as they are, and on the same images first rescaled to
another scale and back to their own size: the object keeps its size, only the sharpness changes. Writes
``benchmarks/resampling.json``, which the chapter on Table 4 shows.
"""

import click
import numpy as np
import torch
from common import errors, write

from verydeep.data.views import rescale
from verydeep.posteriors import Tester
from verydeep.studies.fusions import member
from verydeep.studies.measurements import several_scales, single_scale
from verydeep.training import device_record, load_network, normaliser, open_data


class Resampled:
    """A store whose images were rescaled to a shorter side of ``through`` pixels and back to ``size``."""

    def __init__(self, store, through: int | None, size: int):
        self.store, self.through, self.size = store, through, size
        self.manifest = store.manifest

    def image(self, row: int) -> np.ndarray:
        image = rescale(self.store.image(row), self.size)
        return image if self.through is None else rescale(rescale(image, self.through), self.size)


@click.command()
@click.option("--study", default="quarter", show_default=True)
@click.option("--network", "names", multiple=True, default=("A-256", "D-256"), show_default=True)
def main(study: str, names: tuple[str, ...]) -> None:
    """Measure the errors of each network with and without resampling."""
    rates = {}
    for name in names:
        run = member(f"{study}/{name}")
        store = open_data(run)
        rows = store.rows("val")
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        tester = Tester(load_network(run), normaliser(run, store, device), run.study.testing, run.recipe.flip)
        size = run.study.pixels(single_scale(run.train_scale))
        for scale in (None, *several_scales(run.train_scale)):
            through = None if scale is None else run.study.pixels(scale)
            if through == size:
                continue
            title = f"{run.row}, {'as they are' if scale is None else f'through Q={scale} and back'}"
            rates[title] = errors(tester, "dense", Resampled(store, through, size), rows, size)
            click.echo(f"{title}: {rates[title]}")
    what = "dense testing at Q=S on images that were rescaled and brought back to their size"
    write(__file__, what, rates, device_record(device), study=study)


if __name__ == "__main__":
    main()
