"""One process at a time."""

import subprocess
import sys
import time

import pytest

from verydeep import locks
from verydeep.errors import Busy, StorageError

HOLD = (
    "import sys, time; from pathlib import Path; from verydeep import locks\nwith locks.hold(Path(sys.argv[1]), 'x'):\n"
)


def holder(path, then: str):
    """Another process that holds the lock and says so."""
    code = f"{HOLD}    print('held', flush=True)\n    {then}"
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_lock_names_its_holder_and_dies_with_it(tmp_path):
    path = tmp_path / "new" / "run.lock"
    process = holder(path, "time.sleep(60)")
    with pytest.raises(Busy, match=rf"A-256-s0 is in the hands of process {process.pid} on .* since 2.*or stop it"):
        with locks.hold(path, "A-256-s0", patience=0.1):
            pass
    process.kill()
    process.wait()
    with locks.hold(path, "A-256-s0", patience=0):
        pass


def test_who_asks_whether_a_lock_is_held_does_not_take_it(tmp_path):
    path = tmp_path / "run.lock"
    assert not locks.is_held(path) and not path.exists()
    process = holder(path, "time.sleep(60)")
    assert locks.is_held(path)
    process.kill()
    process.wait()
    assert not locks.is_held(path)
    with locks.hold(path, "A-256-s0", patience=0):
        pass


def test_a_lock_can_be_waited_for(tmp_path):
    path = tmp_path / "run.lock"
    holder(path, "time.sleep(0.5)")
    started = time.monotonic()
    with locks.hold(path, "A-256-s0", patience=-1):
        assert time.monotonic() - started > 0.2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["run.lock"]


def test_a_lock_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="run.lock cannot be written: "):
        with locks.hold(tmp_path / "file" / "run.lock", "A-256-s0"):
            pass
