"""Plays the tasks of a suite; what is in its store is not played again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from turnwise import __version__
from turnwise.agents.api.usage import asked_by
from turnwise.agents.rollout import Agent
from turnwise.agents.scripted import scripted_agent
from turnwise.algorithms.evaluation.players import Player, load
from turnwise.algorithms.evaluation.rows import row_of
from turnwise.algorithms.evaluation.store import Batch, Store, env_version
from turnwise.algorithms.evaluation.winrate import deals_of, play_deals, seat_of
from turnwise.algorithms.suites.definition import Suite, Task
from turnwise.algorithms.tournament.play import Say
from turnwise.records import Episode

RETRIES = 2
"""How often an episode that failed is begun again from its seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Games that are played together: a task at one level with one seed, for one player."""

    task: str
    rules: Task
    level: str | None
    seed: int
    games: int
    prompt: str
    """Wording of the observations."""

    @property
    def kwargs(self) -> dict[str, Any]:
        """All arguments of the game."""
        level = {} if self.level is None else {"level": self.level}
        return {**self.rules.kwargs, **level, "prompt": self.prompt}

    def deals(self) -> int:
        """Problems: as many as give the games, rounded up."""
        return -(-self.games // (len(self.rules.game().seats) * self.rules.attempts))

    def parts(self, who: Player) -> dict[str, Any]:
        """All that the games depend on."""
        rules = self.rules
        return {
            "kind": "suite",
            "player": who.fingerprint,
            "opponent": None if rules.opponent is None else f"{rules.opponent} of turnwise {__version__}",
            "env": env_version(rules.env),
            "kwargs": self.kwargs,
            "invalid": rules.invalid,
            "max_turns": rules.max_turns,
            "attempts": rules.attempts,
            "problems": self.deals(),
            "seed": self.seed,
        }


def cells_of(suite: Suite, who: Player, prompt: str) -> Iterator[Cell]:
    """All that a player plays, task by task. prompt: the wording for players that read any."""
    for name, task in suite.tasks.items():
        for level in task.levels or (None,):
            for seed in suite.seeds:
                wording = who.prompt or prompt
                yield Cell(task=name, rules=task, level=level, seed=seed, games=suite.games, prompt=wording)


def play_cell(cell: Cell, who: Player, store: Store) -> int:
    """Play the games of a cell; returns how many."""
    parts = cell.parts(who)
    rules = cell.rules
    agent = _agent(who, rules.env, cell.kwargs)
    other = None if rules.opponent is None else scripted_agent(rules.opponent)
    before = asked_by([agent])
    house = {"invalid": rules.invalid, "max_turns": rules.max_turns, "retries": RETRIES}
    found = play_deals(
        agent,
        other,
        rules.env,
        deals_of(cell.seed, cell.deals()),
        env_kwargs=cell.kwargs,
        attempts=rules.attempts,
        **house,
    )
    rows = [row_of(episode, seat_of(episode), f"{cell.level or ''}/{cell.seed}/{episode.group}") for episode in found]
    asked = {name: value - before.get(name, 0) for name, value in asked_by([agent]).items()}
    store.add(parts, rows, [_named(episode, who, rules, cell) for episode in found], asked)
    return len(found)


_loaded: dict[str, Agent] = {}
"""The last player with weights or connections, which takes long to load: a process plays one player after the other."""


def _agent(who: Player, env_id: str, kwargs: Mapping[str, Any]) -> Agent:
    """The agent of a player for a game."""
    if who.kind not in ("weights", "api"):
        return load(who, env_id, kwargs)
    if who.fingerprint not in _loaded:
        _loaded.clear()
        _loaded[who.fingerprint] = load(who, env_id, kwargs)
    return _loaded[who.fingerprint]


def _named(episode: Episode, who: Player, rules: Task, cell: Cell) -> Episode:
    """The episode with the players' names at its seats."""
    names = {"agent": who.name, "opponent": rules.opponent or ""}
    return replace(
        episode,
        id="-".join(filter(None, (who.name, cell.task, cell.level, str(cell.seed), episode.id))),
        seats={seat: names[name] for seat, name in episode.seats.items()},
        metadata={**episode.metadata, "kind": "eval", "suite_task": cell.task},
    )


def play_suite(suite: Suite, people: Sequence[Player], prompt: str, store: Store, say: Say) -> int:
    """Play all that is missing; returns how many games that were.

    With several jobs, processes take whole tasks of one player; what they have finished is in the store whatever
    happens to the others.
    """
    jobs: list[tuple[Player, list[Cell]]] = []
    for who in people:
        missing = [cell for cell in cells_of(suite, who, prompt) if not store.has(cell.parts(who))]
        tasks = list(dict.fromkeys(cell.task for cell in missing))
        jobs += [(who, [cell for cell in missing if cell.task == task]) for task in tasks]
        if missing:
            say(f"{who.name} plays {', '.join(tasks)}")
    if suite.jobs == 1 or len(jobs) < 2:
        return sum(play_cell(cell, who, store) for who, cells in jobs for cell in cells)
    played = 0
    pool = ProcessPoolExecutor(min(suite.jobs, len(jobs)), mp_context=get_context("spawn"))
    try:
        waiting = [pool.submit(_play_apart, store.folder, who, cells) for who, cells in jobs]
        for done in as_completed(waiting):
            played += done.result()
    finally:
        pool.shutdown(cancel_futures=True)
    return played


def _play_apart(folder: Path, who: Player, cells: Sequence[Cell]) -> int:
    """The same in a process of its own."""
    return sum(play_cell(cell, who, Store(folder)) for cell in cells)


def batches(suite: Suite, who: Player, prompt: str, store: Store) -> dict[str, list[Batch]]:
    """Task -> all that a player has played of it."""
    found: dict[str, list[Batch]] = {name: [] for name in suite.tasks}
    for cell in cells_of(suite, who, prompt):
        batch = store.find(cell.parts(who))
        assert batch is not None  # `play_suite` has played it
        found[cell.task].append(batch)
    return found
