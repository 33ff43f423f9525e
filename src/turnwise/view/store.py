"""The episodes of one source, filtered, sorted and paged by DuckDB. Tokens stay in their files until asked for."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from threading import RLock
from typing import Any

from turnwise.parquet import read_rows
from turnwise.records import Episode, RecordError
from turnwise.view.filters import Filters
from turnwise.view.index import CREATE, VERSION, add_file, file_name, read_lines
from turnwise.view.sources import Source

LOOK_AGAIN_S = 1.0
"""How long files are taken to be as they were."""
KEEP_FROM_S = 1.0
"""An index that took less to make is not kept in the cache."""

_ROWS = """
SELECT key, id, step, kind, env_id, seats, agents, returns, outcome, status, turns, tokens, invalid, level, grp,
    parent, file
FROM told ORDER BY {order}, file, row LIMIT $size OFFSET $offset"""


class NoEpisode(KeyError):
    """There is no episode of this key."""


class Store:
    """Any thread may ask. Files that come, change and go are seen at the next question."""

    def __init__(self, source: Source) -> None:
        import duckdb

        self.source = source
        self.problems: dict[str, str] = {}
        """File -> what is wrong with it, of those that cannot be read whole."""
        self._files: dict[str, tuple[Path, int, int]] = {}
        """Name -> (path, size, time of the last change) of what has been looked at."""
        self._lock, self._looked = RLock(), float("-inf")
        self._folder = tempfile.TemporaryDirectory(prefix="turnwise-view-")
        self._connection = duckdb.connect(":memory:", config={"temp_directory": self._folder.name})
        self._connection.execute(CREATE)
        self._facets: dict[str, Any] | None = None
        self._load()

    def close(self) -> None:
        """Let go of the index."""
        self._connection.close()
        self._folder.cleanup()

    # Questions

    def page(self, filters: Filters) -> dict[str, Any]:
        """{total, page, size, rows}: what the filters let through, one page of it."""
        told, values = filters.query()
        cursor = self._fresh()
        (total,) = cursor.execute(f"{told} SELECT count(*) FROM told", values).fetchone()
        paged = values | {"size": filters.size, "offset": filters.page * filters.size}
        rows = cursor.execute(told + _ROWS.format(order=filters.order()), paged).fetchall()
        forks, parents = self._relatives(cursor, rows)
        return {
            "total": total,
            "page": filters.page,
            "size": filters.size,
            "rows": [_row(row, forks, parents) for row in rows],
        }

    def facets(self) -> dict[str, Any]:
        """What there is to filter by."""
        with self._lock:
            cursor = self._fresh()
            if self._facets is None:
                self._facets = _facets(cursor)
            return self._facets

    def count(self) -> int:
        """How many episodes there are."""
        return int(self._fresh().execute("SELECT count(*) FROM episodes").fetchone()[0])

    def steps(self) -> list[int]:
        """Steps of training of which episodes are kept, ascending."""
        found = self._fresh().execute("SELECT DISTINCT step FROM episodes WHERE kind = 'train' AND step IS NOT NULL")
        return sorted(step for (step,) in found.fetchall())

    def episode(self, key: str) -> Episode:
        """Raises NoEpisode; RecordError and OSError where its file has been damaged."""
        return self.episodes([key])[key]

    def episodes(self, keys: Iterable[str]) -> dict[str, Episode]:
        """Key -> episode. Raises as `episode`."""
        cursor, places = self._fresh(), dict[str, dict[int, str]]()
        wanted = list(keys)
        found = cursor.execute("SELECT key, file, row FROM episodes WHERE list_contains($keys, key)", {"keys": wanted})
        for key, file, row in found.fetchall():
            places.setdefault(file, {})[row] = key
        episodes: dict[str, Episode] = {}
        for file, rows in places.items():
            path = self._files[file][0]
            read = read_rows(path, rows) if path.suffix == ".parquet" else read_lines(path, set(rows))
            episodes |= {rows[row]: episode for row, episode in read.items()}
        for key in wanted:
            if key not in episodes:
                raise NoEpisode(f"there is no episode {key!r} here")
        return episodes

    def parent(self, key: str, parent: str | None) -> str | None:
        """Key of an episode's parent: of its own file, else of any."""
        if parent is None:
            return None
        found = (
            self._fresh()
            .execute(
                "SELECT key FROM episodes WHERE id = $parent "
                "ORDER BY file <> (SELECT file FROM episodes WHERE key = $key), file, row LIMIT 1",
                {"parent": parent, "key": key},
            )
            .fetchone()
        )
        return found[0] if found else None

    def forks(self, key: str, id: str) -> list[tuple[str, str, int, dict[str, float]]]:
        """(key, id, fork turn, returns) of the episodes of the same file that were forked from this one."""
        found = (
            self._fresh()
            .execute(
                "SELECT key, id, fork_turn, seats, returns FROM episodes "
                "WHERE parent = $id AND file = (SELECT file FROM episodes WHERE key = $key) ORDER BY fork_turn, row",
                {"id": id, "key": key},
            )
            .fetchall()
        )
        return [(key, id, turn, dict(zip(seats, returns, strict=True))) for key, id, turn, seats, returns in found]

    def group(self, group: str, most: int) -> list[str]:
        """Keys of a group's episodes, the first `most`."""
        found = self._fresh().execute(
            "SELECT key FROM episodes WHERE grp = $group ORDER BY file, row LIMIT $most",
            {"group": group, "most": most},
        )
        return [key for (key,) in found.fetchall()]

    def key(self, name: str, row: int) -> str:
        """Key of a row of a file, see `Source.files`."""
        return f"{file_name(name)}-{row}"

    # Files

    def _fresh(self) -> Any:
        """A cursor on rows that are up to date."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked > LOOK_AGAIN_S:
                self._refresh()
                self._looked = time.monotonic()
            return self._connection.cursor()

    def look_again(self) -> None:
        """See at once what has changed."""
        with self._lock:
            self._looked = float("-inf")
            self._fresh()

    def _refresh(self) -> None:
        there = {}
        for name, path in self.source.files():
            with contextlib.suppress(OSError):  # it went away just now
                stat = path.stat()
                there[name] = (path, stat.st_size, stat.st_mtime_ns)
        gone = [name for name, known in self._files.items() if there.get(name) != known]
        new = [name for name in there if self._files.get(name) != there[name]]
        if not gone and not new:
            return
        begun = time.monotonic()
        self._drop(gone)
        for name in new:
            self._add(name, *there[name])
        self._facets = None
        if new and time.monotonic() - begun > KEEP_FROM_S:
            self._keep()

    def _drop(self, names: list[str]) -> None:
        self._connection.execute("DELETE FROM episodes WHERE list_contains($names, file)", {"names": names})
        for name in names:
            del self._files[name]
            self.problems.pop(name, None)

    def _add(self, name: str, path: Path, size: int, changed: int) -> None:
        import duckdb

        self._files[name] = (path, size, changed)
        self._connection.execute("BEGIN")
        try:
            problem = add_file(self._connection, name, path, size, changed)
            self._connection.execute("COMMIT")
        except (RecordError, OSError, duckdb.Error, ValueError) as error:
            self._connection.execute("ROLLBACK")
            problem = f"{path} is left out: {' '.join(str(error).split())}"
        if problem is not None:
            self.problems[name] = problem

    # What an earlier look has found

    @property
    def _kept(self) -> Path:
        return self.source.cache / f"index-{VERSION}.parquet"

    def _load(self) -> None:
        """Take over the rows that were kept; those of files that changed since are dropped by the next look."""
        import duckdb

        if not self._kept.is_file():
            return
        paths = dict(self.source.files())
        try:
            self._connection.execute(
                "INSERT INTO episodes SELECT * FROM read_parquet($path)", {"path": str(self._kept)}
            )
            found = self._connection.execute("SELECT DISTINCT file, size, changed FROM episodes").fetchall()
        except duckdb.Error:  # it is only a copy: made again from the files
            self._connection.execute("DELETE FROM episodes")
            return
        self._files = {name: (paths.get(name, Path()), size, changed) for name, size, changed in found}

    def _keep(self) -> None:
        """Put the rows into the cache, readable for this user alone."""
        draft = self._kept.with_name(f".{self._kept.name}.{os.getpid()}")
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection.table("episodes").write_parquet(str(draft), compression="zstd")
            draft.chmod(0o600)
            draft.replace(self._kept)
        except OSError:  # a cache that cannot be written costs time at the next start, and nothing else
            draft.unlink(missing_ok=True)

    def _relatives(self, cursor: Any, rows: list[Any]) -> tuple[dict[Any, int], dict[Any, str]]:
        """(file, id) -> number of forks, and -> key of those that are parents, for the rows of a page."""
        ids, names = [row[1] for row in rows], [row[15] for row in rows if row[15] is not None]
        counted = cursor.execute(
            "SELECT file, parent, count(*) FROM episodes WHERE parent IS NOT NULL AND list_contains($ids, parent) "
            "GROUP BY file, parent",
            {"ids": ids},
        ).fetchall()
        known = (
            cursor.execute(
                "SELECT file, id, key FROM episodes WHERE list_contains($names, id)", {"names": names}
            ).fetchall()
            if names
            else []
        )
        return {(file, id): number for file, id, number in counted}, {(file, id): key for file, id, key in known}


def _row(row: Any, forks: dict[Any, int], parents: dict[Any, str]) -> dict[str, Any]:
    (
        key,
        id,
        step,
        kind,
        env_id,
        seats,
        agents,
        returns,
        outcome,
        status,
        turns,
        tokens,
        invalid,
        level,
        group,
        *rest,
    ) = row
    parent, file = rest
    return {
        "key": key,
        "id": id,
        "step": step,
        "kind": kind,
        "env_id": env_id,
        "seats": dict(zip(seats, agents, strict=True)),
        "returns": dict(zip(seats, returns, strict=True)),
        "outcome": outcome,
        "status": status,
        "turns": turns,
        "tokens": tokens,
        "invalid": invalid,
        "level": level,
        "group": group,
        "parent": None if parent is None else parents.get((file, parent)),
        "forked": forks.get((file, id), 0),
    }


def _facets(cursor: Any) -> dict[str, Any]:
    columns = {"env_id": "env_id", "agent": "unnest(agents)", "seat": "unnest(seats)", "level": "level", "kind": "kind"}
    found: dict[str, Any] = {}
    for name, column in columns.items():
        rows = cursor.execute(f"SELECT DISTINCT {column} AS value FROM episodes ORDER BY value").fetchall()
        found[name] = [value for (value,) in rows if value is not None]
    low, high, total = cursor.execute("SELECT min(step), max(step), count(*) FROM episodes").fetchone()
    return found | {"step": None if low is None else [low, high], "total": total}
