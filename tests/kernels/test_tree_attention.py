"""Attention over a tree: the CPU's blocks and the Triton kernel against a dense mask, gradients too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from turnwise.algorithms.tree import tree_of
from turnwise.kernels.tree_attention import Tree, attention_of_some, narrowed, reference, tree_attention

Rows = list[tuple[int, ...]]


def tree(rows: Rows) -> Tree:
    width = max(map(len, rows))
    ids = torch.tensor([row + (0,) * (width - len(row)) for row in sorted(rows)])
    return tree_of(ids, torch.tensor([len(row) for row in sorted(rows)])).attention


def grown(seed: int, rows: int, longest: int, step: int) -> Rows:
    """Rows most of which begin as an earlier one does."""
    draw, found = np.random.default_rng(seed), [(1,)]
    while len(found) < rows:
        stem = found[draw.integers(len(found))] if draw.random() < 0.8 else ()
        stem = stem[: int(draw.integers(len(stem) + 1))]
        row = (stem + tuple(draw.integers(1, 5, int(draw.integers(1, step))).tolist()))[:longest]
        if row not in found:
            found.append(row)
    return found


TREES: dict[str, Rows] = {
    "one token": [(1,)],
    "one row": [(1, 2, 3, 4, 5)],
    "no row shares": [(1, 2, 3), (2, 2), (3,)],
    "a row inside another": [(1, 2), (1, 2, 3), (1, 2, 3, 4, 5)],
    "a group": [(1, 2, 3, 4, *end) for end in ((5, 6, 7), (6,), (8, 9), (9, 9, 9, 9))],
    "many small": grown(0, 40, 30, 6),
    "trunks": [(first, *range(60), *end) for first in (1, 2) for end in grown(first, 30, 30, 20)],
    "past one stretch": [tuple(range(1, 301)), tuple(range(1, 200)) + (7,) * 70, tuple(range(1, 150)) + (9,) * 40],
}


def inputs(
    tokens: int, *, heads: int = 4, pairs: int = 2, width: int = 8, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    """Query, key, value as a model makes them, heads inside tokens; and a gradient."""
    draw = torch.Generator().manual_seed(0)
    found = [
        torch.randn(1, tokens, n, width, generator=draw, dtype=torch.float64) for n in (heads, pairs, pairs, heads)
    ]
    return [part.to(dtype).transpose(1, 2).requires_grad_(part is not found[-1]) for part in found]


def compared(got: Tensor, expected: Tensor, given: Tensor, of: list[Tensor]) -> Iterator[float]:
    """How far a result and its gradients are apart."""
    yield float((got - expected).detach().abs().max())
    mine, theirs = (torch.autograd.grad(result, of, given, retain_graph=True) for result in (got, expected))
    yield from (float((a - b).abs().max()) for a, b in zip(mine, theirs, strict=True))


def test_who_sees_whom_by_hand() -> None:
    """(1 2) with (3) and (4 5) behind it, then (6): six tokens, three leaves."""
    found = tree([(1, 2, 3), (1, 2, 4, 5), (6,)])
    assert found.end.tolist() == [5, 5, 3, 5, 5, 6]
    query, key, value, _ = (part.float() for part in inputs(6, heads=1, pairs=1))
    out = tree_attention(torch.zeros_like(query), key, value, found)[0, 0]  # equal scores: means over what is seen
    paths = ([0], [0, 1], [0, 1, 2], [0, 1, 3], [0, 1, 3, 4], [5])
    assert torch.allclose(out, torch.stack([value[0, 0, path].mean(0) for path in paths]))


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("pairs", [4, 2, 1])
def test_blocks_are_the_dense_mask(name: str, pairs: int) -> None:
    found = tree(TREES[name])
    query, key, value, given = inputs(len(found.end), pairs=pairs)
    got = tree_attention(query, key, value, found, scale=0.3)
    expected = reference(query, key, value, found, scale=0.3)
    assert max(compared(got, expected, given, [query, key, value])) < 1e-12


@pytest.mark.parametrize("name", ["a group", "many small", "trunks", "past one stretch"])
def test_every_token_is_asked_once_and_sees_its_path(name: str) -> None:
    found = tree(TREES[name])
    size = len(found.end)
    seen = torch.zeros(size, size, dtype=torch.bool)
    for block in found.blocks:
        count, queries, _ = block.size
        for one, asking in enumerate(block.queries.view(count, queries)):
            for place, token in enumerate(asking):
                seen[token, block.keys[one][block.mask[one, 0, place] == 0]] = True
    for keys, queries in found.trunks:
        assert not seen[queries, keys].any()
        seen[queries, keys] = True
    tokens = torch.arange(size)
    assert torch.equal(torch.cat([block.tokens for block in found.blocks]).sort().values, tokens)
    assert torch.equal(seen, (tokens <= tokens[:, None]) & (tokens[:, None] < found.end))


@pytest.mark.parametrize("name", TREES)
def test_some_queries_are_answered_as_among_all(name: str) -> None:
    found = tree(TREES[name])
    size = len(found.end)
    query, key, value, given = inputs(size)
    expected = reference(query, key, value, found, scale=0.3)
    columns = [part[0].transpose(0, 1) for part in (query, key, value)]
    for asked in (torch.arange(0, size, 3), torch.tensor([size - 1]), torch.arange(size)):
        got = attention_of_some(columns[0][asked], *columns[1:], narrowed(found, asked), scale=0.3)
        of_some = (got.transpose(0, 1)[None], expected[:, :, asked], given[:, :, asked], [query, key, value])
        assert max(compared(*of_some)) < 1e-12


def test_gradients_are_those_of_differences() -> None:
    found = tree(TREES["a group"])
    query, key, value, _ = inputs(len(found.end), width=3)
    assert torch.autograd.gradcheck(lambda *parts: tree_attention(*parts, found), (query, key, value))


def test_half_precision_and_extreme_scores() -> None:
    found = tree(TREES["many small"])
    query, key, value, _ = inputs(len(found.end), dtype=torch.bfloat16)
    exact = reference(query.float(), key.float(), value.float(), found)
    assert (tree_attention(query, key, value, found).float() - exact).abs().max() < 0.03
    large = [part.detach().float() * 100 for part in (query, key)]
    got, expected = (of(*large, value.float(), found) for of in (tree_attention, reference))
    assert got.isfinite().all() and (got - expected).abs().max() < 1e-4
    with torch.autocast("cpu", torch.bfloat16):
        assert tree_attention(query.float(), key.float(), value, found).dtype == torch.bfloat16


def test_without_blocks_the_mask_is_dense() -> None:
    found = tree(TREES["a group"])
    query, key, value, _ = inputs(len(found.end))
    dense = tree_attention(query, key, value, Tree(found.end))
    assert (dense - tree_attention(query, key, value, found)).abs().max() < 1e-12


def test_shapes_that_do_not_fit_are_refused() -> None:
    found = tree([(1, 2, 3)])
    query, key, value, _ = inputs(3)
    for parts in ((query[:, :3], key, value), (query, key[:, :, :2], value), (query[0], key, value)):
        with pytest.raises(ValueError, match="a tree of 3 tokens takes query"):
            tree_attention(*parts, found)


# --- the Triton kernel ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pairs", "width"),
    [
        ("one token", 2, 16),
        ("one row", 4, 8),
        ("a group", 2, 16),
        ("a row inside another", 1, 20),
        ("many small", 2, 8),
    ],
)
def test_the_kernel_is_the_dense_mask(name: str, pairs: int, width: int, device: torch.device) -> None:
    """Sizes of 1, odd ones, heads of no power of 2, and more than one block of 16 tokens."""
    from turnwise.kernels.tree_attention_triton import attention

    found = tree(TREES[name])
    query, key, value, given = (
        part.detach().to(device).requires_grad_(part.requires_grad)
        for part in inputs(len(found.end), pairs=pairs, width=width, dtype=torch.float32)
    )
    end = found.end.to(device)
    got = attention(query, key, value, end, 0.3, block=16)
    expected = reference(query, key, value, Tree(end), scale=0.3)
    assert max(compared(got, expected, given, [query, key, value])) < 1e-5


def test_the_kernel_takes_bfloat16_and_repeats_itself(device: torch.device) -> None:
    from turnwise.kernels.tree_attention_triton import attention

    found = tree(TREES["many small"])
    query, key, value, given = (
        part.detach().to(device) for part in inputs(len(found.end), width=16, dtype=torch.bfloat16)
    )
    parts = [part.requires_grad_() for part in (query, key, value)]
    end = found.end.to(device)
    got, again = (attention(*parts, end, 0.25, block=16) for _ in range(2))
    exact = reference(*(part.float() for part in parts), Tree(end), scale=0.25)
    assert (got.float() - exact).detach().abs().max() < 0.03
    mine, repeated = (torch.autograd.grad(result, parts, given) for result in (got, again))
    theirs = torch.autograd.grad(exact, parts, given.float())
    for one, two, other in zip(mine, repeated, theirs, strict=True):
        assert torch.equal(one, two)
        assert (one.float() - other.float()).abs().max() < 0.05 * other.float().abs().max()


def test_the_kernel_refuses_wide_heads(device: torch.device) -> None:
    from turnwise.kernels.tree_attention_triton import attention

    query, key, value, _ = (part.detach().to(device) for part in inputs(3, width=260, dtype=torch.float32))
    with pytest.raises(ValueError, match="heads of at most 256: got 260; use layout=rows"):
        attention(query, key, value, torch.tensor([3, 3, 3], dtype=torch.int32, device=device), 1.0)
