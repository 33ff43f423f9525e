"""Reading what a child answered. The code may have written anything there."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from typing import Any

from turnwise.envs.sandbox.files import is_inside
from turnwise.envs.sandbox.limits import Limits

MARGIN = 100
"""Characters that a clipped text may be longer than its limit: it says that it was clipped."""


def read(body: bytes, limits: Limits) -> dict[str, Any] | None:
    """The answer with every text clipped and printable, None where it is none. Never raises."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not _is_answer(told):
        return None
    most = limits.output_bytes + MARGIN
    texts = {name: None if told.get(name) is None else _printable(told[name][:most]) for name in ("value", "error")}
    return {"status": told["status"], **texts, "files": _files(told["files"], limits)}


def _files(told: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """Those with a path below the folder, as many as fit."""
    left = limits.file_bytes
    kept: dict[str, str] = {}
    for path, text in told.items():
        left -= len(text)
        if left >= 0 and len(kept) < limits.folder_files and is_inside(path):
            kept[path] = _printable(text)
    return kept


def _is_answer(told: Any) -> bool:
    return (
        isinstance(told, dict)
        and told.get("status") in ("ok", "error", "memory")
        and all(told.get(name) is None or isinstance(told[name], str) for name in ("value", "error"))
        and isinstance(told.get("files"), dict)
        and all(isinstance(text, str) for text in told["files"].values())
    )


def _printable(text: str) -> str:
    """Without the halves of characters that no file and no socket takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def how(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        return f"the process was ended by signal {signal.Signals(-code).name} before the code was done"
    return f"the process ended itself with exit code {code} before the code was done"
