"""Where the parts of a recipe get what they need of a run: annotations, examples, references, ground to play on."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Agent, Rollout
from turnwise.algorithms.annotate import ANNOTATED, annotate
from turnwise.algorithms.demonstrations import Teacher
from turnwise.algorithms.explore.ground import Ground
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.recipes import AlgorithmSettings
from turnwise.algorithms.references import with_reference_calls, with_reference_returns
from turnwise.algorithms.startup import Policy, voice_of
from turnwise.records import Episode

EXPERT = "expert"
"""The scripted agent whose tool calls are the reference."""
_ON_THE_WAY = frozenset({"train_logprobs", "token_entropy"})
"""What a way of sampling may ask about episodes that go on."""


class Providers:
    """Everything that needs the learner's weights, the agents at the table, or both."""

    def __init__(
        self,
        recipe: AlgorithmSettings,
        learner: Learner | None,
        policy: Policy,
        agents: MutableMapping[str, Agent],
        name: str,
        rules: Mapping[str, Any],
    ) -> None:
        """`agents`: who sits where, the one called `name` learns. `rules`: arguments of `Rollout`.

        learner: None where episodes are only played: nothing is annotated there.
        """
        self._recipe, self._learner, self._policy, self._name = recipe, learner, policy, name
        self._teacher = Teacher(agents, name, **rules)
        self._frozen: Rollout | None = None
        if learner is not None and learner.reference is not None:
            self._frozen = Rollout(ChainMap({name: voice_of(policy, learner.reference)}, agents), **rules)

    def annotate(self, episodes: Sequence[Episode], needs: frozenset[str], alone: bool = False) -> list[Episode]:
        """The episodes with those needs that a run can fill. Raises RuntimeError where there is no learner to ask.

        alone: these are this rank's own episodes, and the others do something else meanwhile.
        """
        if self._learner is None:
            raise RuntimeError(f"{', '.join(sorted(needs))} are the learner's to say, and it trains elsewhere")
        found = annotate(
            episodes,
            self._learner.alone() if alone else self._learner,
            self._policy.context,
            needs & ANNOTATED,
            name=self._name,
            answer_prefix=self._recipe.answer_prefix,
            answer_suffix=self._recipe.answer_suffix,
        )
        if "reference_returns" in needs and self._frozen is not None:
            found = with_reference_returns(found, self._frozen.collect)
        if "reference_calls" in needs:
            found = with_reference_calls(found, lambda plans: self._teacher.play(plans, EXPERT))
        return found

    def ground(self, rollout: Rollout, seed: int, fresh: Callable[[int], list[Plan]]) -> Ground:
        """What the recipe's way of sampling plays on in one step."""
        if self._learner is not None and self._recipe.explore != "independent":
            self._learner.fill_reported()  # for what it says alone
        return Ground(
            rollout=rollout,
            learner=self._name,
            seed=seed,
            group_size=self._recipe.group_size,
            fresh=fresh,
            annotate=lambda episodes: self.annotate(episodes, _ON_THE_WAY, alone=True),
            demonstrate=lambda plans, teacher: self._teacher.demonstrate(plans, teacher, self._policy.context),
        )
