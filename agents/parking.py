"""What was read before and may be read again: the caches of conversations that wait, and beginnings of many of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnwise.agents.kv import Parked, Trunk
from turnwise.agents.trunks import common

_TRUNKS = 8
"""Most beginnings that are remembered."""
_TRIES = 64
"""So many conversations may turn out to go on from elsewhere before no more of them are parked."""
_LEAST = 16
"""Tokens in common that make a beginning of use; they are at least half of the context."""


class Parking:
    """Caches by conversation, the latest ones last. Equal contexts are held once."""

    def __init__(self) -> None:
        self._holders: dict[Parked, set[str | None]] = {}
        """Cache -> conversations that stand there; longest unused first."""
        self._of: dict[str | None, Parked] = {}
        self._trunks: list[Trunk] = []
        self._found = self._missed = 0
        self.tokens = 0
        """In all of these caches, and in the trunks that are remembered."""

    @property
    def pays(self) -> bool:
        """Whether conversations go on from where they stood, as far as one has seen."""
        return self._missed < _TRIES or self._found > self._missed

    def keep(self, sessions: Iterable[str], parked: Parked) -> None:
        """These conversations stand at the end of this context."""
        holders: set[str | None] = set(sessions)
        if not holders:
            return
        if not self._of.keys().isdisjoint(holders):
            self._leave(holders)
        self._of |= dict.fromkeys(holders, parked)
        self._holders[parked] = holders
        self.tokens += parked.own

    def find(self, sessions: Sequence[str | None], context: tuple[int, ...]) -> Parked | None:
        """The cache that this context goes on from; the conversations stand nowhere then."""
        stood = self._leave(sessions)
        if not stood:
            return None
        for parked in stood:
            length = len(parked.tokens)
            if length < len(context) and context[:length] == parked.tokens:
                self._found += 1
                return parked
        self._missed += 1
        return None

    def _leave(self, sessions: Iterable[str | None]) -> list[Parked]:
        """Where these conversations stood, each once."""
        if not self._of:
            return []
        stood = [parked for parked in dict.fromkeys([self._of.pop(session, None) for session in sessions]) if parked]
        for parked in stood:
            holders = self._holders[parked]
            holders.difference_update(sessions)
            if not holders:
                self._drop(parked)
        return stood

    def _drop(self, parked: Parked) -> None:
        for session in self._holders.pop(parked):
            del self._of[session]
        self.tokens -= parked.own

    def trunk(self, context: tuple[int, ...]) -> tuple[Trunk | None, int]:
        """The beginning that has most in common with a context, and how many tokens; (None, 0) where that is little."""
        best: tuple[Trunk | None, int] = (None, 0)
        for trunk in self._trunks:
            if trunk.tokens[:_LEAST] != context[:_LEAST]:
                continue
            shared = min(common(trunk.tokens, context), len(context) - 1)
            if shared > best[1]:
                best = trunk, shared
        if best[0] is None or best[1] < max(_LEAST, len(context) // 2):
            return None, 0
        self._trunks.remove(best[0])
        self._trunks.append(best[0])
        return best

    def remember(self, trunk: Trunk) -> None:
        """Have other contexts begin with it."""
        self._trunks.append(trunk)
        self.tokens += len(trunk.tokens)
        if len(self._trunks) > _TRUNKS:
            self.tokens -= len(self._trunks.pop(0).tokens)

    def shrink(self, tokens: int) -> None:
        """Keep no more than so many, the latest ones."""
        for parked in [*self._holders]:
            if self.tokens <= tokens:
                return
            self._drop(parked)
        while self._trunks and self.tokens > tokens:
            self.tokens -= len(self._trunks.pop(0).tokens)

    def forget(self) -> None:
        """Everything: it was read with other weights."""
        self._holders.clear()
        self._of.clear()
        self._trunks.clear()
        self.tokens = self._found = self._missed = 0
