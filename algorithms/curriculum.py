"""A curriculum that evolves by itself (SEC): a bandit plays what teaches most at the moment.

An arm is whatever can be drawn: an environment, a level, a kind of task. All functions are pure; the state
{"q": {arm: value}, "returns": {arm: mean return}} fits JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.episodes import TurnCredit, learner_seats
from turnwise.algorithms.credit.groups import centred, group_ids
from turnwise.records import Episode

SIGNALS = ("advantage", "centred", "progress")
RULES = ("softmax", "eps_greedy", "normalised")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurriculumSettings:
    """Settings of the bandit over arms."""

    learning_rate: float = 0.5
    """Share of an arm's value that one update replaces, in [0, 1]."""
    signal: str = "advantage"
    """What an arm earns: the mean size of the `advantage`, that of the return less its group's mean (`centred`), or the
    `progress` of the mean return since the arm was drawn last."""
    rule: str = "softmax"
    """How values become chances: `softmax` of value over temperature; `eps_greedy`: the best arm but for a share
    epsilon; `normalised`: in proportion to the value."""
    temperature: float = 1.0
    """softmax only, in the unit of the signal, > 0."""
    epsilon: float = 0.1
    """eps_greedy only: share of the draws that is spread evenly over all arms, in [0, 1]."""
    decay_unsampled: bool = False
    """Arms that were not drawn count as having earned 0, as released; False leaves their values."""

    def __post_init__(self) -> None:
        require_between("learning_rate", self.learning_rate, 0.0, 1.0)
        require_choice("signal", self.signal, SIGNALS)
        require_choice("rule", self.rule, RULES)
        require_between("temperature", self.temperature, 0.0, open_low=True)
        require_between("epsilon", self.epsilon, 0.0, 1.0)


def begin(arms: Sequence[str]) -> dict[str, Any]:
    """The state before the first update: every arm is worth 0. Raises ValueError without arms, or if two are equal."""
    if not arms or len(set(arms)) < len(arms):
        raise ValueError(f"a curriculum needs one arm or more, each once: got {list(arms)}")
    return {"q": dict.fromkeys(arms, 0.0), "returns": {}}


