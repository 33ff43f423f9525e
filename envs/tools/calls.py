"""From the text of a reply to tool calls and answers. Every reading is linear in the length of the reply."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.envs.parsing import after_thought
from turnwise.envs.tools.tool import Tool

_FENCE = "```"
ANSWER = "answer"
"""Tag of a final answer: `<answer>42</answer>`."""


class BadCall(ValueError):
    """A reply has a tool call that cannot be read. `str(error)` is fit to be shown to an agent."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the reply states it; whether the tool takes it is not known yet."""

    name: str
    arguments: Any

    def to_json(self) -> str:
        """`{"name": ..., "arguments": ...}`"""
        return json.dumps({"name": self.name, "arguments": self.arguments}, ensure_ascii=False, sort_keys=True)


def read_calls(reply: str, tools: Mapping[str, Tool], *, fenced: str | None = None) -> list[Call]:
    """The tool calls of a reply in the order they are written; none is an empty list.

    Understood are `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`; a reply that is nothing but OpenAI's JSON
    (`{"tool_calls": [...]}`, a list of calls, or one call); `<search>text</search>` for a tool `search` that takes one
    text; and, where `fenced` names a tool, fenced blocks of code for that tool. Raises BadCall.
    """
    text = after_thought(reply)
    tagged = [_from_json(_parse(body)) for body in between(text, "<tool_call>", "</tool_call>")]
    if tagged:
        return [call for calls in tagged for call in calls]
    stripped = text.strip()
    if stripped[:1] in "{[" and stripped[-1:] in "}]" and ('"name"' in stripped or '"tool_calls"' in stripped):
        return _from_json(_parse(stripped))
    short = [
        (place, Call(tool.name, {tool.text_argument: body.strip()}))
        for tool in tools.values()
        if tool.text_argument
        for place, body in _placed(text, f"<{tool.name}>", f"</{tool.name}>")
    ]
    if short:
        return [call for _, call in sorted(short, key=lambda found: found[0])]
    if fenced is not None and (argument := tools[fenced].text_argument) is not None:
        return [Call(fenced, {argument: code}) for code in fenced_blocks(text)]
    return []


def read_answer(reply: str) -> str | None:
    r"""The last `<answer>...</answer>` of a reply, else its last `\boxed{...}`; None where there is neither."""
    text = after_thought(reply)
    answers = list(between(text, f"<{ANSWER}>", f"</{ANSWER}>"))
    if answers:
        return answers[-1].strip()
    return _boxed(text)


def between(text: str, start: str, end: str) -> Iterator[str]:
    """Every stretch from `start` to the next `end`, without them."""
    return (body for _, body in _placed(text, start, end))


def fenced_blocks(text: str) -> list[str]:
    """The bodies of closed fenced blocks, their language tag left out."""
    blocks = []
    for body in text.split(_FENCE)[1:-1:2]:
        head, newline, rest = body.partition("\n")
        blocks.append(rest if newline and (not head.strip() or head.strip().isalnum()) else body)
    return blocks


def write_call(name: str, arguments: Mapping[str, Any]) -> str:
    """A reply that `read_calls` reads as this one call."""
    return f"<tool_call>{Call(name, dict(arguments)).to_json()}</tool_call>"


def write_answer(answer: str) -> str:
    """A reply that `read_answer` reads as this answer."""
    return f"<{ANSWER}>{answer}</{ANSWER}>"


def _placed(text: str, start: str, end: str) -> Iterator[tuple[int, str]]:
    place = text.find(start)
    while place >= 0:
        begin = place + len(start)
        stop = text.find(end, begin)
        if stop < 0:
            return
        yield place, text[begin:stop]
        place = text.find(start, stop + len(end))


def _parse(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadCall('a tool call is one JSON object, {"name": ..., "arguments": {...}}: this one is not') from None


def _from_json(found: Any) -> list[Call]:
    if isinstance(found, Mapping) and isinstance(found.get("tool_calls"), Sequence):
        found = found["tool_calls"]
    if isinstance(found, list):
        return [call for part in found for call in _from_json(part)]
    if isinstance(found, Mapping):
        inner = found.get("function")
        stated = inner if isinstance(inner, Mapping) else found
        name, arguments = stated.get("name"), stated.get("arguments", stated.get("parameters", {}))
        if isinstance(name, str):
            return [Call(name, _parse(arguments) if isinstance(arguments, str) else arguments)]
    raise BadCall('a tool call has a "name" and "arguments", {"name": ..., "arguments": {...}}')


def _boxed(text: str) -> str | None:
    r"""The inside of the last `\boxed{...}`, inner braces kept in pairs."""
    place = text.rfind("\\boxed{")
    if place < 0:
        return None
    begin, depth = place + len("\\boxed{"), 1
    for index in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return text[begin:index].strip()
    return None
