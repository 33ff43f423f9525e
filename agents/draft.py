"""`Draft`: a turn of a live episode, whose reward may still grow; and one reply out of its two parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from turnwise.agents.talk import Talk
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Outcome
from turnwise.records import Reply, Turn, make_turn


class Draft:
    """A turn but for its reward. Episodes in which one reply was taken alike in one talk share it, see `draft_of`."""

    __slots__ = ("_turns", "action", "anchor", "info", "known", "reply", "seat", "shown", "status", "talk")

    def __init__(
        self,
        seat: str,
        talk: Talk,
        reply: Reply,
        outcome: Outcome,
        legal: Sequence[str] | None,
        anchor: str | None,
        known: Turn | None,
    ) -> None:
        """talk: what was replied to. legal: the actions that were, None where any text is one. known: the turn that is
        made again here."""
        self.seat, self.talk, self.reply, self.anchor, self.known = seat, talk, reply, anchor, known
        self.action: str | None = outcome.action
        self.status: str = outcome.status
        self.info: Mapping[str, Any] = outcome.info
        self.shown = reply.text if self.action is None else write_action(self.action, legal)
        """What stands for the reply where turns are rendered anew."""
        self._turns: dict[tuple[float, bool], Turn] = {}

    def turn(self, reward: float, keep_messages: bool) -> Turn:
        """The record of the turn, one for all episodes in which it earned the same."""
        key = reward, keep_messages
        found = self._turns.get(key)
        if found is None:
            found = self._turns[key] = self._written(reward, keep_messages)
        return found

    def _written(self, reward: float, keep_messages: bool) -> Turn:
        if self.known is not None:
            return replace(self.known, reward=reward)
        talk, reply = self.talk, self.reply
        return make_turn(
            seat=self.seat,
            observation=talk.messages[-1:] if keep_messages else (),
            text=reply.text,
            action=self.action,
            status="ok" if self.status == "env_error" else self.status,  # nobody has judged it
            reward=reward,
            prompt_ids=talk.prompt or (),
            completion_ids=reply.completion_ids,
            logprobs=reply.logprobs,
            topk_entropy=reply.topk_entropy,
            anchor=self.anchor,
            tool_calls=self.info.get("tool_calls", ()),
            weight_version=versions(reply),
            seconds=reply.seconds,
        )


def draft_of(
    seat: str,
    talk: Talk,
    reply: Reply,
    outcome: Outcome,
    legal: Sequence[str] | None,
    anchor: str | None = None,
    known: Turn | None = None,
) -> Draft:
    """The draft of a turn, see `Draft`; the one that there is already unless the game has told something of it."""
    if known is not None or outcome.info:
        return Draft(seat, talk, reply, outcome, legal, anchor, known)
    key = id(reply), seat, outcome.action, outcome.status, anchor, legal is None
    found = talk.drafts.get(key)
    if found is None:
        found = talk.drafts[key] = Draft(seat, talk, reply, outcome, legal, anchor, known)
    return found


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
