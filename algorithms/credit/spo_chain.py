"""SPO-chain: a segment is worth what the value of the state rose by over it, values by playing on from its ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.chains import PER, Chain, chains, put, untrained
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.uncertain import finish
from turnwise.records import Episode, Turn

BEFORE = -1
"""Index of the state before the first step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SPOChainSettings:
    """Settings of segment advantages along a chain."""

    per: str = "turn"
    """Whose states are valued: that before each `turn` (`Turn.value`), or before single tokens (`token_values`)."""
    prob_threshold: float | None = 0.9
    """Tokens of a higher probability under the policy before the update get 0, in (0, 1]; null masks nothing."""
    whiten: bool = True
    """Bring the batch's advantages to mean 0 and spread 1, with the statistics of tokens below the threshold."""

    def __post_init__(self) -> None:
        require_choice("per", self.per, PER)
        if self.prob_threshold is not None:
            require_between("prob_threshold", self.prob_threshold, 0.0, 1.0, open_low=True)


def needs(settings: SPOChainSettings) -> tuple[str, ...]:
    """Values of states, and the trainer's log-probs where tokens are masked by them."""
    return ("branches",) if settings.prob_threshold is None else ("branches", "train_logprobs")


def cutpoints(probs: Sequence[float], threshold: float, interval: int = 1) -> list[int]:
    """After which tokens a segment ends: just before every `interval`-th uncertain token, from the first one on.

    Args:
        probs: Probability of each token under the policy before the update.
        threshold: Tokens of a lower probability are uncertain.
        interval: Uncertain tokens per segment, >= 1.
    Returns: Ascending indices of the last token of each state that is to be valued; -1 is the state before any.
    Raises: ValueError if `interval` is less than 1.
    Source: Guo et al. 2025 (SPO), arXiv:2505.23564, section 4.1.
    """
    require_between("interval", interval, 1)
    return [index - 1 for index, p in enumerate(probs) if p < threshold][::interval]


def turn_cuts(probs: Sequence[Sequence[float]], threshold: float, interval: int = 1) -> list[int]:
    """Turns whose state before them is to be valued: those in which a cutpoint of all tokens in a row falls.

    Args:
        probs: Probability of each token of each turn of one seat; see `cutpoints` for the rest.
    Returns: Ascending indices into `probs`.
    """
    turn_of = [turn for turn, row in enumerate(probs) for _ in row]
    cuts = cutpoints([p for row in probs for p in row], threshold, interval)
    return list(dict.fromkeys(turn_of[index + 1] for index in cuts))


def monte_carlo_value(rewards: Sequence[float | None]) -> float:
    """Mean reward of the plays from one state, in task units; None, a play that came to no end, counts 0.

    Raises: ValueError without any play.
    """
    if not rewards:
        raise ValueError("the value of a state needs at least one play from it: got none")
    return sum(0.0 if reward is None else reward for reward in rewards) / len(rewards)


def chain_advantages(values: Mapping[int, float], length: int, final: float) -> list[float]:
    """Rise of the value over each segment, on every step of it.

    Args:
        values: Index of a step -> value of the state after it, in task units; -1 is the state before the first step.
        length: L, steps (tokens or turns); the state after the last has the value `final`.
        final: What was reached in the end, in task units.
    Returns: [L] in task units. A step takes the rise at the next valued state at or after it; steps up to the first
        valued state get 0 where the state before them was not valued.
    Raises: ValueError on an index outside -1 .. L - 2.
    Source: Guo et al. 2025 (SPO), arXiv:2505.23564, section 4.2, and its released code.
    """
    if wrong := [index for index in values if not BEFORE <= index < length - 1]:
        raise ValueError(f"values belong to the states after steps -1 to {length - 2}: got {sorted(wrong)}")
    if not length:
        return []
    advantages: list[float] = []
    base = values.get(BEFORE)
    for index, value in sorted({**values, length - 1: final}.items()):
        if index != BEFORE:
            advantages += [0.0 if base is None else value - base] * (index + 1 - len(advantages))
        base = value
    return advantages


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: SPOChainSettings, learner: str = "policy"
) -> CreditResult:
    """Segment advantages of each seat of the learning agent, from the values that its states carry.

    The value of a state is the return still to come; what was earned before is added, so that a segment is worth its
    own rewards too. States without a value end no segment. The state is always {}.

    Raises: ValueError if no state of the batch has a value, or tokens are to be masked without train_logprobs.
    """
    rows = list(chains(episodes, learner, settings.per))
    valued = [_state_values(chain) for chain in rows]
    if rows and not any(valued):
        field = "Turn.value" if settings.per == "turn" else "Turn.token_values"
        raise ValueError(
            f"SPO-chain needs {field} of some states: got none in {len(episodes)} episodes; let the rollout value "
            "states by playing on from them (explore spo_chain)"
        )
    table = untrained(episodes)
    for chain, values in zip(rows, valued, strict=True):
        put(table, chain, chain_advantages(values, len(chain.rewards), sum(chain.rewards)))
    figures = {"valued_states": float(sum(map(len, valued)))}
    return CreditResult(finish(table, episodes, settings.prob_threshold, settings.whiten), {}, metrics=figures)


def _state_values(chain: Chain) -> dict[int, float]:
    """Index of a step -> return of the whole episode that the state after it promises."""
    turns = [chain.episode.turns[index] for index in chain.turns]
    if chain.per == "turn":
        to_come = [turn.value for turn in turns]
    else:
        to_come = [value for turn in turns for value in _before_tokens(turn)]
    earned = [0.0, *accumulate(chain.rewards)]
    return {index - 1: earned[index] + value for index, value in enumerate(to_come) if value is not None}


def _before_tokens(turn: Turn) -> list[float | None]:
    values = list(turn.token_values or [None] * len(turn.completion_ids))
    return [turn.value if values[0] is None else values[0], *values[1:]]
