"""The ToolRL reward of episodes: format, correctness of the calls and, if wanted, length, each a part of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.checks import require_choice
from turnwise.algorithms.rewards.amounts import Extras, RewardResult, add_to_learner, at_last, missing, own_turns
from turnwise.algorithms.rewards.call_matching import (
    LENGTH_BONUSES,
    MATCHINGS,
    SCALES,
    bounds,
    correctness,
    length_bonus,
)
from turnwise.algorithms.rewards.calls import ToolCall, read_calls
from turnwise.records import Episode, Turn

FIELD = "reference_calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRLSettings:
    """Settings of the ToolRL reward."""

    scale: str = "standard"
    """How much format and correctness count: `standard`, `equal`, `two_stage`, `smooth`, see `call_matching.bounds`."""
    matching: str = "partial"
    """What counts as near: `partial`, `strict`, `coarse` or `intermediate`, see `call_matching.correctness`."""
    length_bonus: str = "none"
    """Reward for long reasoning: `none`, `fixed` or `growing`, see `call_matching.length_bonus`."""

    def __post_init__(self) -> None:
        require_choice("scale", self.scale, SCALES)
        require_choice("matching", self.matching, MATCHINGS)
        require_choice("length_bonus", self.length_bonus, LENGTH_BONUSES)


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: ToolRLSettings, learner: str = "policy"
) -> RewardResult:
    """Add the parts `toolrl_format`, `toolrl_correctness` and `toolrl_length` to each seat's last turn.

    Format is right where every turn of the seat is ok. All calls of the seat, in order, are compared with
    `episode.metadata["reference_calls"]`, a list of JSON objects with name and arguments. The length is the mean number
    of words a turn between <think> and </think>. The state is {"step": batches so far}.

    Raises: ValueError where an episode has no reference calls, or they cannot be read.
    """
    step = int(state.get("step", 0))
    of_format, of_calls = bounds(settings.scale, step)

    def extras(episode: Episode, seat: str) -> Extras:
        turns = [episode.turns[index] for index in own_turns(episode, seat)]
        low, high = of_calls
        predicted = read_calls(call for turn in turns for call in turn.tool_calls)
        amounts = {
            "toolrl_format": of_format[all(turn.status == "ok" for turn in turns)],
            "toolrl_correctness": correctness(
                _reference(episode), predicted, maximum=high, minimum=low, matching=settings.matching
            ),
        }
        if settings.length_bonus != "none":
            amounts["toolrl_length"] = length_bonus(_mean_words(turns), step, settings.length_bonus)
        return {part: at_last(episode, seat, amount) for part, amount in amounts.items()}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {"step": step + 1}, metrics)


def _reference(episode: Episode) -> list[ToolCall]:
    found = episode.metadata.get(FIELD)
    if found is None:
        remedy = "play an environment whose solution() makes tool calls, and write them down as a list of JSON objects"
        raise missing("toolrl", f"metadata[{FIELD!r}]", episode, remedy)
    calls = read_calls(found)
    if calls is None:
        raise ValueError(
            f"metadata[{FIELD!r}] is a list of JSON objects with name and arguments: "
            f"got {found!r} in episode {episode.id!r}"
        )
    return calls


def _mean_words(turns: Sequence[Turn]) -> float:
    """Words of reasoning per turn; a turn without both tags has none."""
    thoughts = [turn.text.rpartition("<think>")[2].partition("</think>") for turn in turns if "<think>" in turn.text]
    return sum(len(thought.split()) for thought, end, _ in thoughts if end) / max(len(turns), 1)
