"""Whole-file writes: the new file, or the old one untouched."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.files import RunFolderError, replacing, write_atomically


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """A kernel's limit in place of a full disk: writes come back short, then fail, as on a full one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_text_and_bytes_arrive_and_replace(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, "grün")
    assert path.read_bytes() == "grün".encode()
    write_atomically(str(path), b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "state.bin"
    write_atomically(path, b"old")
    with files_no_longer_than(1000), pytest.raises(RunFolderError, match=r"state\.bin could not be written"):
        write_atomically(path, b"x" * 5000)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.bin"]


def test_no_space_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFolderError) as caught:
        write_atomically(tmp_path / "a", "x")
    text = str(caught.value)
    assert "No space left on device" in text
    assert "free some space" in text
    assert "--resume" in text
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"nowhere.*No such file or directory; check that the folder exists"):
        write_atomically(tmp_path / "nowhere" / "a", "x")


def test_an_error_inside_the_block_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, "old")
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_process_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".a.tmp").write_bytes(b"left over, and longer than what comes")
    write_atomically(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "new"
    assert not (tmp_path / ".a.tmp").exists()
