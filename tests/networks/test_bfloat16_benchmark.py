"""The benchmark of bfloat16, in miniature, and the chapter's table of its record."""

import json

import pytest
import torch
from click.testing import CliRunner

from scripts import script
from verydeep.chapters import speed_tables
from verydeep.networks.rounded import RoundedConv2d, RoundedLinear


@pytest.fixture
def bfloat16(checkout, monkeypatch):
    with script("bfloat16", monkeypatch) as module:
        yield module


def test_the_miniature_times_every_way_and_the_chapter_shows_it(bfloat16, checkout):
    output = checkout / "benchmarks" / "bfloat16.json"
    output.unlink(missing_ok=True)
    assert speed_tables.bfloat16().attrs["caption"].endswith("python benchmarks/bfloat16.py")
    asked = ["--network", "smoke/A", "--steps", "1", "--turns", "1", "--output", str(output)]
    done = CliRunner().invoke(bfloat16.main, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rates = json.loads(output.read_text())["rates"]
    assert list(rates) == [f"smoke/A: {way}" for way in (bfloat16.TORCH, bfloat16.OURS, bfloat16.FLOAT32)]
    far = {way.split(": ")[1]: rate["gradients_from_torchs_own"] for way, rate in rates.items()}
    assert far[bfloat16.TORCH] == 0 < far[bfloat16.OURS] and far[bfloat16.FLOAT32] > 0
    table = speed_tables.bfloat16()
    assert list(table.index) == list(rates) and "instructions for bfloat16" in table.attrs["caption"]
    ours = rates[f"smoke/A: {bfloat16.OURS}"]
    theirs = rates[f"smoke/A: {bfloat16.TORCH}"]
    for kind in ("training", "testing"):
        ratio = ours[f"{kind}_images_per_second"] / theirs[f"{kind}_images_per_second"]
        assert ours[f"{kind}_ratio_to_torchs_own"] == pytest.approx(ratio)


def test_only_our_way_has_our_layers(bfloat16):
    """Whatever this processor has."""
    for way in (bfloat16.TORCH, bfloat16.OURS, bfloat16.FLOAT32):
        with bfloat16.layers(way):
            net, _ = bfloat16.loops_of("smoke/A", way, 1).network()
        kinds = {type(module) for module in net.weighted()}
        ours = {RoundedConv2d, RoundedLinear}
        assert kinds == (ours if way == bfloat16.OURS else {torch.nn.Conv2d, torch.nn.Linear})


def test_a_step_is_held_to_what_a_training_is(bfloat16, monkeypatch):
    """Filling new memory, which no training does, took a seventh of the step that others are compared with."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    step = bfloat16.loops_of("smoke/A", bfloat16.OURS, 1).bare()
    step()
    assert torch.are_deterministic_algorithms_enabled() and not torch.utils.deterministic.fill_uninitialized_memory
    step(deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()
