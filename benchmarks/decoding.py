"""Decoding of photographs, by one core: Pillow as now, torchvision's decoder, and Pillow at a reduced size.

    python benchmarks/decoding.py [--folder FOLDER] [--images 200] [--turns 3]

JPEG files of 500x375 pixels, real ones of PASCAL VOC-2007 where that data set is there (``verydeep data get
voc2007-val``), else made ones. A JPEG can be decoded at a half, a quarter or an eighth of its size, for less work:
where a rescaling to S pixels would shrink it that far anyway. Each way decodes, and each makes the view that training
sees of the image at S=256 with a crop of 224, and at the halves and quarters of both lengths. Beside the rate stands
whether the pixels are those that Pillow gives now. In turns, in one process. Writes ``benchmarks/decoding.json``, which
the chapter on speed shows; with ``--output`` another file.
"""

import io
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import torch
from common import Record, photograph
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

from verydeep import assembly, files
from verydeep.data import sources
from verydeep.data.images import decode
from verydeep.data.views import TrainingViews, draw_epoch, scaled_size
from verydeep.runs import provenance

SIZE, SOURCE = (500, 375), "voc2007-val"
# Since torchvision 0.29 its decoders are said to move to another package; they are measured while they are here.
warnings.filterwarnings("ignore", module=r"torchvision\.io")
LENGTHS = ((256, 224), (128, 112), (64, 56))
PILLOW, TORCHVISION, REDUCED = "Pillow", "torchvision", "Pillow, reduced size"


def by_pillow(data: bytes, shorter: int | None) -> np.ndarray:
    """As the store decodes images."""
    return decode(data, "a photograph")


def by_torchvision(data: bytes, shorter: int | None) -> np.ndarray:
    """By torchvision's decoder, whose channels come first."""
    decoded = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
    return decoded.permute(1, 2, 0).contiguous().numpy()


def by_pillow_reduced(data: bytes, shorter: int | None) -> np.ndarray:
    """By Pillow, at the smallest size of which no side is smaller than it will be once rescaled."""
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    if shorter is not None:
        height, width = scaled_size(image.height, image.width, shorter)
        image.draft("RGB", (width, height))
    return np.asarray(image.convert("RGB"))


WAYS: dict[str, Callable[[bytes, int | None], np.ndarray]] = {
    PILLOW: by_pillow,
    TORCHVISION: by_torchvision,
    REDUCED: by_pillow_reduced,
}


def photographs(folder: Path | None, count: int) -> tuple[str, list[bytes]]:
    """So many JPEG files of the usual size, and where they are from."""
    source = sources.source(SOURCE)
    folder = folder or (source.folder if source.folder.is_dir() else None)
    if folder is None:
        found = []
        for number in range(count):
            stream = io.BytesIO()
            photograph(number, SIZE).save(stream, "JPEG", quality=90)
            found.append(stream.getvalue())
        return "made", found
    found = []
    for path in files.listed(folder, "**/*"):
        if len(found) < count and path.suffix.lower() in (".jpg", ".jpeg"):
            data = path.read_bytes()
            with Image.open(io.BytesIO(data)) as image:
                if (image.size, image.mode, image.format) == (SIZE, "RGB", "JPEG"):
                    found.append(data)
    if not found:
        sys.exit(f"{folder}: no JPEG file of {SIZE[0]}x{SIZE[1]} pixels")
    return folder.name, found


def views(way: Callable, data: list[bytes], lengths: tuple[int, int] | None) -> list[np.ndarray]:
    """Every image as a way decodes it; or its view in training at these lengths, S and the crop."""
    if lengths is None:
        return [way(one, None) for one in data]
    shorter, crop = lengths
    see, draws = TrainingViews(crop, shorter, shorter, flip=True), draw_epoch(0, 0, len(data))
    return [see(way(one, shorter), draws, number) for number, one in enumerate(data)]


def apart(now: list[np.ndarray], other: list[np.ndarray]) -> dict[str, float | None]:
    """How far the pixels of two ways are from each other, in levels; nothing where they have other shapes."""
    if any(one.shape != two.shape for one, two in zip(now, other, strict=True)):
        return {"same_pixels": 0.0, "mean_difference": None, "largest_difference": None}
    differences = [np.abs(one.astype(int) - two) for one, two in zip(now, other, strict=True)]
    return {
        "same_pixels": 100 * float(np.mean([not found.any() for found in differences])),
        "mean_difference": float(np.mean([found.mean() for found in differences])),
        "largest_difference": float(max(found.max() for found in differences)),
    }


@click.command()
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Of JPEG files.")
@click.option("--images", default=200, show_default=True, type=click.IntRange(1))
@click.option("--turns", default=3, show_default=True, type=click.IntRange(1))
@click.option("--output", type=click.Path(path_type=Path), help="Where to write, in place of the record.")
def main(folder: Path | None, images: int, turns: int, output: Path | None) -> None:
    """Time every way at every length."""
    record = Record(output or __file__)
    torch.set_num_threads(1)
    origin, data = photographs(folder, images)
    rates = {}
    for lengths in (None, *LENGTHS):
        what = "decoding" if lengths is None else f"view of {lengths[1]} at S={lengths[0]}"
        seconds: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(turns):
            for name, way in WAYS.items():
                begun = time.monotonic()
                views(way, data, lengths)
                seconds[name].append(time.monotonic() - begun)
        now = views(by_pillow, data, lengths)
        for name, way in WAYS.items():
            ratios = np.array(seconds[PILLOW]) / np.array(seconds[name])
            rates[f"{what}: {name}"] = {
                "images_per_second": len(data) / float(np.median(seconds[name])),
                "ratio_to_Pillow": float(np.median(ratios)),
                **apart(now, views(way, data, lengths)),
            }
            click.echo(f"{what}: {name}: {rates[f'{what}: {name}']}")
    record.write(
        "decoding of JPEG files of 500x375 pixels by one core, and whether the pixels stay the same",
        rates,
        assembly.device_record(torch.device("cpu")),
        setting={
            "images": len(data),
            "turns": turns,
            "from": origin,
            "bytes": float(np.mean([len(one) for one in data])),
        },
        load_average=provenance.load_average(),
    )


if __name__ == "__main__":
    main()
