"""What made a number: sources, versions, machine. Read without importing torch."""

import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from verydeep import files, paths

PACKAGES = ("torch", "torchvision", "accelerate", "numpy", "pillow", "pandas", "verydeep")
#: The package's own files that count as sources.
SOURCE_SUFFIXES = (".py", ".yaml", ".csv")


def now() -> str:
    """The time in UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def git(*arguments: str) -> str | None:
    """Output of a git command in the checkout, or ``None`` where git or the repository is missing."""
    try:
        found = subprocess.run(
            ["git", *arguments], cwd=paths.root(), capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


class Head(NamedTuple):
    """The commit that is checked out, its date (YYYY-MM-DD) and its tags; ``None`` and none where there is no git."""

    commit: str | None
    date: str | None
    tags: tuple[str, ...]


def head() -> Head:
    """What is checked out, asked once for each checkout: the pages of a book ask for every number."""
    return _head(paths.root())


@cache
def _head(root: Path) -> Head:
    commit, _, date = (git("show", "--no-patch", "--format=%H %cs", "HEAD") or "").partition(" ")
    return Head(commit or None, date or None, tuple((git("tag", "--points-at", "HEAD") or "").split()))


def sources_sha256(package: Path | None = None) -> str:
    """One hash over the package's sources: of the sorted lines ``<sha256>  <path>`` of its files."""
    package = package or paths.package()
    lines = [
        f"{files.sha256(path)}  {path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.suffix in SOURCE_SUFFIXES and "__pycache__" not in path.parts
    ]
    return files.sha256_bytes("\n".join(sorted(lines)).encode())


@cache
def sources_sha256_at(commit: str) -> str | None:
    """:func:`sources_sha256` of the package as committed, or ``None`` where git does not have that commit."""
    try:
        archive = subprocess.run(
            ["git", "archive", "--format=tar", commit, "src/verydeep"],
            cwd=paths.root(),
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as bundle:
            files.extract(bundle, folder)
        return sources_sha256(Path(folder) / "src" / "verydeep")


def sources() -> dict:
    """Commit, whether tracked files differ from it, and the hash of the package's sources."""
    status = git("status", "--porcelain", "--untracked-files=no", "--", "src", "book", "pyproject.toml")
    return {
        "commit": git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
        "sources_sha256": sources_sha256(),
    }


def load_average() -> float | None:
    """Processes that want to run, over the last minute: whether timings were taken on an idle machine."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def environment() -> dict:
    """Versions, operating system and processor."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
    }
