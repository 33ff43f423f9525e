"""Progress values: a prover plays on from the state before every turn of the learner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.agents.scripted import scripted_agent
from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.explore.ground import Exploration, Ground
from turnwise.algorithms.explore.states import UNFINISHED, State, Valuation, own_turns, value_states, with_values


@dataclass(frozen=True, slots=True, kw_only=True)
class PAVExploreSettings:
    """Settings of the prover."""

    prover: str = "policy"
    """Who plays on: `policy` (the learner itself), another agent at the table such as `opponent`, or a scripted one."""
    plays: int = 4
    """Plays from each state, >= 1."""
    unfinished: str = "nothing"
    """What a play that was cut off counts: `nothing`, or what it had `earned` by then."""

    def __post_init__(self) -> None:
        require_between("plays", self.plays, 1)
        require_choice("unfinished", self.unfinished, UNFINISHED)


def players(settings: PAVExploreSettings) -> tuple[str, ...]:
    """The prover, unless it is the learner itself."""
    return () if settings.prover == "policy" else (settings.prover,)


def explore(
    plans: Sequence[Plan], ground: Ground, settings: PAVExploreSettings, state: Mapping[str, Any]
) -> Exploration:
    """The episodes of the plans; `Turn.value` of every turn of the learner is the mean of what the prover earned.

    The prover takes the seat that is to act, and keeps it to the end. The state is always {}.

    Raises: ValueError where nobody is called as the prover is.
    Source: Setlur et al. 2024 (PAV), arXiv:2410.08146, section 3; states are played again from their seed.
    """
    episodes = ground.rollout.collect(plans)
    prover = ground.learner if settings.prover == "policy" else settings.prover
    valuation = Valuation(
        rollout=_with_prover(ground.rollout, prover),
        learner=ground.learner,
        prover=prover,
        plays=settings.plays,
        unfinished=settings.unfinished,
        seed=ground.seed,
    )
    states = [
        State(place, turn)
        for place, episode in enumerate(episodes)
        for turns in own_turns(episode, ground.learner).values()
        for turn in turns
    ]
    values, figures = value_states(valuation, plans, episodes, states)
    return Exploration(episodes=with_values(episodes, values), metrics=figures)


def _with_prover(rollout: Rollout, prover: str) -> Rollout:
    if prover in rollout.agents:
        return rollout
    try:
        return rollout.beside({prover: scripted_agent(prover)})
    except ValueError as error:
        known = ", ".join(rollout.agents)
        raise ValueError(f"prover is policy, an agent at the table ({known}) or a scripted one: {error}") from None
