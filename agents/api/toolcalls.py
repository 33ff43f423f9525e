"""Tool calls of the providers to and from the text that environments read.

A reply that is one call of a known tool goes back to the server as a call, and what the environment says next as the
tool's response; every other reply goes back as the text it was.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from turnwise.envs.tools.calls import BadCall, Call, read_calls
from turnwise.records import Message

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"


def write(name: str, arguments: Any) -> str:
    """A call as environments read it. Arguments that are no JSON object stay as they are, for them to refuse."""
    if not isinstance(name, str):
        raise TypeError("a tool's name is a text")
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError, RecursionError):
            arguments = json.loads(arguments)
    body = Call(name, arguments).to_json().replace("</", "<\\/")  # an argument does not end the call
    return f"{_OPEN}{body}{_CLOSE}"


class _Turn(NamedTuple):
    """A message, and what of it is a call or a response to one."""

    role: str
    text: str
    """Of a call, what was said before it."""
    call: Call | None
    answers: str | None
    """Id of the call that it is the response to."""
    id: str
    """Of its own call."""


def _turns(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Iterator[_Turn]:
    names = {schema["function"]["name"] for schema in tools}
    open_call: str | None = None
    for place, message in enumerate(messages):
        said, call = message.content, None
        if names and message.role == "assistant":
            said, call = _only_call(message.content, names)
        answers = open_call if message.role in ("user", "tool") else None
        open_call = f"call_{place}" if call is not None else None
        yield _Turn(message.role, said, call, answers, f"call_{place}")


def _only_call(text: str, names: set[str]) -> tuple[str, Call | None]:
    """(what was said before it, the call) of a reply that ends with its only call; else (the text, None)."""
    said, opened, _ = text.partition(_OPEN)
    if not opened or not text.rstrip().endswith(_CLOSE):
        return text, None
    try:
        calls = read_calls(text, {})
    except BadCall:
        return text, None
    if len(calls) != 1 or calls[0].name not in names or not isinstance(calls[0].arguments, dict):
        return text, None
    return said.strip(), calls[0]


def openai_messages(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The conversation as OpenAI's chat completions take it."""
    found: list[dict[str, Any]] = []
    for turn in _turns(messages, tools):
        if turn.call is not None:
            function = {"name": turn.call.name, "arguments": json.dumps(turn.call.arguments)}
            calls = [{"id": turn.id, "type": "function", "function": function}]
            found.append({"role": "assistant", "content": turn.text or None, "tool_calls": calls})
        elif turn.answers is not None:
            found.append({"role": "tool", "tool_call_id": turn.answers, "content": turn.text})
        else:
            found.append({"role": "user" if turn.role == "tool" else turn.role, "content": turn.text})
    return found


def anthropic_messages(
    messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, empty: str
) -> list[dict[str, Any]]:
    """The conversation as Anthropic's messages take it. `empty` stands for empty texts, which they do not take."""
    found: list[dict[str, Any]] = []
    for turn in _turns(messages, tools):
        role = "assistant" if turn.role == "assistant" else "user"
        if turn.call is not None:
            said = [{"type": "text", "text": turn.text}] if turn.text else []
            call = {"type": "tool_use", "id": turn.id, "name": turn.call.name, "input": turn.call.arguments}
            found.append({"role": role, "content": [*said, call]})
        elif turn.answers is not None:
            response = {"type": "tool_result", "tool_use_id": turn.answers, "content": turn.text}
            found.append({"role": role, "content": [response]})
        else:
            found.append({"role": role, "content": turn.text or empty})
    return found


def anthropic_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's schema as Anthropic takes it."""
    function = schema["function"]
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    strict = {"strict": function["strict"]} if "strict" in function else {}
    named = {"name": function["name"], "description": function.get("description", "")}
    return {**named, "input_schema": parameters, **strict}
