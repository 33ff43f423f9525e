"""From files of episodes to rows that can be filtered: everything but what belongs to single tokens.

A row has a key that stays as long as its file has its name: a name of the file and the number of the row in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from turnwise.parquet import opened, table_of
from turnwise.records import Episode, RecordError

VERSION = 1
"""Of the columns below: what another version has cached is made anew."""
LEARNERS = ("policy", "agent", "you", "human")
"""Agents through whose eyes a game is won or lost; where none of them plays, the first seat's."""
_READ = (
    *("id", "env_id", "seats.key", "seats.value", "returns.key", "returns.value", "status", "level", "group", "parent"),
    *("fork_turn", "metadata", "turns.status", "turns.text", "turns.action", "turns.observation.content"),
    "turns.completion_ids",
)
_PARTS = ("list", "element", "item", "key_value", "turn", "message", "token")
"""What a path in a Parquet file has between the names of fields."""
CHUNK = 4096

CREATE = """
CREATE TABLE IF NOT EXISTS episodes (
    file VARCHAR, size BIGINT, changed BIGINT, row BIGINT, key VARCHAR, id VARCHAR, step BIGINT, kind VARCHAR,
    env_id VARCHAR, seats VARCHAR[], agents VARCHAR[], returns DOUBLE[], hero BIGINT, status VARCHAR, turns BIGINT,
    tokens BIGINT, invalid BIGINT, level VARCHAR, grp VARCHAR, parent VARCHAR, fork_turn BIGINT, text VARCHAR
)"""
_INSERT = """
INSERT INTO episodes
SELECT
    $file, $size, $changed, place, $name || '-' || place, id,
    CASE WHEN json_valid(metadata) THEN TRY_CAST(json_extract_string(metadata, '$.step') AS BIGINT) END,
    COALESCE(CASE WHEN json_valid(metadata) THEN json_extract_string(metadata, '$.kind') END, $kind),
    env_id, map_keys(seats), map_values(seats), list_transform(map_keys(seats), lambda s: returns[s]),
    COALESCE(list_min(list_filter(
        list_transform($learners, lambda name: list_position(map_values(seats), name)), lambda place: place > 0)), 1),
    status, len(turns),
    COALESCE(list_sum(list_transform(turns, lambda t: len(t.completion_ids))), 0),
    len(list_filter(turns, lambda t: t.status <> 'ok')),
    level, "group", parent, fork_turn,
    lower(array_to_string(list_transform(turns, lambda t: concat_ws(chr(10),
        array_to_string(list_transform(t.observation, lambda m: m.content), chr(10)), t.text, t.action)), chr(10)))
FROM part"""


def file_name(name: str) -> str:
    """The short name of a file in keys."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:10]


def add_file(connection: Any, name: str, path: Path, size: int, changed: int) -> str | None:
    """Put a file's rows into the table `episodes`. Returns what was wrong with some of its lines, if anything.

    Raises RecordError or OSError where nothing of the file can be read.
    """
    values = {"file": name, "size": size, "changed": changed, "name": file_name(name), "learners": list(LEARNERS)}
    values["kind"] = "final" if path.name == "games.jsonl" else None
    problems: list[str] = []
    for part in _parquet_parts(path) if path.suffix == ".parquet" else _line_parts(path, problems):
        connection.register("part", part)
        try:
            connection.execute(_INSERT, values)
        finally:
            connection.unregister("part")
    return f"{problems[0]}" + (f" (and {len(problems) - 1} more lines)" if problems[1:] else "") if problems else None


def _parquet_parts(path: Path) -> Iterator[Any]:
    """Tables of some episodes each, with `place`, the number of the row."""
    import pyarrow

    with opened(path) as file:
        columns = [file.schema.column(index).path for index in range(len(file.schema))]
        wanted = [column for column in columns if _plain(column) in _READ]
        place = 0
        for batch in file.iter_batches(batch_size=CHUNK, columns=wanted):
            yield _placed(pyarrow.Table.from_batches([batch]), range(place, place + len(batch)))
            place += len(batch)


def _plain(path: str) -> str:
    """`turns.list.element.text` -> `turns.text`."""
    return ".".join(part for part in path.split(".") if part not in _PARTS)


def _placed(table: Any, places: range | list[int]) -> Any:
    import pyarrow

    return table.append_column("place", pyarrow.array(places, type=pyarrow.int64()))


def _line_parts(path: Path, problems: list[str]) -> Iterator[Any]:
    """The same of a file with one episode a line; what is wrong with a line is noted."""
    with path.open("rb") as file:
        lines = enumerate(file)
        while chunk := list(islice(lines, CHUNK)):
            found = [(place, episode) for place, line in chunk if (episode := _read_line(path, place, line, problems))]
            if found:
                yield _placed(table_of(episode for _, episode in found), [place for place, _ in found])


def _read_line(path: Path, place: int, line: bytes, problems: list[str]) -> Episode | None:
    if not line.strip():
        return None
    try:
        episode = Episode.from_json(line)
        table_of([episode])
    except (RecordError, RecursionError) as error:
        problems.append(f"line {place + 1} of {path} is left out: {error}")
        return None
    return episode


def read_lines(path: Path, rows: set[int]) -> dict[int, Episode]:
    """Number of the line, the first being 0 -> its episode. Raises RecordError where one is none."""
    found = {}
    with path.open("rb") as file:
        for place, line in enumerate(file):
            if place in rows:
                found[place] = Episode.from_json(line)
            if len(found) == len(rows):
                break
    return found
