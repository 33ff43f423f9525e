"""What there is to look at: run folders, folders of games, and single files of episodes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from turnwise.algorithms.recording.folder import FOLDER
from turnwise.algorithms.reporting.runlog import METRICS
from turnwise.envs.cache import cache_folder

DEPTH = 3
"""How deep below a folder runs are looked for."""
SUFFIXES = (".parquet", ".jsonl")
FINAL_GAMES = "games.jsonl"
"""The games that a run plays at its end."""
WHOLE = (f"{FOLDER}.jsonl", f"{FOLDER}.parquet")
"""Files beside which no folder is needed."""


@dataclass(frozen=True, slots=True)
class Source:
    """One row of the table of runs."""

    id: str
    path: Path
    """A run folder, or a file of episodes."""

    @property
    def is_run(self) -> bool:
        """Whether a run writes, or wrote, its metrics here."""
        return (self.path / METRICS).is_file()

    @property
    def cache(self) -> Path:
        """Where what is made from this source is kept; it need not exist yet."""
        return cache_folder() / "view" / self.id

    def files(self) -> Iterator[tuple[str, Path]]:
        """(name, file) of everything that holds episodes, the games of comparisons among it."""
        if self.path.is_file():
            yield self.path.name, self.path
            return
        for folder, prefix in ((self.path / FOLDER, ""), (self.cache / "diff", "diff/")):
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.suffix in SUFFIXES and not path.name.startswith(".") and path.is_file():
                    yield prefix + path.name, path
        for name in (*WHOLE, FINAL_GAMES):
            if (self.path / name).is_file():
                yield name, self.path / name


def source_of(path: Path) -> Source:
    """The source at a path. Its id follows from where it lies."""
    whole = path.resolve()
    return Source(hashlib.sha256(os.fsencode(whole)).hexdigest()[:12], whole)


def discover(paths: Sequence[Path]) -> dict[str, Source]:
    """Id -> every source at these paths or below them, in their order."""
    found = (source_of(place) for path in paths for place in _below(path, DEPTH))
    return {source.id: source for source in found}


def require_paths(paths: Sequence[Path]) -> None:
    """Raises ValueError on a path that can hold nothing to look at."""
    for path in paths:
        if not path.exists():
            raise ValueError(f"there is no {path}; give a run folder, a folder of runs, or a file of episodes")
        if path.is_file() and path.suffix not in SUFFIXES:
            raise ValueError(f"{path} is no file of episodes: those end with {' or '.join(SUFFIXES)}")


def _below(path: Path, depth: int) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        if (path / FOLDER).is_dir() or any((path / name).is_file() for name in (METRICS, *WHOLE)):
            yield path
        elif depth:
            for entry in sorted(_folders(path)):
                yield from _below(entry, depth - 1)


def _folders(path: Path) -> Iterator[Path]:
    """Folders in a folder that may be read; links are not followed, so that none leads round in a circle."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    yield Path(entry.path)
    except PermissionError:
        return
