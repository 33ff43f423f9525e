"""ARPO and AEPO: a group's paths fork where the learner grew unsure after the environment's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.agents.plan import Plan
from turnwise.agents.sampling import derive_seed
from turnwise.agents.table import Table
from turnwise.algorithms.credit.lineage import FORK_TOKEN
from turnwise.algorithms.explore.branching import (
    BranchingSettings,
    Growth,
    QuestionTree,
    grow_round,
    require_budget,
    root_budget,
    segment_entropy,
)
from turnwise.algorithms.explore.ground import Exploration, Ground
from turnwise.algorithms.explore.playing import by_group, count_tokens, play_on, shared_tokens
from turnwise.records import Episode

_PROBE = 1  # the stream of the episode that measures a question, apart from those of its paths


@dataclass(frozen=True, slots=True, kw_only=True)
class AEPOSettings(BranchingSettings):
    """Settings of entropy-guided forks that become rarer the more of them there are in a row."""

    rule: str = "aepo"
    """As in `BranchingSettings`."""


def check(settings: BranchingSettings, group_size: int, entropy_tokens: int) -> None:
    """Raises ValueError where a group is smaller than its roots, or fewer entropies are recorded than are summed."""
    if not settings.dynamic_roots:
        require_budget(group_size, settings.roots)
    _require_entropies(settings, entropy_tokens)


def explore(
    plans: Sequence[Plan], ground: Ground, settings: BranchingSettings, state: Mapping[str, Any]
) -> Exploration:
    """As many paths per group as were planned: some from its beginning, the others forked from those on their way.

    In every round each path plays one turn of the learner and what the environment and the others answer; then it may
    fork. The k-th path of a group has the id and the stream of its k-th plan. All paths of a step are alive at once.
    The state is always {}.

    Raises: ValueError where the learner's sampling records no entropies, or a group is smaller than its roots.
    Source: Dong et al. 2025 (ARPO), arXiv:2507.19849, section 3.1; (AEPO), arXiv:2510.14545, section 3.2.
    """
    gauge = Gauge(ground, settings)
    members = by_group(plans)
    budgets, extra = _root_budgets(members, gauge) if settings.dynamic_roots else ([0] * len(members), {})
    questions = [
        Question(group, ground, QuestionTree(settings, len(group), _draws(ground.seed, number), roots))
        for number, (group, roots) in enumerate(zip(members, budgets, strict=True))
    ]
    while any(not question.done for question in questions):
        live = [table for question in questions for table in question.live.values()]
        play_on(ground.rollout, live, ground.learner, turns=1)
        heard = [question.entropies(gauge) for question in questions]
        for question in questions:
            question.retire()
        grown = grow_round([question.tree for question in questions], heard, [list(q.live) for q in questions])
        for question, growths in zip(questions, grown, strict=True):
            question.grow(growths)
    episodes = [question.episodes[path] for question in questions for path in range(question.tree.paths)]
    forks = sum(episode.parent is not None for episode in episodes)
    shared = shared_tokens(episodes, FORK_TOKEN, ground.learner)
    return Exploration(
        episodes=episodes,
        metrics={"forks": float(forks), "roots": float(len(episodes) - forks), "shared_tokens": float(shared), **extra},
    )


class Gauge:
    """Measures the entropy of the learner's segments."""

    def __init__(self, ground: Ground, settings: BranchingSettings) -> None:
        """Raises ValueError where the learner's sampling does not record the entropies that are needed."""
        agent: Any = ground.rollout.agents[ground.learner]
        _require_entropies(settings, agent.sampling.entropy_tokens)
        self.ground, self.settings = ground, settings
        self._vocabulary = len(agent.context.tokenizer)

    def of(self, entropies: Sequence[float] | None) -> float:
        """Segment entropy of one reply from those of its tokens, in nats."""
        return segment_entropy(entropies or (), vocabulary=self._vocabulary, first_k=self.settings.first_k)


class Question:
    """The paths of one group: those that are being played, and those that are over."""

    def __init__(self, plans: Sequence[Plan], ground: Ground, tree: QuestionTree) -> None:
        self.plans, self.tree, self._ground = plans, tree, ground
        self.live: dict[int, Table] = {path: ground.rollout.seat(plans[path]) for path in range(tree.paths)}
        self.episodes: dict[int, Episode] = {}

    @property
    def done(self) -> bool:
        """Whether all paths that the budget allows have been played."""
        return len(self.episodes) == self.tree.budget

    def entropies(self, gauge: Gauge) -> dict[int, float]:
        """Segment entropy of the newest turn of the learner on each path that was played in this round."""
        found = {}
        for path, table in self.live.items():
            own = [draft for draft in table.drafts if table.plan.seats[draft.seat] == self._ground.learner]
            if own and own[-1].known is None and own[-1].reply.completion_ids:
                found[path] = gauge.of(own[-1].reply.topk_entropy)
        return found

    def retire(self) -> None:
        """Write down the paths that are over."""
        for path in [path for path, table in self.live.items() if table.over]:
            self.episodes[path] = self._ground.rollout.finish(self.live.pop(path))

    def grow(self, growths: Sequence[Growth]) -> None:
        """Begin the new paths."""
        rollout = self._ground.rollout
        for growth in growths:
            plan, source = self.plans[growth.path], growth.source
            self.live[growth.path] = rollout.seat(plan) if source is None else rollout.fork(self.live[source], plan)


def _require_entropies(settings: BranchingSettings, recorded: int) -> None:
    """A reply that is shorter than `first_k` counts whole; one of which too little is recorded would be misjudged."""
    if recorded < settings.first_k:
        raise ValueError(
            f"forks are decided by the entropy of a reply's first {settings.first_k} tokens, and the engine records "
            f"{recorded}: set agent.sampling.entropy_tokens to {settings.first_k} or more, or lower "
            "first_k"
        )


def _draws(seed: int, question: int) -> Any:
    return np.random.default_rng((seed, question)).random


def _root_budgets(members: Sequence[Sequence[Plan]], gauge: Gauge) -> tuple[list[int], dict[str, float]]:
    """How many roots each group starts from, by one episode of its task that is thrown away."""
    ground, settings = gauge.ground, gauge.settings
    probes = [_probe(group[0], ground.seed) for group in members]
    budgets, tokens = [], 0
    for group, episode in zip(members, ground.rollout.collect(probes), strict=True):
        own = [turn for turn in episode.turns if turn.completion_ids and episode.seats[turn.seat] == ground.learner]
        first, *later = [gauge.of(turn.topk_entropy) for turn in own] or [0.0]
        budgets.append(root_budget(len(group), first, later, beta=settings.beta))
        tokens += count_tokens(episode, episode.turns, ground.learner)
    return budgets, {"extra_tokens": float(tokens), "extra_episodes": float(len(probes))}


def _probe(plan: Plan, seed: int) -> Plan:
    return Plan(
        id=f"{plan.id}-probe",
        env_id=plan.env_id,
        env_kwargs=plan.env_kwargs,
        seed=plan.seed,
        seats=plan.seats,
        group=plan.group,
        stream=derive_seed(seed, _PROBE),
    )
