"""What a suite of transfer consists of, and the files that lm-eval reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from turnwise.algorithms.build import SettingsError, build
from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.evaluation.players import digest, folder_digest
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.suites.transfer.items import MAKERS, Item

KIND = "lm_eval"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTask:
    """Questions for a model."""

    made: str | None = None
    """`arithmetic` or `logic`: made on the spot from the suite's seed."""
    task: str | None = None
    """In place of `made`: the name of a task of lm-eval."""
    data: str | None = None
    """Folder or file with its data set, in place of the download: what `datasets.load_dataset` reads."""
    include: str | None = None
    """Folder with the YAML of the task, where it is not one of lm-eval's own."""

    def __post_init__(self) -> None:
        if (self.made is None) == (self.task is None):
            raise ValueError("a task of transfer has `made` (arithmetic, logic) or `task` (a task of lm-eval)")
        if self.made is not None:
            require_choice("made", self.made, list(MAKERS))
        elif self.data is None and self.include is None:
            raise ValueError(
                f"lm-eval would download the data of {self.task}, and suites read local files alone: give "
                "data=FOLDER with its data set, or include=FOLDER with a YAML of a task that reads local files"
            )
        for key in ("data", "include"):
            path = getattr(self, key)
            if path is not None and not Path(path).expanduser().exists():
                raise ValueError(f"{key} is a path that exists: got {path}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSuite:
    """A set of tasks, asked without any game."""

    name: str
    kind: str = KIND
    summary: str = ""
    items: int = 60
    """Questions of each task."""
    seed: int = 0
    """Of the questions that are made."""
    chat: bool = False
    """Ask in the model's chat template."""
    batch: int = 8
    """Questions at once."""
    tasks: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_choice("kind", self.kind, (KIND,))
        for name in ("items", "batch"):
            require_between(name, getattr(self, name), 1)
        require_between("seed", self.seed, 0)
        if not self.tasks:
            raise ValueError("a suite has at least one task: got none")

    def made(self, task: TransferTask) -> list[Item]:
        """The questions of a task that is made; [] of any other."""
        return MAKERS[task.made](self.items, self.seed) if task.made is not None else []

    def content(self, task: TransferTask) -> dict[str, Any]:
        """All that the answers to a task depend on, beside the model."""
        asked = {"items": self.items, "chat": self.chat}
        if task.made is not None:
            return {**asked, "made": digest(self.made(task)), "form": digest(_FORMS[task.made])}
        places = {key: _digest_of(getattr(task, key)) for key in ("data", "include")}
        return {**asked, "task": task.task, **places}


def read_transfer(values: Mapping[str, Any]) -> TransferSuite:
    """The suite of these settings. Raises SettingsError, naming the key, on anything unknown or impossible."""
    found = values.get("tasks")
    if not isinstance(found, Mapping):
        raise SettingsError(f"suite.tasks is a mapping of tasks: got {found!r}")
    tasks = {name: build(TransferTask, task, f"suite.tasks.{name}") for name, task in found.items()}
    return build(TransferSuite, {**values, "tasks": tasks}, "suite")


def _digest_of(path: str | None) -> str | None:
    if path is None:
        return None
    place = Path(path).expanduser()
    return folder_digest(place) if place.is_dir() else digest(place.read_text())


_FORMS: dict[str, dict[str, Any]] = {
    "arithmetic": {
        "output_type": "generate_until",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n\n", "Question:"], "do_sample": False, "max_gen_toks": 128},
        "filter_list": [
            {
                "name": "last_number",
                "filter": [
                    {"function": "regex", "regex_pattern": "(-?[0-9]+)", "group_select": -1},
                    {"function": "take_first"},
                ],
            }
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    },
    "logic": {
        "output_type": "multiple_choice",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    },
}


def write_task(task: TransferTask, items: list[Item], folder: Path) -> str:
    """Write the questions and the YAML with which lm-eval asks them; returns the name of the task there."""
    assert task.made is not None  # the others are there already
    folder.mkdir(parents=True, exist_ok=True)
    name = f"turnwise_{task.made}_{digest(items)[:8]}"
    data = (folder / f"{name}.jsonl").resolve()
    write_atomically(data, "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
    form = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}, "cache_dir": str(folder.resolve() / "cache")},
        "test_split": "test",
        "num_fewshot": 0,
        "metadata": {"version": 1.0},
        **_FORMS[task.made],
    }
    write_atomically(folder / f"{name}.yaml", yaml.safe_dump(form, sort_keys=False))
    return name
