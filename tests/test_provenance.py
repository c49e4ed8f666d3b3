"""What made a number: the sources that were imported, and nothing where that is not known."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from verydeep import files, paths, provenance, runs
from verydeep.errors import VerydeepError

RUN = "smoke/A-256-s0"
NUMBER = "smoke.table3.A-256.top1"
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@b.c")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def verydeep(root: Path, *arguments: str, package: Path | None = None) -> subprocess.CompletedProcess:
    """The command line in ``root``, by the package there or another, of a user with an empty home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VERYDEEP_", "GIT_"))}
    changed = {"PYTHONPATH": str((package or root) / "src"), "HOME": str(root.parent)}
    command = [sys.executable, "-m", "verydeep", *arguments]
    return subprocess.run(command, cwd=root, env=kept | changed, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def repository(trained_checkout, tmp_path_factory) -> Path:
    """A repository of two commits: the sources, and then a run that was made by them."""
    root = tmp_path_factory.mktemp("repository") / "verydeep"
    shutil.copytree(trained_checkout, root, ignore=shutil.ignore_patterns("artifacts", "runs"))
    shutil.copytree(REPOSITORY / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(REPOSITORY / ".gitattributes", root)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "sources")
    shutil.copytree(trained_checkout / "runs", root / "runs")
    made_by = {"commit": git(root, "rev-parse", "HEAD"), "dirty": False, "sources_sha256": None}
    made_by["sources_sha256"] = provenance.sources_sha256(root / "src" / "verydeep")
    for name in ("train.json", "evaluate.json"):
        path = root / "runs" / RUN / name
        path.write_text(json.dumps(json.loads(path.read_text()) | {"sources": made_by}, indent=1) + "\n")
    sums = {path.name: files.sha256(path) for path in (root / "runs" / RUN).iterdir() if path.name != runs.SEAL}
    seal = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    (root / "runs" / RUN / runs.SEAL).write_text(seal)
    git(root, "add", ".")
    git(root, "commit", "-qm", "a run")
    return root


def test_a_clone_that_converts_line_endings_holds(repository, tmp_path):
    git(tmp_path, "clone", "-q", "-c", "core.autocrlf=true", str(repository), "clone")
    done = verydeep(tmp_path / "clone", "check")
    assert (done.returncode, done.stdout) == (0, "1 run checked: every file is as it was recorded\n"), done.stderr


def test_bytes_of_commits_without_attributes_come_as_they_were_committed(repository, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", str(repository), "clone")
    clone = tmp_path / "clone"
    git(clone, "rm", "-q", ".gitattributes")
    git(clone, "commit", "-qm", "as before")
    git(clone, "config", "core.autocrlf", "true")
    monkeypatch.setenv("VERYDEEP_ROOT", str(clone))
    found = provenance.sources_sha256_at(git(clone, "rev-parse", "HEAD"))
    assert found == provenance.sources_sha256(repository / "src" / "verydeep")


def test_a_worktree_is_a_checkout_of_its_own(repository, tmp_path):
    git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "worktree"), "HEAD")
    done = verydeep(tmp_path / "worktree", "check")
    assert (done.returncode, done.stdout) == (0, "1 run checked: every file is as it was recorded\n"), done.stderr
    cited = verydeep(tmp_path / "worktree", "cite", NUMBER, "--format", "text")
    assert f"commit {git(repository, 'rev-parse', 'HEAD')}, page" in cited.stdout


def test_sources_of_another_checkout_train_nothing(repository, tmp_path):
    git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "worktree"), "HEAD")
    for command in (("train", "smoke", "B", "256"), ("run", "smoke", "A", "256", "--seed", "1")):
        done = verydeep(tmp_path / "worktree", *command, package=repository)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert f"worktree has sources of its own, but {repository}/src/verydeep was imported: use" in done.stderr
    assert git(tmp_path / "worktree", "status", "--porcelain", "--", "runs") == ""


