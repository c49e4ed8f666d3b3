"""Testing, side by side: our passes, the forward passes alone, and loops that most people would write.

    python benchmarks/evaluation.py [--network narrow/D]... [--images 128] [--turns 3]

Dense testing at one scale and on 150 crops, by the package over the study's store; the same forward passes alone, on
random tensors of the very shapes that ours gave the network; and loops over the image files of the same validation
images, in which dense testing goes image by image, and the crops go one by one or all those of an image and scale
together. All with one network in one process, in turns. What is said of each image must be the same: the largest
difference of a posterior is recorded. Then what a whole test of a network saves by making each pass once, whatever it
is needed for. Writes ``benchmarks/evaluation.json``, which the chapter on speed shows; with ``--output`` another file.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import torch
from common import Record
from loops import in_turns, medians, write_files
from PIL import Image

from verydeep import assembly
from verydeep.data.normaliser import Normaliser
from verydeep.data.store import Store
from verydeep.data.views import grid_positions, scaled_size
from verydeep.errors import VerydeepError
from verydeep.evaluation.tester import Pass, Tester
from verydeep.networks import dense
from verydeep.runs import provenance
from verydeep.studies import Measurement, Run, find_run
from verydeep.studies.measurements import several, single

NETWORKS = ("quarter/D", "narrow/D")
CROPS_OF = 8  # one image in so many is tested on crops: each costs a hundred times as much


class Test:
    """One network and the images on which it is tested, by their rows in the store and as files."""

    def __init__(self, run: Run, images: int, folder: Path):
        self.run, self.device = run, assembly.device()
        self.store: Store = assembly.open_data(run)
        every = self.store.rows("val")
        self.rows = every[np.linspace(0, len(every) - 1, min(images, len(every))).astype(int)]
        self.files = write_files(self.store, self.rows, folder)
        normalise = Normaliser.of(self.store, run.recipe.unit_variance, self.device)
        self.tester = Tester(assembly.untrained_network(run), normalise, run.testing, run.recipe.flip)

    def pixels(self, measurement: Measurement) -> list[int]:
        """Shorter sides of a measurement's test scales."""
        return [self.run.study.pixels(scale) for scale in measurement.test_scales]

    def ours(self, method: str, scales: list[int], count: int) -> list[Pass]:
        """The passes over the first ``count`` images by the package, one a scale."""
        return [self.tester.make(method, self.store, self.rows[:count], scale) for scale in scales]

    def forward(self, method: str, scales: list[int], count: int) -> Callable[[], None]:
        """The forward passes that :meth:`ours` makes, on random tensors."""
        shapes: list[torch.Size] = []
        features = self.tester.net.features
        watched = features.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
        self.ours(method, scales, count)
        watched.remove()
        ready = {
            shape: torch.randn(shape, device=self.device).contiguous(memory_format=torch.channels_last)
            for shape in set(shapes)
        }

        def passes() -> None:
            with torch.inference_mode():
                for shape in shapes:
                    self._posteriors(ready[shape])

        return passes

    def naive_dense(self, scales: list[int], count: int) -> np.ndarray:
        """Dense testing image by image, from the files."""
        return self._by_image(scales, count, self._whole)

    def naive_crops(self, scales: list[int], count: int) -> np.ndarray:
        """Crop by crop."""
        return self._by_image(scales, count, lambda image: np.mean([self._said(x) for x in self._crops(image)], axis=0))

    def crops_together(self, scales: list[int], count: int) -> np.ndarray:
        """All crops of an image at one scale at once."""
        return self._by_image(scales, count, lambda image: self._said(torch.cat([*self._crops(image)])))

    def _by_image(self, scales: list[int], count: int, say: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        found = []
        with torch.inference_mode():
            for path in self.files[:count]:
                picture = Image.open(path).convert("RGB")
                found.append(np.mean([say(_rescaled(picture, scale)) for scale in scales], axis=0))
        return np.stack(found)

    def _whole(self, image: np.ndarray) -> np.ndarray:
        x = self.tester.normalise(image[None])
        return np.mean([self._said(view) for view in ((x, x.flip(3)) if self.tester.flip else (x,))], axis=0)

    def _crops(self, image: np.ndarray) -> Iterator[torch.Tensor]:
        """Each crop of the grid and its mirror image, normalised."""
        side, options = self.run.study.crop, self.tester.testing
        tops, lefts = (grid_positions(n, side, options.crops_per_side, options.grid) for n in image.shape[:2])
        for top, left in product(tops, lefts):
            x = self.tester.normalise(np.ascontiguousarray(image[None, top : top + side, left : left + side]))
            yield x
            if self.tester.flip:
                yield x.flip(3)

    def _said(self, x: torch.Tensor) -> np.ndarray:
        """Mean posteriors over a batch of views of one image."""
        return self._posteriors(x).mean(0).cpu().numpy()

    def _posteriors(self, x: torch.Tensor) -> torch.Tensor:
        options = self.tester.testing
        return dense.posteriors(self.tester.net, x, options.average, options.positions).cpu()

    def prepare(self, scales: list[int], count: int) -> None:
        """Read, decode and rescale the images, and nothing else."""
        for scale in scales:
            for _ in self.tester.batches(self.store, self.rows[:count], scale):
                pass


def _rescaled(picture: Image.Image, shorter: int) -> np.ndarray:
    height, width = scaled_size(picture.height, picture.width, shorter)
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def rate(work: Callable[[], object], count: int) -> Callable[[], float]:
    """``work`` over so many images, as a way that gives its images a second."""

    def timed() -> float:
        begun = time.monotonic()
        work()
        return count / (time.monotonic() - begun)

    return timed


def compared(name: str, test: Test, method: str, scales: list[int], count: int, turns: int) -> dict[str, dict]:
    """Our passes in one way of testing beside the forward passes alone and the loops that do the same."""
    loops = {"loop, image by image": test.naive_dense}
    if method == "multi-crop":
        loops = {"loop, crop by crop": test.naive_crops, "loop, an image's crops together": test.crops_together}
    title, passes = f"{name} {method}", test.ours(method, scales, count)
    said = np.mean([made.posteriors for made in passes], axis=0)
    apart = {loop: float(np.abs(made(scales, count) - said).max()) for loop, made in loops.items()}
    ways = {
        "forward passes": rate(test.forward(method, scales, count), count),
        "ours": rate(lambda: test.ours(method, scales, count), count),
        "preparing the images": rate(lambda: test.prepare(scales, count), count),
    }
    ways |= {loop: rate(lambda made=made: made(scales, count), count) for loop, made in loops.items()}
    made = in_turns(ways, turns, lambda line: click.echo(f"{title}: {line}"))
    found = {way: medians(made, way, forward_passes="forward passes") for way in ways}
    for way, rates in found.items():
        rates["ratio_of_ours"] = float(np.median([turn["ours"] / turn[way] for turn in made]))
        rates["largest_difference"] = apart.get(way)
        rates["images"] = count
    found["ours"]["multiply_adds"] = sum(made.multiply_adds for made in passes) / count
    return {f"{title}: {way}": rates for way, rates in found.items()}


def shared(test: Test, count: int, crops: int, turns: int) -> dict[str, float]:
    """Seconds an image of all measurements of Tables 3 to 5, each pass made once, and each measurement by itself."""
    scale = test.run.train_scale
    measurements = [single(scale), *(several(scale, method) for method in ("dense", "multi-crop", "both"))]
    passes = list(dict.fromkeys(part for measurement in measurements for part in measurement.passes))
    seconds: dict[Measurement, list[float]] = {part: [] for part in passes}
    for _ in range(turns):
        for part in passes:
            images = crops if part.method == "multi-crop" else count
            begun = time.monotonic()
            test.ours(part.method, test.pixels(part), images)
            seconds[part].append((time.monotonic() - begun) / images)
    each = {part: float(np.median(spent)) for part, spent in seconds.items()}
    once, apart = sum(each.values()), sum(each[part] for made in measurements for part in made.passes)
    return {
        "measurements": len(measurements),
        "passes": len(passes),
        "passes_of_each_by_itself": sum(len(made.passes) for made in measurements),
        "seconds_an_image": once,
        "seconds_an_image_of_each_by_itself": apart,
        "saved": apart / once,
    }


@click.command()
@click.option("--network", "names", multiple=True, default=NETWORKS, show_default=True, help="Study and network.")
@click.option("--images", default=128, show_default=True, type=click.IntRange(1), help="Validation images.")
@click.option("--turns", default=3, show_default=True, type=click.IntRange(1))
@click.option("--output", type=click.Path(path_type=Path), help="Where to write, in place of the record.")
def main(names: tuple[str, ...], images: int, turns: int, output: Path | None) -> None:
    """Time every way for every network."""
    record, rates, sharing, device = Record(output or __file__), {}, {}, assembly.device()
    try:
        for name in names:
            with TemporaryDirectory() as folder:
                run = find_run(*name.split("/"), 256)
                test = Test(run, images, Path(folder))
                scale, many = test.pixels(single(run.train_scale)), test.pixels(several(run.train_scale))
                crops = min(max(1, images // CROPS_OF), len(test.rows))
                rates |= compared(name, test, "dense", scale, len(test.rows), turns)
                rates |= compared(name, test, "multi-crop", many, crops, turns)
                sharing[name] = shared(test, len(test.rows), crops, turns)
                click.echo(f"{name}: each pass made once: {sharing[name]}")
    except VerydeepError as error:
        sys.exit(str(error))
    record.write(
        "dense testing and 150 crops by the package, beside their forward passes alone and loops that do the same",
        rates,
        assembly.device_record(device),
        sharing=sharing,
        setting={"images": images, "turns": turns},
        load_average=provenance.load_average(),
    )


if __name__ == "__main__":
    main()
