"""The JSON object that a request brings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request


async def json_body(request: Request, longest: int) -> dict[str, Any]:
    """What a request of at most `longest` bytes holds. Raises ValueError where it is longer, or no JSON object."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > longest:
            raise ValueError(f"a request has at most {longest:,} bytes")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("a request is a JSON object")
    return found
