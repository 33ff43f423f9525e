"""Who sits at the seats that the learner of a Gymnasium view does not play: `make_opponents`.

An opponent is a name ("random", "first_legal", "optimal") or an agent: anything with
`act(requests: Sequence[Request]) -> list[Reply]`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from turnwise.envs.core import EnvFailure, TextGame, Unsupported
from turnwise.envs.history import played_game
from turnwise.envs.referee import Outcome, Referee
from turnwise.records import Message, Reply, Request


class OpponentError(ValueError):
    """No opponent can be made from what was given."""


class Agent(Protocol):
    """What the rollout calls an agent; here it gets one request at a time."""

    def act(self, requests: Sequence[Request], /) -> list[Reply]: ...


class Opponent(Protocol):
    """Plays one seat."""

    def start(self) -> None:
        """Forget the episode before."""

    def play(self, referee: Referee, rng: np.random.Generator) -> Outcome:
        """Answer for the seat to act. Raises EnvFailure where the environment fails before there is an answer."""


class ScriptedOpponent:
    """Plays the action that a policy picks from the live game."""

    def __init__(self, policy: Callable[[TextGame, np.random.Generator], str]) -> None:
        self.policy = policy

    def start(self) -> None:
        """Nothing to forget: a policy looks at the game alone."""

    def play(self, referee: Referee, rng: np.random.Generator) -> Outcome:
        """Take the policy's action."""
        return referee.take(self.policy(played_game(referee.game), rng))


class AgentOpponent:
    """Asks an agent, and keeps the conversation of its seat for it."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.messages: list[Message] = []

    def start(self) -> None:
        """Begin a new conversation."""
        self.messages = []

    def play(self, referee: Referee, rng: np.random.Generator) -> Outcome:
        """Submit the agent's reply to everything that its seat has read and said."""
        seat = referee.seat
        if seat is None:
            raise RuntimeError("an opponent is asked only while the episode runs: it is over")
        self.messages.append(Message("user", referee.observe(seat)))
        if referee.failure is not None:
            raise EnvFailure(referee.failure)
        seed = int(rng.integers(2**63))
        request = Request(seat=seat, messages=tuple(self.messages), seed=seed, game=played_game(referee.game))
        (reply,) = self.agent.act([request])
        self.messages.append(Message("assistant", reply.text))
        return referee.submit(reply.text, cut=not reply.finished)


def random_action(game: TextGame, rng: np.random.Generator) -> str:
    """A legal action, drawn uniformly (for free text: whatever the game samples)."""
    return game.sample_action(rng)


def first_legal_action(game: TextGame, rng: np.random.Generator) -> str:
    """The first legal action (for free text: whatever the game samples)."""
    legal = game.legal()
    return game.sample_action(rng) if legal is None else legal[0]


POLICIES: dict[str, Callable[[TextGame, np.random.Generator], str]] = {
    "random": random_action,
    "first_legal": first_legal_action,
}


def make_opponents(spec: Any, seats: Sequence[str], game: TextGame) -> dict[str, Opponent]:
    """One opponent per seat, from one spec for all or a mapping seat -> spec. Raises OpponentError."""
    if not isinstance(spec, Mapping):
        return {seat: _make_opponent(spec, game) for seat in seats}
    unknown, missing = sorted(spec.keys() - set(game.seats)), sorted(set(seats) - spec.keys())
    if unknown or missing:
        raise OpponentError(
            f"opponents need one entry per seat out of {', '.join(seats)}: unknown {unknown}, missing {missing}"
        )
    return {seat: _make_opponent(spec[seat], game) for seat in seats}


def _make_opponent(spec: Any, game: TextGame) -> Opponent:
    if callable(getattr(spec, "act", None)):
        return AgentOpponent(spec)
    if not isinstance(spec, str):
        raise OpponentError(f"an opponent is a name or an object with act(requests): got {spec!r}")
    if spec == "optimal":
        return ScriptedOpponent(_optimal_policy(game))
    if spec not in POLICIES:
        names = [*POLICIES, "optimal"]
        near = difflib.get_close_matches(spec, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}, or any agent object"
        raise OpponentError(f"no opponent is called {spec!r}; {hint}")
    return ScriptedOpponent(POLICIES[spec])


def _optimal_policy(game: TextGame) -> Callable[[TextGame, np.random.Generator], str]:
    """Perfect play; a game without one is found out now, not in mid-episode."""
    from turnwise.envs.openspiel.optimal import optimal_action  # keeps games without OpenSpiel free of it

    rng, game = np.random.default_rng(0), played_game(game)
    game.start(rng)
    try:
        optimal_action(game, rng)
    except Unsupported as error:
        raise OpponentError(f"there is no opponent 'optimal' for this game: {error}") from None
    return optimal_action
