"""`HumanAgent`: a person at the table. Where and how the person is asked is the caller's business."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from turnwise.records import Reply, Request


class HumanLeft(Exception):
    """The person has left the game: it ends here, unfinished."""


class HumanAgent:
    """Replies with the text that `ask(request)` comes back with, once the person has written it.

    `ask` blocks as long as the person thinks, and raises HumanLeft where the person leaves. It shows
    `request.messages` and what is legal, and nothing else of the game: that is all this seat may know.
    """

    def __init__(self, ask: Callable[[Request], str], *, name: str = "human") -> None:
        self.ask, self.name = ask, name

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, one after the other. Raises HumanLeft."""
        return [self._reply(request) for request in requests]

    def _reply(self, request: Request) -> Reply:
        started = time.perf_counter()
        text = self.ask(request)
        return Reply(text=text, seconds=time.perf_counter() - started)