@pytest.mark.parametrize("within_another", [False, True])
def test_a_tarball_says_what_it_does_not_know(repository, tmp_path, within_another):
    why = "this is no git clone"
    if within_another:
        git(tmp_path, "init", "-q")
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", "of something else")
        why += ", though it lies in one of something else"
    root = tmp_path / "verydeep"
    root.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=repository, capture_output=True, check=True).stdout
    subprocess.run(["tar", "x"], cwd=root, input=archive, check=True)
    done = verydeep(root, "check")
    assert done.returncode == 0 and f"not checked: whether the sources of 2 of 2 records are those of the commits they "\
        f"name, and whether rules were changed ({why})" in done.stdout  # fmt: skip
    assert f"commit unknown ({why}), page" in verydeep(root, "cite", NUMBER, "--format", "text").stdout


def test_a_shallow_clone_says_what_it_does_not_know(repository, tmp_path):
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "clone")
    done = verydeep(tmp_path / "clone", "check")
    assert done.returncode == 0, done.stderr
    assert "the sources of 2 of 2 records" in done.stdout and "run: git fetch --unshallow" in done.stdout
    cited = verydeep(tmp_path / "clone", "cite", NUMBER, "--format", "text")
    assert f"commit {git(repository, 'rev-parse', 'HEAD')}, page" in cited.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout away")
def test_a_checkout_of_another_user_says_what_it_does_not_know(repository, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", str(repository), "clone")
    root = tmp_path / "clone"
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    why = f"git refuses a checkout of another user; run: git config --global --add safe.directory {root}"
    done = verydeep(root, "check")
    assert done.returncode == 0 and f"({why})" in done.stdout
    assert f"commit unknown ({why}), page" in verydeep(root, "cite", NUMBER, "--format", "text").stdout
    monkeypatch.setenv("VERYDEEP_ROOT", str(root))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(paths, "package", lambda: root / "src" / "verydeep")
    assert provenance.sources() | {"sources_sha256": ""} == {
        "commit": None, "dirty": None, "sources_sha256": "", "package": "src/verydeep", "unknown": why,
    }  # fmt: skip


def test_a_number_of_a_run_that_is_not_committed_is_not_said_to_be(repository, tmp_path):
    git(tmp_path, "clone", "-q", str(repository), "clone")
    root, head = tmp_path / "clone", git(repository, "rev-parse", "HEAD")
    git(root, "rm", "-rq", "--cached", f"runs/{RUN}")
    cited = verydeep(root, "cite", NUMBER, "--format", "text").stdout
    assert f"commit {head}, which does not have the run A-256-s0, page" in cited
    (root / ".gitignore").write_text("/runs/smoke/\n")
    assert "does not have the run" in verydeep(root, "cite", NUMBER, "--format", "bibtex").stdout


@pytest.mark.parametrize("change", [
    pytest.param(lambda package: (package / "studies" / "mine.yaml").write_text("title: x\n"), id="an untracked study"),
    pytest.param(lambda package: (package / "paths.py").write_text("x = 1\n"), id="a changed file"),
    pytest.param(lambda package: (package / "ignored.py").write_text("x = 1\n"), id="a file that git ignores"),
])  # fmt: skip
def test_sources_that_are_not_those_of_the_commit_are_called_dirty(repository, tmp_path, monkeypatch, change):
    git(tmp_path, "clone", "-q", str(repository), "clone")
    package = tmp_path / "clone" / "src" / "verydeep"
    (tmp_path / "clone" / ".git" / "info" / "exclude").write_text("ignored.py\n")
    monkeypatch.setenv("VERYDEEP_ROOT", str(tmp_path / "clone"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))  # as within a hook
    monkeypatch.setattr(paths, "package", lambda: package)
    assert provenance.sources()["dirty"] is False
    assert provenance.sources()["commit"] == provenance.git("rev-parse", "HEAD")
    change(package)
    assert provenance.sources()["dirty"] is True


def test_a_book_of_another_project_is_no_checkout(tmp_path, monkeypatch):
    for name in ("book", "runs"):
        (tmp_path / name).mkdir()
    (tmp_path / "_config.yml").write_text("title: Recipes\n")
    monkeypatch.delenv("VERYDEEP_ROOT", raising=False)
    monkeypatch.chdir(tmp_path / "book")
    assert paths.root() == REPOSITORY
    monkeypatch.setenv("VERYDEEP_ROOT", str(tmp_path))
    with pytest.raises(VerydeepError, match=r"VERYDEEP_ROOT=.* is no checkout of verydeep; set it to one, or unset it"):
        paths.root()
