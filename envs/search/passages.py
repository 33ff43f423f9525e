"""`Passage`, `Corpus` and `Retriever`: what is searched, and who searches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

Corpus = Sequence["Passage"]
"""Passages by number. A corpus need not hold them in memory."""


class Passage(NamedTuple):
    """A titled text of about a hundred words."""

    title: str
    text: str

    @property
    def contents(self) -> str:
        """What is indexed: the title and the text."""
        return f"{self.title}\n{self.text}"


class Retriever(Protocol):
    """Finds passages."""

    def search(self, query: str, count: int) -> list[Passage]:
        """At most `count` passages, the best first; the same query, the same passages."""
