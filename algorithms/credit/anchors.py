"""Which steps were taken from the same state: clusters of anchors, equal or similar."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher

import numpy as np

from turnwise.algorithms.credit.groups import Ids, group_ids


def clusters(scopes: Sequence[Hashable], anchors: Sequence[str | None], similarity: float | None = None) -> Ids:
    """[R] numbers, equal for steps of one scope that were taken from the same state.

    Args:
        scopes: [R] whose anchors may meet: the group of each step.
        anchors: [R] key of the state before each step; None is a state that nobody shares.
        similarity: None for equal keys. Else steps are walked in order, and each joins the oldest cluster of its
            scope whose first member is at least this similar (`difflib`'s ratio, in (0, 1]).
    """
    heads = list(anchors) if similarity is None else _first_members(scopes, anchors, similarity)
    names: list[Hashable] = [
        index if head is None else (scope, head) for index, (scope, head) in enumerate(zip(scopes, heads, strict=True))
    ]
    return group_ids(names, len(names)) if names else np.zeros(0, dtype=np.intp)


def _first_members(scopes: Sequence[Hashable], anchors: Sequence[str | None], similarity: float) -> list[str | None]:
    """[R] the first member of each step's cluster. Equal anchors always share one: each text is compared once."""
    seen: dict[tuple[Hashable, str], str] = {}
    oldest: dict[Hashable, list[str]] = {}
    heads: list[str | None] = []
    for scope, anchor in zip(scopes, anchors, strict=True):
        if anchor is not None and (scope, anchor) not in seen:
            known = oldest.setdefault(scope, [])
            head = _similar(anchor, known, similarity)
            if head is None:
                known.append(anchor)
            seen[scope, anchor] = anchor if head is None else head
        heads.append(None if anchor is None else seen[scope, anchor])
    return heads


def _similar(anchor: str, heads: Sequence[str], similarity: float) -> str | None:
    matcher = SequenceMatcher(None, "", anchor)  # it keeps what it learns of its second text
    for head in heads:
        matcher.set_seq1(head)
        # The first two are upper bounds of the third and much cheaper.
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) >= similarity and matcher.ratio() >= similarity:
            return head
    return None
