"""Two checkpoints of a run on the same deals, from the same seats: whose returns are higher, and where games part.

The deals are those of `win_rates`, of a stream of seeds that training never sees. What is compared is the mean over a
deal's seats, pair by pair, so that luck of the cards and of the seat is the same on both sides.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from turnwise.records import Episode
from turnwise.view.runs import checkpoints
from turnwise.view.sources import Source
from turnwise.view.store import Store

MOST_GAMES = 2_000
AT_ONCE = 16
"""Deals that are played together: the pages hear of progress after each such part."""
SELF = "self"
_STREAM = 0xD1FF


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared."""

    a: int
    b: int
    """Steps of the checkpoints."""
    games: int
    """Of each of them; as many deals as are full, each played from each seat."""
    opponent: str = SELF
    """Who holds the other seats: `self` for the checkpoint of `a`, or a scripted agent."""


def require_comparable(source: Source, wanted: Comparison) -> None:
    """Raises ValueError where there is nothing to compare."""
    saved = checkpoints(source)
    for step in (wanted.a, wanted.b):
        if step not in saved:
            known = ", ".join(map(str, saved)) or "none"
            raise ValueError(f"there is no checkpoint of step {step}; there are: {known}")
    if not 1 <= wanted.games <= MOST_GAMES:
        raise ValueError(f"games is from 1 to {MOST_GAMES}: got {wanted.games}")


def compare(store: Store, wanted: Comparison, job: str, tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Play both sides and keep their games in the source's cache. tell: (games played, games in all).

    Raises ValueError where the run's settings cannot be read or the opponent does not fit.
    """
    from turnwise.agents.sampling import derive_seed
    from turnwise.algorithms.evaluation.winrate import deals_of, seat_of
    from turnwise.algorithms.startup import precision
    from turnwise.envs.registry import make_game
    from turnwise.parquet import write_parquet

    settings = _settings(store.source)
    seats = make_game(settings.env.id, **settings.env.kwargs).seats
    deals = deals_of(derive_seed(settings.seed, _STREAM), max(1, wanted.games // len(seats)))
    games = len(deals) * len(seats)
    with precision(settings):
        agents = [_agent(settings, store.source, step) for step in (wanted.a, wanted.b)]
        other = _opponent(settings, wanted.opponent, agents[0]) if len(seats) > 1 else None
        sides = [
            _play(settings, agent, other, deals, partial(_tell, tell, number * games, 2 * games))
            for number, agent in enumerate(agents)
        ]
    steps = (wanted.a, wanted.b)
    first, second = (
        [_kept(episode, side, step) for episode in found] for side, step, found in zip("ab", steps, sides, strict=True)
    )
    name = f"{job}.parquet"
    folder = store.source.cache / "diff"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_parquet(folder / name, [*first, *second])
    store.look_again()
    keys = [store.key(f"diff/{name}", row) for row in range(2 * games)]
    heroes = [seat_of(episode) for episode in first]
    return _result(first, second, heroes, keys, len(seats))


def _tell(tell: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    tell(before + done, total)


def _result(
    first: Sequence[Episode], second: Sequence[Episode], heroes: Sequence[str], keys: Sequence[str], seats: int
) -> dict[str, Any]:
    from turnwise.algorithms.evaluation.intervals import mean_interval

    returns = [[episode.returns[hero] for episode, hero in zip(side, heroes, strict=True)] for side in (first, second)]
    gains = [after - before for before, after in zip(*returns, strict=True)]
    deals = [statistics.fmean(gains[start : start + seats]) for start in range(0, len(gains), seats)]
    low, high = mean_interval(deals) or (None, None)
    return {
        "pairs": [
            {
                "seed": str(first[i].seed),  # a browser's numbers end at 2^53
                "seat": heroes[i],
                "a": keys[i],
                "b": keys[len(first) + i],
                "same_turns": same_turns(first[i], second[i]),
                "return_a": returns[0][i],
                "return_b": returns[1][i],
            }
            for i in range(len(first))
        ],
        "mean_a": statistics.fmean(returns[0]),
        "mean_b": statistics.fmean(returns[1]),
        "difference": {"mean": statistics.fmean(deals), "low": low, "high": high},
    }


def same_turns(one: Episode, other: Episode) -> int:
    """How many turns two games share before they part."""
    count = 0
    for mine, theirs in zip(one.turns, other.turns, strict=False):
        if (mine.seat, mine.text) != (theirs.seat, theirs.text):
            break
        count += 1
    return count


def _settings(source: Source) -> Any:
    """The run's, with an engine in this process, and never with code that came with a model."""
    from turnwise.algorithms.compose import load_config, run_settings

    settings = run_settings(load_config(source.path))
    return replace(
        settings,
        engine=replace(settings.engine, name="local"),
        model=replace(settings.model, trust_remote_code=False),
    )


def _agent(settings: Any, source: Source, step: int) -> Any:
    from turnwise.algorithms.checkpoint import checkpoint_path, weights_of
    from turnwise.algorithms.startup import saved_policy

    return saved_policy(settings, weights_of(checkpoint_path(source.path, step)), training=False).agent


def _opponent(settings: Any, name: str, own: Any) -> Any:
    from turnwise.agents.scripted import scripted_agent
    from turnwise.algorithms.settings import require_player
    from turnwise.envs.registry import make_game

    if name == SELF:
        return own
    require_player(name, make_game(settings.env.id, **settings.env.kwargs), "opponent")
    return scripted_agent(name)


def _play(settings: Any, agent: Any, other: Any, deals: Sequence[int], tell: Callable[[int], None]) -> list[Episode]:
    from turnwise.algorithms.evaluation.winrate import play_deals

    env, found = settings.env, list[Episode]()
    for start in range(0, len(deals), AT_ONCE):
        some = deals[start : start + AT_ONCE]
        house = {"invalid": env.invalid, "max_turns": env.max_turns, "record_messages": True}
        found += play_deals(agent, other, env.id, some, env_kwargs=env.kwargs, **house)
        tell(len(found))
    return found


def _kept(episode: Episode, side: str, step: int) -> Episode:
    told = {**episode.metadata, "kind": "diff", "step": step}
    group = None if episode.group is None else f"{side}-{episode.group}"
    return replace(episode, id=f"{side}-{episode.id}", group=group, metadata=told)