def mean_sizes(advantages_by_arm: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Mean |A| of each arm. `advantages_by_arm`: one number, signed or not, per rollout; an empty arm is left out."""
    return {arm: float(np.mean(np.abs(values))) for arm, values in advantages_by_arm.items() if len(values)}


def update(q: Mapping[str, float], earned: Mapping[str, float], settings: CurriculumSettings) -> dict[str, float]:
    """Q + learning rate (earned - Q) of every arm that was drawn.

    Args:
        q: Value of each arm.
        earned: What each arm earned in this step; an arm that is absent was not drawn.
    Returns: The new values; those of arms that were not drawn stay, or decay with `decay_unsampled`.
    Raises: ValueError on an arm that has no value, or that earned what is not finite.
    Source: Chen et al. 2025 (SEC), arXiv:2505.14970, eq. 4.
    """
    if unknown := earned.keys() - q.keys():
        raise ValueError(f"arms of the curriculum are {', '.join(q)}: got {', '.join(sorted(unknown))}")
    for arm, value in earned.items():
        require_between(f"what arm {arm!r} earned", value)
    rate = settings.learning_rate
    missing = {arm: 0.0 if settings.decay_unsampled else value for arm, value in q.items()}
    return {arm: (1.0 - rate) * value + rate * earned.get(arm, missing[arm]) for arm, value in q.items()}


def probabilities(q: Mapping[str, float], settings: CurriculumSettings) -> dict[str, float]:
    """Chance of each arm to be drawn; they add up to 1.

    `eps_greedy` shares its greedy part between equally good arms; `normalised` takes values below 0 for 0, and all arms
    alike where none is above.

    Raises: ValueError without arms.
    """
    if not q:
        raise ValueError("a curriculum needs one arm or more: got none")
    values = np.array(list(q.values()), dtype=np.float64)
    even = np.full_like(values, 1.0 / len(values))
    if settings.rule == "softmax":
        weights = np.exp((values - values.max()) / settings.temperature)
    elif settings.rule == "eps_greedy":
        best = values == values.max()
        weights = (1.0 - settings.epsilon) * best / best.sum() + settings.epsilon * even
    else:
        positive = np.maximum(values, 0.0)
        weights = positive if positive.any() else even
    return dict(zip(q, (weights / weights.sum()).tolist(), strict=True))


def draw(q: Mapping[str, float], settings: CurriculumSettings, count: int, seed: int) -> list[str]:
    """`count` arms, drawn independently and with replacement; equal seeds draw equal arms."""
    chances = probabilities(q, settings)
    picks = np.random.default_rng(seed).choice(len(chances), size=count, p=list(chances.values()))
    return [list(chances)[pick] for pick in picks]


def record(
    state: Mapping[str, Any],
    episodes: Sequence[Episode],
    arms: Sequence[str],
    advantages: TurnCredit,
    settings: CurriculumSettings,
    learner: str = "policy",
) -> dict[str, Any]:
    """The state after a batch.

    Args:
        state: From `begin` or the call before.
        arms: Arm that each episode was drawn from.
        advantages: What the credit method gave, one list per episode.
    Raises: ValueError if the lengths disagree, an arm is unknown, or `centred` meets an episode without a group.
    """
    if not len(episodes) == len(arms) == len(advantages):
        raise ValueError(
            "a curriculum needs an arm and a row of advantages per episode: "
            f"got {len(arms)} arms and {len(advantages)} rows for {len(episodes)} episodes"
        )
    returns = {arm: float(np.mean(values)) for arm, values in _returns_by_arm(episodes, arms, learner).items()}
    before = state["returns"]
    if settings.signal == "progress":
        earned = {arm: value - before[arm] for arm, value in returns.items() if arm in before}
    elif settings.signal == "centred":
        earned = mean_sizes(centred_by_arm(episodes, arms, learner))
    else:
        earned = mean_sizes(sizes_by_arm(episodes, arms, advantages, learner))
    return {"q": update(state["q"], earned, settings), "returns": before | returns}


def sizes_by_arm(
    episodes: Sequence[Episode], arms: Sequence[str], advantages: TurnCredit, learner: str = "policy"
) -> dict[str, list[float]]:
    """Of each arm the mean |A| over the trained tokens of every rollout (a seat of an episode) that has any."""
    found: dict[str, list[float]] = {}
    for episode, arm, row in zip(episodes, arms, advantages, strict=True):
        for seat in learner_seats(episode, learner):
            sizes: list[float] = []
            for turn, value in zip(episode.turns, row, strict=True):
                if turn.seat == seat and value is not None:
                    tokens = value if isinstance(value, tuple) else (value,) * len(turn.completion_ids)
                    sizes.extend(abs(token) for token in tokens)
            if sizes:
                found.setdefault(arm, []).append(sum(sizes) / len(sizes))
    return found


def centred_by_arm(episodes: Sequence[Episode], arms: Sequence[str], learner: str = "policy") -> dict[str, list[float]]:
    """Of each arm every rollout's return less the mean of its group and seat, in task units."""
    rows = [(place, seat) for place, episode in enumerate(episodes) for seat in learner_seats(episode, learner)]
    if ungrouped := [episodes[place].id for place, _ in rows if episodes[place].group is None]:
        raise ValueError(
            f"signal centred compares episodes of one group: episode {ungrouped[0]!r} has no group; collect several "
            "episodes per task and seed with a common group, or choose signal advantage"
        )
    values = np.array([episodes[place].returns[seat] for place, seat in rows], dtype=np.float64)
    ids = group_ids([(episodes[place].group, seat) for place, seat in rows], len(values))
    found: dict[str, list[float]] = {}
    for (place, _), value in zip(rows, centred(values, ids).tolist(), strict=True):
        found.setdefault(arms[place], []).append(value)
    return found


def _returns_by_arm(episodes: Sequence[Episode], arms: Sequence[str], learner: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for episode, arm in zip(episodes, arms, strict=True):
        for seat in learner_seats(episode, learner):
            found.setdefault(arm, []).append(episode.returns[seat])
    return found
