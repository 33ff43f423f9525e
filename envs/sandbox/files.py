"""Files that travel into a working folder and back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from turnwise.envs.sandbox.limits import Limits

Files = Mapping[str, str | bytes]
"""path below the working folder, with forward slashes -> content; texts are written as UTF-8."""
LONGEST_PATH, LONGEST_NAME, DEEPEST = 500, 100, 20


def is_inside(path: str) -> bool:
    """Whether it is a plain path below a folder: relative, no `..`, no empty part, of sensible length."""
    parts = path.split("/")
    names = all(part not in ("", ".", "..") and len(part.encode("utf-8", "replace")) <= LONGEST_NAME for part in parts)
    return names and len(parts) <= DEEPEST and len(path) <= LONGEST_PATH and path.isprintable()


def encode(files: Files, limits: Limits) -> dict[str, Any]:
    """The files as JSON. Raises: ValueError for a path that is not below the folder, TypeError for other contents."""
    for path, content in files.items():
        if not isinstance(content, str | bytes):
            raise TypeError(f"a file is str or bytes: {path!r} is {type(content).__name__}")
        if not is_inside(path):
            raise ValueError(f"a path lies below the working folder, like 'package/module.py': got {path[:200]!r}")
        if len(content) > limits.file_bytes:
            raise ValueError(f"a file has at most {limits.file_bytes} bytes (Limits.file_bytes): {path!r} has more")
    if len(files) > limits.folder_files:
        raise ValueError(f"at most {limits.folder_files} files (Limits.folder_files): got {len(files)}")
    return {path: content if isinstance(content, str) else _encoded(content) for path, content in files.items()}


def _encoded(content: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(content).decode("ascii")}
