"""Where a run's recorded episodes lie: `RUN/episodes/step-000010.parquet`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = "episodes"
_NAME = re.compile(r"step-(\d+)\.parquet")


def place_of(folder: Path, step: int) -> Path:
    """The file of a step."""
    return folder / f"step-{step:06d}.parquet"


def recorded(folder: Path) -> Iterator[tuple[int, Path]]:
    """(step, file) of what a run has kept, by ascending step."""
    found = ((_NAME.fullmatch(path.name), path) for path in (folder.iterdir() if folder.is_dir() else ()))
    yield from sorted((int(match[1]), path) for match, path in found if match)
