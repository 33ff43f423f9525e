"""`Gate`: requests go through, or somebody changes what they read. Never both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """For one event loop."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._inside, self._shut = 0, False

    @asynccontextmanager
    async def through(self) -> AsyncIterator[None]:
        """The block of one who passes; waits while the gate is shut."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._shut)
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            async with self._changed:
                self._changed.notify_all()

    async def shut(self) -> None:
        """Let nobody in any more, and wait until all are out."""
        async with self._changed:
            self._shut = True
            await self._changed.wait_for(lambda: self._inside == 0)

    async def open(self) -> None:
        """Let everybody in again."""
        async with self._changed:
            self._shut = False
            self._changed.notify_all()
