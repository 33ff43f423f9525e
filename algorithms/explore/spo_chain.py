"""SPO-chain: episodes are played as planned, then states on their way are valued by playing on from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.annotations import of_tokens
from turnwise.algorithms.credit.chains import PER
from turnwise.algorithms.credit.spo_chain import cutpoints, turn_cuts
from turnwise.algorithms.explore.ground import Exploration, Ground
from turnwise.algorithms.explore.states import UNFINISHED, State, Valuation, own_turns, value_states, with_values
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class SPOChainExploreSettings:
    """Settings of which states are valued, and how."""

    per: str = "turn"
    """`turn`: only states before a turn of the learner are valued. `token`: those in the middle of a reply too."""
    every_turn: bool = False
    """With per turn: value the state before each turn, whatever the probabilities."""
    prob_threshold: float = 0.9
    """Tokens of a lower probability under the policy before the update are uncertain, in (0, 1]."""
    interval: int = 5
    """Uncertain tokens per segment, >= 1."""
    plays: int = 9
    """N, plays from each state, >= 1."""
    unfinished: str = "nothing"
    """What a play that was cut off counts: `nothing`, or what it had `earned` by then."""

    def __post_init__(self) -> None:
        require_choice("per", self.per, PER)
        require_between("prob_threshold", self.prob_threshold, 0.0, 1.0, open_low=True)
        require_between("interval", self.interval, 1)
        require_between("plays", self.plays, 1)
        require_choice("unfinished", self.unfinished, UNFINISHED)
        if self.every_turn and self.per == "token":
            raise ValueError("every_turn belongs to per turn: got per token")


def explore(
    plans: Sequence[Plan], ground: Ground, settings: SPOChainExploreSettings, state: Mapping[str, Any]
) -> Exploration:
    """The episodes of the plans, with the values of states between their segments filled in. The state is always {}.

    Raises: ValueError where the probabilities of tokens are wanted and the trainer's log-probs are missing.
    Source: Guo et al. 2025 (SPO), arXiv:2505.23564, sections 4.1 and 4.2; states in an environment are played again.
    """
    episodes = ground.rollout.collect(plans)
    if not settings.every_turn:
        episodes = ground.annotate(episodes)
    states = [found for place, episode in enumerate(episodes) for found in _states(place, episode, ground, settings)]
    valuation = Valuation(
        rollout=ground.rollout,
        learner=ground.learner,
        prover=ground.learner,
        plays=settings.plays,
        unfinished=settings.unfinished,
        seed=ground.seed,
    )
    values, figures = value_states(valuation, plans, episodes, states)
    return Exploration(episodes=with_values(episodes, values), metrics=figures)


def _states(place: int, episode: Episode, ground: Ground, settings: SPOChainExploreSettings) -> Iterator[State]:
    """Where the segments of an episode end, seat by seat."""
    for turns in own_turns(episode, ground.learner).values():
        if settings.every_turn:
            yield from (State(place, turn) for turn in turns)
            continue
        probs = [[math.exp(nats) for nats in of_tokens(episode, turn, "train_logprobs")] for turn in turns]
        if settings.per == "turn":
            yield from (State(place, turns[at]) for at in turn_cuts(probs, settings.prob_threshold, settings.interval))
        else:
            spots = [(turn, token) for turn, row in zip(turns, probs, strict=True) for token in range(len(row))]
            flat = [p for row in probs for p in row]
            for before in cutpoints(flat, settings.prob_threshold, settings.interval):
                yield State(place, *spots[before + 1])
