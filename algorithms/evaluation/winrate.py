"""Win rates against opponents: every deal is played from every seat, so that no luck of the seat or the cards counts.

The agent sits in one seat and the opponent in all others. The games of one deal share their random streams, so that an
agent against itself is exactly even. The interval of the mean return therefore takes a deal as its unit, not a game;
the Wilson intervals take games as independent, which is on the safe side where luck of one seat is the other's loss.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.agents.rollout import Agent, Plan, Rollout
from turnwise.agents.sampling import derive_seed
from turnwise.agents.scripted import scripted_agent
from turnwise.algorithms.credit.episodes import is_finished
from turnwise.algorithms.evaluation.intervals import Interval, mean_interval, wilson
from turnwise.envs.registry import make_game
from turnwise.records import Episode, Reply, Request

_STREAM = 0x317


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Games won, drawn and lost, by the sign of the return."""

    games: int
    wins: int
    draws: int
    losses: int
    win_rate: float
    win_interval: Interval
    """Wilson, 95%."""
    not_lost_rate: float
    """Share of games won or drawn."""
    not_lost_interval: Interval
    mean_return: float
    """In task units per game."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRate:
    """One agent against one opponent."""

    agent: str
    opponent: str
    env_id: str
    seed: int
    total: Tally
    mean_return_interval: Interval | None
    """95%, from the means of the deals; None for a single deal."""
    by_seat: Mapping[str, Tally]
    """The seat that the agent sat in."""
    turns: int
    """Replies of the agent."""
    illegal_rate: float
    """Share of them that named an action that is not legal."""
    unparsable_rate: float
    """Share that named none."""
    truncated_rate: float
    """Share that was cut at the token limit."""
    invalid_interval: Interval | None
    """Wilson, 95%, of the three together; None where the agent never replied."""
    opponent_invalid_rate: float
    unfinished: int
    """Games that were stopped by a limit (turns, context), counted by the return they had."""
    failed: int
    """Games that are left out: their environment or a player failed, or those of another game of their deal."""
    usage: Mapping[str, float] | None
    """What an opponent behind an API was asked for, and its cost; None of any other."""

    @property
    def invalid_rate(self) -> float:
        """Share of the agent's replies that were not played as written."""
        return self.illegal_rate + self.unparsable_rate + self.truncated_rate

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, tuples, strings and numbers, fit for JSON."""
        return {**dataclasses.asdict(self), "invalid_rate": self.invalid_rate}


def win_rates(
    agent: Agent,
    env_id: str,
    opponents: Sequence[str | Agent],
    *,
    games: int = 1_000,
    seed: int = 0,
    env_kwargs: Mapping[str, Any] | None = None,
    invalid: object = "forfeit",
    max_turns: int | None = 200,
    concurrency: int = 1024,
) -> list[WinRate]:
    """One record per opponent, in order: a scripted agent's name (`random`, `mcts(100)`) or any agent.

    `games` is per opponent and a multiple of the number of seats, so that each deal is played from each seat.
    `invalid`, `max_turns`, `concurrency` are those of `Rollout`. Raises ValueError on impossible arguments, and where
    no deal could be played to its end.
    """
    kwargs = dict(env_kwargs or {})
    seats = make_game(env_id, **kwargs).seats
    if len(seats) < 2:
        raise ValueError(f"win rates need a game of at least two seats: got {env_id}, which has {len(seats)}")
    if games < 1 or games % len(seats):
        raise ValueError(
            f"games is a multiple of {len(seats)}, the seats of {env_id}, each deal being played from each: got {games}"
        )
    others = [scripted_agent(other) if isinstance(other, str) else other for other in opponents]
    deals = deals_of(seed, games // len(seats))
    found = []
    for other in others:
        house: dict[str, Any] = {"invalid": invalid, "max_turns": max_turns, "concurrency": concurrency}
        episodes = play_deals(agent, other, env_id, deals, env_kwargs=kwargs, record_messages=False, **house)
        whole = whole_deals(episodes, len(seats))
        rate = _win_rate(whole, agent.name, other.name, seats, seed)
        usage = getattr(other, "usage", None)
        found.append(
            dataclasses.replace(
                rate, failed=len(episodes) - len(whole), usage=None if usage is None else usage.to_dict()
            )
        )
    return found


def deals_of(seed: int, count: int) -> list[int]:
    """Seeds of so many deals; those of a larger count begin with those of a smaller one."""
    return [derive_seed(seed, _STREAM, deal) for deal in range(count)]


def play_deals(
    agent: Agent,
    other: Agent | None,
    env_id: str,
    deals: Sequence[int],
    *,
    env_kwargs: Mapping[str, Any],
    attempts: int = 1,
    **house: Any,
) -> list[Episode]:
    """Every deal `attempts` times from every seat of the agent, next to each other; `other` sits in all other seats.

    The seats are held by "agent" and "opponent"; another attempt has the game's chance of the first and other replies.
    house: what `Rollout` is told besides.
    """
    players = {_HERO: _Player(_HERO, agent)} | ({} if other is None else {_OTHER: _Player(_OTHER, other)})
    seats = make_game(env_id, **env_kwargs).seats
    return Rollout(players, **house).collect(_plans(env_id, env_kwargs, seats, deals, attempts))


_HERO, _OTHER = "agent", "opponent"


class _Player:
    """An agent under a name of its own, so that two of one name (a model and its checkpoint) are told apart."""

    def __init__(self, name: str, agent: Agent) -> None:
        self.name, self._agent = name, agent
        self.context = getattr(agent, "context", None)
        self.sampling = getattr(agent, "sampling", None)

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        return self._agent.act(requests)

    @property
    def stream(self) -> Any:
        """That of the agent, where it answers requests one by one."""
        return getattr(self._agent, "stream", None)

    @property
    def held_to_legal(self) -> bool:
        """Whether the agent is told which actions are legal."""
        return bool(getattr(self._agent, "held_to_legal", False))


def _plans(
    env_id: str, env_kwargs: Mapping[str, Any], seats: Sequence[str], deals: Sequence[int], attempts: int
) -> list[Plan]:
    """Each deal from each seat of the agent, next to each other, and that so many times."""
    return [
        Plan(
            id=f"{deal}-{hero}-{attempt}" if attempt else f"{deal}-{hero}",
            env_id=env_id,
            env_kwargs=env_kwargs,
            seed=deal,
            seats={seat: _HERO if seat == hero else _OTHER for seat in seats},
            group=str(deal),
            stream=attempt,
        )
        for deal in deals
        for attempt in range(attempts)
        for hero in seats
    ]


def whole_deals(episodes: Sequence[Episode], seats: int) -> list[Episode]:
    """The games of all deals of which none failed. Raises ValueError, with what failed, where there are none."""
    deals = [episodes[start : start + seats] for start in range(0, len(episodes), seats)]
    whole = [episode for deal in deals if all(map(is_finished, deal)) for episode in deal]
    if not whole:
        why = next(episode for episode in episodes if not is_finished(episode))
        raise ValueError(f"no game could be played to its end ({why.status}: {why.metadata.get('failure')})")
    return whole


def _win_rate(episodes: Sequence[Episode], agent: str, opponent: str, seats: Sequence[str], seed: int) -> WinRate:
    heroes = [seat_of(episode) for episode in episodes]
    results = [episode.returns[hero] for episode, hero in zip(episodes, heroes, strict=True)]
    statuses, opposing = _statuses(episodes, heroes)
    per_deal = np.array(results).reshape(-1, len(seats)).mean(1)  # the plans' order: all seats of one deal together
    return WinRate(
        agent=agent,
        opponent=opponent,
        env_id=episodes[0].env_id,
        seed=seed,
        total=tally(results),
        mean_return_interval=mean_interval(per_deal.tolist()),
        by_seat={
            seat: tally([result for result, hero in zip(results, heroes, strict=True) if hero == seat])
            for seat in seats
        },
        turns=len(statuses),
        illegal_rate=_share(statuses, "illegal"),
        unparsable_rate=_share(statuses, "unparsable"),
        truncated_rate=_share(statuses, "truncated"),
        invalid_interval=wilson(len(statuses) - statuses.count("ok"), len(statuses)) if statuses else None,
        opponent_invalid_rate=1 - _share(opposing, "ok") if opposing else 0.0,
        unfinished=sum(episode.status != "ok" for episode in episodes),
        failed=0,
        usage=None,
    )


def tally(results: Sequence[float]) -> Tally:
    """The count of at least one game's returns, in task units."""
    games = len(results)
    wins, losses = sum(result > 0 for result in results), sum(result < 0 for result in results)
    return Tally(
        games=games,
        wins=wins,
        draws=games - wins - losses,
        losses=losses,
        win_rate=wins / games,
        win_interval=wilson(wins, games),
        not_lost_rate=(games - losses) / games,
        not_lost_interval=wilson(games - losses, games),
        mean_return=sum(results) / games,
    )


def seat_of(episode: Episode) -> str:
    """Where the agent sat."""
    return next(seat for seat, name in episode.seats.items() if name == _HERO)


def _statuses(episodes: Sequence[Episode], heroes: Sequence[str]) -> tuple[list[str], list[str]]:
    """The status of every turn: the agent's, and the others'."""
    mine: list[str] = []
    theirs: list[str] = []
    for episode, hero in zip(episodes, heroes, strict=True):
        for turn in episode.turns:
            (mine if turn.seat == hero else theirs).append(turn.status)
    return mine, theirs


def _share(statuses: Sequence[str], wanted: str) -> float:
    return statuses.count(wanted) / len(statuses) if statuses else 0.0
