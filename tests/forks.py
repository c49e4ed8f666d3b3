"""Calls in processes of their own that cost no imports: forks of one that has imported what they would import anew."""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
#: What tests import, builds of a book, trainings and workflows: a third to nearly all of the time of a short one.
_FORKS.set_forkserver_preload([
    "pytest", "hypothesis", "jupyter_book.cli.main", "myst_nb", "sphinx_book_theme", "verydeep.book.extension",
    "verydeep.training", "snakemake.cli", "frozen",
])  # fmt: skip


class Forked:
    """A call in a process of its own, with this one's variables and others, in a folder; as ``Popen`` shows a process.

    It ends as a program would: with status 1 and the traceback where the call raises, with that of ``SystemExit``.
    """

    def __init__(self, call: Callable, *arguments: object, folder: Path | None = None, **variables: str):
        self._folder = tempfile.TemporaryDirectory(prefix="forked.")
        self._said = [Path(self._folder.name) / name for name in ("out", "error")]
        asked = (call, arguments, folder or Path.cwd(), os.environ | variables, self._said)
        self._process = _FORKS.Process(target=_become, args=asked)
        self._process.start()

    @property
    def pid(self) -> int:
        """The process, which leads a group of those that it starts."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, or ``None``."""
        return self._process.exitcode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it wrote to its end; ``TimeoutExpired`` after so many seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        out, error = (path.read_text() for path in self._said)
        self._folder.cleanup()
        return out, error


def run(*command: str, folder: Path, timeout: float = 300, **variables: str) -> subprocess.CompletedProcess[str]:
    """What one of the commands that are installed with packages does, to its end."""
    running = Forked(_be, command, folder=folder, **variables)
    try:
        said = running.communicate(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        raise
    return subprocess.CompletedProcess(command, running.returncode, *said)


def _be(command: tuple[str, ...]) -> None:
    sys.argv = [*command]
    (script,) = entry_points(group="console_scripts", name=command[0])
    sys.exit(script.load()())


def _become(call: Callable, arguments: tuple, folder: Path, variables: dict[str, str], said: list[Path]) -> None:
    """In a fork: make the call, and write to two files what it says."""
    os.setsid()
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    multiprocessing.set_start_method(None, force=True)  # that of a program, not the one by which it was started here
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream, path in zip((sys.stdout, sys.stderr), said, strict=True):
        with path.open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
    try:
        call(*arguments)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # which a process of multiprocessing leaves out
