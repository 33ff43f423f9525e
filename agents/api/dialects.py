"""How a request is written in each protocol, and how its reply is read. No state, no network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from turnwise.agents.api import toolcalls
from turnwise.agents.api.sdk import BadReply
from turnwise.agents.api.settings import ApiSettings
from turnwise.records import Message, Request

Tools = Sequence[Mapping[str, Any]]
"""Schemas in OpenAI's form."""
_EMPTY = "(empty)"
"""Stands for an empty message where a protocol has none."""


class Said(NamedTuple):
    """What a model replied."""

    text: str
    finished: bool
    """False where it was cut at the token limit."""


class Dialect(NamedTuple):
    """One protocol."""

    path: str
    body: Callable[[ApiSettings, Request, Tools], dict[str, Any]]
    read: Callable[[Mapping[str, Any]], Said]
    """Raises BadReply."""


def dialect_of(settings: ApiSettings) -> Dialect:
    """The protocol that these settings speak."""
    return DIALECTS[settings.provider, settings.protocol]


# OpenAI


def _chat(settings: ApiSettings, request: Request, tools: Tools) -> dict[str, Any]:
    head = [Message("system", settings.system)] if settings.system else []
    body = {
        "model": settings.model,
        "messages": toolcalls.openai_messages([*head, *request.messages], tools),
        "max_completion_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "seed": request.seed,
    }
    return body | ({"tools": [*tools], "parallel_tool_calls": False} if tools else {})


def _read_chat(reply: Mapping[str, Any]) -> Said:
    with _promised("choices[0].message"):
        choice = reply["choices"][0]
        message = choice["message"]
        calls = [
            toolcalls.write(call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls") or ()
        ]
        text = _text(message.get("content") or "")
        return Said("\n".join(filter(None, [text, *calls])), choice.get("finish_reason") != "length")


def _completions(settings: ApiSettings, request: Request, tools: Tools) -> dict[str, Any]:
    lines = [settings.system] if settings.system else []
    lines += [f"{message.role.capitalize()}: {message.content}" for message in request.messages]
    return {
        "model": settings.model,
        "prompt": "\n\n".join([*lines, "Assistant:"]),
        "stop": ["\nUser:"],
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "seed": request.seed,
    }


def _read_completions(reply: Mapping[str, Any]) -> Said:
    with _promised("choices[0].text"):
        choice = reply["choices"][0]
        return Said(_text(choice["text"]).strip(), choice.get("finish_reason") != "length")


# Anthropic


def _messages(settings: ApiSettings, request: Request, tools: Tools) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": toolcalls.anthropic_messages(request.messages, tools, empty=_EMPTY),
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
    }
    if settings.system:
        body["system"] = settings.system
    if tools:
        body["tools"] = [toolcalls.anthropic_schema(schema) for schema in tools]
        body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    return body


def _read_messages(reply: Mapping[str, Any]) -> Said:
    with _promised("content"):
        parts = []
        for block in reply["content"]:
            if block["type"] == "text":
                parts.append(_text(block["text"]))
            elif block["type"] == "tool_use":
                parts.append(toolcalls.write(block["name"], block["input"]))
        return Said("\n".join(filter(None, parts)), reply.get("stop_reason") != "max_tokens")


DIALECTS: dict[tuple[str, str], Dialect] = {
    ("openai", "chat"): Dialect("/chat/completions", _chat, _read_chat),
    ("openai", "completions"): Dialect("/completions", _completions, _read_completions),
    ("anthropic", "chat"): Dialect("/v1/messages", _messages, _read_messages),
}
"""(provider, protocol) -> how it is spoken."""


@contextlib.contextmanager
def _promised(what: str) -> Iterator[None]:
    """Whatever goes wrong in reading a reply becomes a BadReply that names what was looked for."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError):
        raise BadReply(f"its reply has no {what} as promised") from None


def _text(value: object) -> str:
    """Raises TypeError unless it is a text."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
