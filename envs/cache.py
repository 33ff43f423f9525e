"""Where generated worlds, games and indexes are kept between runs: `$TURNWISE_CACHE`, else `~/.cache/turnwise`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """The folder of the cache; it need not exist yet."""
    return Path(os.environ.get("TURNWISE_CACHE") or "~/.cache/turnwise").expanduser()


def cache_key(**parts: Any) -> str:
    """A short name of what follows from these JSON values: equal values, equal names, on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def cached_folder(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder `kind/key` of the cache; where it is missing, `build` fills it.

    It appears whole or not at all: it is filled under another name and renamed, so that a killed process leaves no half
    of it and several processes may build it at once. Raises what `build` raises, and OSError.
    """
    final = cache_folder() / kind / key
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=final.parent))
    try:
        build(draft)
        try:
            draft.rename(final)
        except OSError:
            if not final.is_dir():  # else another process was first, with the same content
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return final
