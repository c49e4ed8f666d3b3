"""Kernels that are forks of one process: warm, apart from each other, and gone when they should be."""

import os
import time

import nbformat
import psutil
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from verydeep.notebooks import kernels, warm


@pytest.fixture(scope="module")
def world():
    with warm.own_world(["colorsys"]) as folder:
        yield folder


def shown(code, folder):
    """What a notebook of one cell prints in a kernel of its own."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, kernel_name=kernels.NAME, resources={"metadata": {"path": folder}}).execute()
    return "".join(output.get("text", "") for output in notebook.cells[0].outputs)


STATE = "import os, sys; print('colorsys' in sys.modules, os.getcwd(), os.environ.get('A_VARIABLE'), 'left' in dir(), "


def test_a_kernel_is_warm_and_knows_nothing_of_the_one_before(world, tmp_path, monkeypatch):
    monkeypatch.setenv("A_VARIABLE", "as it is now")
    first = shown(f"{STATE}os.getppid()); left = 1; os.environ['A_VARIABLE'] = 'changed'", tmp_path)
    second = shown(f"{STATE}os.getppid())", tmp_path)
    assert first == second and first.startswith(f"True {tmp_path} as it is now False")


def test_what_is_done_before_the_first_is_there_in_each_and_a_fault_in_it_is_no_fault_of_theirs(tmp_path, monkeypatch):
    (tmp_path / "beforehand.py").write_text(
        "import pathlib\nmade = []\ndef make():\n    made.append(1)\n    pathlib.Path('/nowhere').read_text()\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with warm.own_world(["beforehand"], "beforehand:make"):
        warm.begin()
        for _ in range(2):  # what one adds no other sees
            assert shown("import beforehand; beforehand.made.append(2); print(beforehand.made)", tmp_path) == "[1, 2]\n"


def test_a_world_that_nobody_used_ends_at_once():
    with warm.own_world(["torch"]):
        warm.begin()
        ended = time.monotonic()
    assert time.monotonic() - ended < 2


def test_it_draws_as_a_kernel_of_a_notebook_does(world, tmp_path):
    code = "import matplotlib.pyplot as plt; print(plt.get_backend()); plt.figure(); plt.show()"
    assert "inline" in shown(code, tmp_path)


def test_no_other_process_can_take_its_ports(world, tmp_path):
    code = "import json, ipykernel; print(json.loads(ipykernel.get_connection_info())['transport'])"
    assert shown(code, tmp_path) == "ipc\n"


def test_it_starts_processes_and_hears_of_their_end(world, tmp_path):
    code = "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'exit(3)']).returncode)"
    assert shown(code, tmp_path) == "3\n"


def test_one_that_dies_is_noticed(world, tmp_path):
    with pytest.raises(DeadKernelError):
        shown("import os; os._exit(1)", tmp_path)


def test_a_world_that_ends_leaves_no_process(tmp_path):
    with warm.own_world([]):
        forks = int(shown("import os; print(os.getppid())", tmp_path))
        os.kill(forks, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(forks, 0)


def test_a_kernel_that_nobody_ended_goes_with_its_world():
    """As when a build is killed."""
    with warm.own_world([]):
        manager, client = start_new_kernel(kernel_name=kernels.NAME)
        client.stop_channels()
        kernel = psutil.Process(manager.provisioner.pid)
        assert kernel.is_running()
    until = time.monotonic() + 60
    while kernel.is_running() and time.monotonic() < until:
        time.sleep(0.1)
    assert not kernel.is_running()
