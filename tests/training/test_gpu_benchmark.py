"""The benchmark of a GPU, in miniature on a CPU, and the chapter's tables of its record."""

import json
import subprocess

import pytest
from click.testing import CliRunner

from scripts import script
from verydeep.chapters import benchmarks, display


@pytest.fixture
def gpu(checkout, monkeypatch):
    with script("gpu", monkeypatch) as module:
        yield module


def test_the_miniature_measures_every_way_and_the_chapter_shows_it(gpu, checkout):
    output = checkout / "benchmarks" / "gpu.json"
    output.unlink(missing_ok=True)
    assert "make gpu" in benchmarks.on_gpu().attrs["caption"] and benchmarks.memory_on_gpu().empty
    asked = ["--miniature", "--output", str(output)]
    done = CliRunner().invoke(gpu.main, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    record = json.loads(output.read_text())
    assert {"device", "environment", "sources", "date"} <= record.keys()
    rates = record["rates"]
    assert list(rates) == [f"A: {way}" for way in (gpu.BARE, gpu.STORE, gpu.FREE, gpu.FILES, gpu.COMMON)]
    for way, rate in rates.items():
        assert rate["images_per_second"] > 0 and rate["turns"] == 1
        expected = rate["images_per_second"] / rates["A: bare step"]["images_per_second"]
        assert rate["ratio_to_bare_step"] == pytest.approx(expected), way
    assert "failed" not in record["compiled"] and record["compiled"]["images_per_second"] > 0
    assert record["peak_memory_mib"] == {"A": {"8": None, "16": None}}
    table = benchmarks.on_gpu()
    assert table.index.tolist() == [*rates, "A: bare step, torch.compile"]
    assert display.text(table).loc["A: bare step", "ratio to bare step"].startswith("1")
    assert display.text(benchmarks.memory_on_gpu()).iloc[:, 0].tolist() == ["not counted", "not counted"]
    record["compiled"] = {"config": "A", "failed": "no compiler"}
    record["peak_memory_mib"]["A"]["8"] = 123.4
    output.write_text(json.dumps(record))
    assert benchmarks.on_gpu().attrs["caption"].endswith("torch.compile: no compiler.")
    assert display.text(benchmarks.memory_on_gpu()).iloc[0, 0] == "123"


def test_a_step_that_does_not_compile_says_why(gpu, monkeypatch):
    def failing(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(gpu.subprocess, "run", failing)
    assert gpu.compiled_step(True, 16) == {"failed": f"not compiled and measured within {gpu.COMPILING} seconds"}
    wrong = subprocess.CompletedProcess([], 1, "", "Traceback\nRuntimeError: no compiler")
    monkeypatch.setattr(gpu.subprocess, "run", lambda *_, **__: wrong)
    assert gpu.compiled_step(True, 16) == {"failed": "RuntimeError: no compiler"}


def test_without_a_gpu_one_line_says_so(gpu, monkeypatch):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    for asked in ([], ["--check"]):
        done = CliRunner().invoke(gpu.main, asked)
        assert done.exit_code == 1 and done.output.count("\n") == 1 and "no GPU that torch sees" in done.output
