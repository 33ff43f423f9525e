"""`Talk`: what one seat has read and said up to an observation that waits for its reply.

A talk is never changed, so episodes in which the same has been read and said stand at the same one. In a small game
many do: what a seat is asked with, and the record of its turn, are then made once for all of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from turnwise.agents.context import Transcript
from turnwise.records import Message, Reply

if TYPE_CHECKING:
    from turnwise.agents.draft import Draft

message = lru_cache(maxsize=1_024)(Message)
"""Of equal texts one record: a small game says the same things over and over."""


class Talk:
    """One conversation of one seat. `drafts` is a memory of the turns that were taken here, see `draft_of`."""

    __slots__ = ("_next", "_transcript", "drafts", "dropped", "messages", "prompt")

    def __init__(self, messages: tuple[Message, ...], transcript: Transcript | None, max_tokens: int) -> None:
        """transcript: of an agent that works on tokens; it is this talk's own."""
        self.messages = messages
        self.prompt = () if transcript is None else transcript.prompt(max_tokens)
        """What the reply is sampled from, () where no tokens are involved; None where the context is full."""
        self.dropped = 0 if transcript is None else transcript.dropped
        """Turns that no longer stand in the prompt."""
        self.drafts: dict[tuple[Any, ...], Draft] = {}
        self._transcript = transcript
        self._next: dict[tuple[int, str, str, int], tuple[Talk, Reply]] = {}

    def after(self, reply: Reply, shown: str, text: str, agent: Any) -> Talk:
        """The talk in which `reply` was given and `text` is read next, by `agent`.

        `shown` stands for the reply where turns are rendered anew.
        """
        transcript = None if getattr(agent, "context", None) is None else self._transcript
        max_tokens = 0 if transcript is None else agent.sampling.max_tokens
        key = id(reply), shown, text, max_tokens
        found = self._next.get(key)
        if found is None:
            if transcript is not None:
                transcript = transcript.copy()
                transcript.reply(reply.completion_ids, shown)
                transcript.observe(text)
            said = message("assistant", reply.text), message("user", text)
            found = self._next[key] = Talk((*self.messages, *said), transcript, max_tokens), reply
        return found[0]


def opening(text: str, agent: Any) -> Talk:
    """The talk that `agent` opens by reading a text."""
    context = getattr(agent, "context", None)
    messages = (message("user", text),)
    if context is None:
        return Talk(messages, None, 0)
    transcript = Transcript(context)
    transcript.observe(text)
    return Talk(messages, transcript, agent.sampling.max_tokens)
