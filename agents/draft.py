"""`Draft`: a turn of a live episode, whose reward may still grow; and one reply out of its two parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from turnwise.envs.referee import Outcome
from turnwise.records import Reply, Request, Turn, make_turn


class Draft:
    """A turn whose reward may still grow."""

    __slots__ = ("anchor", "known", "outcome", "reply", "request", "reward")

    def __init__(
        self, request: Request, reply: Reply, outcome: Outcome, anchor: str | None = None, known: Turn | None = None
    ) -> None:
        """known: the turn that is made again here."""
        self.request, self.reply, self.outcome, self.reward = request, reply, outcome, 0.0
        self.anchor, self.known = anchor, known

    @property
    def seat(self) -> str:
        """Whose turn it is."""
        return self.request.seat

    def copy(self) -> Draft:
        """An independent one."""
        twin = Draft(self.request, self.reply, self.outcome, self.anchor, self.known)
        twin.reward = self.reward
        return twin

    def turn(self, keep_messages: bool) -> Turn:
        """The record of the turn with its reward so far."""
        if self.known is not None:
            return replace(self.known, reward=self.reward)
        request, reply, outcome = self.request, self.reply, self.outcome
        version = reply.weight_version
        return make_turn(
            seat=request.seat,
            observation=request.messages[-1:] if keep_messages else (),
            text=reply.text,
            action=outcome.action,
            status="ok" if outcome.status == "env_error" else outcome.status,  # nobody has judged it
            reward=self.reward,
            prompt_ids=request.prompt_ids,
            completion_ids=reply.completion_ids,
            logprobs=reply.logprobs,
            topk_entropy=reply.topk_entropy,
            anchor=self.anchor,
            tool_calls=outcome.info.get("tool_calls", ()),
            weight_version=reply.versions or (() if version is None else ((0, version),)),
            seconds=reply.seconds,
        )


def versions(reply: Reply) -> tuple[tuple[int, int], ...]:
    """(first completion token, weight version) per span of a reply."""
    if reply.versions or reply.weight_version is None:
        return reply.versions
    return ((0, reply.weight_version),)


def join(begun: Reply, rest: Reply, agent: Any) -> Reply:
    """The reply that two parts make, in text as its tokens read together. agent: the language agent that sampled it."""
    ids, offset = begun.completion_ids + rest.completion_ids, len(begun.completion_ids)
    entropy = None
    if begun.topk_entropy is not None and rest.topk_entropy is not None:
        entropy = (begun.topk_entropy + rest.topk_entropy)[: agent.sampling.entropy_tokens]
    spans = list(versions(begun))
    for start, version in versions(rest):
        if not spans or spans[-1][1] != version:
            spans.append((start + offset, version))
    return Reply(
        text=agent.context.decode(ids),
        completion_ids=ids,
        logprobs=begun.logprobs + rest.logprobs,
        topk_entropy=entropy,
        finished=rest.finished,
        weight_version=rest.weight_version,
        versions=tuple(spans),
        seconds=None if rest.seconds is None else rest.seconds + (begun.seconds or 0.0),
    )
