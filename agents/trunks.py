"""Which beginnings of contexts are worth keeping once for several rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Ids = tuple[int, ...]
_SHORTEST = 16
"""Tokens of a beginning that is looked at."""
_WORTH = 512
"""Tokens that all rows together need not read at every step."""


def common(left: Ids, right: Ids) -> int:
    """Tokens at the beginning that are alike."""
    alike, most = 0, min(len(left), len(right))
    if left[:most] == right[:most]:
        return most
    while most - alike > 1:  # alike up to `alike`, not up to `most`
        middle = (alike + most) // 2
        if left[alike:middle] == right[alike:middle]:
            alike = middle
        else:
            most = middle
    return alike


def trunks_of(contexts: Sequence[tuple[Ids, int]]) -> Iterator[tuple[Ids, list[Ids]]]:
    """(beginning, contexts that begin with it and go on) of those that are worth it.

    contexts: each once, with the number of requests for it.
    """
    cluster: list[tuple[Ids, int]] = []
    shared = 0
    for context, count in sorted(contexts):
        alike = common(cluster[0][0][:shared], context[:-1]) if cluster else 0
        if cluster and alike >= max(_SHORTEST, len(cluster[0][0]) // 2):
            cluster.append((context, count))
            shared = alike
            continue
        yield from _worthy(cluster, shared)
        cluster, shared = [(context, count)], len(context) - 1
    yield from _worthy(cluster, shared)


def _worthy(cluster: Sequence[tuple[Ids, int]], shared: int) -> Iterator[tuple[Ids, list[Ids]]]:
    saved = shared * (sum(count for _, count in cluster) - 1)
    if shared >= _SHORTEST and saved >= _WORTH:
        yield cluster[0][0][:shared], [context for context, _ in cluster]
