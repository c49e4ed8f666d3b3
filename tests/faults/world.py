"""A checkout of its own for every fault, and what lies in it before and after."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

import forks
from conftest import make_checkout
from verydeep import files

# Locks stay behind by design: whether one is held is not in the file.
_NOT_COUNTED = (".lock",)


class World:
    """A checkout, and a data folder beside it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.root = folder / "checkout"
        self.data = folder / "data"
        self.artifacts = self.root / "artifacts"
        self.runs = self.root / "runs"

    @classmethod
    def new(cls, folder: Path) -> "World":
        """An empty one."""
        world = cls(folder)
        make_checkout(world.root)
        world.data.mkdir()
        return world

    @classmethod
    def copy(cls, of: "World", folder: Path) -> "World":
        """One that starts where another stands."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(of.folder, folder, symlinks=True)
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "VERYDEEP_ROOT": str(self.root),
            "VERYDEEP_ARTIFACTS": str(self.artifacts),
            "VERYDEEP_DATA": str(self.data),
        }

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Within the block this process works in it."""
        before, here = dict(os.environ), Path.cwd()
        os.environ.update(self.environment)
        os.chdir(self.root)
        try:
            yield
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "verydeep", *arguments]

    def start(self, *arguments: str, prefix: tuple[str, ...] = (), **options) -> subprocess.Popen:
        """``verydeep`` with these arguments, in it, as a process of its own; ``options`` are those of ``Popen``."""
        return subprocess.Popen(
            [*prefix, *self.command(*arguments)],
            cwd=self.root,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        """The same, to its end; without a prefix in a fork, which has imported already what the command would."""
        if prefix:
            return ended(self.start(*arguments, prefix=prefix))
        return forks.run("verydeep", *arguments, folder=self.root, **self.environment)

    def snapshot(self) -> dict[str, str]:
        """Every file with its hash."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink()]
        return {
            str(path.relative_to(self.folder)): files.sha256(path) for path in paths if path.suffix not in _NOT_COUNTED
        }


def ended(process: subprocess.Popen, timeout: float = 300) -> subprocess.CompletedProcess:
    """Wait for its end, at most ``timeout`` seconds, after which it and all that it has started are killed."""
    try:
        out, error = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


def family(process: subprocess.Popen) -> list[psutil.Process]:
    """A process and everything that it has started, a notebook's kernel too."""
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to a process and everything that it has started, as the machine going away, in microseconds."""
    for pid in _descendants(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def _descendants(pid: int) -> list[int]:
    """The youngest first; looking through all processes would take longer than a file takes to be written."""
    children: list[str] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += path.read_text().split()
    return [one for child in children for one in _descendants(int(child))] + [pid]
