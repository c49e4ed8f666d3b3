"""Why dense testing and a crop differ at a study's size: each window of the dense form, cut out and tested by itself.

    python benchmarks/windows.py [--study quarter] [--network D-384]...

The windows of the score map lie as far apart as the network strides, 32 pixels from A to E, at every size of image.
Tests published weights on the validation images at the single test scale: densely; on the same windows each cut out,
with zeros beyond its border; on the same windows as crops, of the side that the network was trained on; on as many
crops spread over the image; and on the centre crop. What comes to the same is tested once: at the paper's lengths a
window is as large as a crop, and the windows reach from edge to edge. Mirror images are used throughout, by the centre
crop too, where dense testing uses them: the centre crop of Sect. 4.1 (``centre-crop`` in the records) has none, and
another name. All images must be square.
Writes ``benchmarks/windows-<study>.json``, which the chapter on Table 3 shows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import click
import torch
from common import Record, errors

from verydeep.assembly import device, device_record, load_network, normaliser, open_data
from verydeep.data.views import centre_position, grid_positions
from verydeep.evaluation.tester import Tester
from verydeep.evaluation.ways import Crops, Dense, Tested
from verydeep.networks.dense import whole_positions
from verydeep.studies.measurements import MIRRORED_CENTRE, single_scale
from verydeep.studies.plan import named_run

NETWORKS = ("A-256", "D-256", "E-256", "D-384", "E-384")


@dataclass(frozen=True)
class Placed(Crops):
    """Tests on the crops at ``places`` along both sides of a square image, and their mirror images."""

    places: Sequence[int] = ()
    name = "placed crops"

    def views(self, height: int, width: int) -> Counter:
        return Counter(product(self.places, self.places, (False, True) if self.flip else (False,)))


class CutOut(Dense):
    """Tests on the windows of the score map of a square image, each as an image of its own."""

    name = "windows cut out"

    def __call__(self, images: torch.Tensor) -> Tested:
        stride = self.net.config.stride
        windows = whole_positions(images.shape[2], self.net.crop, stride)
        side = images.shape[2] - stride * (windows - 1)
        places = list(product([stride * k for k in range(windows)], repeat=2))
        cut = [images[:, :, top : top + side, left : left + side] for top, left in places]
        posteriors, passes, multiply_adds = map(sum, zip(*map(super().__call__, cut), strict=True))
        return Tested(posteriors / len(places), passes, multiply_adds)


@click.command()
@click.option("--study", default="quarter", show_default=True)
@click.option("--network", "names", multiple=True, default=NETWORKS, show_default=True)
def main(study: str, names: tuple[str, ...]) -> None:
    """Measure the errors of each network in each way."""
    record, rates, on = Record(__file__, study), {}, device()
    for network in names:
        run = named_run(f"{study}/{network}")
        store = open_data(run)
        rows, shorter = store.rows("val"), run.study.pixels(single_scale(run.train_scale))
        tester = Tester(load_network(run), normaliser(run, on), run.testing, run.recipe.flip)
        ready = (tester.net, tester.testing, run.recipe.flip)
        crop = run.study.crop
        windows = whole_positions(shorter, crop, tester.net.config.stride)
        crops = {"the windows as crops": [tester.net.config.stride * k for k in range(windows)]}
        spread = grid_positions(shorter, crop, windows, "edges")
        if windows > 1 and spread not in crops.values():
            crops[f"{windows**2} crops, edge to edge"] = spread
        crops[MIRRORED_CENTRE] = [centre_position(shorter, crop)]
        ways = {f"dense, {windows**2} window{'s' * (windows > 1)}": Dense(*ready)}
        side = shorter - tester.net.config.stride * (windows - 1)
        if windows > 1 and side > crop:  # one window is the whole image
            ways["the windows cut out"] = CutOut(*ready)
        ways |= {title: Placed(*ready, places=places) for title, places in crops.items()}
        for name, way in ways.items():
            title = f"{run.row}, {name}"
            rates[title] = errors(tester, way, store, rows, shorter)
            click.echo(f"{title}: {rates[title]}")
    what = "dense testing at one scale beside its windows as crops, as many crops spread, and the centre crop"
    record.write(what, rates, device_record(on))


if __name__ == "__main__":
    main()
