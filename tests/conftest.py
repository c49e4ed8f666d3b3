"""Shared fixtures: a checkout of its own for every test that writes, and one trained smoke network for all."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]
#: The settings of every test that draws its cases at random.
EVERY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

# Several test processes share two cores; waiting threads must not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def make_checkout(folder: Path) -> Path:
    """A copy of the book and its configuration with an empty ``runs/``."""
    (folder / "runs").mkdir(parents=True)
    for name in ("_config.yml", "CITATION.cff", "CONTRIBUTING.md", "constraints.txt"):
        shutil.copy(REPOSITORY / name, folder)
    for name in ("workflow", "benchmarks"):
        shutil.copytree(REPOSITORY / name, folder / name)
    written = shutil.ignore_patterns("runs", "reference", ".ipynb_checkpoints")  # by a build
    shutil.copytree(REPOSITORY / "book", folder / "book", ignore=written)
    return folder


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """An empty checkout that the package takes for its own."""
    root = make_checkout(tmp_path / "checkout")
    monkeypatch.setenv("VERYDEEP_ROOT", str(root))
    monkeypatch.setenv("VERYDEEP_ARTIFACTS", str(root / "artifacts"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def trained_checkout(tmp_path_factory) -> Path:
    """A checkout in which A of the smoke study was trained and evaluated through the notebooks."""
    from verydeep import notebooks, studies

    root = make_checkout(tmp_path_factory.mktemp("trained") / "checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERYDEEP_ROOT", str(root))
        patch.setenv("VERYDEEP_ARTIFACTS", str(root / "artifacts"))
        patch.chdir(root)
        notebooks.execute_run(studies.find_run("smoke", "A", 256))
    return root


@pytest.fixture
def trained(trained_checkout, tmp_path, monkeypatch) -> Path:
    """A private copy of the trained checkout, to look at or to damage."""
    root = tmp_path / "copy"
    shutil.copytree(trained_checkout, root)
    monkeypatch.setenv("VERYDEEP_ROOT", str(root))
    monkeypatch.setenv("VERYDEEP_ARTIFACTS", str(root / "artifacts"))
    monkeypatch.chdir(root)
    return root
