"""What the blur of a rescaling costs by itself a network that was trained on images that were never rescaled.

    python benchmarks/resampling.py [--study quarter] [--network A-256]...

Tests published weights densely at Q=S on the validation images as they are, and again with each pixel averaged with its
neighbours by the very weights that the rescaling to another Q gives them. The image keeps its size, and all in it; only
the sharpness changes. Writes ``benchmarks/resampling-<study>.json``, which the chapter on Table 4 shows beside the
errors at that Q.
"""

import click
import numpy as np
from common import Record, errors
from PIL import Image

from verydeep.assembly import device, device_record, load_network, normaliser, open_data
from verydeep.data.base import Images
from verydeep.data.views import rescale
from verydeep.evaluation.tester import Tester
from verydeep.studies.measurements import several_scales, single_scale
from verydeep.studies.plan import named_run


def blur(size: int, other: int) -> np.ndarray:
    """The weights of Pillow's bilinear rescaling from ``size`` to ``other`` pixels, applied without a change of size.

    Returns
    -------
    ndarray
        (size, size): row ``i`` has the weights of the new pixel nearest to pixel ``i``, moved by whole pixels so that
        they lie about ``i``.
    """
    unit = Image.fromarray(np.eye(size, dtype=np.float32))
    weights = np.asarray(unit.resize((size, other), Image.Resampling.BILINEAR))  # (other, size)
    made = np.zeros((size, size))
    for pixel in range(size):
        nearest = min(other - 1, int((pixel + 0.5) * other / size))
        centre = min(size - 1, int((nearest + 0.5) * size / other))
        for offset in range(-2, 3):
            if 0 <= centre + offset < size:  # beyond the border the outermost pixel stands for what is missing
                made[pixel, np.clip(pixel + offset, 0, size - 1)] += weights[nearest, centre + offset]
    return made


class Blurred(Images):
    """A store whose square images have a side of ``size`` pixels and were blurred by ``weights``, if any."""

    def __init__(self, store, weights: np.ndarray | None, size: int):
        self.store, self.weights, self.size = store, weights, size
        self.manifest = store.manifest

    def image(self, row: int) -> np.ndarray:
        image = rescale(self.store.image(row), self.size)
        if self.weights is None:
            return image
        blurred = np.einsum("ij,jkc,lk->ilc", self.weights, image, self.weights, optimize=True)
        return np.ascontiguousarray((blurred + 0.5).clip(0, 255).astype(np.uint8))


@click.command()
@click.option("--study", default="quarter", show_default=True)
@click.option("--network", "names", multiple=True, default=("A-256", "D-256"), show_default=True)
def main(study: str, names: tuple[str, ...]) -> None:
    """Measure the errors of each network with and without the blur."""
    record, rates, on = Record(__file__, study), {}, device()
    for name in names:
        run = named_run(f"{study}/{name}")
        store = open_data(run)
        rows = store.rows("val")
        tester = Tester(load_network(run), normaliser(run, on), run.testing, run.recipe.flip)
        size = run.study.pixels(single_scale(run.train_scale))
        for scale in several_scales(run.train_scale):
            other = run.study.pixels(scale)
            weights = None if other == size else blur(size, other)
            title = f"{run.row}, as they are" if weights is None else f"{run.row}, blurred as by Q={scale}"
            rates[title] = errors(tester, "dense", Blurred(store, weights, size), rows, size)
            click.echo(f"{title}: {rates[title]}")
    what = "dense testing at Q=S on images as they are, and blurred as the rescaling to another Q blurs them"
    record.write(what, rates, device_record(on))


if __name__ == "__main__":
    main()
