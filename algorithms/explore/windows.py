"""Windows of tokens (T-PPO): episodes are played a piece a step, and go on in the next one where they left off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from turnwise.agents.plan import Plan, plan_from_dict, plan_to_dict
from turnwise.agents.table import Table
from turnwise.algorithms.checks import require_between
from turnwise.algorithms.explore.ground import Exploration, Ground
from turnwise.algorithms.explore.playing import play_on
from turnwise.records import Episode, Reply, Turn

UNFINISHED = "unfinished"
"""Entry of `Episode.metadata`: the episode goes on in the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsSettings:
    """Settings of the window."""

    window: int = 64
    """Tokens of the learner that an episode may grow by in one step, >= 1."""

    def __post_init__(self) -> None:
        require_between("window", self.window, 1)


class Sitting(NamedTuple):
    """An episode that is played in this step, and where it stood when the step began."""

    table: Table
    chunk: int
    """Steps that it has been played in before."""
    turns: int
    begun: Reply | None
    returns: Mapping[str, float]


def explore(plans: Sequence[Plan], ground: Ground, settings: WindowsSettings, state: Mapping[str, Any]) -> Exploration:
    """As many chunks as there are plans: of the episodes that were not over, then of new ones, the first plans first.

    A chunk is an episode with the turns of this step alone, and returns that were earned in it. Where a reply was
    begun before, the chunk's turn holds the new tokens, and its prompt the earlier ones too. A chunk that goes on has
    status "truncated" and `metadata["unfinished"]`. The chunks of an episode are called `<plan>@0`, `<plan>@1`, ...

    Args:
        state: The episodes that go on as plans with all their turns, from which they are played again.
    Source: Fan et al. 2025 (T-PPO), arXiv:2506.15050.
    """
    waiting = [(plan_from_dict(raw["plan"]), raw["chunk"]) for raw in state.get("waiting", [])]
    fresh = [(plan, 0) for plan in plans[: max(len(plans) - len(waiting), 0)]]
    sittings = [_sit(ground, plan, chunk) for plan, chunk in (*waiting, *fresh)]
    play_on(ground.rollout, [sitting.table for sitting in sittings], ground.learner, tokens=settings.window)
    left = [sitting for sitting in sittings if not sitting.table.over]
    kept = [{"plan": plan_to_dict(_to_go_on(sitting.table)), "chunk": sitting.chunk + 1} for sitting in left]
    chunks = [_chunk(sitting, ground) for sitting in sittings]
    return Exploration(
        episodes=chunks,
        state={"waiting": kept},
        metrics={"resumed": float(len(waiting)), "unfinished": float(len(left))},
    )


def _sit(ground: Ground, plan: Plan, chunk: int) -> Sitting:
    table = ground.rollout.seat(plan)
    table.rest()
    return Sitting(table, chunk, len(plan.prefix), plan.partial, dict(table.referee.returns))


def _to_go_on(table: Table) -> Plan:
    return replace(table.plan, prefix=table.turns, partial=table.partial)


def _chunk(sitting: Sitting, ground: Ground) -> Episode:
    """What was played in this step."""
    table, begun = sitting.table, sitting.begun
    goes_on = not table.over
    fresh = list(table.turns[sitting.turns :])
    if table.partial is not None and goes_on:
        fresh.append(table.unfinished_turn())
    if begun is not None and fresh:
        fresh[0] = _without_beginning(fresh[0], len(begun.completion_ids), table)
    whole = ground.rollout.finish(table)
    return replace(
        whole,
        id=f"{whole.id}@{sitting.chunk}",
        turns=tuple(fresh),
        returns={seat: amount - sitting.returns.get(seat, 0.0) for seat, amount in whole.returns.items()},
        status="truncated" if goes_on else whole.status,
        metadata={**whole.metadata, UNFINISHED: True} if goes_on else whole.metadata,
    )


def _without_beginning(turn: Turn, count: int, table: Table) -> Turn:
    """The turn from its token `count` on; what came before is read, not said."""
    said = turn.completion_ids[:count]
    spans = [(max(start - count, 0), version) for start, version in turn.weight_version]
    latest = dict(spans)  # of several spans that began before, the last one
    return replace(
        turn,
        prompt_ids=turn.prompt_ids + said,
        completion_ids=turn.completion_ids[count:],
        logprobs=turn.logprobs[count:],
        topk_entropy=None if turn.topk_entropy is None else turn.topk_entropy[count:],
        weight_version=tuple(latest.items()),
    )
