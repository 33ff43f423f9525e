"""Lexical search by BM25 (bm25s), with an index on disk that every process maps into its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from turnwise.envs.cache import cached_folder
from turnwise.envs.search.passages import Corpus, Passage

MOST_TERMS = 64
"""Words of a query that are looked up; the rest are left out."""
_LONGEST_QUERY = 2000  # characters


class BM25Retriever:
    """Okapi BM25 (k1 = 1.5, b = 0.75) over titles and texts, English stop words left out, nothing stemmed.

    key: name of the index in the cache; what determines the corpus determines the key. The index is built or opened at
    the first search.
    """

    def __init__(self, corpus: Corpus, key: str) -> None:
        self.corpus, self.key = corpus, key
        self._index: Any = None

    def search(self, query: str, count: int) -> list[Passage]:
        """At most `count` passages that share a word with the query, by falling score, then by number."""
        scores = self._scores(query)
        count = min(count, len(scores))
        best = np.argpartition(-scores, count - 1)[:count] if count < len(scores) else np.arange(len(scores))
        order = best[np.lexsort((best, -scores[best]))]
        return [self.corpus[int(i)] for i in order if scores[i] > 0]

    def _scores(self, query: str) -> np.ndarray:
        """[passages] float32."""
        import bm25s

        if self._index is None:
            folder = cached_folder("bm25", self.key, self._build)
            self._index = bm25s.BM25.load(str(folder), mmap=True, show_progress=False)
        terms = bm25s.tokenize([query[:_LONGEST_QUERY]], return_ids=False, show_progress=False)[0]
        known = [term for term in terms if term in self._index.vocab_dict][:MOST_TERMS]
        if not known:
            return np.zeros(len(self.corpus), dtype=np.float32)
        found: np.ndarray = self._index.get_scores(known)
        return found

    def _build(self, folder: Path) -> None:
        import bm25s

        texts = [self.corpus[i].contents for i in range(len(self.corpus))]
        index = bm25s.BM25()
        index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
        index.save(str(folder), show_progress=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_index": None}
