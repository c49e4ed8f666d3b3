"""The benchmark of training, in miniature, and the chapter's table of its record."""

import json
import sys

import pytest
from click.testing import CliRunner

from scripts import script
from verydeep.chapters import display, speed_tables


@pytest.fixture
def training(checkout, monkeypatch):
    with script("training", monkeypatch) as module:
        yield module


def test_the_miniature_times_every_way_and_the_chapter_shows_it(training, checkout):
    output = checkout / "benchmarks" / "training.json"
    output.unlink(missing_ok=True)
    assert speed_tables.training().attrs["caption"].endswith("python benchmarks/training.py")
    asked = ["--network", "smoke/A", "--steps", "2", "--turns", "1", "--workers", "1", "--not-compiled"]
    asked += ["--output", str(output)]
    done = CliRunner().invoke(training.main, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    record = json.loads(output.read_text())
    ways = (training.BARE, training.FUSED, training.PLAIN, training.OURS, training.EQUAL, training.TIMM, training.USUAL)
    assert list(record["rates"]) == [f"smoke/A: {way}" for way in (*ways, training.GIVEN_BACK)]
    ours = record["rates"]["smoke/A: our loop"]["images_per_second"]
    for rate in record["rates"].values():
        assert rate["images_per_second"] > 0 and rate["turns"] == 1
        assert rate["ratio_of_our_loop"] == pytest.approx(ours / rate["images_per_second"])
    assert not list((checkout / "artifacts" / "smoke").glob("**/*")), "no checkpoint is left in the real place"
    table = speed_tables.training()
    assert table.loc["smoke/A: timm", "goal"] == "ratio of our loop at least 1"
    assert table.loc["smoke/A: common loop, float32", "goal"] == ""


def test_what_is_aimed_at_is_said_beside_what_was_reached(training, checkout):
    rates = {
        way: {"images_per_second": 1.0, "ratio_to_bare_step": ratio, "ratio_of_our_loop": over, "turns": 1}
        for way, ratio, over in ((training.OURS, 0.76, 1.0), (training.EQUAL, 0.3, 2.5), (training.TIMM, 0.9, 0.5))
    }
    record = {"rates": {f"narrow/A: {way}": rate for way, rate in rates.items()}, "device": {"threads": 2}}
    record |= {"environment": {"processor": "x"}, "setting": {"turns": 1, "steps": 2, "workers": 1}}
    (checkout / "benchmarks" / "training.json").write_text(json.dumps(record))
    assert display.text(speed_tables.training())["reached"].tolist() == ["short by 20 %", "yes", "short by 50 %"]


def test_the_images_are_the_same_as_files_and_of_every_class(training, checkout, tmp_path):
    from loops import run_of, some_of, write_files

    from verydeep.training.images import TrainingImages

    images = TrainingImages.of(run_of("smoke", "A"))
    some = some_of(images, 3)
    assert len(some.rows) == 3 * images.batch == some.steps * some.batch
    assert set(some.rows) <= set(images.rows) and len(set(some.rows)) == len(some.rows)
    folder = tmp_path / "files"
    written = write_files(some.store, some.rows, folder)
    assert len(set(written)) == len(some.rows) and len(list(folder.iterdir())) == 10
    with pytest.raises(training.VerydeepError, match="fewer --steps"):
        some_of(images, 1000)


def test_without_timm_one_line_says_how_to_get_it(training, checkout, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm.data", None)
    asked = ["--network", "smoke/A", "--steps", "1", "--turns", "1", "--output", str(checkout / "record.json")]
    done = CliRunner().invoke(training.main, asked)
    assert (done.exit_code, done.output) == (1, "timm is not installed; run: pip install -e '.[benchmarks]'\n")
    assert not (checkout / "record.json").exists()
