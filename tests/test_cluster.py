"""Hosts in namespaces, a Slurm cluster on them, and what ``make slurm`` and ``make hosts`` recorded.

The tests marked ``slurm`` and ``hosts`` run the whole of it and write the records anew; they are part of those make
targets alone.
"""

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster import hosts
from cluster.__main__ import record
from cluster.benchmarks import FOLDER
from cluster.queue import Queue
from cluster.study import CHILD, PARENT
from conftest import REPOSITORY
from verydeep.chapters import trials
from verydeep.errors import VerydeepError


def recorded(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> dict:
    record("slurm", tmp_path_factory.mktemp("slurm"))
    return recorded("slurm")


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory) -> dict:
    record("hosts", tmp_path_factory.mktemp("hosts"))
    return recorded("hosts")


def check_slurm(found: dict) -> None:
    """The records are those of a run without Slurm, parents came first, and each fault sent a job on by itself."""
    assert found["differences"] == [] and found["parents_first"] is True and found["waited"]
    events = found["rates"]
    assert {what: (event["run"], event["state"], event["number"]) for what, event in events.items()} == {
        "cancelled": (PARENT, "CANCELLED", "new job"),
        "over its time limit": (CHILD, "TIMEOUT", "new job"),
        "node drained": (CHILD, "REQUEUED", "same job"),
        "node lost": (CHILD, "REQUEUED", "same job"),
    }
    assert all((event["at_epoch"], event["at_step"]) > (1, 0) for event in events.values())
    assert all(event["at_epoch"] >= event["after_epoch"] for event in events.values())
    assert all(event["node"] != event["went_on"] for what, event in events.items() if what.startswith("node "))
    done = [(job["what"], job["run"]) for job in found["jobs"] if job["state"] == "COMPLETED"]
    assert sorted(done) == [("evaluate", PARENT), ("evaluate", CHILD), ("train", PARENT), ("train", CHILD)]


def check_hosts(found: dict) -> None:
    """Two hosts say what one process says; a lost host is one line, and the next launch ends in the same weights."""
    compared = found["compared"]
    assert compared["same_crops"] is True and compared["same_errors_over_the_first_epochs"] is True
    assert compared["largest_difference_of_loss_over_them"] < 1e-5
    assert found["same_weights_as_undisturbed"] is True and found["broken"] == []
    for one in found["rates"].values():
        assert one["said"].startswith("error: A-256-s0: rank 0 of 2 processes lost another in epoch ")
        assert "; state saved in " in one["said"] and one["went_on"].startswith("epoch ")
    ended, silent = found["rates"].values()
    assert ended["seconds"] < found["silence"] <= silent["seconds"]


@pytest.mark.slurm
def test_the_smoke_study_goes_through_slurm(slurm):
    check_slurm(slurm)


@pytest.mark.hosts
def test_a_training_on_two_hosts_is_that_of_one_process(two_hosts):
    check_hosts(two_hosts)


def test_the_recorded_runs_were_as_they_should_be():
    check_slurm(recorded("slurm"))
    check_hosts(recorded("hosts"))


def test_hosts_know_each_other_and_one_that_is_lost_takes_its_processes_along(tmp_path):
    (tmp_path / "mine").write_text("of the hosts\n")
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(
                hosts.network(tmp_path, "one", "two", over={"/etc/hostname": tmp_path / "mine"})
            )
        except hosts.NotPossible as error:
            pytest.skip(str(error))
        one, two = found.values()
        assert (one.enter("hostname"), two.enter("hostname")) == ("one\n", "two\n")
        assert one.enter("cat", "/etc/hostname") == "of the hosts\n" != Path("/etc/hostname").read_text()
        assert two.address in one.enter("getent", "hosts", "two")
        sleeping = two.start("sleep", "1000")
        (process,) = hosts.wait_until(lambda: two.processes("sleep 1000"), 30, "a process on the host")
        assert one.processes("sleep 1000") == []
        two.lose()
        assert sleeping.wait(30) != 0 and not two.alive and one.alive and not process.is_running()
    assert not one.alive


def test_hosts_need_root(monkeypatch, tmp_path):
    monkeypatch.setattr(hosts.os, "geteuid", lambda: 1000)
    with pytest.raises(hosts.NotPossible, match="need root"), hosts.network(tmp_path, "one"):
        pass


def test_the_queue_is_read(tmp_path):
    rows = [
        "2|rule_train_wildcards_D-256-s0|RUNNING|node1|None|2026-11-26T17:00:10|2026-11-27T17:00:10",
        "1|rule_train_wildcards_A-256-s0|COMPLETED|node2|None|2026-11-26T16:59:00|2026-11-26T17:00:00",
        "3|(null)|RUNNING|node2|None|2026-11-26T17:00:10|2026-11-27T17:00:10",
        "4|rule_evaluate_wildcards_A-256-s0|PENDING||Resources|N/A|N/A",
    ]
    log = tmp_path / ".snakemake/slurm_logs/rule_train/D-256-s0/2.log"
    log.parent.mkdir(parents=True)
    log.write_text("D-256-s0: goes on at epoch 3, step 7\nD-256-s0: epoch 3/12  rate\nD-256-s0: epoch 4/12  rate\n")
    asked = SimpleNamespace(ask=lambda *_: "\n".join(rows))
    queue = Queue(asked, tmp_path, SimpleNamespace(poll=lambda: None))
    first, second, third = queue.jobs()
    assert (first.what, first.run, first.state, first.node) == ("train", PARENT, "COMPLETED", "node2")
    assert second.started > first.ended and third.started is None and third.reason == "Resources"
    assert queue.training(CHILD, 4) == second and queue.resumed(second) == [(3, 7)] and queue.epoch(first) == 0
    over = Queue(asked, tmp_path, SimpleNamespace(poll=lambda: 0))
    with pytest.raises(RuntimeError, match="Snakemake ended before: epoch 9"):
        over.training(CHILD, 9)


def test_a_table_without_its_record_says_how_to_make_it(checkout):
    assert trials.slurm().index.tolist() == list(recorded("slurm")["rates"])
    for name, tables in (("slurm", (trials.slurm,)), ("hosts", (trials.hosts, trials.two_hosts_and_one_process))):
        (checkout / "benchmarks" / f"{name}.json").unlink()
        for table in tables:
            with pytest.raises(VerydeepError, match=f"{name}.json: no record; run: make {name}"):
                table()


def test_a_difference_is_said(checkout):
    path = checkout / "benchmarks" / "slurm.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"differences": ["weights differ"], "parents_first": False})
    )
    caption = trials.slurm().attrs["caption"]
    assert "other than without it: weights differ" in caption and "after what it needs: no" in caption
    assert (REPOSITORY / "benchmarks" / "slurm.json").exists()
