"""Episodes in Parquet files: one row an episode, its turns nested in it, every field a typed column.

Nothing is lost: floats keep every bit, None stays apart from an empty list. `env_kwargs` and `metadata`, whose shape
only their writers know, are columns of JSON text.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnwise.records import SCHEMA_VERSION, Episode, RecordError, episode_from_dict, episode_to_dict

VERSION_KEY = b"turnwise.schema_version"
JSON_COLUMNS = ("env_kwargs", "metadata")
MAP_COLUMNS = ("seats", "returns", "end_values")
GROUP = 256
"""Episodes that are compressed together: what is read where one of them is asked for."""
SMALL = 2**18
"""Bytes of a table up to which its compression is the one that costs next to nothing: there is little to win."""


def write_parquet(path: str | os.PathLike[str], episodes: Iterable[Episode]) -> None:
    """Write `episodes` to `path`, which holds the old file until the new one is complete.

    Raises:
        RecordError: if a value does not fit its column (an integer beyond 64 bits, metadata that is no JSON).
        OSError: if the file cannot be written, a full disk among the reasons; `path` is then as it was before.
        ModuleNotFoundError: if pyarrow is not installed.
    """
    _, parquet = _pyarrow()
    table = table_of(episodes)
    compression = "zstd" if table.nbytes > SMALL else "snappy"
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            parquet.write_table(table, file, compression=compression, write_page_checksum=True, row_group_size=GROUP)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def table_of(episodes: Iterable[Episode]) -> Any:
    """The episodes as a pyarrow table. Raises RecordError if a value does not fit its column."""
    pyarrow, _ = _pyarrow()
    try:
        return pyarrow.Table.from_pylist([_to_row(episode) for episode in episodes], schema=_schema(pyarrow))
    except (pyarrow.ArrowException, TypeError, OverflowError, UnicodeError) as error:
        raise RecordError(f"an episode does not fit the columns of a Parquet file: {error}") from None


def episodes_of(rows: Iterable[dict[str, Any]]) -> list[Episode]:
    """The episodes of rows of `table_of`, mappings as lists of pairs. Raises RecordError where one is no episode."""
    return [_from_row(row) for row in rows]


def read_parquet(path: str | os.PathLike[str]) -> list[Episode]:
    """The episodes that `write_parquet` wrote, in their order.

    Raises:
        RecordError: if the file is damaged, holds no episodes, or was written with another schema version.
        FileNotFoundError: if there is no such file.
        ModuleNotFoundError: if pyarrow is not installed.
    """
    pyarrow, parquet = _pyarrow()
    content = Path(path).read_bytes()
    try:
        source = pyarrow.BufferReader(content)
        with parquet.ParquetFile(source, page_checksum_verification=True) as file:
            _check_version(path, file.schema_arrow.metadata)
            rows = file.read().to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise RecordError(f"{os.fspath(path)} is no intact Parquet file: {error}") from None
    return [_from_row(row) for row in rows]


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A file of episodes as pyarrow's `ParquetFile`, to read a part of. Raises as `read_parquet`, in the block too."""
    pyarrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            _check_version(path, file.schema_arrow.metadata)
            yield file
    except FileNotFoundError:
        raise
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise RecordError(f"{os.fspath(path)} is no intact Parquet file: {error}") from None


