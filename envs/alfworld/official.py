"""Games in ALFWorld's own files: `<root>/json_2.1.1/<split>/<task>-.../<trial>/game.tw-pddl`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.envs.alfworld.goals import TASKS
from turnwise.envs.alfworld.pddl import read_problem
from turnwise.envs.alfworld.problem import Problem, ProblemError
from turnwise.envs.alfworld.world import World

FOLDER = "json_2.1.1"
FILE = "game.tw-pddl"
_SENTENCE = re.compile(r'Your task is to: ((?:[^"\\]|\\.)*)"')
_OLD_COMMANDS = "put {o} in/on {r}"
_LEFT_OUT = ("movable", "Sliced")  # chores outside the six tasks, which ALFWorld's text games leave out too


class NoOfficialData(FileNotFoundError):
    """There are no official games where they were looked for."""


def official_world(
    root: str | None, split: str, task: str | None, games: int | None, rng: np.random.Generator
) -> World:
    """A game of the official data, drawn from the first `games` files (all if None).

    A file whose game is not marked as solvable stands for the next one that is. Raises NoOfficialData, and ProblemError
    on a file that cannot be read.
    """
    files = official_files(_root(root), split, task)[:games]
    first = int(rng.integers(len(files)))
    for file in files[first:] + files[:first]:
        world = _world(file)
        if world is not None:
            return world
    raise NoOfficialData(f"none of the {len(files)} games of {split} under {_root(root)} is marked as solvable")


@lru_cache(maxsize=64)
def official_files(root: str, split: str, task: str | None) -> tuple[str, ...]:
    """The files of a split and task (None: all six) in order. Raises NoOfficialData where there are none."""
    folder = Path(root) / FOLDER / split
    found = sorted(path for path in folder.glob(f"**/{FILE}") if _wanted(path.relative_to(folder), task))
    if not found:
        raise NoOfficialData(
            f"official data needs games at {folder}/<task>-<object>-.../<trial>/{FILE}"
            f"{f' of the task {task}' if task else ''}, and there are none: run alfworld-download, set $ALFWORLD_DATA "
            "to its folder, or play data='generated'"
        )
    return tuple(map(str, found))


def read_game(path: str | Path) -> Problem | None:
    """The game of one file, or None where it is not marked as solvable. Raises ProblemError if it cannot be read."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if data.get("solvable") is not True:
            return None
        grammar, text = str(data["grammar"]), str(data["pddl_problem"])
    except (ValueError, KeyError, AttributeError) as error:
        raise ProblemError(f"a game file is JSON with pddl_problem and grammar: {path}: {error!r}") from error
    return game_problem(data, grammar, text, name=_name(Path(path)))


def game_problem(data: Mapping[str, Any], grammar: str, text: str, *, name: str) -> Problem:
    """The problem of a game file's contents."""
    if _OLD_COMMANDS in grammar:
        raise ProblemError(
            f"{name} has the commands of ALFWorld before 0.4 ('put ... in/on ...'): fetch the data anew with "
            "alfworld-download of alfworld 0.4.2"
        )
    sentence = _SENTENCE.search(grammar)
    if sentence is None:
        raise ProblemError(f"the grammar of a game tells its task ('Your task is to: ...'): that of {name} does not")
    told = json.loads(f'"{sentence[1]}"', strict=False)
    return read_problem(text, name=name, sentence=told, walkthrough=data.get("walkthrough") or ())


def _wanted(path: Path, task: str | None) -> bool:
    """Whether a file belongs to the task, by the name of its folder."""
    kind = path.parts[0].partition("-")[0]
    return kind in (TASKS if task is None else (task,)) and not any(word in str(path) for word in _LEFT_OUT)


def _name(path: Path) -> str:
    """What tells the game apart from all others of the data: split, folder and trial."""
    return "/".join(path.parts[-4:-1])


@lru_cache(maxsize=64)
def _world(path: str) -> World | None:
    problem = read_game(path)
    return World(problem) if problem else None


def _root(root: str | None) -> str:
    """The folder of the official data. Raises NoOfficialData where nothing says which it is."""
    folder = root or os.environ.get("ALFWORLD_DATA")
    if not folder:
        raise NoOfficialData(
            "data='official' needs the folder of ALFWorld's data: give root, or set $ALFWORLD_DATA (alfworld-download "
            "fills it); data='generated' needs none"
        )
    return folder
