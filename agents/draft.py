"""`Draft`: a turn of a live episode, whose reward may still grow; and one reply out of its two parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from turnwise.agents.talk import Talk
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Outcome
from turnwise.records import Reply, Turn, make_turn


class Draft:
    """A turn whose reward may still grow."""

    __slots__ = ("anchor", "known", "legal", "outcome", "reply", "reward", "seat", "talk")

    def __init__(
        self,
        seat: str,
        talk: Talk,
        reply: Reply,
        outcome: Outcome,
        legal: Sequence[str] | None = None,
        anchor: str | None = None,
        known: Turn | None = None,
    ) -> None:
        """talk: what was replied to. legal: the actions that were, None where any text is one. known: the turn that is
        made again here."""
        self.seat, self.talk, self.reply, self.outcome, self.legal = seat, talk, reply, outcome, legal
        self.anchor, self.known, self.reward = anchor, known, 0.0

    @property
    def shown(self) -> str:
        """What stands for the reply where turns are rendered anew."""
        action = self.outcome.action
        return self.reply.text if action is None else write_action(action, self.legal)

    def copy(self) -> Draft:
        """An independent one."""
        twin = Draft(self.seat, self.talk, self.reply, self.outcome, self.legal, self.anchor, self.known)
        twin.reward = self.reward
        return twin

    def turn(self, keep_messages: bool) -> Turn:
        """The record of the turn with its reward so far: one for all who got the same for one reply in one talk."""
        if self.known is not None:
            return replace(self.known, reward=self.reward)
        outcome, reply = self.outcome, self.reply
        if outcome.info:
            return self._written(keep_messages)
        key = id(reply), self.seat, outcome.action, outcome.status, self.reward, self.anchor, keep_messages
        found = self.talk.turns.get(key)
        if found is None:
            found = self.talk.turns[key] = self._written(keep_messages), reply
        return found[0]

    def _written(self, keep_messages: bool) -> Turn:
        talk, reply, outcome = self.talk, self.reply, self.outcome
        return make_turn(
            seat=self.seat,
            observation=talk.messages[-1:] if keep_messages else (),
            text=reply.text,
            action=outcome.action,
            status="ok" if outcome.status == "env_error" else outcome.status,  # nobody has judged it
            reward=self.reward,
            prompt_ids=talk.prompt or (),
            completion_ids=reply.completion_ids,
            logprobs=reply.logprobs,
            topk_entropy=reply.topk_entropy,
            anchor=self.anchor,
            tool_calls=outcome.info.get("tool_calls", ()),
            weight_version=versions(reply),
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
