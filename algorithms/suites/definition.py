"""What a suite consists of, as frozen records read from YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from turnwise.algorithms.build import SettingsError, build, nearest
from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.compose import option_text, options
from turnwise.algorithms.evaluation.nulls import NULLS
from turnwise.algorithms.games import require_game
from turnwise.algorithms.settings import require_player
from turnwise.envs.core import TextGame
from turnwise.envs.invalid import invalid_policy
from turnwise.envs.registry import make_game

GROUP = "suite"
MEASURES = ("solved", "won", "not_lost", "return")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One environment, under rules that never change with a training run."""

    env: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the game, without its wording (`prompt`): that is the one that an agent was trained to read."""
    levels: tuple[str, ...] = ()
    """Each of them is played; none: the game's own default."""
    opponent: str | None = None
    """The scripted agent in all other seats."""
    measure: str = "solved"
    """solved: share of the games with the highest return there is. won, not_lost: by the sign of the return. return."""
    attempts: int = 1
    """Tries at each problem, of which pass@k is made."""
    invalid: str = "forfeit"
    max_turns: int | None = 50

    def __post_init__(self) -> None:
        game = require_game(self.env, self.kwargs, self.levels, "")
        require_choice("measure", self.measure, MEASURES)
        require_between("attempts", self.attempts, 1)
        invalid_policy(self.invalid)
        if (self.opponent is None) != (len(game.seats) == 1):
            raise ValueError(
                f"{self.env} has {len(game.seats)} seats: opponent is for games of several, got {self.opponent}"
            )
        if self.opponent is not None:
            require_player(self.opponent, game, "the task's opponent")

    def game(self) -> TextGame:
        """The game, to be asked what it is like."""
        return make_game(self.env, **self.kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A set of tasks, and how much of each is played."""

    name: str
    summary: str = ""
    games: int = 200
    """Episodes per task, level and seed; rounded up to whole problems."""
    seeds: tuple[int, ...] = (0,)
    nulls: tuple[str, ...] = NULLS
    jobs: int = 1
    """Tasks at a time, each in a process of its own."""
    tasks: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_between("games", self.games, 1)
        require_between("jobs", self.jobs, 1)
        for name in self.nulls:
            require_choice("nulls", name, NULLS)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are one or more, each once: got {list(self.seeds)}")
        if not self.tasks:
            raise ValueError("a suite has at least one task: got none")


def split_suite(words: Sequence[str]) -> tuple[str | None, list[str], list[str]]:
    """(name of the suite that `suite=NAME` asks for, the words `suite.KEY=VALUE`, all other words)."""
    names = [word.removeprefix("suite=") for word in words if word.startswith("suite=")]
    own = [word for word in words if word.startswith("suite.")]
    rest = [word for word in words if not word.startswith(("suite=", "suite."))]
    if len(names) > 1:
        raise SettingsError(f"one suite at a time: got {', '.join(names)}")
    if own and not names:
        raise SettingsError(f"{own[0]} is of a suite: give suite=NAME, one of {', '.join(options(GROUP))}")
    return (names[0] if names else None), own, rest


def raw_suite(name: str, words: Sequence[str]) -> dict[str, Any]:
    """The settings of a suite, changed by words `suite.KEY=VALUE`. Raises SettingsError on what there is not."""
    if name not in options(GROUP):
        raise SettingsError(f"there is no suite called {name!r}; {nearest(name, options(GROUP))}")
    text = option_text(GROUP, name)
    found = yaml.safe_load(text)
    values = found.get("suite") if isinstance(found, dict) else None
    if not isinstance(values, dict):
        raise SettingsError(f"the suite {name} is a mapping below the key `suite`: got {found!r}")
    summary = next((line[2:] for line in text.splitlines() if line.startswith("# ")), "")
    values = {"name": name, "summary": summary, **values}
    for word in words:
        _change(values, word)
    return values


def _change(values: dict[str, Any], word: str) -> None:
    """Set what `suite.KEY=VALUE` says, in place; `suite.tasks.NAME=null` leaves a task out."""
    key, equals, text = word.partition("=")
    path = key.split(".")[1:]
    if not equals:
        raise SettingsError(f"a setting is written KEY=VALUE: got {word!r}")
    place = values
    for part in path[:-1]:
        if not isinstance(place.get(part), dict):
            raise SettingsError(f"there is no setting {key}; {nearest(part, place)}")
        place[part] = dict(place[part])
        place = place[part]
    value = yaml.safe_load(text)
    if value is None and path[0] == "tasks" and len(path) == 2:
        if path[1] not in place:
            raise SettingsError(f"there is no task {path[1]!r}; {nearest(path[1], place)}")
        del place[path[1]]
    else:
        place[path[-1]] = value


def read_suite(values: Mapping[str, Any]) -> Suite:
    """The suite of these settings. Raises SettingsError, naming the key, on anything unknown or impossible."""
    rest = dict(values)
    found = rest.pop("tasks", None)
    if not isinstance(found, Mapping):
        raise SettingsError(f"suite.tasks is a mapping of tasks: got {found!r}")
    tasks = {name: build(Task, task, f"suite.tasks.{name}") for name, task in found.items()}
    return build(Suite, {**rest, "tasks": tasks}, "suite")
