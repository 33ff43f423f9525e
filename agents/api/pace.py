"""`Pace`: when the next request to a server may begin."""

from __future__ import annotations

import asyncio
import time


class Pace:
    """Spreads begins evenly, and has everybody wait where the server asked one to. For one event loop."""

    def __init__(self, per_minute: float | None) -> None:
        self._gap_s = 60 / per_minute if per_minute else 0.0
        self._next = self._resting = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        while True:
            now = time.monotonic()
            mine = max(self._next, self._resting, now)
            self._next = mine + self._gap_s
            if mine > now:
                await asyncio.sleep(mine - now)
            if self._resting <= time.monotonic():  # else somebody was told to wait meanwhile
                return

    def rest(self, seconds: float) -> None:
        """Nobody begins for so long."""
        self._resting = max(self._resting, time.monotonic() + seconds)
