"""Messages to token ids, append-only and token-exact.

A seat's transcript is a growing list of token ids: each new observation is encoded once and appended, and what the
policy sampled is kept as the ids that it sampled. A chat template that renders earlier turns differently later on
(stock thinking templates drop earlier thoughts) would break that, so `ChatContext` finds out when it is made, and
refuses.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2

from turnwise.agents.frame import Said, encoder, frame_of
from turnwise.records import Message

LAYOUTS = ("append_only", "per_turn")
HISTORIES = ("all", "first_last", "last")
OVERFLOWS = ("truncate", "drop_oldest")
TEMPLATES = ("chatml", "llama3")
CACHED = 8_192
"""Most texts whose encoding is remembered, per kind: more than small games have, and no burden in large ones."""
_MARK = "\u2063turnwise\u2063"


class TemplateError(ValueError):
    """A chat template cannot be used the way it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """How a conversation becomes a prompt."""

    layout: str = "append_only"
    """`append_only`: one growing row per seat and episode. `per_turn`: every turn is rendered anew, one row a turn."""
    history: str = "all"
    """Only with `per_turn`: which observations a prompt holds. Earlier replies stand as the action that was played."""
    overflow: str = "truncate"
    """A prompt that leaves no room for a reply: `truncate` the episode, or `drop_oldest` turns and start a new row."""
    max_context: int = 4096
    """Longest prompt and reply together, in tokens."""
    system: str = ""
    """System message; none where empty."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("layout", self.layout, LAYOUTS),
            ("history", self.history, HISTORIES),
            ("overflow", self.overflow, OVERFLOWS),
        ):
            if value not in known:
                raise ValueError(f"context.{name} is one of {', '.join(known)}: got {value!r}")
        if self.layout == "append_only" and self.history != "all":
            raise ValueError(
                f"context.history={self.history} rewrites the prompt, which layout=append_only never does; "
                "use layout=per_turn"
            )
        if self.max_context < 8:
            raise ValueError(f"context.max_context is at least 8 tokens: got {self.max_context}")


def shipped_template(name: str) -> str:
    """The text of a chat template that comes with turnwise; each is append-only. Raises TemplateError if unknown."""
    if name not in TEMPLATES:
        raise TemplateError(f"turnwise ships the chat templates {', '.join(TEMPLATES)}: got {name!r}")
    return (files("turnwise.agents") / "templates" / f"{name}.jinja").read_text()


class ChatContext:
    """Renders and encodes with one tokenizer and one chat template. Encodings are cached: equal texts, equal ids."""

    def __init__(self, tokenizer: Any, settings: ContextSettings, template: str | None = None) -> None:
        """`template`: a shipped name, or None for the tokenizer's own. Raises TemplateError if it rewrites history."""
        self.tokenizer = tokenizer
        self.settings = settings
        self.template = shipped_template(template) if template else tokenizer.chat_template
        if not self.template:
            raise TemplateError(
                f"the tokenizer has no chat template; choose one with model.chat_template={'|'.join(TEMPLATES)}"
            )
        self._special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
        self._any_special = re.compile("|".join(map(re.escape, self._special)) or "(?!)")
        self._ids_of = encoder(tokenizer)
        constant = self.template in map(shipped_template, TEMPLATES)
        self._frame = frame_of(self._rendered) if constant else None
        self.end_id = self._end_of_turn()
        """The token that ends a reply."""
        if settings.layout == "append_only":
            self._refuse_rewriting()
        self.encode = functools.lru_cache(maxsize=CACHED)(self._encode)
        self.decode = functools.lru_cache(maxsize=CACHED)(self._decode)
        self.opening = functools.lru_cache(maxsize=CACHED)(self._opening)
        self.first = functools.lru_cache(maxsize=CACHED)(self._first)
        self.bridge = functools.lru_cache(maxsize=CACHED)(self._bridge)

    @property
    def goes_on(self) -> bool:
        """Whether a prompt may begin with an earlier one and the reply to it."""
        return self.settings.history == "all"

    def render(self, messages: Sequence[Message], *, generate: bool) -> str:
        """The template's text, the system message of the settings first; `generate` opens the assistant's next one.

        Raises TemplateError if the template refuses the conversation.
        """
        said = [("system", self.settings.system)] if self.settings.system else []
        said += [(message.role, self._content(message)) for message in messages]
        return self._rendered(said, generate) if self._frame is None else self._frame.text(said, generate)

    def _rendered(self, said: Said, generate: bool) -> str:
        """By the template itself."""
        talk = [{"role": role, "content": content} for role, content in said]
        try:
            text = self.tokenizer.apply_chat_template(
                talk, chat_template=self.template, tokenize=False, add_generation_prompt=generate
            )
        except jinja2.TemplateError as error:
            roles = ", ".join(role for role, _ in said)
            raise TemplateError(f"the chat template refuses a conversation of {roles}: {error}") from None
        return str(text)

    def encode_reply(self, text: str) -> tuple[int, ...]:
        """The ids of a reply that somebody else wrote, its end-of-turn token included."""
        ids: tuple[int, ...] = self.encode(text)
        return (*ids, self.end_id)

    def _content(self, message: Message) -> str:
        """What is read must never open or close a message: special tokens that it spells out are broken up."""
        text = message.content
        if message.role in ("user", "tool") and self._any_special.search(text):
            for special in self._special:
                text = text.replace(special, f"{special[0]}\u200b{special[1:]}")
        return text

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._ids_of(text))

    def _decode(self, ids: tuple[int, ...]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _opening(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        """The first prompt of a conversation."""
        return self._encode(self.render(messages, generate=True))

    def _first(self, text: str) -> tuple[int, ...]:
        """The first prompt of a conversation that a user opens."""
        return self._opening((Message("user", text),))

    def _bridge(self, observation: str, closed: bool) -> tuple[int, ...]:
        """What stands between a reply and the next one. `closed`: the reply ended with its end-of-turn token."""
        ids = self._encode(self._bridge_text(observation))
        return ids[1:] if closed else ids

    def _bridge_text(self, observation: str) -> str:
        """End of the reply, the observation, and the opening of the next reply, as the template writes them."""
        talk = [Message("user", "?"), Message("assistant", _MARK), Message("user", observation)]
        return self.render(talk, generate=True).partition(_MARK)[2]

    def _end_of_turn(self) -> int:
        talk = [Message("user", "?"), Message("assistant", _MARK)]
        ids = self._encode(self.render(talk, generate=False).partition(_MARK)[2])
        if not ids:
            raise TemplateError(
                "the chat template closes an assistant message with nothing, so a reply could never end; choose one "
                f"that does, model.chat_template={'|'.join(TEMPLATES)}"
            )
        if ids[0] not in self.tokenizer.all_special_ids and ids[0] not in self.tokenizer.added_tokens_decoder:
            raise TemplateError(
                "this tokenizer has no token of its own for the end of a turn: it starts with "
                f"{self._decode(ids[:1])!r}, which a reply may hold; choose a template made for it, "
                f"model.chat_template={'|'.join(TEMPLATES)}"
            )
        return ids[0]

    def _refuse_rewriting(self) -> None:
        """Play three turns: each rendering has to be the one before, the reply, and the bridge."""
        grows = self._encode(self._bridge_text("?"))[:1] == (self.end_id,)
        for reply in ("plain [move]", "<think>\nbecause\n</think>\n\n[move]"):
            talk = [Message("user", "one")]
            for observation in ("two", "three"):
                before = self.render(talk, generate=True) + reply
                talk += [Message("assistant", reply), Message("user", observation)]
                grows &= self.render(talk, generate=True) == before + self._bridge_text(observation)
        if not grows:
            raise TemplateError(
                "this chat template rewrites earlier turns (a reply is rendered differently once the next message "
                "follows), so a growing transcript would not match what the model was trained on; either use an "
                f"append-only template of the same family, model.chat_template={'|'.join(TEMPLATES)}, or one row a "
                "turn, agent.context.layout=per_turn"
            )


class Transcript:
    """The conversation of one seat in one episode."""

    __slots__ = ("_actions", "_closed", "_context", "_observations", "_row", "_segments", "dropped")

    def __init__(self, context: ChatContext) -> None:
        self._context = context
        self._segments: tuple[tuple[int, ...], ...] = ()
        self._row: tuple[int, ...] = ()
        """All segments in a row."""
        self._observations: tuple[str, ...] = ()
        self._actions: tuple[str, ...] = ()
        self._closed = True
        self.dropped = 0
        """Turns that no longer stand in the prompt because of `overflow=drop_oldest`."""

    def copy(self) -> Transcript:
        """An independent one."""
        twin = Transcript(self._context)
        twin._segments, twin._observations, twin._row = self._segments, self._observations, self._row
        twin._actions, twin._closed, twin.dropped = self._actions, self._closed, self.dropped
        return twin

    def observe(self, text: str) -> None:
        """Append what the seat reads now."""
        context = self._context
        self._observations += (text,)
        if context.settings.layout == "append_only":
            self._append(context.bridge(text, self._closed) if self._segments else context.first(text))

    def reply(self, completion_ids: tuple[int, ...], shown: str) -> None:
        """Append what the policy sampled, as the ids that it sampled.

        `shown` stands for it where turns are rendered anew.
        """
        self._actions += (shown,)
        self._closed = bool(completion_ids) and completion_ids[-1] == self._context.end_id
        if self._context.settings.layout == "append_only":
            self._append(completion_ids)

    def _append(self, ids: tuple[int, ...]) -> None:
        self._segments += (ids,)
        self._row += ids

    def prompt(self, max_tokens: int) -> tuple[int, ...] | None:
        """The ids to sample from, or None where no room for `max_tokens` is left and the episode must be cut."""
        settings = self._context.settings
        room = settings.max_context - max_tokens
        ids = self._ids()
        while len(ids) > room:
            if settings.overflow == "truncate" or not self._drop_oldest():
                return None
            ids = self._ids()
        return ids

    def _ids(self) -> tuple[int, ...]:
        context, history = self._context, self._context.settings.history
        if context.settings.layout == "append_only":
            return self._row
        if history == "last" or len(self._observations) == 1:
            return context.first(self._observations[-1])
        if history == "first_last":
            return context.first(f"{self._observations[0]}\n\n{self._observations[-1]}")
        return context.opening(tuple(self._talk()))

    def _talk(self) -> list[Message]:
        talk: list[Message] = []
        for observation, action in zip(self._observations, [*self._actions, None], strict=True):
            talk.append(Message("user", observation))
            if action is not None:
                talk.append(Message("assistant", action))
        return talk

    def _drop_oldest(self) -> bool:
        """Forget the oldest reply and the observation after it; the first observation (the rules) and the newest stay.

        False where that would free nothing.
        """
        if len(self._observations) < 3 or self._context.settings.history != "all":
            return False
        if self._segments:
            self._segments = self._segments[:1] + self._segments[3:]
            self._row = tuple(itertools.chain.from_iterable(self._segments))
        self._observations = self._observations[:1] + self._observations[2:]
        self._actions = self._actions[1:]
        self.dropped += 1
        return True
