"""Mathematics questions out of files in the form of GSM8K, MATH and AIME."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from turnwise.envs.tools.calls import read_answer

FORMS = ("gsm8k", "math", "aime")


class Task(NamedTuple):
    """A question of a file."""

    question: str
    answer: str
    kind: str | None
    level: str | None


@lru_cache(maxsize=4)
def read_tasks(path: str, form: str = "auto") -> tuple[Task, ...]:
    r"""The tasks of a file, one JSON object a line, or a JSON list.

    gsm8k: `{"question", "answer": "... #### 42"}`. math: `{"problem", "solution": "... \boxed{42}"}`, with "level" and
    "type" where given. aime: `{"problem", "answer"}`. auto: each record by the fields that it has.
    Raises ValueError with the number of the first bad record, OSError.
    """
    if form not in ("auto", *FORMS):
        raise ValueError(f"form is auto, {', '.join(FORMS)}: got {form!r}")
    text = Path(path).expanduser().read_text(encoding="utf-8")
    tasks = []
    for number, raw in enumerate(_records(text, path), 1):
        try:
            tasks.append(_task(raw, form))
        except ValueError as error:
            raise ValueError(f"{path}, record {number}: {error}") from None
    if not tasks:
        raise ValueError(f"{path} holds no tasks")
    return tuple(tasks)


def _records(text: str, path: str) -> list[Any]:
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path} begins as a JSON list and is none: {error}") from None
        return list(found)
    return [line for line in text.splitlines() if line.strip()]


def _task(raw: Any, form: str) -> Task:
    record = json.loads(raw) if isinstance(raw, str) else raw
    if not isinstance(record, Mapping):
        raise ValueError(f"a task is a JSON object: got {type(record).__name__}")
    if form == "auto":
        form = "gsm8k" if "question" in record else "math" if "solution" in record else "aime"
    question = _text(record, "question" if form == "gsm8k" else "problem")
    kind, level = record.get("type", record.get("subject")), record.get("level")
    shown = (str(kind) if kind is not None else form, str(level) if level is not None else None)
    if form == "math":
        answer = read_answer(_text(record, "solution"))
        if answer is None:
            raise ValueError(r'"solution" names the answer in \boxed{...}: this one does not')
        return Task(question, answer, *shown)
    answer = str(record["answer"]) if isinstance(record.get("answer"), int) else _text(record, "answer")
    if form == "gsm8k":
        _, mark, answer = answer.rpartition("####")
        if not mark:
            raise ValueError('"answer" names the answer after "####": this one does not')
    return Task(question, answer.strip(), *shown)


def _text(record: Mapping[str, Any], name: str) -> str:
    if not isinstance(record.get(name), str):
        raise ValueError(f'a task has a text "{name}": got {str(record.get(name))[:40]!r}')
    return str(record[name])
