"""What made a number: the sources that were imported, and nothing where that is not known."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import REPOSITORY
from faults import checkouts
from faults.checkouts import NUMBER, git, verydeep
from faults.machine import NotPossible
from faults.world import World
from verydeep import paths, results
from verydeep.errors import VerydeepError
from verydeep.results import citation
from verydeep.runs import checks, provenance


@pytest.fixture(scope="module")
def repository(trained_checkout, tmp_path_factory) -> Path:
    """A repository of two commits: the sources, and then a run that was made by them."""
    return checkouts.repository(tmp_path_factory.mktemp("repository"), World(trained_checkout.parent))


@pytest.mark.parametrize("fault", checkouts.FAULTS, ids=lambda fault: fault.__name__)
def test_a_checkout_knows_what_made_its_numbers_or_says_that_it_does_not(
    fault, repository, trained_checkout, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkouts, "repository", lambda folder, whole: repository)  # which each would make anew
    try:
        assert fault(tmp_path, World(trained_checkout.parent))
    except NotPossible as error:
        pytest.skip(str(error))


def test_bytes_of_commits_without_attributes_come_as_they_were_committed(repository, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", str(repository), "clone")
    clone = tmp_path / "clone"
    git(clone, "rm", "-q", ".gitattributes")
    git(clone, "commit", "-qm", "as before")
    git(clone, "config", "core.autocrlf", "true")
    monkeypatch.setenv("VERYDEEP_ROOT", str(clone))
    found = provenance.sources_sha256_at(git(clone, "rev-parse", "HEAD"))
    assert found == provenance.sources_sha256(repository / "src" / "verydeep")


def test_a_record_of_a_checkout_that_git_refuses_names_no_commit(repository, tmp_path, monkeypatch):
    root = tmp_path / "unpacked"
    shutil.copytree(repository, root, ignore=shutil.ignore_patterns(".git"))
    monkeypatch.setenv("VERYDEEP_ROOT", str(root))
    monkeypatch.setattr(paths, "package", lambda: root / "src" / "verydeep")
    known = {"commit": None, "dirty": None, "sources_sha256": provenance.sources_sha256(), "package": "src/verydeep"}
    assert provenance.sources().model_dump() == known | {"unknown": "this is no git clone"}
    monkeypatch.setattr(paths, "package", lambda: repository / "src" / "verydeep")
    assert provenance.sources().unknown == "the package was not imported from a checkout"
    monkeypatch.setattr(provenance.paths, "checkout", lambda: None)
    assert provenance.sources().unknown == "the package was not imported from a checkout", (
        "where there is none, neither"
    )


def test_a_number_of_a_run_that_is_not_committed_is_not_said_to_be(repository, tmp_path):
    git(tmp_path, "clone", "-q", str(repository), "clone")
    root, head = tmp_path / "clone", git(repository, "rev-parse", "HEAD")
    git(root, "rm", "-rq", "--cached", "runs/smoke/A-256-s0")
    cited = verydeep(root, "cite", NUMBER, "--format", "text").stdout
    assert f"commit {head}, which does not have the run A-256-s0, page" in cited
    git(root, "reset", "-q")
    (root / "runs/smoke/A-256-s0/note.txt").write_text("mine")
    assert "which has another A-256-s0 than is here" in verydeep(root, "cite", NUMBER, "--format", "text").stdout
    git(root, "rm", "-rq", "--cached", "runs/smoke/A-256-s0")
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
    assert provenance.sources().dirty is False
    assert provenance.sources().commit == provenance.git("rev-parse", "HEAD")
    (package / ".DS_Store").touch()
    assert provenance.sources().dirty is False
    change(package)
    assert provenance.sources().dirty is True


def test_a_committed_run_that_is_gone_is_missed(repository, tmp_path, monkeypatch):
    """Its network's mean over seeds would be another than that of the commit that a citation names."""
    git(tmp_path, "clone", "-q", str(repository), "clone")
    root, head = tmp_path / "clone", git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("VERYDEEP_ROOT", str(root))
    number = results.number("smoke.table3.A-256.top1")
    (run,) = number.runs
    shutil.rmtree(root / "runs/smoke" / run)
    (gone,) = [line for line in checks.check_all() if line.startswith(f"runs/smoke/{run}: is committed and not here")]
    assert "git checkout" in gone
    other = replace(number, runs=[run.replace("-s0", "-s1")])
    monkeypatch.setattr(provenance, "is_committed", lambda folder: True)
    assert citation._commit(other) == f"{head}, which has {run} too"


def test_a_book_of_another_project_is_no_checkout(tmp_path, monkeypatch):
    for name in ("book", "runs"):
        (tmp_path / name).mkdir()
    (tmp_path / "_config.yml").write_text("title: Recipes\n")
    monkeypatch.delenv("VERYDEEP_ROOT", raising=False)
    monkeypatch.chdir(tmp_path / "book")
    assert paths.root() == REPOSITORY
    monkeypatch.setenv("VERYDEEP_ROOT", str(tmp_path))
    with pytest.raises(VerydeepError, match=r"VERYDEEP_ROOT=.*: no checkout of verydeep; set it to one, or unset it"):
        paths.root()
