"""Role-conditioned advantage estimation: a running mean of the return per game and role is the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.episodes import CreditResult, is_finished, spread_over_turns, without_zeros
from turnwise.records import Episode

ORDERS = ("read_then_update", "update_then_read")
KEYS = ("game_role", "role", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class RAESettings:
    """Settings of role-conditioned advantage estimation."""

    order: str = "read_then_update"
    """`read_then_update`: the released code. `update_then_read`: the paper; advantages are `decay` times as large."""
    decay: float = 0.95
    """Share of the old baseline that a game keeps, per game, in [0, 1]."""
    init: float = 0.0
    """Baseline before the first game, in scaled task units."""
    reward_scaling: float = 1.0
    """Factor on every return before it is used, > 0."""
    turn_discount: float = 1.0
    """gamma per turn of the same role, counted back from its last, applied after the baseline; in [0, 1]."""
    filter_zero: bool = False
    """Leave turns whose advantage is exactly 0 out of training."""
    key: str = "game_role"
    """What has a baseline of its own: each game and role, each `role` whatever the game, or one `shared` by all."""
    bias_correction: bool = False
    """Divide the baseline by 1 - decay^n after n games, so that it is no longer pulled to its start at 0."""

    def __post_init__(self) -> None:
        require_choice("order", self.order, ORDERS)
        require_choice("key", self.key, KEYS)
        require_between("decay", self.decay, 0.0, 1.0)
        require_between("init", self.init)
        require_between("reward_scaling", self.reward_scaling, 0.0, open_low=True)
        require_between("turn_discount", self.turn_discount, 0.0, 1.0)
        if self.bias_correction and self.init != 0.0:
            raise ValueError(f"bias_correction needs init 0, it corrects a start at 0: got init {self.init}")


def rae(
    games: Sequence[Sequence[tuple[str, float]]], state: Mapping[str, Any], settings: RAESettings
) -> tuple[list[list[float]], dict[str, Any]]:
    """Advantage of every role of every game, games in list order.

    Args:
        games: For each game one (baseline key, return in task units) per role. Two roles of a game may share a key:
            all of them read the baseline before (or after) all of them have moved it.
        state: {} at the start, else what the call before returned.
    Returns: One list per game, aligned with its roles, in scaled task units, before the turn discount; and the state
        {"baselines": {key: value}, "counts": {key: games seen}}.
    Raises: ValueError if `state` is not one that this function returned.
    Source: Liu et al. 2025, arXiv:2506.24119, Algorithm 1 (`update_then_read`) and its released code.
    """
    baselines, counts = _unpack(state)
    keep, scale, start = settings.decay, settings.reward_scaling, settings.init
    move = (1.0 - keep) * scale
    update_first = settings.order == "update_then_read"
    read = partial(_corrected, baselines, counts, keep) if settings.bias_correction and keep < 1.0 else baselines.get
    advantages: list[list[float]] = []
    for game in games:
        if not update_first:
            advantages.append([scale * value - read(key, start) for key, value in game])
        for key, value in game:
            baselines[key] = keep * baselines.get(key, start) + move * value
            counts[key] = counts.get(key, 0) + 1
        if update_first:
            advantages.append([scale * value - read(key, start) for key, value in game])
    return advantages, {"baselines": baselines, "counts": counts}


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: RAESettings, learner: str = "policy"
) -> CreditResult:
    """One advantage per turn of the learning agent; every role's baseline moves in every finished episode.

    A seat that another agent held moves a baseline of its own (key + `|others`), so that an opponent's results never
    pass for the learner's. See `rae` for state and source.
    """
    keyed = lru_cache(maxsize=None)(partial(_key, settings.key, learner))
    finished = [episode for episode in episodes if is_finished(episode)]
    games, seats, env_id, keys = [], None, None, list[tuple[str, str]]()
    for episode in finished:
        if episode.seats is not seats or episode.env_id != env_id:  # those of one plan share theirs
            seats, env_id = episode.seats, episode.env_id
            keys = [(keyed(env_id, seat, agent), seat) for seat, agent in seats.items()]
        returns = episode.returns
        games.append([(key, returns[seat]) for key, seat in keys])
    advantages, after = rae(games, state, settings)
    values = iter(advantages)
    per_seat = [dict(zip(e.seats, next(values), strict=False)) if is_finished(e) else {} for e in episodes]
    table = spread_over_turns(episodes, per_seat, learner, settings.turn_discount)
    if settings.filter_zero:
        table = [without_zeros(row) for row in table]
    figures = {f"baseline/{key}": value for key, value in after["baselines"].items()}
    return CreditResult(table, after, metrics=figures)


def _key(kind: str, learner: str, env_id: str, seat: str, agent: str) -> str:
    """What the return of a seat is booked under."""
    name = f"{env_id}|{seat}" if kind == "game_role" else seat if kind == "role" else "shared"
    return name if agent == learner else f"{name}|others"


def _corrected(baselines: Mapping[str, float], counts: Mapping[str, int], keep: float, key: str, start: float) -> float:
    """The baseline of a key, no longer pulled to its start."""
    baseline = baselines.get(key, start)
    return baseline / float(1.0 - keep ** counts[key]) if key in counts else baseline


def _unpack(state: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, int]]:
    if state and state.keys() != {"baselines", "counts"}:
        raise ValueError(f"RAE's state is {{}} or has the keys baselines and counts: got the keys {sorted(state)}")
    return dict(state.get("baselines", {})), dict(state.get("counts", {}))
