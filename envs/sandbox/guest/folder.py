"""The working folder of one call: made, filled, measured, read back, removed. What lies in it is hostile."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

MODE = 0o700


def write_files(files: Mapping[str, Any], folder: str = ".") -> None:
    """Put the files there: a text, or {"base64": ...} for bytes. The paths were checked by who sent them."""
    for path, content in files.items():
        place = os.path.join(folder, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else _bytes(content)
        with open(place, "wb") as file:
            file.write(data)


def _bytes(content: Mapping[str, str]) -> bytes:
    return base64.b64decode(content["base64"])


def snapshot(folder: str = ".") -> dict[str, tuple[int, int]]:
    """path -> (size, time of change in ns) of each file, to tell later what changed."""
    return {path: (found.st_size, found.st_mtime_ns) for path, found in _regular(folder)}


def changed_texts(before: Mapping[str, tuple[int, int]], budget: int, folder: str = ".") -> dict[str, str]:
    """Files that are new or differ from `before` and are UTF-8, as long as they fit into `budget` bytes together."""
    texts = {}
    for path, found in sorted(_regular(folder)):
        budget -= found.st_size if before.get(path) != (found.st_size, found.st_mtime_ns) else 0
        if before.get(path) == (found.st_size, found.st_mtime_ns) or budget < 0:
            continue
        try:
            with open(os.path.join(folder, path), encoding="utf-8", newline="") as file:
                texts[path] = file.read()
        except (OSError, UnicodeDecodeError):
            continue
    return texts


def _regular(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode):
                yield os.path.relpath(path, folder), found


def exceeds(folder: str, most_bytes: int, most_files: int) -> bool:
    """Whether more lies there than may; stops counting as soon as it does. A file that vanishes meanwhile counts 0."""
    size = count = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    found = entry.stat(follow_symlinks=False)
                    size += found.st_blocks * 512
                    if stat.S_ISDIR(found.st_mode):
                        waiting.append(entry.path)
                    if size > most_bytes or count > most_files:
                        return True
        except OSError:
            continue
    return False


def remove(folder: str) -> None:
    """Remove it with all that is in it, however deep, whatever the modes; links are removed, never followed."""
    waiting = [folder]
    emptied = []
    while waiting:
        place = waiting.pop()
        emptied.append(place)
        waiting += _remove_files(place)
    for place in reversed(emptied):
        _quietly(os.rmdir, place)


def _remove_files(place: str) -> list[str]:
    """Remove what is no folder and return the folders."""
    _quietly(os.chmod, place, MODE)
    folders = []
    try:
        entries = list(os.scandir(place))
    except OSError:
        return []
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.path)
        else:
            _quietly(os.unlink, entry.path)
    return folders


def _quietly(act: Any, *arguments: Any) -> None:
    """What is already gone need not be removed."""
    try:
        act(*arguments)
    except OSError:
        return
