"""Corpora and questions of one's own, out of JSON, JSON-lines and Parquet files."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.envs.cache import cache_key
from turnwise.envs.requirements import MissingDependency
from turnwise.envs.search.http import read_passage
from turnwise.envs.search.passages import Passage


class FileCorpus(Sequence[Passage]):
    r"""A passage per line of a JSON-lines file, or per row of a Parquet file, read when it is asked for.

    A passage is `{"title": ..., "text": ...}` or, as in Search-R1's wiki-18, `{"contents": "\"Title\"\ntext"}`.
    Errors name the file and the line. Raises OSError, and ValueError for a file with another ending.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        if self.path.suffix not in (".jsonl", ".parquet"):
            raise ValueError(f"a corpus is a file .jsonl or .parquet: got {self.path}")
        self._rows: Any = _parquet(self.path) if self.path.suffix == ".parquet" else _Lines(self.path)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Passage:  # type: ignore[override]  # one passage, never a slice
        if not 0 <= index < len(self):
            raise IndexError(f"passages are 0 to {len(self) - 1}: got {index}")
        try:
            return read_passage(self._rows[index])
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.path}, line {index + 1}: {error}") from None

    @property
    def key(self) -> str:
        """Name of what is derived from this file as it is now."""
        state = self.path.stat()
        return cache_key(path=str(self.path), bytes=state.st_size, changed=state.st_mtime_ns)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return shared_corpus, (str(self.path),)


@lru_cache(maxsize=4)
def shared_corpus(path: str) -> FileCorpus:
    """One reader per process and file."""
    return FileCorpus(path)


class _Lines:
    """JSON values by line; blank lines at the end do not count. The file is mapped, not read."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        starts, place = [0], 0
        for line in self._file:
            place += len(line)
            starts.append(place)
        self._starts = np.asarray(starts, dtype=np.int64)
        self._bytes = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if place else b""
        self._count = len(starts) - 1
        while self._count and not self._line(self._count - 1).strip():
            self._count -= 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        return json.loads(self._line(index))

    def _line(self, index: int) -> bytes:
        return self._bytes[self._starts[index] : self._starts[index + 1]]


class _Rows:
    """Rows of a table as dicts."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: self._table.column(name)[index].as_py() for name in self._table.column_names}


def _parquet(path: Path) -> _Rows:
    try:
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise MissingDependency(f"{path} needs the package 'pyarrow': pip install pyarrow") from error
    try:
        return _Rows(parquet.read_table(path, memory_map=True))
    except OSError:
        raise
    except Exception as error:  # pyarrow raises exceptions of its own
        raise ValueError(f"{path} cannot be read as Parquet: {str(error)[:200]}") from None


def read_questions(path: str | Path) -> list[tuple[str, tuple[str, ...]]]:
    """(question, right answers) of a file in the form of HotpotQA, 2Wiki or NQ.

    A record is `{"question": ..., "answer": ...}`, the answer a text or a list of them, or `{"question": ...,
    "golden_answers": [...]}`. Files: .json (a list), .jsonl, .parquet. Raises ValueError with the number of the record.
    """
    path = Path(path).expanduser()
    found = []
    for number, record in enumerate(_records(path), 1):
        try:
            found.append(_question(record))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, record {number}: {error}") from None
    if not found:
        raise ValueError(f"{path} holds no questions")
    return found


def _records(path: Path) -> Iterator[Any]:
    if path.suffix == ".parquet":
        rows = _parquet(path)
        yield from (rows[i] for i in range(len(rows)))
    elif path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    yield _json(line)
    elif path.suffix == ".json":
        found = _json(path.read_text(encoding="utf-8"))
        yield from found if isinstance(found, list) else [found]
    else:
        raise ValueError(f"questions come in a file .json, .jsonl or .parquet: got {path}")


def _json(text: str) -> Any:
    """The value, or the error in its place: the caller knows the number of the record."""
    try:
        return json.loads(text)
    except ValueError as error:
        return error


def _question(record: Any) -> tuple[str, tuple[str, ...]]:
    if isinstance(record, Exception):
        raise ValueError(f"not JSON: {record}")
    if not isinstance(record, Mapping) or not isinstance(record.get("question"), str):
        raise ValueError('a record has a "question" and an "answer" or "golden_answers"')
    answers = record.get("golden_answers", record.get("answer"))
    listed = [answers] if isinstance(answers, str) else answers
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise ValueError(f'"answer" or "golden_answers" is a text or a list of texts: got {str(answers)[:80]!r}')
    return record["question"], tuple(listed)
