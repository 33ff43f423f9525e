"""A bonus for a right answer that several tools have helped to find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.rewards.amounts import Extras, RewardResult, add_to_learner, at_last, own_turns, task_return
from turnwise.algorithms.rewards.calls import read_calls
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolBonusSettings:
    """Settings of the bonus for several tools."""

    bonus: float = 0.1
    """What is added, in task units, >= 0."""
    tools: int = 2
    """Fewest different tools that must have been called, >= 1."""
    correct: float = 1.0
    """Lowest return of the task, in task units, that counts as right."""

    def __post_init__(self) -> None:
        require_between("bonus", self.bonus, 0.0)
        require_between("tools", self.tools, 1)
        require_between("correct", self.correct)


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: ToolBonusSettings, learner: str = "policy"
) -> RewardResult:
    """Add the bonus to the last turn of a seat that was right and called enough tools. The state is always {}.

    Source: Dong et al. 2025 (ARPO), arXiv:2507.19849, section 3.3: 0.1 where both search and Python were used.
    """

    def extras(episode: Episode, seat: str) -> Extras:
        turns = [episode.turns[index] for index in own_turns(episode, seat)]
        names = {call.name for turn in turns for call in read_calls(turn.tool_calls) or ()}
        earned = task_return(episode, seat) >= settings.correct and len(names) >= settings.tools
        return {"tool_bonus": at_last(episode, seat, settings.bonus if earned else 0.0)}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {}, metrics)
