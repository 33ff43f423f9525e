"""Lexical search by tantivy: builds faster than bm25s and holds millions of passages. Extra `search`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from turnwise.envs.cache import cached_folder
from turnwise.envs.search.bm25 import MOST_TERMS
from turnwise.envs.search.passages import Corpus, Passage

_TERM = re.compile(r"\w+")
_LONGEST_TERM = 39  # tantivy's own tokenizer drops longer ones
_HEAP = 128_000_000  # bytes for the writer


class TantivyRetriever:
    """BM25 by tantivy. A query is a bag of words: none of tantivy's query syntax is understood, or can be misused."""

    def __init__(self, corpus: Corpus, key: str) -> None:
        self.corpus, self.key = corpus, key
        self._index: Any = None

    def search(self, query: str, count: int) -> list[Passage]:
        """At most `count` passages that share a word with the query, the best first."""
        import tantivy

        if self._index is None:
            self._index = tantivy.Index.open(str(cached_folder("tantivy", self.key, self._build)))
        terms = [term.lower() for term in _TERM.findall(query[:2000]) if len(term) <= _LONGEST_TERM][:MOST_TERMS]
        if not terms:
            return []
        schema = self._index.schema
        words = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "contents", term)) for term in terms]
        searcher = self._index.searcher()
        hits = searcher.search(tantivy.Query.boolean_query(words), count).hits
        return [self.corpus[searcher.doc(address)["number"][0]] for _, address in hits]

    def _build(self, folder: Path) -> None:
        import tantivy

        index = tantivy.Index(_schema(), path=str(folder))
        writer = index.writer(_HEAP, 1)
        for number in range(len(self.corpus)):
            writer.add_document(tantivy.Document(number=number, contents=self.corpus[number].contents))
        writer.commit()
        writer.wait_merging_threads()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_index": None}


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", stored=True)
    builder.add_text_field("contents", stored=False)
    return builder.build()
