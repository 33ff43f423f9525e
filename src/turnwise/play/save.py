"""Where played games go: one file an episode, in the format of every other episode."""

from __future__ import annotations

from pathlib import Path

from turnwise.records import Episode

DEFAULT = Path("runs/play")


def save_game(folder: Path, episode: Episode) -> Path:
    """Write the episode below `folder`; returns the file. Raises OSError where it cannot be written."""
    from turnwise.parquet import write_parquet

    path = folder / "episodes" / f"{episode.id}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(path, [episode])
    return path
