"""What has been played, by what it depends on: games that are in the store are not played again."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from turnwise import __version__
from turnwise.algorithms.evaluation.players import digest
from turnwise.algorithms.evaluation.rows import Row, row_from_dict
from turnwise.algorithms.files import write_atomically
from turnwise.envs.plugins import find_plugin
from turnwise.envs.registry import PLUGINS, find_spec
from turnwise.records import Episode

PLAYED, EPISODES = "played", "episodes"


@dataclass(frozen=True, slots=True)
class Batch:
    """Games that were played together."""

    key: str
    rows: tuple[Row, ...]
    figures: Mapping[str, float]
    """What else is known of them, such as what a server was asked for (`api/...`)."""


class Store:
    """A folder: `played/KEY.json` with the rows of one batch and what it depends on, `episodes/KEY.parquet` with its
    games. A batch is in it once its JSON file is, which is written last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, parts: Mapping[str, Any]) -> Batch | None:
        """The batch that was played under these conditions. Raises ValueError where its file is damaged."""
        key = digest(parts)
        path = self.folder / PLAYED / f"{key}.json"
        try:
            raw = json.loads(path.read_text())
            return Batch(key, tuple(map(row_from_dict, raw["rows"])), raw["figures"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error}); remove it, and its games are played again") from None

    def has(self, parts: Mapping[str, Any]) -> bool:
        """Whether these games were played, all to an end of the game's own. Where some failed, they are tried again."""
        batch = self.find(parts)
        return batch is not None and all(row.finished for row in batch.rows)

    def add(
        self,
        parts: Mapping[str, Any],
        rows: Sequence[Row],
        episodes: Sequence[Episode],
        figures: Mapping[str, float],
    ) -> Batch:
        """Write a batch down."""
        from turnwise.parquet import write_parquet

        key = digest(parts)
        for name in (PLAYED, EPISODES):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        write_parquet(self.episodes(key), episodes)
        content = {"of": dict(parts), "figures": dict(figures), "rows": [row.to_dict() for row in rows]}
        write_atomically(self.folder / PLAYED / f"{key}.json", json.dumps(content, default=str) + "\n")
        return Batch(key, tuple(rows), dict(figures))

    def note(self, key: str) -> dict[str, Any] | None:
        """What was kept under a key."""
        path = self.folder / PLAYED / f"{key}.json"
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return found

    def keep(self, key: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write down what took long to find out; returns it."""
        (self.folder / PLAYED).mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / PLAYED / f"{key}.json", json.dumps(content, default=str) + "\n")
        return dict(content)

    def episodes(self, key: str) -> Path:
        """Where the games of a batch lie."""
        return self.folder / EPISODES / f"{key}.parquet"


@functools.cache
def env_version(env_id: str) -> dict[str, str]:
    """What the rules of an environment are known by: its id, the package's version, and the files of its family."""
    spec = find_spec(env_id)
    plugin = find_plugin(PLUGINS, spec.id)
    return {
        "id": spec.id,
        "package": f"turnwise {__version__}" if plugin is None else f"{plugin.package} {plugin.version}",
        "source": _source(spec.entry_point),
    }


def _source(entry_point: str) -> str:
    """20 hexadecimal digits of what makes the game: the folder of its module, or the module that stands alone."""
    module, _, name = entry_point.partition(":")
    maker = getattr(import_module(module), name)
    file = Path(inspect.getfile(inspect.unwrap(maker)))
    if "." not in maker.__module__:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:20]
    found = hashlib.sha256()
    for path in sorted(path for path in file.parent.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        found.update(path.relative_to(file.parent).as_posix().encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:20]
