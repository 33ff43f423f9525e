"""From what a person types to a reply: by number, by part of a name, or as it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from turnwise.envs.parsing import write_action


def reply_of(typed: str, legal: Sequence[str] | None) -> str:
    """What is said. `3` is the third legal action unless an action is called so, and `#3` is it in any case."""
    text = typed.strip()
    if legal is None or text in legal:
        return text if legal is None else write_action(text, legal)
    number = text.removeprefix("#")
    if number.isdecimal() and number.isascii() and 1 <= int(number[:9]) <= len(legal):
        return write_action(legal[int(number) - 1], legal)
    return text


def suggestions(legal: Sequence[str] | None, typed: str, most: int = 8) -> list[str]:
    """The legal actions that what was typed may become: those that begin with it, then those that hold it."""
    key = typed.strip().strip("[]").casefold()
    known = legal or ()
    begun = [name for name in known if name.casefold().startswith(key)]
    return [*begun, *(name for name in known if key in name.casefold() and name not in begun)][:most]


def tool_lines(tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line a tool: its name, its arguments and what it does; and first, how a call is written."""
    lines = ['<tool_call>{"name": ..., "arguments": {...}}</tool_call> calls a tool, <answer>...</answer> answers']
    for schema in tools:
        tool = schema.get("function", schema)
        arguments = tool.get("parameters", {}).get("properties", {})
        shown = ", ".join(f"{name}: {kind.get('type', 'any')}" for name, kind in arguments.items())
        about = str(tool.get("description", "")).split("\n")[0]
        lines.append(f"{tool.get('name', json.dumps(tool))}({shown}): {about}")
    return lines
