"""The league: frozen copies of the learner and scripted agents, and how it has fared against each of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from turnwise.agents.rollout import Agent
from turnwise.agents.scripted import scripted_agent
from turnwise.algorithms.credit.episodes import is_finished, learner_seats
from turnwise.algorithms.league import LEARNER
from turnwise.algorithms.pool import UNKNOWN, LeagueSettings, chances, draw_opponents, remember, result_of
from turnwise.algorithms.startup import Policy, voice_of
from turnwise.records import Episode


class League:
    """The pool of opponents. Its `state` is all that a resumed run needs."""

    def __init__(self, settings: LeagueSettings, policy: Policy, agents: dict[str, Agent]) -> None:
        """`agents`: those of the rollout; whoever joins the pool joins them. The first snapshot is taken here."""
        self.settings, self._policy, self._agents = settings, policy, agents
        self.lost: dict[str, float] = {}
        """Opponent -> share of the latest games that the learner lost to it; scripted agents first, then by age."""
        self._models: dict[str, Any] = {}
        for name in settings.scripted:
            agents[name] = scripted_agent(name)
            self.lost[name] = UNKNOWN
        self._admit("league-0", policy.model)

    def draw(self, count: int, seed: int) -> list[str | None]:
        """Opponents of so many groups; None for self-play."""
        return draw_opponents(self.lost, self.settings, count, seed)

    def after_step(self, steps_done: int, episodes: Sequence[Episode]) -> dict[str, float]:
        """Note how the games of a step ended, and take a snapshot where one is due; returns figures of the pool."""
        self.lost = remember(self.lost, _results(episodes), self.settings)
        likely = chances(self.lost, self.settings)
        figures = {f"league/chance/{name}": chance for name, chance in likely.items()}
        figures |= {f"league/lost/{name}": share for name, share in self.lost.items()}
        if steps_done % self.settings.every == 0:
            self._admit(f"league-{steps_done}", self._policy.model)
        return figures

    def _admit(self, name: str, model: Any) -> None:
        """A frozen copy of the model joins; the oldest one leaves where there are too many."""
        frozen = copy.deepcopy(model).requires_grad_(False)
        agent = voice_of(self._policy, frozen)
        agent.name = name
        agent.engine.clock = self._policy.engine.clock  # its time is the model's too
        self._models[name], self._agents[name], self.lost[name] = frozen, agent, UNKNOWN
        for oldest in list(self._models)[: -self.settings.keep]:
            self._dismiss(oldest)

    def _dismiss(self, name: str) -> None:
        del self._models[name], self._agents[name], self.lost[name]

    def state(self) -> dict[str, Any]:
        """What is known of everybody, and the weights of every snapshot."""
        return {"lost": self.lost, "snapshots": {name: model.state_dict() for name, model in self._models.items()}}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state()` of a league with the same settings."""
        for name in list(self._models):
            self._dismiss(name)
        for name, weights in state["snapshots"].items():
            self._admit(name, self._policy.model)
            self._models[name].load_state_dict(weights)
        self.lost = dict(state["lost"])


def _results(episodes: Sequence[Episode]) -> list[tuple[str, float]]:
    """(opponent, how much of the game the learner lost) of every game against another that came to its end."""
    found = []
    for episode in episodes:
        mine = learner_seats(episode, LEARNER)
        others = [seat for seat, agent in episode.seats.items() if agent != LEARNER]
        if is_finished(episode) and len(mine) == 1 and others:
            result = result_of(episode.returns[mine[0]], [episode.returns[seat] for seat in others])
            found.append((episode.seats[others[0]], result))
    return found
