"""Rows of tokens as one tree: what rows begin with alike is there once, and nothing is padded.

The tokens of the tree stand in depth-first order: each row adds those behind what it shares with the row before. Rows
in lexicographic order share all that they can. Prompts of a group, forks at any depth and equal beginnings of
unrelated rows are one case; rows with nothing in common lie end to end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from turnwise.kernels.tree_attention import Blocks, Tree, Trunk

Ints = np.ndarray[Any, np.dtype[np.integer[Any]]]

FEW, MANY = 32, 128
"""Tokens of a stretch that the CPU's attention works on at once: rows that add fewer than FEW go together, rows that
add more than MANY come in parts."""
_SLACK, _CALL = 1.12, 4096
"""Stretches of unlike sizes are padded and go together as long as this is at most so many times the work plus so many
entries of the attention's scores, which is about what a call costs."""
_TRUNK = 16
"""Fewest tokens that a trunk is made of; what they and those behind them come to is worth some calls."""


@dataclass(frozen=True, slots=True)
class RowTree:
    """R rows of at most L tokens as a tree of N."""

    ids: Tensor
    """[N] int64."""
    positions: Tensor
    """[N] int64: of the token in its rows."""
    node: Tensor
    """[R, L] int64: which of the N tokens stands there; padding says 0."""
    attention: Tree
    """Who sees whom, and, on a CPU, how that is computed."""


def tree_of(ids: Tensor, lengths: Tensor, device: torch.device | None = None) -> RowTree:
    """The tree of these rows, on a device (None: theirs). It is made on the host: rows that lie there are read at once.

    Args:
        ids: [R, L] int64, padded on the right.
        lengths: [R] int64, each at least 1.
    """
    device = device or ids.device
    rows, sizes = ids.cpu().numpy(), lengths.cpu().numpy()
    shared = shared_lengths(rows, sizes)
    added = sizes - shared
    start: Ints = np.cumsum(added) - added
    total = int(added.sum())
    node, end, owner = _laid_out(sizes, shared, start, total, rows.shape[1])
    position: Ints = np.arange(total) - start[owner] + shared[owner]
    trunks = list(_trunks(start, shared, end)) if device.type == "cpu" else []
    blocks = tuple(_blocks(start, added, node, position, end, trunks)) if device.type == "cpu" else ()
    return RowTree(
        ids=torch.from_numpy(rows[owner, position]).to(device),
        positions=torch.from_numpy(position).to(device),
        node=torch.from_numpy(node).to(device),
        attention=Tree(torch.from_numpy(end).to(device), blocks, tuple(trunks)),
    )


def shared_lengths(ids: Ints, lengths: Ints) -> Ints:
    """[R] int64: how many tokens each row begins with like the row before; 0 for the first."""
    found = np.zeros(len(ids), dtype=np.int64)
    width = ids.shape[1]
    if len(ids) > 1:
        alike = ids[1:] == ids[:-1]
        apart = alike.argmin(1)  # 0 too where all are alike
        apart[alike[np.arange(len(apart)), apart]] = width
        found[1:] = np.minimum(apart, np.minimum(lengths[1:], lengths[:-1]))
    return found


def _laid_out(lengths: Ints, shared: Ints, start: Ints, total: int, width: int) -> tuple[Ints, Ints, Ints]:
    """(node [R, L], end [N] int32, owner [N]): the row that adds a token owns it.

    A row shares a token with the row that owns it until one branches off before that position; there the token ends.
    """
    rows, columns = np.arange(len(lengths)), np.arange(width)
    branches = columns >= shared[:, None]  # [R, L]: the row is not on the path of the row before any more
    owners = np.maximum.accumulate(np.where(branches, rows[:, None], 0), axis=0)
    node = (start - shared)[owners] + columns
    node[columns >= lengths[:, None]] = 0
    left = np.where(branches[1:], rows[1:, None], len(rows))
    left = np.minimum.accumulate(left[::-1], axis=0)[::-1]
    left = np.concatenate([left, np.full((1, width), len(rows))])  # [R, L]: the first later row that branches off
    own = branches & (columns < lengths[:, None])
    bounds = np.append(start, total).astype(np.int32)
    return node, bounds[left[own]], np.repeat(rows, lengths - shared)


