"""What is to be played: `Plan`, from the start or from the middle of an episode, and a plan as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from turnwise.quick import quick
from turnwise.records import PER_TOKEN, Reply, Turn, turn_from_dict, turn_to_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One episode that is to be played."""

    id: str
    env_id: str
    seed: int
    seats: Mapping[str, str]
    """Seat -> name of the agent that sits there."""
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    group: str | None = None
    stream: int = 0
    """Tells episodes of one seed apart: the game's chance is the same, the replies are sampled anew."""
    parent: str | None = None
    """Id of the episode that this one was forked from."""
    fork_turn: int | None = None
    """Index of the first turn that is not the parent's."""
    prefix: tuple[Turn, ...] = ()
    """Turns that are made again, as they were, before play goes on. One without tokens is told in its text."""
    partial: Reply | None = None
    """How the reply after the prefix begins, in tokens: the agent to act goes on with it."""

    def __post_init__(self) -> None:
        if (self.parent is None) != (self.fork_turn is None):
            raise ValueError(f"parent and fork_turn come together: got {self.parent!r} and {self.fork_turn!r}")
        if self.partial is not None and not self.partial.completion_ids:
            raise ValueError(f"a reply that was begun has tokens: plan {self.id!r} got none")


make_plan = quick(Plan)


def plans(
    name: str, env_id: str, env_kwargs: Mapping[str, Any], seats: Mapping[str, str], seeds: Iterable[int]
) -> list[Plan]:
    """One episode per seed, with the same agents in the same seats; ids are `<name>-0`, `<name>-1`, ..."""
    return [
        Plan(id=f"{name}-{i}", env_id=env_id, env_kwargs=env_kwargs, seed=seed, seats=seats)
        for i, seed in enumerate(seeds)
    ]


def in_text(turn: Turn) -> Turn:
    """The turn without its tokens, for an agent that reads others than whoever took it."""
    unknown: dict[str, Any] = dict.fromkeys(("topk_entropy", *PER_TOKEN))
    return replace(turn, prompt_ids=(), completion_ids=(), logprobs=(), **unknown)


def first_tokens(turn: Turn, count: int) -> Reply:
    """The reply that begins as this turn does, with so many of its tokens.

    Raises ValueError unless at least one token is left out and one is not.
    """
    if not 0 < count < len(turn.completion_ids):
        raise ValueError(f"a reply is begun with 1 to {len(turn.completion_ids) - 1} of its tokens: got {count}")
    return Reply(
        text="",
        completion_ids=turn.completion_ids[:count],
        logprobs=turn.logprobs[:count],
        topk_entropy=None if turn.topk_entropy is None else turn.topk_entropy[:count],
        finished=False,
        versions=tuple(span for span in turn.weight_version if span[0] < count),
    )


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """Plain dicts, lists, strings and numbers, one key per field: fit for JSON."""
    raw = {spec.name: getattr(plan, spec.name) for spec in dataclasses.fields(plan)}
    raw["prefix"] = [turn_to_dict(turn) for turn in plan.prefix]
    raw["partial"] = None if plan.partial is None else dataclasses.asdict(plan.partial)
    return raw | {"seats": dict(plan.seats), "env_kwargs": dict(plan.env_kwargs)}


def plan_from_dict(raw: Mapping[str, Any]) -> Plan:
    """The plan that `plan_to_dict` wrote down, after a way through JSON too."""
    partial = raw["partial"]
    return Plan(
        **{
            **raw,
            "prefix": tuple(turn_from_dict(turn) for turn in raw["prefix"]),
            "partial": None if partial is None else _reply(partial),
        }
    )


def _reply(raw: Mapping[str, Any]) -> Reply:
    entropy = raw["topk_entropy"]
    return Reply(
        **{
            **raw,
            "completion_ids": tuple(raw["completion_ids"]),
            "logprobs": tuple(raw["logprobs"]),
            "topk_entropy": None if entropy is None else tuple(entropy),
            "versions": tuple((start, version) for start, version in raw["versions"]),
        }
    )
