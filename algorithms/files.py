"""Whole-file writes that a kill, a full disk or a crash never leaves half done."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class RunFolderError(RuntimeError):
    """A run folder could not be read or written; the message says why and what to do. Earlier files are whole."""


def write_atomically(path: Path | str, content: bytes | str) -> None:
    """Replace the file at `path` by `content` (text as UTF-8): readers see the old file or the new one, never a part.

    Raises: RunFolderError where the disk is full or the folder cannot be written; the old file then stands as it was.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path | str) -> Iterator[BinaryIO]:
    """A binary file to write to, which takes the place of `path`, synced to disk, when the block ends without an error.

    What a killed process leaves behind (`.<name>.tmp`) is overwritten by the next write.
    Raises: as `write_atomically`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    with reported(path):
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def append_whole(handle: int, content: bytes, path: Path) -> None:
    """Append to the open file at `path`: all of the content, or nothing and a RunFolderError."""
    with reported(path):
        size = os.fstat(handle).st_size
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
        except BaseException:
            os.ftruncate(handle, size)
            raise


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turns an OSError inside the block into a RunFolderError about `path`."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path} could not be written: {error.strerror or error}; {_remedy(error)}") from error


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remedy(error: OSError) -> str:
    if error.errno in _FULL:
        return (
            "free some space on that disk, then go on with `turnwise train --resume RUN`, "
            "or start again on another disk with run_dir=PATH (what the folder held before is whole)"
        )
    return "check that the folder exists and that you may write there, or choose another with run_dir=PATH"
