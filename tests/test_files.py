"""Folders that are written whole or not at all."""

import os
from pathlib import Path

import pytest

from verydeep import files
from verydeep.errors import StorageError


def test_a_folder_takes_the_place_of_another_and_nothing_is_left_beside(tmp_path):
    folder = tmp_path / "kept"
    for text in ("first", "second"):
        with files.atomic_folder(folder) as making:
            (making / text).write_text(text)
        assert [path.name for path in folder.iterdir()] == [text]
        assert list(tmp_path.iterdir()) == [folder]


def test_the_content_of_a_file_reaches_the_disk_before_its_name(tmp_path, monkeypatch):
    """In the other order a crash of the machine could leave an empty file in the place of the old one."""
    done, synced, replace = [], os.fsync, Path.replace

    def sync(handle: int) -> None:
        done.append(("to disk", os.fstat(handle).st_size))
        synced(handle)

    def named(path: Path, target: Path) -> Path:
        done.append(("named", path.stat().st_size))
        return replace(path, target)

    monkeypatch.setattr(files.os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", named)
    files.write_text(tmp_path / "file", "whole")
    assert done == [("to disk", 5), ("named", 5)]


@pytest.mark.parametrize("pattern", ["*", "*/*", "**/*"])
def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path, monkeypatch, pattern):
    """pathlib takes it for an empty one, and what lies there would be missing without a word."""
    closed = tmp_path if pattern == "*" else tmp_path / "runs"
    closed.mkdir(exist_ok=True)
    scan = os.scandir

    def refuse(path):
        if os.fspath(path) == os.fspath(closed):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(files.os, "scandir", refuse)
    with pytest.raises(PermissionError):
        files.listed(tmp_path, pattern)


def test_a_new_folder_takes_no_place_that_something_is_in(tmp_path):
    """Of two that make it the second is refused, and so is what came to be there while it was made."""
    folder = tmp_path / "kept"
    folder.mkdir()
    with files.atomic_folder(folder, new=True) as making:  # nothing is in it
        (making / "file").write_text("first")
    with pytest.raises(StorageError, match="kept cannot be written: "):
        with files.atomic_folder(folder, new=True) as making:
            (making / "file").write_text("second")
    assert (folder / "file").read_text() == "first" and [*tmp_path.iterdir()] == [folder]


@pytest.mark.parametrize("where", ["while it is made", "when it takes its place"])
def test_where_it_cannot_be_written_the_old_folder_is_as_it_was(tmp_path, monkeypatch, where):
    folder = tmp_path / "kept"
    with files.atomic_folder(folder) as making:
        (making / "file").write_text("old")
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="kept cannot be written: "):
        with files.atomic_folder(folder) as making:
            (making / "file").write_text("new")
            if where == "while it is made":
                raise OSError(28, "No space left on device")
    assert (folder / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]
