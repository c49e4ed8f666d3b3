"""Checkouts as people have them: what ``verydeep check`` and ``cite`` say there, and what is refused.

A table as that of :mod:`faults.machine`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import REPOSITORY
from faults import kills
from faults.machine import NotPossible, expect, one_line
from faults.world import World
from verydeep import files, runs
from verydeep.runs import provenance

NUMBER = "smoke.table3.A-256.top1"
_AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@b.c")
_GOOD = "1 run checked: every file is as it was recorded\n"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *_AUTHOR, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def verydeep(root: Path, *arguments: str, package: Path | None = None) -> subprocess.CompletedProcess:
    """The command line in ``root``, by the package there or that of another checkout, of a user with an empty home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VERYDEEP_", "GIT_"))}
    changed = {"PYTHONPATH": str((package or root) / "src"), "HOME": str(root.parent)}
    command = [sys.executable, "-m", "verydeep", *arguments]
    return subprocess.run(command, cwd=root, env=kept | changed, capture_output=True, text=True, timeout=300)


def repository(folder: Path, whole: World) -> Path:
    """A repository of two commits: the sources, and then a run that was made by them."""
    root = folder / "repository"
    shutil.copytree(whole.root, root, ignore=shutil.ignore_patterns("artifacts", "runs"))
    shutil.copytree(REPOSITORY / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(REPOSITORY / ".gitattributes", root)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "sources")
    run = Path("runs") / "smoke" / kills.RUN
    shutil.copytree(whole.root / run, root / run)
    hashed = provenance.sources_sha256(root / "src" / "verydeep")
    made_by = {"commit": git(root, "rev-parse", "HEAD"), "dirty": False, "sources_sha256": hashed}
    for name in ("train.json", "evaluate.json"):
        path = root / run / name
        path.write_text(json.dumps(json.loads(path.read_text()) | {"sources": made_by}, indent=1) + "\n")
    sums = {path.name: files.sha256(path) for path in (root / run).iterdir() if path.name != runs.SEAL}
    seal = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    (root / run / runs.SEAL).write_text(seal)
    git(root, "add", ".")
    git(root, "commit", "-qm", "a run")
    return root


def _holds(root: Path) -> str:
    """Nothing is wrong, nothing is unknown, and a citation names the commit."""
    done = verydeep(root, "check")
    expect((done.returncode, done.stdout) == (0, _GOOD), f"{done.stdout}{done.stderr}")
    cited = verydeep(root, "cite", NUMBER, "--format", "text").stdout
    expect(f"commit {git(root, 'rev-parse', 'HEAD')}, page" in cited, cited)
    return done.stdout.strip()


def _does_not_know(root: Path, why: str, cited: str) -> str:
    """Nothing is wrong, and what is not known is said, with the reason."""
    done = verydeep(root, "check")
    commits = "the sources of 2 of 2 records are those of the commits they name"
    unknown = f"{commits}, and whether rules were changed ({why})"
    expect(done.returncode == 0 and done.stdout.startswith(_GOOD), f"{done.stdout}{done.stderr}")
    expect(f"not checked: whether {unknown}" in done.stdout, done.stdout)
    found = verydeep(root, "cite", NUMBER, "--format", "text").stdout
    expect(f"commit {cited}, page" in found, found)
    return done.stdout.splitlines()[-1]


def line_endings(folder: Path, whole: World) -> str:
    """A clone whose git converts line endings (``core.autocrlf=true``)."""
    found = repository(folder, whole)
    git(folder, "clone", "-q", "-c", "core.autocrlf=true", str(found), "clone")
    return _holds(folder / "clone")


def worktree(folder: Path, whole: World) -> str:
    """A worktree of git, with its own sources."""
    git(repository(folder, whole), "worktree", "add", "-q", "--detach", str(folder / "worktree"), "HEAD")
    return _holds(folder / "worktree")


def sources_of_another_checkout(folder: Path, whole: World) -> str:
    """A worktree in which the package of another checkout is imported; refused before it trains."""
    found, tree = repository(folder, whole), folder / "worktree"
    git(found, "worktree", "add", "-q", "--detach", str(tree), "HEAD")
    said = ""
    for command in (("train", "smoke", "B", "256"), ("run", "smoke", "A", "256", "--seed", "1")):
        done = verydeep(tree, *command, package=found)
        said = one_line(done, rf"{tree} has sources of its own, but {found}/src/verydeep was imported: use")
    expect(git(tree, "status", "--porcelain", "--", "runs") == "", "something was written to runs/")
    return said


def _unpack(found: Path, root: Path) -> None:
    root.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=found, capture_output=True, check=True).stdout
    subprocess.run(["tar", "x"], cwd=root, input=archive, check=True)


def tarball(folder: Path, whole: World) -> str:
    """A tarball, which knows nothing of commits."""
    _unpack(repository(folder, whole), folder / "tarball")
    return _does_not_know(folder / "tarball", "this is no git clone", "unknown (this is no git clone)")


def tarball_within_a_repository(folder: Path, whole: World) -> str:
    """A tarball that was unpacked within a repository of something else, whose commits are not ours."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "of something else")
    _unpack(repository(folder, whole), folder / "tarball")
    why = "this is no git clone, though it lies in one of something else"
    return _does_not_know(folder / "tarball", why, f"unknown ({why})")


def shallow_clone(folder: Path, whole: World) -> str:
    """A clone with the last commit alone."""
    found = repository(folder, whole)
    git(folder, "clone", "-q", "--depth", "1", f"file://{found}", "clone")
    why = "a shallow clone has the end of its history alone; run: git fetch --unshallow"
    return _does_not_know(folder / "clone", why, git(found, "rev-parse", "HEAD"))


def checkout_of_another_user(folder: Path, whole: World) -> str:
    """A checkout that belongs to another user, of which git tells nothing."""
    if os.geteuid() != 0:
        raise NotPossible("only root can give a checkout away")
    git(folder, "clone", "-q", str(repository(folder, whole)), "clone")
    root = folder / "clone"
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    why = f"git refuses a checkout of another user; run: git config --global --add safe.directory {root}"
    return _does_not_know(root, why, f"unknown ({why})")


FAULTS = (
    line_endings,
    worktree,
    sources_of_another_checkout,
    tarball,
    tarball_within_a_repository,
    shallow_clone,
    checkout_of_another_user,
)