def _trunks(start: Ints, shared: Ints, end: Ints) -> Iterator[Trunk]:
    """What all rows with the same first token begin with, where it is long enough to be looked at once for all of
    them."""
    for first in start[shared == 0].tolist():
        last = int(end[first])
        split = first + int(np.append(end[first:last] == last, False).argmin())
        if split - first >= _TRUNK and (split - first) * (last - split) >= 4 * _CALL:
            yield Trunk(slice(first, split), slice(split, last))


def _blocks(start: Ints, added: Ints, node: Ints, position: Ints, end: Ints, trunks: Sequence[Trunk]) -> list[Blocks]:
    """All tokens in stretches, those of like size side by side."""
    first, last, row = _stretches(start, added, trunks)
    above = np.zeros_like(first)  # tokens of its path that a stretch sees with others
    for trunk in trunks:
        inside = (trunk.queries.start <= first) & (first < trunk.queries.stop)
        above[inside] = trunk.keys.stop - trunk.keys.start
    depth = position[first]
    queries, keys = last - first, depth - above + last - first
    order = np.lexsort((keys, -(-queries // 16)))
    found, begin = [], 0
    most_queries = most_keys = work = 0
    for place, index in enumerate(order):
        n, w = int(queries[index]), int(keys[index])
        padded = (place + 1 - begin) * max(most_queries, n) * max(most_keys, w)
        if place > begin and padded > _SLACK * (work + n * w) + _CALL:
            found.append(_block(order[begin:place], first, last, row, above, depth, node, end))
            begin, most_queries, most_keys, work = place, 0, 0, 0
        most_queries, most_keys, work = max(most_queries, n), max(most_keys, w), work + n * w
    found.append(_block(order[begin:], first, last, row, above, depth, node, end))
    return found


def _stretches(start: Ints, added: Ints, trunks: Sequence[Trunk]) -> tuple[Ints, Ints, Ints]:
    """[first, last) tokens of each stretch, and the row that its first token belongs to."""
    bounds, rows = [], []
    begun = -FEW
    cuts = {bound for trunk in trunks for bound in (trunk.keys.start, trunk.queries.start)}
    for row, (place, count) in enumerate(zip(start.tolist(), added.tolist(), strict=True)):
        inside = sorted(cut for cut in cuts if place < cut < place + count)
        if place in cuts:
            begun = -FEW
        for begin, stop in pairwise([place, *inside, place + count]):
            size = stop - begin
            if not size or (begin - begun < FEW and size < FEW):
                continue
            parts = -(-size // MANY)
            bounds += [begin + part * size // parts for part in range(parts)]
            rows += [row] * parts
            begun = begin if size < FEW else -FEW
    total = int(start[-1] + added[-1])
    return np.array(bounds), np.array([*bounds[1:], total]), np.array(rows)


def _block(chosen: Ints, first: Ints, last: Ints, row: Ints, above: Ints, depth: Ints, node: Ints, end: Ints) -> Blocks:
    """Stretches side by side. What a stretch sees is the path to its first token, less a trunk, and the stretch."""
    first, last, row, above, depth = (part[chosen][:, None] for part in (first, last, row, above, depth))
    steps = np.arange(int((last - first).max()))
    columns = np.arange(int((depth - above + last - first).max())) + above
    queries = np.minimum(first + steps, last - 1)
    path = node[row, np.minimum(columns, np.maximum(depth - 1, 0))]
    keys = np.where(columns < depth, path, np.minimum(first + columns - depth, last - 1))
    bounds = np.where(columns < depth + last - first, end[keys], 0)
    asking, asked = queries.astype(np.int32)[..., None], keys.astype(np.int32)[:, None]
    seen = (asked <= asking) & (asking < bounds[:, None])
    mask = np.where(seen, np.float32(0), np.float32(-np.inf))
    repeated = first + steps >= last
    return Blocks(
        queries=torch.from_numpy(queries.reshape(-1)),
        keys=torch.from_numpy(keys),
        mask=torch.from_numpy(mask)[:, None],
        own=torch.from_numpy(np.flatnonzero(~repeated)) if repeated.any() else None,
    )
