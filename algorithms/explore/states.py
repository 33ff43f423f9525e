"""What a state inside an episode is worth: the mean of what plays from it come to."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from turnwise.agents.plan import Plan, first_tokens, in_text
from turnwise.agents.rollout import Rollout
from turnwise.agents.sampling import derive_seed
from turnwise.algorithms.credit.episodes import is_finished, is_trained
from turnwise.algorithms.credit.spo_chain import monte_carlo_value
from turnwise.algorithms.explore.playing import count_tokens
from turnwise.records import Episode, Turn

UNFINISHED = ("nothing", "earned")
"""What a play that was cut off counts: nothing more, or what it had earned by then."""

_VALUES = 2  # the stream of plays from states, apart from those of the episodes


class State(NamedTuple):
    """A moment of an episode: before a turn, or in the middle of its reply."""

    place: int
    """Index of the episode."""
    turn: int
    token: int = 0
    """Tokens of the turn that are said already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """How states are valued."""

    rollout: Rollout
    learner: str
    prover: str
    """Name of the agent of the rollout that goes on in the seat to act."""
    plays: int
    """Plays from each state."""
    unfinished: str
    seed: int


def value_states(
    valuation: Valuation, plans: Sequence[Plan], episodes: Sequence[Episode], states: Sequence[State]
) -> tuple[dict[State, float], dict[str, float]]:
    """The return still to come from each state for the seat to act, in task units; equal states are valued once.

    The game's own chance is that of the episode, which the seed fixes: plays differ by the replies alone. A state from
    which every play crashed is left out.

    Args:
        plans, episodes: [B] the plan of each episode.
    Returns: The values, and `extra_tokens`, `extra_episodes` of the plays, and `valued_states`, equal ones once.
    """
    numbers: dict[Hashable, int] = {}
    distinct: list[State] = []
    number_of = {}
    for state in states:
        key = _key(plans[state.place], episodes[state.place], state)
        if key not in numbers:
            numbers[key] = len(distinct)
            distinct.append(state)
        number_of[state] = numbers[key]
    onward = [
        _onward(valuation, plans[state.place], episodes[state.place], state, number, play)
        for number, state in enumerate(distinct)
        for play in range(valuation.plays)
    ]
    played = valuation.rollout.collect(onward)
    values = []
    for number, state in enumerate(distinct):
        plays = played[number * valuation.plays : (number + 1) * valuation.plays]
        values.append(_value(valuation, episodes[state.place], state, plays))
    tokens = sum(_new_tokens(plan, episode, valuation.learner) for plan, episode in zip(onward, played, strict=True))
    figures = {
        "extra_tokens": float(tokens),
        "extra_episodes": float(len(onward)),
        "valued_states": float(len(distinct)),
    }
    found = {state: values[number] for state, number in number_of.items()}
    return {state: value for state, value in found.items() if value is not None}, figures


def with_values(episodes: Sequence[Episode], values: Mapping[State, float]) -> list[Episode]:
    """The episodes with `Turn.value` before turns and `Turn.token_values` before single tokens filled in."""
    at: dict[tuple[int, int], dict[int, float]] = {}
    for state, value in values.items():
        at.setdefault((state.place, state.turn), {})[state.token] = value
    return [
        replace(episode, turns=tuple(_with(turn, at.get((place, index))) for index, turn in enumerate(episode.turns)))
        for place, episode in enumerate(episodes)
    ]


def own_turns(episode: Episode, learner: str) -> dict[str, list[int]]:
    """Indices of the trained turns of each of the learner's seats; nothing of a crashed episode."""
    found: dict[str, list[int]] = {}
    for index, turn in enumerate(episode.turns if is_finished(episode) else ()):
        if is_trained(episode, turn, learner):
            found.setdefault(turn.seat, []).append(index)
    return found


def _with(turn: Turn, values: Mapping[int, float] | None) -> Turn:
    if values is None:
        return turn
    inside = any(values)  # some token beyond the first
    tokens = tuple(values.get(token) for token in range(len(turn.completion_ids))) if inside else None
    return replace(turn, value=values.get(0, turn.value), token_values=tokens)


def _key(plan: Plan, episode: Episode, state: State) -> Hashable:
    said = tuple((turn.seat, turn.text, turn.completion_ids) for turn in episode.turns[: state.turn])
    game = (plan.env_id, repr(sorted(plan.env_kwargs.items())), plan.seed, tuple(plan.seats.items()))
    return game, said, episode.turns[state.turn].seat, episode.turns[state.turn].completion_ids[: state.token]


def _onward(valuation: Valuation, plan: Plan, episode: Episode, state: State, number: int, play: int) -> Plan:
    """One play from a state. A prover that reads other tokens than the learner is told the past in text."""
    turn = episode.turns[state.turn]
    prefix = episode.turns[: state.turn]
    if not valuation.rollout.reads_alike(plan.seats[turn.seat], valuation.prover):
        prefix = tuple([in_text(one) if one.seat == turn.seat else one for one in prefix])
    return Plan(
        id=f"{plan.id}+{state.turn}.{state.token}.{play}",
        env_id=plan.env_id,
        env_kwargs=plan.env_kwargs,
        seed=plan.seed,
        seats={**plan.seats, turn.seat: valuation.prover},
        stream=derive_seed(valuation.seed, _VALUES, number, play),
        prefix=prefix,
        partial=first_tokens(turn, state.token) if state.token else None,
    )


def _value(valuation: Valuation, episode: Episode, state: State, plays: Sequence[Episode]) -> float | None:
    """Mean of what the seat earned after the state."""
    seat = episode.turns[state.turn].seat
    before = sum(turn.reward for turn in episode.turns[: state.turn] if turn.seat == seat)
    rewards: list[float | None] = []
    for play in plays:
        if is_finished(play):
            counts = play.status == "ok" or valuation.unfinished == "earned"
            rewards.append(play.returns[seat] - before if counts else None)
    return monte_carlo_value(rewards) if rewards else None


def _new_tokens(plan: Plan, episode: Episode, learner: str) -> int:
    begun = 0 if plan.partial is None else len(plan.partial.completion_ids)
    fresh = count_tokens(episode, episode.turns[len(plan.prefix) :], learner)
    return max(fresh - begun, 0)
