"""The metrics of a run while it grows: what was read once is not read again."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from turnwise.algorithms.reporting.runlog import flat


class Metrics:
    """Follows one metrics.jsonl. Any thread may ask."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        self._forget()

    def _forget(self) -> None:
        self._offset, self._end = 0, b""
        self.series: dict[str, list[tuple[int, float]]] = {}
        self.last: dict[str, Any] = {}
        """The newest record."""
        self.evaluated: dict[str, Any] = {}
        """The newest figures of an evaluation."""
        self.broken = 0
        """Lines that are no records."""

    def refresh(self) -> None:
        """Read what is new; from the start where a resumed run has cut lines off."""
        with self._lock:
            try:
                file = self._path.open("rb")
            except OSError:
                self._forget()
                return
            with file:
                if not self._goes_on(file):
                    self._forget()
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self._offset += len(line)
                    self._end = line
                    self._take(line)

    def _goes_on(self, file: Any) -> bool:
        """Whether the file still holds what was read of it."""
        if os.fstat(file.fileno()).st_size < self._offset:
            return False
        file.seek(self._offset - len(self._end))
        return bool(file.read(len(self._end)) == self._end)

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            step, values = record["step"], flat(record)
        except (ValueError, KeyError, TypeError, RecursionError):
            self.broken += 1
            return
        if not isinstance(step, int):
            self.broken += 1
            return
        self.last = record
        if isinstance(record.get("eval"), Mapping):
            self.evaluated = record["eval"]
        for name, value in values.items():
            if _is_number(value):
                self.series.setdefault(name, []).append((step, value))

    def after(self, step: int | None, names: Collection[str] | None) -> dict[str, Any]:
        """What the pages draw: every name, and the points of the wanted ones after a step."""
        self.refresh()
        chosen = {name: points for name, points in self.series.items() if name != "step" and _is_in(name, names)}
        return {
            "last": self.last.get("step"),
            "names": sorted(name for name in self.series if name != "step"),
            "series": {
                name: [list(point) for point in points if step is None or point[0] > step]
                for name, points in chosen.items()
            },
        }


def _is_in(name: str, names: Collection[str] | None) -> bool:
    return names is None or name in names


def _is_number(value: Any) -> bool:
    """Whether a value can be drawn: integers beyond all floats cannot."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False
