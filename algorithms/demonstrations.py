"""Examples to imitate: a scripted agent in the learner's seats, written down in the learner's tokens."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from typing import Any

from turnwise.agents.context import ChatContext
from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Agent, Rollout
from turnwise.agents.scripted import scripted_agent
from turnwise.algorithms.samples import DEMONSTRATION
from turnwise.algorithms.sft import in_tokens
from turnwise.records import Episode


class Teacher:
    """Plays planned episodes in the learner's place. Holds its games between calls."""

    def __init__(self, agents: MutableMapping[str, Agent], learner: str, **rules: Any) -> None:
        """`agents`: who sits where, the learner among them; others may come and go. `rules`: arguments of `Rollout`."""
        self._agents, self._learner, self._rules = agents, learner, rules
        self._rollouts: dict[str, Rollout] = {}

    def play(self, plans: Sequence[Plan], name: str) -> list[Episode]:
        """The episodes with the scripted agent of that name in the learner's seats, in text."""
        if name not in self._rollouts:
            scripted: Agent = scripted_agent(name, talk=True)
            agents = ChainMap({self._learner: scripted}, self._agents)
            self._rollouts[name] = Rollout(agents, **self._rules, record_messages=True)
        return self._rollouts[name].collect(plans)

    def demonstrate(self, plans: Sequence[Plan], name: str, context: ChatContext) -> list[Episode]:
        """The same in the learner's tokens, marked as demonstrations."""
        found = []
        for episode in self.play(plans, name):
            seats = [seat for seat, agent in episode.seats.items() if agent == self._learner]
            spoken = in_tokens(episode, context, seats)
            found.append(replace(spoken, id=f"{episode.id}-shown", metadata={**episode.metadata, DEMONSTRATION: True}))
        return found
