"""Which corpus is searched, and by whom: settings that can be pickled, and what they stand for in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from turnwise.envs.cache import cache_key
from turnwise.envs.search.bm25 import BM25Retriever
from turnwise.envs.search.corpora import shared_corpus
from turnwise.envs.search.dense import DenseRetriever, Embed
from turnwise.envs.search.http import HTTPRetriever
from turnwise.envs.search.passages import Corpus, Retriever
from turnwise.envs.search.tantivy_index import TantivyRetriever
from turnwise.envs.search.world import SIZES, VERSION, shared_world

RETRIEVERS = ("bm25", "tantivy", "dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A corpus and the way to search it. Equal sources share one index in a process."""

    size: int = 2000
    """Passages of the closed world."""
    world: int = 0
    """Seed of the closed world."""
    corpus: str | None = None
    """A file of passages in place of the closed world."""
    retriever: str = "bm25"
    """"bm25", "tantivy", "dense", or the url of a server that speaks `/retrieve`."""
    embed: Embed | None = field(default=None)
    """For "dense": a function of a module."""
    deadline_s: float = 10.0
    """For a server: the longest that a search may take."""

    def __post_init__(self) -> None:
        if self.corpus is None and not SIZES[0] <= self.size <= SIZES[1]:
            raise ValueError(f"size is a number of passages from {SIZES[0]} to {SIZES[1]:,}: got {self.size}")
        if self.retriever not in RETRIEVERS and not self.retriever.startswith(("http://", "https://")):
            raise ValueError(f"retriever is {', '.join(RETRIEVERS)} or a url: got {self.retriever!r}")
        if (self.embed is not None) != (self.retriever == "dense"):
            raise ValueError('embed=, a function from texts to vectors, goes with retriever="dense"')

    def open(self) -> Retriever:
        """The retriever, the same one for equal sources of this process."""
        return _opened(self)


@lru_cache(maxsize=8)
def _opened(source: Source) -> Retriever:
    if source.retriever.startswith("http"):
        return HTTPRetriever(source.retriever, deadline_s=source.deadline_s)
    corpus, key = _corpus(source)
    if source.embed is not None:
        return DenseRetriever(corpus, cache_key(corpus=key, embed=_qualified(source.embed)), source.embed)
    return (BM25Retriever if source.retriever == "bm25" else TantivyRetriever)(corpus, key)


def _corpus(source: Source) -> tuple[Corpus, str]:
    if source.corpus is not None:
        found = shared_corpus(source.corpus)
        return found, found.key
    return shared_world(source.size, source.world), cache_key(size=source.size, world=source.world, version=VERSION)


def _qualified(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"
