"""Plays the pairs of a tournament; what is in its store is not played again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from turnwise.agents.rollout import Agent
from turnwise.algorithms.evaluation.players import HUMAN, Ask, Player, Voice, load
from turnwise.algorithms.evaluation.rows import Row, row_of
from turnwise.algorithms.evaluation.store import Batch, Store, env_version
from turnwise.algorithms.evaluation.winrate import deals_of, play_deals, seat_of
from turnwise.algorithms.startup import SMALL_MODEL
from turnwise.algorithms.tournament.games import Game
from turnwise.algorithms.tournament.pairings import round_robin, swiss_round
from turnwise.algorithms.tournament.settings import SEATS, TournamentSettings
from turnwise.records import Episode

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The games of one pair, told from the first player's side."""

    first: str
    second: str
    batch: Batch
    invalid: Mapping[str, float]
    """Name -> share of its replies that were not valid."""
    failed: int
    """Games that are left out, as a game of their deal failed."""

    def games(self) -> list[Game]:
        """The games of the deals that were played whole."""
        return [
            Game(first=self.first, second=self.second, deal=row.problem, first_return=row.gained, second_return=lost)
            for row in whole_deals(self.batch.rows)
            if (lost := row.lost) is not None
        ]


def whole_deals(rows: Sequence[Row]) -> list[Row]:
    """The rows of all deals of which every game came to an end of the game's own."""
    broken = {row.problem for row in rows if not row.finished}
    return [row for row in rows if row.problem not in broken]


class Hall:
    """Where the games take place: the players' agents, loaded when they first play, and the store."""

    def __init__(
        self, settings: TournamentSettings, people: Sequence[Player], store: Store, say: Say, ask: Ask | None = None
    ) -> None:
        self.settings, self.store, self._say, self._ask = settings, store, say, ask
        self.people = {one.name: one for one in people}
        self._agents: dict[str, Agent] = {}
        self.played = 0
        """Games that were played now, not found in the store."""

    def agent(self, name: str) -> Agent:
        """The agent of a player."""
        env = self.settings.env
        if name not in self._agents:
            self._agents[name] = load(self.people[name], env.id, env.kwargs, self._ask)
        return self._agents[name]

    def meet(self, first: str, second: str) -> Pairing:
        """The games of a pair, played now unless they are in the store. The order of the two does not matter.

        Raises ValueError, with what failed, where no deal could be played to its end.
        """
        first, second = sorted((first, second), key=lambda name: self.people[name].fingerprint)
        parts = self._parts(first, second)
        batch = self.store.find(parts)
        if batch is None or not self.store.has(parts):
            self._say(f"{first} against {second}: {self.settings.games} games")
            batch = self._play(first, second, parts)
        shares = batch.figures
        failed = len(batch.rows) - len(whole_deals(batch.rows))
        invalid = {first: shares[FIRST_INVALID], second: shares[SECOND_INVALID]}
        return Pairing(first, second, batch, invalid, failed)

    def _play(self, first: str, second: str, parts: Mapping[str, Any]) -> Batch:
        settings, env = self.settings, self.settings.env
        mine, other = self.agent(first), self.agent(second)
        house: dict[str, Any] = {"invalid": env.invalid, "max_turns": env.max_turns, "retries": env.retries}
        if HUMAN in (self.people[first].kind, self.people[second].kind):
            house["concurrency"] = 1  # a person plays one game after the other
        before = _usage(mine, other)
        deals = deals_of(settings.seed, settings.games // SEATS)
        found = play_deals(mine, other, env.id, deals, env_kwargs=env.kwargs, **house)
        self.played += len(found)
        rows = [row_of(episode, seat_of(episode), episode.group or "") for episode in found]
        if not whole_deals(rows):
            why = next(episode for episode in found if episode.metadata.get("failure"))
            raise ValueError(
                f"{first} and {second} could not play one deal to its end ({why.status}: {why.metadata['failure']})"
            )
        asked = {name: value - before.get(name, 0) for name, value in _usage(mine, other).items()}
        shares = {FIRST_INVALID: _invalid(found, "agent"), SECOND_INVALID: _invalid(found, "opponent")}
        return self.store.add(parts, rows, [_named(episode, first, second) for episode in found], {**asked, **shares})

    def _parts(self, first: str, second: str) -> dict[str, Any]:
        """All that the games of a pair depend on."""
        settings, env = self.settings, self.settings.env
        return {
            "kind": "pairing",
            "first": self.people[first].fingerprint,
            "second": self.people[second].fingerprint,
            "env": env_version(env.id),
            "kwargs": dict(env.kwargs),
            "invalid": env.invalid,
            "max_turns": env.max_turns,
            "games": settings.games,
            "seed": settings.seed,
        }

    def leave(self, kept: Sequence[str]) -> None:
        """Let go of large weights, but for these players'."""
        for name in [name for name in self._agents if name not in kept]:
            agent = self._agents[name]
            if isinstance(agent, Voice) and sum(p.numel() for p in agent.policy.model.parameters()) >= SMALL_MODEL:
                del self._agents[name]

    def close(self) -> None:
        """Close the connections of agents behind an API."""
        for agent in self._agents.values():
            close = getattr(agent, "close", None)
            if close is not None:
                close()


FIRST_INVALID, SECOND_INVALID = "first_invalid_rate", "second_invalid_rate"


def play_all(hall: Hall) -> list[Pairing]:
    """All pairings of the tournament, in the order in which they are played."""
    names, rounds = list(hall.people), hall.settings.swiss
    if rounds is None:
        return [_met(hall, pair) for pair in round_robin(names)]
    found: list[Pairing] = []
    points = dict.fromkeys(names, 0.0)
    rested: frozenset[str] = frozenset()
    for _ in range(rounds):
        met = frozenset(frozenset((pairing.first, pairing.second)) for pairing in found)
        pairs = swiss_round(points, met, rested)
        if not pairs:
            break
        rested |= points.keys() - {name for pair in pairs for name in pair}
        for pairing in [_met(hall, pair) for pair in pairs]:
            found.append(pairing)
            games = pairing.games()
            share = sum(game.score for game in games) / len(games)
            points[pairing.first] += share
            points[pairing.second] += 1 - share
    return found


def _met(hall: Hall, pair: tuple[str, str]) -> Pairing:
    hall.leave(pair)
    return hall.meet(*pair)


def _named(episode: Episode, first: str, second: str) -> Episode:
    """The episode with the players' names at its seats."""
    names = {"agent": first, "opponent": second}
    return replace(
        episode,
        id=f"{first}-{second}-{episode.id}",
        seats={seat: names[name] for seat, name in episode.seats.items()},
        metadata={**episode.metadata, "kind": "eval"},
    )


def _invalid(episodes: Sequence[Episode], who: str) -> float:
    """Share of an agent's replies that were not valid."""
    statuses = [turn.status for episode in episodes for turn in episode.turns if episode.seats[turn.seat] == who]
    return sum(status != "ok" for status in statuses) / len(statuses) if statuses else 0.0


def _usage(*agents: Agent) -> dict[str, float]:
    """What servers were asked for so far by these agents."""
    from turnwise.agents.api.usage import asked_by

    return asked_by(agents)
