"""One JSON object after another over a stream: four bytes of length, then the text. Both sides use it."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

HEAD = struct.Struct("<I")


def pack(message: dict[str, Any]) -> bytes:
    """The bytes of one message, plain ASCII."""
    body = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return HEAD.pack(len(body)) + body


def receive(descriptor: int) -> dict[str, Any] | None:
    """The next message of a trusted sender, None where the stream ends."""
    head = _exactly(descriptor, HEAD.size)
    body = head and _exactly(descriptor, HEAD.unpack(head)[0])
    return json.loads(body) if body else None


def send(descriptor: int, message: dict[str, Any]) -> None:
    """Write one message whole."""
    rest = memoryview(pack(message))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _exactly(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
