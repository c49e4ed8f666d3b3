"""Table 4 taken apart, and its control: on made-up images and records."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from conftest import REPOSITORY
from scripts import load
from verydeep import results, runs, studies
from verydeep.chapters import display, scale_tables
from verydeep.data.views import centre_position
from verydeep.networks.configurations import Size
from verydeep.studies import measurements


@pytest.mark.parametrize(("size", "other"), [(64, 56), (64, 72), (56, 64), (10, 9)])
def test_the_control_changes_the_sharpness_alone(size, other):
    from resampling import blur

    weights = blur(size, other)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)  # a grey image stays as it is
    assert (weights >= -1e-6).all()
    centre = (weights * np.arange(size)).sum(1) - np.arange(size)
    assert np.abs(centre).max() <= 0.5 + 1e-6  # nothing moves by more than half a pixel: the object keeps its size
    used = {tuple(np.round(np.sort(row[row > 1e-6]), 4)) for row in weights[2:-2]}
    unit = Image.fromarray(np.eye(size, dtype=np.float32)).resize((size, other), Image.Resampling.BILINEAR)
    given = {tuple(np.round(np.sort(row[row > 1e-6]), 4)) for row in np.asarray(unit, np.float64)[1:-1]}
    assert used <= given  # every pixel is averaged once, as the rescaling averages


def test_each_scale_is_what_its_measurement_says(trained):
    measured = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate").measurements
    table = scale_tables.each_scale("smoke")
    assert table.index.tolist() == ["A-256"]  # what was not run has no row
    assert (
        "for the one seed trained" in table.attrs["caption"] and "of the study's first seed" in table.attrs["caption"]
    )
    row = table.loc["A-256"]
    assert row["top-1 at one scale"] == pytest.approx(measured["dense-256"].top1_error)
    for heading, name in {
        "lost at the smallest Q": "dense-224",
        "lost at the largest Q": "dense-288",
        "lost at all three": "dense-224+256+288",
    }.items():
        lost = measured[name].top1_error - measured["dense-256"].top1_error
        assert float(row[heading].split()[0]) == pytest.approx(lost, abs=0.006)
    assert "lost at the middle Q" not in table
    assert scale_tables.each_scale("full").empty


def test_the_real_loss_stands_beside_the_blurs(trained):
    record = json.loads((trained / "benchmarks/resampling-quarter.json").read_text())
    path = trained / "benchmarks/resampling-smoke.json"
    rates = {"A-256, as they are": 10.0, "A-256, blurred as by Q=224": 12.5, "D-256, as they are": 9.0}
    record |= {"study": "smoke", "rates": {name: {"top1_error": error} for name, error in rates.items()}}
    path.write_text(json.dumps(record))
    measured = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate").measurements
    table = scale_tables.blur("smoke")
    assert table.index.tolist() == [("A-256", 224)]
    row = table.iloc[0]
    assert row["at Q"] == pytest.approx(measured["dense-224"].top1_error, abs=0.006)
    assert (row["lost by the blur"], row["lost at Q"]) == (2.5, pytest.approx(row["at Q"] - 10, abs=0.006))
    path.unlink()
    table = scale_tables.blur("smoke")
    assert table.empty and table.attrs["caption"].endswith("run: python benchmarks/resampling.py --study smoke")


def test_the_recorded_control_is_of_the_recorded_networks(repository):
    table = scale_tables.blur("quarter")
    assert {"A-256", "D-256"} <= set(table.index.get_level_values("network"))
    for network, row in table.groupby(level="network").first().iterrows():
        assert row["at Q=S"] == pytest.approx(results.number(f"quarter.table3.{network}.top1").value, abs=0.3)


# -- one name, one protocol ------------------------------------------------------------------------------


@pytest.mark.parametrize("study", ["quarter", "narrow"])
def test_the_centre_crop_has_no_mirror_image_and_the_one_that_has_is_called_so(repository, study):
    """Of the record beside Table 3 and of ``centre-crop`` one differs from the other only by the mirror image."""
    assert "without its mirror image" in measurements.METHODS["centre-crop"]
    rates = json.loads((REPOSITORY / f"benchmarks/windows-{study}.json").read_text())["rates"]
    crops = {title for title in rates if "cent" in title}
    assert crops and all(title.endswith(f", {measurements.MIRRORED_CENTRE}") for title in crops)


def test_at_the_papers_lengths_dense_testing_is_that_of_its_windows(repository):
    """Within half a point, as the page of Table 3 says, and deeper networks gain more over the one in the centre."""
    rates = json.loads((REPOSITORY / "benchmarks/windows-narrow.json").read_text())["rates"]
    gains = []
    for network in ("A-256", "D-256", "E-256"):
        dense, windows, centre = (
            rates[f"{network}, {way}"]["top1_error"]
            for way in ("dense, 4 windows", "the windows as crops", measurements.MIRRORED_CENTRE)
        )
        assert dense == pytest.approx(
            results.number(f"narrow.table3.{network}.top1").value, abs=0.6
        )  # A: of three seeds
        assert abs(dense - windows) < 0.5
        gains.append(centre - windows)
    assert gains == sorted(gains)


def test_the_mirrored_centre_crop_is_the_centre_crop_and_its_mirror_image():
    import torch
    from windows import Placed

    from verydeep.evaluation.ways import CentreCrop
    from verydeep.networks import vgg

    torch.manual_seed(0)
    net = vgg.build("A", Size(width_divisor=16, num_classes=5, crop=32)).eval()
    x = torch.randn(3, 3, 41, 41)
    testing = studies.load("smoke").testing
    centre = CentreCrop(net, testing)
    both = (centre(x).posteriors + centre(x.flip(3)).posteriors) / 2
    mirrored = Placed(net, testing, places=[centre_position(41, 32)])(x).posteriors
    # 41 - 32 is odd: the mirror image of the crop is one pixel off the crop of the mirror image
    assert not torch.allclose(both, mirrored)
    x = torch.randn(3, 3, 40, 40)
    both = (centre(x).posteriors + centre(x.flip(3)).posteriors) / 2
    mirrored = Placed(net, testing, places=[centre_position(40, 32)])(x).posteriors
    torch.testing.assert_close(both, mirrored)
    assert not torch.allclose(centre(x).posteriors, mirrored)


def test_no_text_has_another_name_for_it():
    sources = [*(REPOSITORY / "book").rglob("*.ipynb"), *(REPOSITORY / "book").rglob("*.md")]
    sources += [*(REPOSITORY / "src").rglob("*.py"), *(REPOSITORY / "benchmarks").glob("*.py")]
    sources = [path for path in sources if "runs" not in path.relative_to(REPOSITORY).parts[:2]]
    faulty = [path.name for path in sources if "central crop" in path.read_text(encoding="utf-8").lower()]
    assert faulty == []


def test_the_table_is_shown_with_units(repository):
    assert "lost by the blur (points)" in display.text(scale_tables.blur("quarter")).columns


def test_windows_cut_out_are_crops_where_nothing_lies_between_them():
    import torch
    from windows import CutOut, Placed

    from verydeep.networks import vgg

    torch.manual_seed(0)
    net = vgg.build("A", Size(width_divisor=16, num_classes=5, crop=32)).eval()
    x = torch.randn(3, 3, 64, 64)
    testing = studies.load("smoke").testing
    cut, placed = CutOut(net, testing)(x), Placed(net, testing, places=[0, 32])(x)
    torch.testing.assert_close(cut.posteriors, placed.posteriors)
    assert cut.forward_passes == placed.forward_passes == 8


@pytest.mark.parametrize("name", ["windows", "resampling"])
def test_the_measurements_of_a_study_are_made(trained, monkeypatch, name):
    module = load(name)
    monkeypatch.setattr(module, "__file__", str(trained / "benchmarks" / f"{name}.py"))
    done = CliRunner().invoke(module.main, ["--study", "smoke", "--network", "A-256"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    written = json.loads((trained / "benchmarks" / f"{name}-smoke.json").read_text())
    measured = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate").measurements
    dense = {"windows": "A-256, dense, 1 window", "resampling": "A-256, as they are"}[name]
    assert written["study"] == "smoke" and len(written["rates"]) > 2
    assert written["rates"][dense]["top1_error"] == pytest.approx(measured["dense-256"].top1_error)
