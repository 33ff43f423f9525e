"""A batch in micro-batches, the same number for every rank. Their losses add up to the batch's, however it is cut."""

from __future__ import annotations

from dataclasses import replace

from turnwise.algorithms.batch import Batch, blocks, take_rows


def cut(batch: Batch, tokens: int, parts: int = 1) -> list[Batch]:
    """The batch in pieces of at most `tokens` padded tokens (or one row), in its order.

    parts: how many are worked on side by side. As many more pieces as fill the last round make all of them shorter; of
    a number of pieces, the longest one is as short as it can be.
    """
    found = blocks(batch, tokens)
    if parts > 1:
        wanted = -(-len(found) // parts) * parts
        found = blocks(batch, _least(batch, wanted, tokens))
    return [batch] if len(found) == 1 else [take_rows(batch, first, last) for first, last in found]


def _least(batch: Batch, wanted: int, most: int) -> int:
    """The least limit, in tokens, that cuts a batch into at most so many pieces; `most` does."""
    least = 1
    while least < most:
        middle = (least + most) // 2
        if len(blocks(batch, middle)) <= wanted:
            most = middle
        else:
            least = middle + 1
    return least


def share(pieces: list[Batch], rank: int, size: int) -> list[Batch]:
    """Every `size`-th piece, from number `rank` on; where the last round has none left for it, one that weighs nothing.

    So all ranks have as many, and meet as often.
    """
    rounds = -(-len(pieces) // size)
    mine = pieces[rank::size]
    return mine + [idle(pieces[0])] * (rounds - len(mine))


def idle(piece: Batch) -> Batch:
    """The shortest part of a piece, without anything to learn: its loss is 0, and so is its gradient."""
    row = take_rows(piece, 0, 1)
    return replace(row, mask=row.mask & False)
