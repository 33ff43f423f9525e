"""The commands that need nothing beyond a plain `pip install turnwise`: `PLAIN`, `run_plain`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

PLAIN = {
    "check": "turnwise.envs.checker.command",
    "doctor": "turnwise.doctor",
    "new": "turnwise.scaffold.command",
}
"""Command -> module whose `main(words, program=...)` returns an exit code."""


def run_plain(command: str, words: Sequence[str]) -> int:
    """Run one of `PLAIN` with the words after its name. The exit code: 0, 1, or 2 for what cannot be asked."""
    code: int = import_module(PLAIN[command]).main(list(words), program=f"turnwise {command}")
    return code
