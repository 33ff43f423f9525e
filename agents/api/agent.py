"""`ApiAgent`: a language model behind an API, as an opponent, a judge, or who is evaluated."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence

from turnwise.agents.api.client import Client
from turnwise.agents.api.dialects import Tools, dialect_of
from turnwise.agents.api.line import Line
from turnwise.agents.api.sdk import require_sdk
from turnwise.agents.api.settings import ApiSettings
from turnwise.agents.api.usage import Usage
from turnwise.agents.engine import AgentFailure
from turnwise.envs.core import EnvFailure
from turnwise.records import Reply, Request

Answer = Reply | AgentFailure | EnvFailure
"""What comes of a request: the last where its game failed when it was looked at."""
_log = logging.getLogger("turnwise.api")


class ApiAgent:
    """Replies with what the model of a server says: text in, text out, no tokens.

    Requests are under way at once, `settings.concurrency` at most, and an episode waits for its own reply alone. Of a
    game it looks at the schemas of its tools, if `settings.native_tools` says so. A copy, and what comes out of a
    pickle, has connections and counters of its own.
    """

    def __init__(self, settings: ApiSettings, name: str | None = None) -> None:
        """Raises ValueError without a model or a needed key, MissingDependency without the provider's SDK."""
        if not settings.model:
            raise ValueError("api.model is what the server calls its model: got none")
        settings.key()
        require_sdk(settings)
        self.settings, self.name = settings, name or f"{settings.provider}:{settings.model}"
        self.usage = Usage()
        """What was asked for so far."""
        self._opening = threading.Lock()
        self._open: tuple[Line[Answer], Client] | None = None

    def __reduce__(self) -> tuple[type[ApiAgent], tuple[ApiSettings, str]]:
        return ApiAgent, (self.settings, self.name)

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order. Any thread may ask. Raises the failure of the first that has none."""
        line, client = self._connected()
        futures = [line.call(self._reply(client, request)) for request in requests]
        replies = []
        for reply in [future.result() for future in futures]:
            if isinstance(reply, Exception):
                raise reply
            replies.append(reply)
        return replies

    # One by one, for a rollout

    @property
    def stream(self) -> ApiAgent:
        """Takes requests and gives every reply as soon as it is there."""
        return self

    def submit(self, requests: Sequence[Request]) -> list[int]:
        """Hand requests in; returns their numbers."""
        line, client = self._connected()
        return line.submit([self._reply(client, request) for request in requests])

    def receive(self, timeout_s: float) -> list[tuple[int, Answer]]:
        """(number, reply or why there is none) of what is done by now; [] after `timeout_s`."""
        return self._connected()[0].receive(timeout_s)

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Forget these requests; those under way are broken off."""
        self._connected()[0].withdraw(numbers)

    def close(self) -> None:
        """Break off what is under way, and close all connections. The agent can be asked again."""
        with self._opening:
            opened, self._open = self._open, None
        if opened is not None:
            line, client = opened
            line.close(client.close())
            _log.info("%s: %s", self.name, self.usage)

    # Inside

    def _connected(self) -> tuple[Line[Answer], Client]:
        with self._opening:
            if self._open is None:
                self._open = Line(), Client(self.settings, self.usage)
            return self._open

    async def _reply(self, client: Client, request: Request) -> Answer:
        started, settings, dialect = time.perf_counter(), self.settings, dialect_of(self.settings)
        tools: Tools = ()
        try:
            if settings.native_tools and request.game is not None:
                tools = await asyncio.to_thread(request.game.tools)  # the game may be in another process
            said = await client.ask(dialect.path, dialect.body(settings, request, tools), dialect.read)
        except (AgentFailure, EnvFailure) as failure:
            return failure
        return Reply(text=said.text, finished=said.finished, seconds=time.perf_counter() - started)
