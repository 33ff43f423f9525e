"""`Repository`: a small library with its tests, out of one text file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "repositories"
MARK = "=== "


@dataclass(frozen=True, slots=True)
class Repository:
    """A library that works, as texts by path."""

    name: str
    summary: str
    files: Mapping[str, str]
    tests: Mapping[str, str]
    """Tests that the agent sees and may run, below `tests/`."""
    hidden: Mapping[str, str]
    """Tests that only the judge runs, below `hidden/`."""


@lru_cache(maxsize=1)
def repository_names() -> tuple[str, ...]:
    """Names of the repositories that ship."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.txt")))


@lru_cache(maxsize=64)
def read_repository(name: str) -> Repository:
    """The repository of that name. Raises OSError, ValueError where its file is not in the form of `split_sections`."""
    summary, sections = split_sections((FOLDER / f"{name}.txt").read_text(encoding="utf-8"))
    parts: dict[str, dict[str, str]] = {"": {}, "tests": {}, "hidden": {}}
    for path, text in sections.items():
        top = path.split("/")[0]
        parts[top if top in parts else ""][path] = text
    return Repository(name, summary, parts[""], parts["tests"], parts["hidden"])


def split_sections(text: str) -> tuple[str, dict[str, str]]:
    """(what comes first, path -> text) of a file in which a line `=== path` begins each file. Raises ValueError."""
    summary, *sections = ("\n" + text).split("\n" + MARK)
    files: dict[str, str] = {}
    for section in sections:
        path, newline, body = section.partition("\n")
        if path in files or not newline or not path.strip():
            raise ValueError(f"every section begins with {MARK!r} and a path of its own: got {path[:40]!r}")
        files[path] = body.strip("\n") + "\n"
    return summary.strip(), files
