"""A batch in micro-batches, the same number for every rank. Their losses add up to the batch's, however it is cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from turnwise.algorithms.batch import Batch, blocks, by_length, take_rows, to_device
from turnwise.algorithms.tree import shared_lengths, tree_of

_WORTH = 1.05
"""Padded tokens for each distinct one, up to which rows stay rows on a CPU: with 1 they take 0.93 to 0.99 of the time
of their tree."""
Bounds = list[tuple[int, int]]
"""[first, last) rows of each piece."""


def in_order(batch: Batch, layout: str) -> Batch:
    """The batch with its rows as this layout wants them: by their tokens for a tree (as they are packed), by length."""
    return by_length(batch) if layout == "rows" else batch


def cut(batch: Batch, tokens: int, parts: int = 1, layout: str = "rows") -> list[Batch]:
    """`slices` of a batch, each laid out."""
    return [ready_piece(piece, layout) for piece in slices(batch, tokens, parts, layout)]


def slices(batch: Batch, tokens: int, parts: int = 1, layout: str = "rows") -> list[Batch]:
    """The batch in pieces of at most `tokens` tokens (or one row), in its order.

    parts: how many are worked on side by side. As many more pieces as fill the last round make all of them shorter; of
    a number of pieces, the longest one is as short as it can be.
    layout: with `rows`, padding counts; with `tree`, what rows of a piece share counts once.
    """
    if parts == 1 and batch.ids.numel() <= tokens:
        return [batch]
    bounds = _branches(batch) if layout == "tree" else lambda limit: blocks(batch, limit)
    found = bounds(tokens)
    if parts > 1:
        wanted = -(-len(found) // parts) * parts
        found = bounds(_least(bounds, wanted, tokens))
    return [batch] if len(found) == 1 else [take_rows(batch, first, last) for first, last in found]


def ready_piece(piece: Batch, layout: str, device: torch.device | None = None) -> Batch:
    """The piece ready to be computed with, on a device (None: where it is).

    With `tree` its rows are laid over each other, but for pieces that a CPU is faster with as rows.
    """
    moved = piece if device is None else to_device(piece, device)
    if layout == "rows" or _better_as_rows(moved):
        return moved
    return replace(moved, tree=tree_of(piece.ids, piece.lengths, moved.ids.device))


def as_tree(piece: Batch) -> Batch:
    """The piece with its rows laid over each other."""
    return replace(piece, tree=tree_of(piece.ids, piece.lengths))


def _better_as_rows(piece: Batch) -> bool:
    """Whether a CPU computes the padded rows sooner: next to nothing is shared, and next to nothing padded."""
    if piece.ids.device.type != "cpu":
        return False
    lengths = piece.lengths.numpy()
    distinct = lengths - shared_lengths(piece.ids.numpy(), lengths)
    return bool(piece.ids.numel() <= _WORTH * distinct.sum())


def _branches(batch: Batch) -> Callable[[int], Bounds]:
    """Limit -> bounds of pieces with at most so many distinct tokens each.

    A cut repeats what the rows at its sides share. So, among the places that leave a piece at least half full, it is
    made where they share least, and of several such places at the last.
    """
    lengths = batch.lengths.cpu().numpy()
    shared = shared_lengths(batch.ids.cpu().numpy(), lengths)
    before = np.concatenate([[0], np.cumsum(lengths - shared)])  # [R + 1]: distinct tokens of the rows before
    alone = shared - before[:-1]  # what a piece that begins at a row has more than the rest of the whole tree

    def bounds(limit: int) -> Bounds:
        found, start, rows = [], 0, len(lengths)
        while start < rows:
            size = before[start + 1 :] + alone[start]  # of a piece that ends after this row
            stop = start + max(1, int(np.searchsorted(size, limit, side="right")))
            if stop < rows:
                half = start + 1 + int(np.searchsorted(size[: stop - start], limit / 2))
                half = min(half, stop)
                stop -= int(shared[half : stop + 1][::-1].argmin())
            found.append((start, stop))
            start = stop
        return found

    return bounds


def _least(bounds: Callable[[int], Bounds], wanted: int, most: int) -> int:
    """The least limit, in tokens, that cuts a batch into at most so many pieces; `most` does."""
    least = 1
    while least < most:
        middle = (least + most) // 2
        if len(bounds(middle)) <= wanted:
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
    return mine if len(mine) == rounds else [*mine, idle(pieces[0])]


def idle(piece: Batch) -> Batch:
    """A row of a piece, without anything to learn: its loss is 0, and so is its gradient."""
    row = take_rows(piece, 0, 1)
    row = replace(row, mask=row.mask & False)
    return row if piece.tree is None else as_tree(row)
