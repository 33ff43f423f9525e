"""Repairs of one's own, out of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from turnwise.envs.python_tool.repair.testing import TESTS, stated_tests
from turnwise.envs.sandbox.files import is_inside


@dataclass(frozen=True, slots=True)
class RepairTask:
    """A repository that does not do what it is asked to."""

    instruction: str
    files: Mapping[str, str]
    tests: Mapping[str, str]
    hidden: Mapping[str, str]


@lru_cache(maxsize=4)
def read_tasks(path: str) -> tuple[RepairTask, ...]:
    """The tasks of a file of JSON objects, one a line.

    `{"instruction": text, "files": {path: text}, "tests": {path: text}, "hidden": {path: text}}`; one of `tests` and
    `hidden` may be left out. Tests are classes of unittest, visible ones lie below `tests/`.
    Raises ValueError with the number of the first bad line, OSError.
    """
    tasks = []
    for number, line in enumerate(Path(path).expanduser().read_text(encoding="utf-8").splitlines(), 1):
        try:
            tasks += [_task(json.loads(line))] if line.strip() else []
        except (ValueError, SyntaxError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    if not tasks:
        raise ValueError(f"{path} holds no tasks")
    return tuple(tasks)


def _task(record: Any) -> RepairTask:
    if not isinstance(record, Mapping) or not isinstance(record.get("instruction"), str):
        raise ValueError('a task is a JSON object with a text "instruction", and "files", "tests" and "hidden"')
    files, tests, hidden = (_texts(record, name) for name in ("files", "tests", "hidden"))
    if not files:
        raise ValueError('"files" holds at least one file: got none')
    if not any(stated_tests(text) for text in (*tests.values(), *hidden.values())):
        raise ValueError('"tests" and "hidden" hold a method test... of a class of unittest: got none')
    for path in tests:
        if path.split("/")[0] != TESTS:
            raise ValueError(f'"tests" lie below {TESTS}/: got {path[:80]!r}')
    for path in (*files, *hidden):
        if path in tests or path.split("/")[0] == TESTS or (path in files and path in hidden):
            raise ValueError(f"{path[:80]!r} cannot lie in {TESTS}/, or be there twice")
    return RepairTask(record["instruction"], files, tests, hidden)


def _texts(record: Mapping[str, Any], name: str) -> dict[str, str]:
    found = record.get(name, {})
    if not isinstance(found, Mapping) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError(f'"{name}" is {{path: text}}: got {str(found)[:60]!r}')
    for path in found:
        if not is_inside(path):
            raise ValueError(f'"{name}" has paths like package/module.py: got {path[:80]!r}')
    if name != "files":
        for text in found.values():
            stated_tests(text)
    return dict(found)
