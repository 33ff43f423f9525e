"""Tool calls as they stand in records: JSON objects with a name and arguments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class ToolCall(NamedTuple):
    """A call of a tool."""

    name: str
    arguments: Mapping[str, Any]


def read_calls(calls: Iterable[str | Mapping[str, Any]]) -> list[ToolCall] | None:
    """The calls of JSON texts or of mappings with `name` and `arguments` (or `parameters`).

    None where one of them is no such call: then nothing can be said about any.
    """
    read = [_read(call) for call in calls]
    known = [call for call in read if call is not None]
    return known if len(known) == len(read) else None


def _read(call: str | Mapping[str, Any]) -> ToolCall | None:
    try:
        found = json.loads(call) if isinstance(call, str) else call
    except ValueError:
        return None
    if not isinstance(found, Mapping):
        return None
    name, arguments = found.get("name"), found.get("arguments", found.get("parameters"))
    return ToolCall(name, arguments) if isinstance(name, str) and isinstance(arguments, Mapping) else None