def read_rows(path: str | os.PathLike[str], rows: Iterable[int]) -> dict[int, Episode]:
    """Number of the row -> its episode; those that the file has not are left out. Raises as `read_parquet`."""
    wanted, found = set(rows), dict[int, Episode]()
    with opened(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if any(start <= row < start + size for row in wanted):
                place = start
                for batch in file.iter_batches(batch_size=64, row_groups=[group]):
                    for row in sorted(wanted & set(range(place, place + len(batch)))):
                        found[row] = _from_row(batch.slice(row - place, 1).to_pylist()[0])
                    place += len(batch)
            start += size
    return found


def _check_version(path: str | os.PathLike[str], metadata: dict[bytes, bytes] | None) -> None:
    version = (metadata or {}).get(VERSION_KEY)
    if version is None:
        raise RecordError(f"{os.fspath(path)} holds no turnwise episodes: its metadata lacks {VERSION_KEY.decode()}")
    if version != str(SCHEMA_VERSION).encode():
        raise RecordError(
            f"this turnwise reads episodes of schema version {SCHEMA_VERSION}: {os.fspath(path)} has "
            f"{version.decode(errors='replace')}; read it with the release that wrote it"
        )


def _to_row(episode: Episode) -> dict[str, Any]:
    row = episode_to_dict(episode)
    for name in JSON_COLUMNS:
        row[name] = json.dumps(row[name], ensure_ascii=False)
    for name in MAP_COLUMNS:
        row[name] = _pairs(row[name])
    if row["reward_parts"] is not None:
        row["reward_parts"] = [(part, _pairs(amounts)) for part, amounts in row["reward_parts"].items()]
    for turn in row["turns"]:
        turn["weight_version"] = [{"start": start, "version": version} for start, version in turn["weight_version"]]
    return row


def _pairs(mapping: dict[str, float] | None) -> list[tuple[str, float]] | None:
    return None if mapping is None else list(mapping.items())


def _from_row(row: dict[str, Any]) -> Episode:
    try:
        for name in JSON_COLUMNS:
            row[name] = json.loads(row[name])
        for name in MAP_COLUMNS:
            row[name] = None if row[name] is None else dict(row[name])
        if row["reward_parts"] is not None:
            row["reward_parts"] = {part: dict(amounts) for part, amounts in row["reward_parts"]}
        for turn in row["turns"]:
            turn["weight_version"] = [(span["start"], span["version"]) for span in turn["weight_version"]]
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"a row is no episode: {type(error).__name__} {error}") from None
    return episode_from_dict(row)


@functools.cache
def _schema(pyarrow: Any) -> Any:
    """Columns of an episode. A field that may be None is nullable, and no other is."""
    text, integer, real = pyarrow.string(), pyarrow.int64(), pyarrow.float64()

    def column(name: str, kind: Any, nullable: bool = False) -> Any:
        return pyarrow.field(name, kind, nullable=nullable)

    columns = [
        *(column(name, text) for name in ("id", "env_id")),
        column("seats", pyarrow.map_(text, text)),
        column("turns", pyarrow.list_(column("turn", pyarrow.struct(_turn_columns(pyarrow, column))))),
        column("returns", pyarrow.map_(text, real)),
        column("status", text),
        column("seed", integer, nullable=True),
        column("env_kwargs", text),
        *(column(name, text, nullable=True) for name in ("task", "level", "group", "parent")),
        column("fork_turn", integer, nullable=True),
        *(column(name, text, nullable=True) for name in ("snapshot", "ground_truth")),
        column("end_values", pyarrow.map_(text, real), nullable=True),
        column("reward_parts", pyarrow.map_(text, pyarrow.map_(text, real)), nullable=True),
        column("metadata", text),
        column("schema_version", integer),
    ]
    return pyarrow.schema(columns, metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()})


def _turn_columns(pyarrow: Any, column: Any) -> list[Any]:
    text, integer, real = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    message = pyarrow.struct([column("role", text), column("content", text)])
    span = pyarrow.struct([column("start", integer), column("version", integer)])
    return [
        column("seat", text),
        column("observation", pyarrow.list_(column("message", message))),
        column("text", text),
        column("action", text, nullable=True),
        column("status", text),
        column("reward", real),
        column("prompt_ids", pyarrow.list_(column("token", integer))),
        column("completion_ids", pyarrow.list_(column("token", integer))),
        column("logprobs", pyarrow.list_(column("nats", real))),
        *(
            column(name, pyarrow.list_(column("nats", real)), nullable=True)
            for name in ("train_logprobs", "topk_entropy", "token_entropy", "squared_probs", "reference_logprobs")
        ),
        column("value", real, nullable=True),
        column("token_values", pyarrow.list_(column("value", real, nullable=True)), nullable=True),
        column("advantages", pyarrow.list_(column("advantage", real, nullable=True)), nullable=True),
        column("updated_logprobs", pyarrow.list_(column("nats", real)), nullable=True),
        column("answer_logprob", real, nullable=True),
        column("anchor", text, nullable=True),
        column("tool_calls", pyarrow.list_(column("call", text))),
        column("weight_version", pyarrow.list_(column("span", span))),
        column("seconds", real, nullable=True),
    ]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'Parquet files need pyarrow, and {error.name} is not installed: pip install "turnwise[train]"'
        ) from None
    return pyarrow, parquet
