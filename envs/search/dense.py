"""Dense search: the user's embedder, faiss over its vectors. Extra `search`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.envs.cache import cached_folder
from turnwise.envs.search.passages import Corpus, Passage

Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts -> [texts, width] float32. Similarity is the inner product."""

MOST_FLAT = 200_000
"""Passages up to which every vector is compared; above, an inverted file of 8-bit codes is mapped from disk."""
_BATCH = 1024
_VECTORS, _INDEX = "vectors.npy", "faiss.index"


class DenseRetriever:
    """Passages by inner product of embeddings.

    key: name of the index in the cache; it has to change with the corpus and with the embedder. engine: "faiss", or
    "numpy" for an exact comparison without faiss. Raises ValueError on another engine.
    """

    def __init__(self, corpus: Corpus, key: str, embed: Embed, *, engine: str = "faiss") -> None:
        if engine not in ("faiss", "numpy"):
            raise ValueError(f"engine is faiss or numpy: got {engine!r}")
        self.corpus, self.key, self.embed, self.engine = corpus, key, embed, engine
        self._index: Any = None

    def search(self, query: str, count: int) -> list[Passage]:
        """The `count` passages with the largest inner product, the best first."""
        if self._index is None:
            self._index = self._open(cached_folder(f"dense-{self.engine}", self.key, self._build))
        vector = _vectors(self.embed([query]), 1)
        count = min(count, len(self.corpus))
        if self.engine == "numpy":
            products = self._index @ vector[0]
            numbers = np.lexsort((np.arange(len(products)), -products))[:count]
        else:
            numbers = self._index.search(vector, count)[1][0]
        return [self.corpus[int(number)] for number in numbers if number >= 0]

    def _open(self, folder: Path) -> Any:
        if self.engine == "numpy":
            return np.load(folder / _VECTORS, mmap_mode="r")
        import faiss

        return faiss.read_index(str(folder / _INDEX), faiss.IO_FLAG_MMAP)

    def _build(self, folder: Path) -> None:
        vectors = np.concatenate([self._embedded(i) for i in range(0, len(self.corpus), _BATCH)])
        if self.engine == "numpy":
            np.save(folder / _VECTORS, vectors)
            return
        import faiss

        width = vectors.shape[1]
        kind = "Flat" if len(vectors) <= MOST_FLAT else f"IVF{int(4 * len(vectors) ** 0.5)},SQ8"
        index = faiss.index_factory(width, kind, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
        index.add(vectors)
        faiss.write_index(index, str(folder / _INDEX))

    def _embedded(self, start: int) -> np.ndarray:
        texts = [self.corpus[i].contents for i in range(start, min(start + _BATCH, len(self.corpus)))]
        return _vectors(self.embed(texts), len(texts))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_index": None}


def _vectors(found: np.ndarray, count: int) -> np.ndarray:
    """Raises ValueError unless the embedder gave one finite vector per text."""
    vectors = np.ascontiguousarray(found, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
        raise ValueError(f"an embedder returns one finite vector per text: got shape {vectors.shape} for {count} texts")
    return vectors
