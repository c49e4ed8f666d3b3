"""The benchmark of decoding, in miniature: same pixels where they must be, and the chapter's table."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from conftest import REPOSITORY
from verydeep.chapters import display, speed_tables

sys.path.append(str(REPOSITORY / "benchmarks"))


@pytest.fixture
def decoding():
    import decoding
    import torch

    threads = torch.get_num_threads()
    yield decoding
    torch.set_num_threads(threads)


def test_the_miniature_compares_every_way_and_the_chapter_shows_it(decoding, checkout, monkeypatch):
    monkeypatch.setenv("VERYDEEP_DATA", str(checkout / "nowhere"))  # photographs are made
    output = checkout / "benchmarks" / "decoding.json"
    output.unlink(missing_ok=True)
    assert speed_tables.decoding().attrs["caption"].endswith("python benchmarks/decoding.py")
    asked = ["--images", "2", "--turns", "1", "--output", str(output)]
    done = CliRunner().invoke(decoding.main, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    record = json.loads(output.read_text())
    assert len(record["rates"]) == 4 * len(decoding.WAYS) and record["setting"]["from"] == "made"
    for name, rate in record["rates"].items():
        assert rate["images_per_second"] > 0
        if name.endswith(": Pillow"):
            assert rate["same_pixels"] == 100 and rate["largest_difference"] == 0
    # 375 pixels are less than twice 256: nothing can be reduced there, and pixels stay; they do not where it can
    assert record["rates"]["view of 224 at S=256: Pillow, reduced size"]["same_pixels"] == 100
    assert record["rates"]["view of 56 at S=64: Pillow, reduced size"]["same_pixels"] == 0
    shown = display.text(speed_tables.decoding())
    assert shown.loc["decoding: Pillow", "images with the same pixels (%)"] == "100"


def test_a_reduced_image_is_never_smaller_than_what_is_made_of_it(decoding):
    _, (data,) = decoding.photographs(None, 1) if not decoding.sources.source(decoding.SOURCE).folder.is_dir() else (
        "", [_photograph(decoding)])  # fmt: skip
    for shorter in (40, 64, 93, 94, 128, 187, 188, 256, 384):
        height, width, _ = decoding.by_pillow_reduced(data, shorter).shape
        assert min(height, width) >= min(shorter, 375) and height in (375, 188, 94, 47)
    assert np.array_equal(decoding.by_pillow_reduced(data, None), decoding.by_pillow(data, None))


def _photograph(decoding) -> bytes:
    stream = decoding.io.BytesIO()
    decoding.photograph(0, decoding.SIZE).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def test_a_folder_without_such_photographs_is_one_line(decoding, tmp_path):
    done = CliRunner().invoke(decoding.main, ["--folder", str(tmp_path)])
    assert done.exit_code == 1 and done.output == f"{tmp_path}: no JPEG file of 500x375 pixels\n"
