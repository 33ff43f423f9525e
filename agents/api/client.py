"""`Client`: asks one server with patience. Pace, retries, a deadline, counters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from turnwise.agents.api.gate import Gate
from turnwise.agents.api.pace import Pace
from turnwise.agents.api.sdk import BadReply, is_transient, new_client, retry_after, sdk_of, told
from turnwise.agents.api.settings import ApiSettings
from turnwise.agents.api.usage import Usage
from turnwise.agents.engine import AgentFailure

T = TypeVar("T")
_log = logging.getLogger("turnwise.api")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 20.0
"""The wait before a retry is drawn from [0, limit]; the limit doubles from the first to the longest."""


class Client:
    """A connection pool to one server. Everything but the counters belongs to one event loop."""

    def __init__(self, settings: ApiSettings, usage: Usage) -> None:
        """Raises ValueError where a key is needed and not there."""
        self.settings, self.usage = settings, usage
        self._key, self._sdk = settings.key(), sdk_of(settings)
        self._client = new_client(settings, self._key)
        self.gate = Gate()
        """Requests go through it."""
        self._room = asyncio.Semaphore(settings.concurrency)
        self._pace = Pace(settings.requests_per_minute)

    async def ask(self, path: str, body: Mapping[str, Any], read: Callable[[dict[str, Any]], T]) -> T:
        """What `read` makes of the server's reply; a BadReply from it counts as none.

        Raises AgentFailure, saying what came instead.
        """
        full = {key: value for key, value in {**body, **self.settings.extra}.items() if value is not None}
        async with self._room, self.gate.through():
            await self._pace.turn()
            try:
                return await _Try(self, path, full, read, self.settings.retries + 1).patiently()
            except AgentFailure as failure:
                self.usage.failures += 1
                _log.info("%s", failure)
                raise

    async def command(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the server replies to one try, past pace and gate. Raises AgentFailure. `path` may be a whole URL."""
        return await _Try(self, path, body, lambda reply: reply, 1).patiently()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


class _Try(Generic[T]):
    """One request, tried until it is answered, refused or late."""

    def __init__(
        self, client: Client, path: str, body: Mapping[str, Any], read: Callable[[dict[str, Any]], T], most: int
    ) -> None:
        """most: tries."""
        self._client, self._path, self._body, self._read, self._most = client, path, body, read, most
        self._count, self._last = 0, ""

    async def patiently(self) -> T:
        """The reply. Raises AgentFailure."""
        settings, sdk = self._client.settings, self._client._sdk
        limit = f"within api.deadline_s={settings.deadline_s:g} s"
        try:
            async with asyncio.timeout(settings.deadline_s):
                reply: T = await self._retrying()(self._once)
                return reply
        except TimeoutError:
            last = f"; before, {self._last}" if self._last else ""
            raise AgentFailure(f"{settings.url} did not reply {limit} ({self._tries}{last})", "timeout") from None
        except (sdk.APIError, BadReply) as error:
            why = f"{settings.url} did not reply: {told(error, self._client._key)} ({self._tries})"
            if is_transient(sdk, error) and self._count < self._most:
                raise AgentFailure(f"{why}; there is no time for another {limit}", "timeout") from None
            raise AgentFailure(why) from None

    @property
    def _tries(self) -> str:
        return f"{self._count} {'try' if self._count == 1 else 'tries'}"

    async def _once(self) -> T:
        client = self._client
        if self._count:
            client.usage.retries += 1
            await client._pace.turn()
        self._count += 1
        client.usage.requests += 1
        try:
            reply = await client._client.post(self._path, cast_to=object, body=self._body)
        except ValueError:  # not JSON, though the server says so
            reply = None
        if not isinstance(reply, dict):
            raise BadReply("what it sent is not a JSON object")
        client.usage.count(reply.get("usage"), client.settings)
        return self._read(reply)

    def _retrying(self) -> Any:
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, stop_before_delay

        settings, sdk = self._client.settings, self._client._sdk
        return AsyncRetrying(
            retry=retry_if_exception(lambda error: is_transient(sdk, error)),
            wait=self._wait,
            stop=stop_after_attempt(self._most) | stop_before_delay(settings.deadline_s),
            reraise=True,
        )

    def _wait(self, state: Any) -> float:
        """Seconds until the next try: as long as the server asks, and a random while that grows."""
        from tenacity import wait_random_exponential

        error = state.outcome.exception()
        self._last = told(error, self._client._key)
        asked = retry_after(error) or 0.0
        if asked:
            self._client._pace.rest(asked)
        return asked + float(wait_random_exponential(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S)(state))
