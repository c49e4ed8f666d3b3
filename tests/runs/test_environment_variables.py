"""Environment variables of accelerate, torch and launchers: what other programs left in them changes no number."""

import os
import subprocess
import sys

import pytest

from conftest import REPOSITORY
from faults import leftovers, small
from faults.world import World
from verydeep import files, runs
from verydeep.errors import VerydeepError
from verydeep.runs import environment_variables


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[World, str]:
    world = World.new(tmp_path_factory.mktemp("undisturbed") / "world")
    small.make(world)
    return world, leftovers.weights(world)


@pytest.mark.parametrize("left", [
    *({name: value} for name, value in leftovers.TAKEN_AWAY.items()), leftovers.ONE_PROCESS,
], ids=lambda left: "=".join(next(iter(left.items()))) if len(left) == 1 else "a launch of one")  # fmt: skip
def test_a_variable_left_by_another_program_changes_no_weight(undisturbed, tmp_path, left):
    _, expected = undisturbed
    mine = World.new(tmp_path / "world")
    small.make(mine)
    before = dict(os.environ)
    assert leftovers.weights(mine, **left) == expected
    assert dict(os.environ) == before


def test_a_thread_count_is_part_of_the_record(undisturbed, monkeypatch):
    world, _ = undisturbed
    with world.entered():
        device = runs.read_record(small.run(), "train").device
    assert device.instruction_set
    assert device.variables == environment_variables.recorded() | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("AWS_SECRET", "x")
    recorded = environment_variables.recorded()
    assert recorded["MKL_CBWR"] == "COMPATIBLE" and "AWS_SECRET" not in recorded


@pytest.mark.parametrize(("value", "seconds"), [(None, None), ("", None), ("90", 90), ("31536000", 31536000)])
def test_how_long_a_silent_process_is_waited_for(monkeypatch, value, seconds):
    monkeypatch.delenv(environment_variables.SILENCE, raising=False)
    if value is not None:
        monkeypatch.setenv(environment_variables.SILENCE, value)
    assert environment_variables.silence() == seconds


@pytest.mark.parametrize("value", ["0", "-3", "1.5", "long", "²", "31536001", "99999999999999", "9" * 5000])
def test_a_silence_that_is_no_number_of_seconds_is_refused(monkeypatch, value):
    monkeypatch.setenv(environment_variables.SILENCE, value)
    with pytest.raises(VerydeepError, match=f"VERYDEEP_SILENCE={value}: no number of seconds; set it"):
        environment_variables.silence()


def test_the_whole_launch_of_torchrun_is_believed(monkeypatch):
    for name, value in zip(environment_variables.TORCHRUN, ("3", "8", "1", "2", "node0", "29500"), strict=True):
        monkeypatch.setenv(name, value)
    assert environment_variables.process() == (3, 8)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    with environment_variables.undisturbed():
        assert environment_variables.process() == (3, 8) and environment_variables.asks_for_cpu()
        assert "ACCELERATE_MIXED_PRECISION" not in os.environ
    monkeypatch.delenv("MASTER_PORT")
    with pytest.raises(VerydeepError, match="RANK=3, WORLD_SIZE=8, .* but MASTER_PORT not: unset them, or start"):
        environment_variables.process()


@pytest.mark.parametrize("port", ["abc", "0", "-1", "65536", "29_500", "²", "9" * 5000])
def test_a_launch_meets_at_a_port(monkeypatch, port):
    for name, value in zip(environment_variables.TORCHRUN, ("0", "1", "0", "1", "node0", port), strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(VerydeepError, match=f"^MASTER_PORT={port}: no port; a port is a whole number from 1 to 65535"):
        environment_variables.process()
    for usual in ("1", "29500", "65535"):
        monkeypatch.setenv("MASTER_PORT", usual)
        assert environment_variables.process() == (0, 1)


@pytest.mark.parametrize("size", ["²", "9" * 5000, "1", "one"])
def test_a_size_of_mpi_that_is_no_number_is_no_launch(monkeypatch, size):
    monkeypatch.setenv(environment_variables.MPI_SIZES[0], size)
    assert environment_variables.process() == (0, 1)


@pytest.mark.parametrize("launcher", [
    ("torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m"),
    ("accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1", "--mixed_precision", "bf16",
     "--dynamo_backend", "inductor", "--gradient_accumulation_steps", "4", "-m"),
], ids=lambda launcher: launcher[0])  # fmt: skip
def test_a_launch_in_earnest_trains(tmp_path, undisturbed, launcher):
    """torchrun on two processes; accelerate launch with a recipe of its own, which is not this study's, on one."""
    world = World.new(tmp_path / "world")
    small.make(world)
    recipe = {"batch": 2} if "torch" in launcher[0] else {}
    program = tmp_path / "launched.py"
    program.write_text(
        "from faults import small\nfrom verydeep import training\n"
        f"with small.sets():\n    run = small.run()\n    run.study.recipe.update({recipe})\n    training.train(run)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", *launcher, "launched"],
        env=os.environ | world.environment | {"PYTHONPATH": path, "PMI_SIZE": "1"},
        cwd=world.root, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    with world.entered():
        record = runs.read_record(small.run(), "train")
    assert record.device.processes == (2 if "torch" in launcher[0] else 1)
    assert record.parameters["recipe"]["precision"] == "float32"
    made = files.sha256(world.runs / "small" / "A-256-s0" / "weights.safetensors")
    if not recipe:
        assert made == undisturbed[1], "accelerate's own settings changed the training"


def test_processes_within_a_launch_are_refused(undisturbed, tmp_path, monkeypatch):
    world = World.new(tmp_path / "world")
    from verydeep import training

    for name, value in zip(environment_variables.TORCHRUN, ("0", "2", "0", "2", "localhost", "1"), strict=True):
        monkeypatch.setenv(name, value)
    with world.entered(), small.sets(), pytest.raises(VerydeepError, match="has started 2 processes already"):
        training.train(small.run(), processes=2)
