"""What a run writes down while it goes: metrics.jsonl and TensorBoard events; and the lock of its folder.

metrics.jsonl holds one JSON object a step, by ascending `step`. A number that is NaN or infinite is written as null,
so that every strict JSON parser reads the file. A line counts once its newline is there: what a killed process left
without one is torn, and dropped. What differs between two runs of one seed stands under the key `time`.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import RunFolderError, append_whole, reported
from turnwise.algorithms.reporting.scalars import Scalars

METRICS = "metrics.jsonl"
LOCK = ".lock"


class RunLog:
    """Appends the metrics of a run to `run_dir`, which is made where it is missing.

    tensorboard: also write every number as a scalar, nested keys joined with `/`, to `run_dir/tb`.
    name: of the file, for records of another kind.
    Raises: RunFolderError where the folder cannot be written or holds a broken file of that name.
    """

    def __init__(self, run_dir: Path, *, tensorboard: bool = True, name: str = METRICS) -> None:
        self.run_dir = Path(run_dir)
        self.path = self.run_dir / name
        self._tensorboard = tensorboard
        self._scalars: Scalars | None = None
        with reported(self.path):
            self.run_dir.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._last = -1
        try:
            self._cut(None)
        except BaseException:
            os.close(self._file)
            raise

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one step, whole or not at all.

        Raises: ValueError where `step` is no integer above the last one; TypeError on a value that JSON cannot hold;
            RunFolderError where the disk is full: the file then ends with the step before.
        """
        step = record.get("step")
        if not isinstance(step, int) or step <= self._last:
            raise ValueError(f"a metrics record needs an integer step above the last one, {self._last}: got {step!r}")
        plain = plain_json(record)
        line = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        append_whole(self._file, line.encode() + b"\n", self.path)
        self._last = step
        if self._tensorboard:
            self._write_scalars(plain, step)

    def cut_back(self, step: int) -> None:
        """Drop every line after that step, in one move: a kill leaves all of them or none."""
        self._close_scalars()
        self._cut(step)

    def sync(self) -> None:
        """Put the lines on the disk itself; to be called before a checkpoint that counts on them."""
        with reported(self.path):
            os.fsync(self._file)

    def close(self) -> None:
        """Close the files. Safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._close_scalars()

    def _close_scalars(self) -> None:
        if self._scalars is not None:
            self._scalars.close()
            self._scalars = None

    def _cut(self, step: int | None) -> None:
        """Shorten the file to its whole lines up to and with `step` (None: all whole lines)."""
        self._last, end = -1, 0
        for record, line_end in _lines(self.path):
            if step is not None and record["step"] > step:
                break
            self._last, end = record["step"], line_end
        with reported(self.path):
            os.ftruncate(self._file, end)

    def _write_scalars(self, plain: Mapping[str, Any], step: int) -> None:
        if self._scalars is None:
            self._scalars = Scalars(self.run_dir / "tb", first_step=step)
        numbers = {name: value for name, value in flat(plain).items() if isinstance(value, int | float)}
        del numbers["step"]
        self._scalars.write(numbers, step)


def read_metrics(run_dir: Path) -> list[dict[str, Any]]:
    """The records of a run's metrics.jsonl, by ascending step; [] where it has not written any yet.

    Raises: RunFolderError where there is no such folder, or a whole line is no record.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir():
        raise RunFolderError(f"{run_dir} is no run folder: there is no such directory")
    path = run_dir / METRICS
    return read_records(path) if path.exists() else []


def read_records(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that a `RunLog` wrote. Raises RunFolderError where one is no record."""
    return [record for record, _ in _lines(path)]


def plain_json(value: Any) -> Any:
    """The same value in dicts, lists, strings and numbers of Python; NaN and infinities become None.

    One-element arrays and tensors become numbers. Raises TypeError on anything else.
    """
    if isinstance(value, Mapping):
        return {str(name): plain_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if hasattr(value, "item"):
        return plain_json(value.item())
    raise TypeError(f"a record holds numbers, strings, lists and mappings: got {type(value).__name__}")


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined with `/`."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        found |= flat(value, f"{prefix}{name}/") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


@contextmanager
def lock_run(run_dir: Path) -> Iterator[None]:
    """Holds the run folder for this process while the block runs. The lock goes with the process and its forks,
    however they end.

    Raises: RunFolderError where another process holds it, naming that process, or where locks do not work there.
    """
    path = Path(run_dir) / LOCK
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(handle, path)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        raise RunFolderError(
            f"{path.parent} is in use by the process {holder}; wait until it ends, stop it (kill {holder}), "
            "or choose another folder with run_dir=PATH"
        ) from None
    except OSError as error:
        raise RunFolderError(
            f"{path} cannot be locked: {error.strerror}; choose a folder on a local disk with run_dir=PATH"
        ) from error
    with reported(path):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """(record, byte at which its line ends) of every whole line."""
    end, last = 0, -1
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            end += len(line)
            record = _record(line, f"line {number} of {path}")
            if record["step"] <= last:
                raise RunFolderError(f"line {number} of {path} has step {record['step']}, not above {last}: mend it")
            last = record["step"]
            yield record, end


def _record(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise RunFolderError(f"{where} is not JSON ({error}): mend or delete that line") from None
    if not isinstance(record, dict) or not isinstance(record.get("step"), int):
        raise RunFolderError(f"{where} is no metrics record (an object with an integer step): mend or delete that line")
    return record
