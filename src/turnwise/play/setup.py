"""What a person wants to play, and what is made of it: a plan for the rollout, and the agents at the table."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Agent
from turnwise.algorithms.games import require_game
from turnwise.envs.core import TextGame
from turnwise.envs.history import played_game
from turnwise.envs.invalid import invalid_policy
from turnwise.envs.registry import find_spec
from turnwise.play.opponents import arguments_of, load_opponent

HUMAN = "human"
"""Name of the person in episodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One game that a person wants to play."""

    game: str
    """Id of the environment."""
    kwargs: Mapping[str, Any] | None = None
    """Arguments of the game. None: those that the first opponent was trained with, where it is a run, else none."""
    seat: str = "random"
    """Name or number of the person's seat, or "random"."""
    opponents: str | Mapping[str, str] = "random"
    """Who plays the other seats: one name for all, or seat -> name. See `load_opponent`."""
    seed: int | None = None
    """What all chance of the game follows from; None draws one."""
    invalid: str = "retry(2)"
    """What an agent's invalid reply leads to. The person's is refused with a reason, and may be mended."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is ready to be played."""

    plan: Plan
    seat: str
    """Where the person sits."""
    seats: tuple[str, ...]
    agents: Mapping[str, Agent]
    """By the names in the plan; the person is not among them."""
    invalid: str
    rules: str | None
    """The rules of the game, where it can tell them apart from its observations."""


def prepare(setup: Setup) -> Prepared:
    """Raises ValueError, in one line with what to do, where the game, a seat or an opponent does not exist."""
    spec = find_spec(setup.game)
    invalid_policy(setup.invalid)
    named = setup.opponents if isinstance(setup.opponents, str) else next(iter(setup.opponents.values()), "")
    kwargs = dict(arguments_of(named, spec.id) if setup.kwargs is None else setup.kwargs)
    game = require_game(spec.id, kwargs, (), "")
    try:
        seed = int(np.random.SeedSequence().generate_state(1)[0]) if setup.seed is None else setup.seed
        if seed < 0:
            raise ValueError(f"a seed is a whole number of at least 0: got {seed}")
        seat = _seat(setup.seat, game.seats, seed)
        others = _others(setup.opponents, [other for other in game.seats if other != seat])
        agents = {name: load_opponent(name, game, spec.id, kwargs) for name in dict.fromkeys(others.values())}
        plan = Plan(
            id=f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}",
            env_id=spec.id,
            env_kwargs=kwargs,
            seed=seed,
            seats={name: HUMAN if name == seat else _named(others[name]) for name in game.seats},
        )
        known = {_named(name): agent for name, agent in agents.items()}
        return Prepared(plan, seat, tuple(game.seats), known, setup.invalid, _rules(played_game(game)))
    finally:
        game.close()


def try_game(env_id: str) -> dict[str, Any]:
    """Id, seats, levels and summary of a game. Raises ValueError where there is none, or where it cannot be made."""
    spec = find_spec(env_id)
    game = require_game(spec.id, {}, (), "")
    try:
        seats, levels = list(game.seats), list(game.levels)
    finally:
        game.close()
    return {"id": spec.id, "family": spec.family, "summary": spec.summary, "seats": seats, "levels": levels}


def again(setup: Setup, prepared: Prepared) -> Setup:
    """The next game against the same agents: the person takes the next seat, and chance is drawn anew."""
    seats = prepared.seats
    seat = seats[(seats.index(prepared.seat) + 1) % len(seats)]
    if isinstance(setup.opponents, str):
        return replace(setup, seat=seat, seed=None)
    left = {**setup.opponents, prepared.seat: setup.opponents.get(seat, "random")}
    return replace(setup, seat=seat, seed=None, opponents={name: left[name] for name in left if name != seat})


def _named(opponent: str) -> str:
    """An agent that is called like the person is told apart."""
    return f"{opponent} (agent)" if opponent == HUMAN else opponent


def _seat(asked: str, seats: Sequence[str], seed: int) -> str:
    if asked == "random":
        return seats[int(np.random.default_rng((seed, len(seats))).integers(len(seats)))]
    if asked in seats:
        return asked
    if asked.isdigit() and int(asked) < len(seats):
        return seats[int(asked)]
    raise ValueError(f"the seats are {', '.join(seats)} (0 to {len(seats) - 1}), or random: got {asked!r}")


def _others(asked: str | Mapping[str, str], seats: Sequence[str]) -> dict[str, str]:
    """One opponent per seat."""
    if isinstance(asked, str):
        return dict.fromkeys(seats, asked)
    unknown, missing = sorted(asked.keys() - set(seats)), sorted(set(seats) - asked.keys())
    if unknown or missing:
        raise ValueError(
            f"opponents need one entry per seat out of {', '.join(seats)}: unknown {unknown}, missing {missing}"
        )
    return {seat: asked[seat] for seat in seats}


def _rules(game: TextGame) -> str | None:
    from turnwise.envs.openspiel.adapter import OpenSpielGame

    return game.rules() if isinstance(game, OpenSpielGame) else None


def read_opponents(words: Sequence[str]) -> str | dict[str, str]:
    """Of the command line: one name for all other seats, or SEAT=NAME for each. Raises ValueError on a mixture."""
    named = dict(word.split("=", 1) for word in words if re.match(r"[\w-]+=", word))
    if not named and len(words) == 1:
        return words[0]
    if len(named) != len(words):
        raise ValueError(f"--opponent is one name, or SEAT=NAME once for each other seat: got {', '.join(words)}")
    return named


def read_kwargs(words: Sequence[str]) -> dict[str, Any]:
    """Of the command line: KEY=VALUE, the value as YAML reads it. Raises ValueError."""
    import yaml

    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise ValueError(f"--kwarg is KEY=VALUE: got {word!r}")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"--kwarg {key} is no value of YAML: {' '.join(str(error).split())}") from None
    return found
