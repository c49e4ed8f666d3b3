"""The benchmark of memory, in miniature, and the chapter's tables of its record."""

import json
import mmap
import subprocess

import pytest
from click.testing import CliRunner

from scripts import script
from verydeep.chapters import speed_tables


@pytest.fixture
def memory(checkout, monkeypatch):
    with script("memory", monkeypatch) as module:
        yield module


def test_the_miniature_measures_each_and_the_chapter_shows_it(memory, checkout):
    output = checkout / "benchmarks" / "memory.json"
    output.unlink(missing_ok=True)
    for table in (speed_tables.memory(), speed_tables.epochs()):
        assert table.empty and table.attrs["caption"].endswith("python benchmarks/memory.py")
    asked = ["--network", "smoke/A", "--micro-batch", "8", "--pixels", "48", "--epochs", "2", "--output", str(output)]
    done = CliRunner().invoke(memory.main, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    record = json.loads(output.read_text())
    assert list(record["rates"]) == ["training, micro-batch 8", "testing, image of 48x64"]
    for rate in record["rates"].values():
        assert rate["peak_memory_mib"] > 100 and 0 <= rate["above_start_mib"] < rate["peak_memory_mib"]
    assert len(record["after_each_epoch_mib"]) == 2
    assert len(speed_tables.memory()) == 2 and speed_tables.epochs()["beyond the first epoch (MiB)"].iloc[0] == 0


def test_memory_is_that_of_the_process(memory):
    before = memory.in_use()
    held = mmap.mmap(-1, 64 * 2**20)  # of the system: the process may have kept some of its own (keep_memory)
    held[:] = b"x" * len(held)
    assert memory.in_use() - before > 60 and memory.in_use(most=True) >= memory.in_use() - 1
    held.close()


def test_a_process_that_fails_is_one_line(memory, monkeypatch):
    wrong = subprocess.CompletedProcess([], 1, "", "Traceback\nMemoryError: no room")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: wrong)
    done = CliRunner().invoke(memory.main, ["--network", "smoke/A", "--micro-batch", "8"])
    assert (done.exit_code, done.output) == (1, "micro-batch 8: MemoryError: no room\n")
