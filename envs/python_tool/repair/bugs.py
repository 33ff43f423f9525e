"""`Bug`: one changed place of a repository, proven to fail its tests; `draw_bugs` takes them from the shipped table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from turnwise.envs.python_tool.repair.repository import FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """Lines of a file, and the lines that stand there instead."""

    operator: str
    """What kind of change it is, a name of `mutate.OPERATORS`."""
    path: str
    place: str
    """The function it is in, as `Class.method`."""
    right: str
    """The lines as they should be; they occur once in the right file."""
    wrong: str
    """The lines as they are; they occur once in the wrong file."""
    fails: tuple[str, ...]
    """Visible tests that it fails."""
    message: str
    """What the first of them says."""

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Bug:
        """Raises TypeError for a record that `to_json` did not write."""
        return cls(**{**record, "fails": tuple(record["fails"])})


@dataclass(frozen=True, slots=True)
class BugTable:
    """What is proven of one repository."""

    bugs: tuple[Bug, ...]
    pairs: tuple[tuple[int, int], ...]
    """Indices of two bugs in different functions that fail together, too."""

    def write(self, name: str) -> None:
        """Write it beside the repository."""
        record = {"bugs": [bug.to_json() for bug in self.bugs], "pairs": self.pairs}
        (FOLDER / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


@lru_cache(maxsize=64)
def read_table(name: str) -> BugTable:
    """The table of a repository. Raises OSError where `make_bugs` has not written it."""
    record = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    pairs = tuple((int(first), int(second)) for first, second in record["pairs"])
    return BugTable(tuple(Bug.from_json(bug) for bug in record["bugs"]), pairs)


def draw_bugs(table: BugTable, count: int, rng: np.random.Generator) -> tuple[Bug, ...]:
    """One bug, or a pair."""
    if count == 1:
        return (table.bugs[rng.integers(len(table.bugs))],)
    return tuple(table.bugs[index] for index in table.pairs[rng.integers(len(table.pairs))])


def inject(files: Mapping[str, str], bugs: Iterable[Bug]) -> dict[str, str]:
    """The files with the bugs in them. Raises ValueError where the lines of one do not occur exactly once."""
    changed = dict(files)
    for bug in bugs:
        changed[bug.path] = replace_once(changed[bug.path], bug.right, bug.wrong)
    return changed


def undo(files: Mapping[str, str], bugs: Iterable[Bug]) -> dict[str, str]:
    """The files with the bugs taken out again. Raises ValueError where the lines of one do not occur exactly once."""
    changed = dict(files)
    for bug in bugs:
        changed[bug.path] = replace_once(changed[bug.path], bug.wrong, bug.right)
    return changed


def replace_once(text: str, old: str, new: str) -> str:
    """Raises ValueError unless `old` occurs exactly once."""
    if text.count(old) != 1:
        raise ValueError(f"the lines occur once: got {text.count(old)} times {old[:80]!r}")
    return text.replace(old, new)
