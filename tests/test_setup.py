"""``make`` and its environment: one that does not work is made anew, and what is missing is said in one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY


@pytest.fixture
def project(tmp_path) -> Path:
    """The files that make an environment, and nothing to install into it."""
    root = tmp_path / "project"
    (root / ".ci").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", ".ci/venv.sh"):
        shutil.copy(REPOSITORY / name, root / name)
    return root


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def venv(root: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess:
    environment = os.environ | ({"PATH": path} if path else {})
    command = ["/bin/sh", ".ci/venv.sh", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)


def programs(folder: Path) -> str:
    """A search path with what the script calls, and no Python."""
    folder.mkdir()
    for name in ("sh", "sed", "dirname", "basename", "head", "grep", "rm"):
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def test_an_environment_is_made_once_and_kept(project):
    made = venv(project, "make", ".venv", sys.executable)
    assert made.returncode == 0, made.stderr
    (project / ".venv" / "mark").touch()
    for arguments in (("check", ".venv"), ("make", ".venv", sys.executable)):
        done = venv(project, *arguments)
        assert (done.returncode, done.stderr) == (0, "") and (project / ".venv" / "mark").exists()


def test_an_environment_is_kept_whatever_link_leads_to_its_checkout(project, tmp_path, monkeypatch):
    """A shell calls a folder by the link that it came by, and pip, when it is upgraded, by its own path."""
    link = tmp_path / "link"
    link.symlink_to(project, target_is_directory=True)
    monkeypatch.setenv("PWD", str(link))
    made = venv(link, "make", ".venv", sys.executable)
    assert made.returncode == 0, made.stderr
    pip = project / ".venv/bin/pip"
    assert pip.read_text().startswith(f"#!{project.resolve()}/.venv/bin/python")
    done = venv(link, "check", ".venv")
    assert (done.returncode, done.stderr) == (0, "") and pip.exists()


def test_a_folder_may_have_a_space_a_bracket_and_a_quote_in_its_name(project, tmp_path):
    moved = shutil.move(project, tmp_path / "ann's [b] c")
    made = venv(moved, "make", ".venv", sys.executable)
    assert made.returncode == 0, made.stderr
    (moved / ".venv" / "mark").touch()
    done = venv(moved, "check", ".venv")
    assert (done.returncode, done.stderr) == (0, "") and (moved / ".venv" / "mark").exists()


def without_pip(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)


def of_an_old_python(folder: Path) -> None:
    script(folder / "bin" / "python", "exit 1")


def without_its_python(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/nowhere/python3")


def moved(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder.with_name("elsewhere"))], check=True)
    folder.with_name("elsewhere").rename(folder)


@pytest.mark.parametrize("broken", [without_pip, of_an_old_python, without_its_python, moved])
def test_an_environment_that_does_not_work_is_removed(project, broken):
    broken(project / ".venv")
    done = venv(project, "check", ".venv")
    assert done.returncode == 0 and not (project / ".venv").exists()
    assert done.stderr == (
        ".venv does not work (it needs Python 3.11 or newer, with pip, where it was made): made anew\n"
    )


def test_make_does_so_before_anything_else(project):
    without_pip(project / ".venv")
    (project / ".venv" / ".installed").touch()
    planned = subprocess.run(["make", "-n", "check"], cwd=project, capture_output=True, text=True)
    assert "sh .ci/venv.sh make .venv" in planned.stdout and not (project / ".venv").exists()


def test_what_is_missing_is_said_in_one_line(project, tmp_path):
    path = programs(tmp_path / "bin")
    done = venv(project, "make", ".venv", path=path)
    needed = "error: Python 3.11 or newer is needed: install it, or say where it is: make PYTHON=/path/to/python3\n"
    assert (done.returncode, done.stderr) == (1, needed)
    script(tmp_path / "bin" / "python3", "exit 1")  # too old
    assert venv(project, "make", ".venv", path=path).stderr == needed
    done = venv(project, "make", ".venv", "python3", path=path)
    assert (done.returncode, done.stderr) == (1, "error: PYTHON=python3 is missing or older than Python 3.11\n")
    script(tmp_path / "bin" / "python3.12", f'[ "$1" = -m ] && exit 1\nexec {sys.executable} "$@"')
    done = venv(project, "make", ".venv", path=path)
    assert done.returncode == 1 and not (project / ".venv").exists()
    assert done.stderr.startswith(
        "error: python3.12 cannot make an environment: its module venv or ensurepip is missing"
    )
    script(tmp_path / "bin" / "python3.12", f'exec {sys.executable} "$@"')
    assert venv(project, "make", ".venv", path=path).returncode == 0
