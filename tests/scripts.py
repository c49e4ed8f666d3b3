"""Scripts of ``benchmarks/`` as a test calls them: on the processor, and in its own process."""

import contextlib
import importlib.util
import subprocess
import sys

import torch
from click.testing import CliRunner

from conftest import REPOSITORY

sys.path.append(str(REPOSITORY / "benchmarks"))


def load(name: str):
    """The script as a module, by its file: ``training`` and ``evaluation`` are folders of tests too."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", REPOSITORY / "benchmarks" / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def script(name: str, monkeypatch):
    """The script; what it starts as a process of its own is called here, and torch's flags are put back."""
    module = load(name)

    def called(command, **_):
        assert command[:2] == [sys.executable, module.__file__]
        done = CliRunner().invoke(module.main, command[2:])
        return subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr)

    if hasattr(module, "subprocess") or hasattr(module, "in_own_process"):
        monkeypatch.setattr(subprocess, "run", called)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    yield module
    torch.use_deterministic_algorithms(before)
    torch.set_num_threads(threads)
