"""Trainings on several processes: they begin, save, go on and stop together, as one does."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import launches
import pytest
import torch
from launches import launched
from tiny import digest, tiny_run

from conftest import REPOSITORY, entered, make_checkout
from faults.machine import wait_for_epoch
from forks import Forked
from verydeep import runs, studies
from verydeep.training import loop

IMPORTS = """
from tiny import tiny_run
from verydeep import training
from verydeep.training import images
"""


def start(program: str, *arguments: object) -> subprocess.Popen:
    """A program as a user starts it; the leader of a group of processes."""
    file = Path("launched.py")
    file.write_text(IMPORTS + program)
    path = os.pathsep.join([str(REPOSITORY / "tests" / "training"), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, str(file), *map(str, arguments)], env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def said(started: subprocess.Popen | Forked, status: int = 0) -> str:
    """What a program wrote to its end."""
    try:
        out, error = started.communicate(timeout=200)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        raise
    assert started.returncode == status, error[-3000:]
    return out + error


def saved(run) -> tuple[int, int]:
    """Epoch and step of a checkpoint."""
    progress = torch.load(run.workspace / "checkpoint.pt", weights_only=True)["progress"]
    return progress["epoch"], progress["step"]


def test_a_parent_and_its_child_are_trained_in_one_launch(checkout):
    child, out = tiny_run("D", epochs=1), said(launched(launches.a_child_twice))
    trained = runs.read_record(child, "train")
    assert trained.device.processes == 2 and trained.parent.weights_sha256 == digest(child.parent)
    assert out.count("left the launch") == 2
    assert out.count("D-256-s0: already trained") == 1


def test_three_processes_save_within_an_epoch_stop_together_and_go_on_to_the_same_bits(checkout, tmp_path):
    """Of two the sum is the same in any order."""
    run, launched_on_three = tiny_run(dropout=0.5, epochs=2), partial(launched, processes=3)
    killed = said(launched_on_three(launches.signalled, signal.SIGKILL, 60), status=1)
    assert "rank 0 of 3 processes lost another in epoch 2: it ended or its host went away; state saved in" in killed
    assert saved(run) == (1, 18)
    stopped = said(launched_on_three(launches.signalled, signal.SIGTERM, 10), status=1)
    assert stopped.count("stopped by SIGTERM in epoch 2, state saved in") == 3 and saved(run) == (1, 28)
    refused = said(launched_on_three(launches.without_its_checkpoint), status=1)
    assert "checkpoint.pt is not the same for all processes: all hosts must see the same files" in refused
    assert said(launched_on_three(launches.undisturbed)).count("goes on at epoch 2, step 28") == 1
    resumed = digest(run)
    with entered(make_checkout(tmp_path / "undisturbed")):
        said(launched_on_three(launches.undisturbed))
        assert digest(run) == resumed


def test_hosts_that_do_not_share_their_files_are_told_before_the_first_step(checkout):
    told = said(launched(launches.on_disks_of_their_own), status=1)
    assert "smoke/A-256-s0 is not the same for all processes: all hosts must see the same files" in told
    assert "epoch 1/1" not in told and not list(checkout.glob("artifacts*/smoke/A-256-s0/.*staging*"))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_signal_to_the_whole_group_stops_with_the_state_saved(checkout, processes):
    """As Slurm, systemd and Ctrl-C send it: workers that prepare views get it too, and so does who waits for others."""
    program = """
from verydeep.cli import main
images.workers = lambda on_gpu: 2
if __name__ == "__main__":
    main()
"""
    training = start(program, "train", "smoke", "A", "256", "--processes", processes)
    wait_for_epoch(training, 1)
    os.killpg(training.pid, signal.SIGTERM)
    lines = said(training, status=1).splitlines()
    assert re.fullmatch(
        r"error: A-256-s0: stopped by SIGTERM.*, state saved in .*checkpoint\.pt; run it again to continue", lines[-1]
    )
    assert all("epoch" in line for line in lines[:-1]), lines
    assert saved(studies.find_run("smoke", "A", 256)) > (0, 0)


def test_a_launch_waits_for_a_run_and_ends_where_it_was_trained_meanwhile(checkout):
    """However long the first process waits, the others do not give it up, here after three seconds."""
    run = tiny_run(epochs=1)
    with runs.working_on(run):
        waiting = launched(launches.begun, VERYDEEP_WAIT="1", VERYDEEP_SILENCE="3")
        while len(list(checkout.glob("begun-*"))) < 2:
            assert waiting.returncode is None
            time.sleep(0.1)
        time.sleep(6)
        loop.fit(run, 256, lambda line: None)
        assert waiting.returncode is None
    said(waiting)
    assert runs.read_record(run, "train").device.processes == 1


def test_processes_that_end_before_they_can_say_why_are_told_by_how_they_ended(checkout):
    """As those of a script that starts others whenever it is read, and each of which reads it."""
    told = said(start("training.train(tiny_run(epochs=1), processes=2)"), status=1)
    assert re.search(r"rank \d of 2 processes ended with exit code 1 before it could say why; what it printed", told)
    assert "is in the hands of process" in told, "what the second reading of the script printed is not hidden"


def test_an_image_that_cannot_be_read_is_named_by_the_process_of_several_whose_worker_met_it(checkout):
    program = """
from verydeep.data.images import decode
images.workers = lambda on_gpu: 1
images.TrainingBatches.__getitem__ = lambda *_: decode(b"cut short", "n01440764_10026.JPEG")
if __name__ == "__main__":
    training.train(tiny_run(epochs=1), processes=2)
"""
    told = said(start(program), status=1)
    assert re.search(
        r"A-256-s0: rank \d of 2 processes: n01440764_10026.JPEG: not a readable image \(.*; restore", told
    )
