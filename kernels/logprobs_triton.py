"""`logprobs.token_scores` on CUDA: products by cuBLAS in tiles of tokens and vocabulary, each read once by a kernel.

`_fold` takes a tile of logits into five numbers a token. `_turn` makes a tile, computed again, the gradient of its
logits. Both handle a row at a time, so nothing depends on the order in which programs run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from turnwise.kernels.logprobs import TILE, How, TokenScores, product

BLOCK = 4096
"""Choices that a program reads at a time."""
MAXIMUM, TOTAL, TARGET, WEIGHTED, SQUARES = range(5)
"""Rows of the state: largest logit m; sums of e = exp(z - m), e (z - m) and e^2; the token's own logit is TARGET."""


@triton.jit
def _capped(z, softcap):
    """softcap tanh(z / softcap), and tanh itself; by exp, since the interpreter has no tanh."""
    small = tl.exp(-2.0 * tl.abs(z / softcap))
    tanh = (1.0 - small) / (1.0 + small)
    tanh = tl.where(z < 0, -tanh, tanh)
    return softcap * tanh, tanh


@triton.jit
def _fold(
    tile,
    stride,
    bias,
    tokens,
    state,
    rows,
    first,
    columns,
    softcap,
    temperature,
    HAS_BIAS: tl.constexpr,
    HAS_CAP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Take a row of a tile [rows, columns] into the state [5, rows]; its first column is choice number `first`."""
    row = tl.program_id(0)
    token = tl.load(tokens + row) - first
    maximum = tl.load(state + row)
    total = tl.load(state + rows + row)
    target = tl.load(state + 2 * rows + row)
    weighted = tl.load(state + 3 * rows + row)
    squares = tl.load(state + 4 * rows + row)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < columns
        z = tl.load(tile + row.to(tl.int64) * stride + at, mask=inside, other=float("-inf"))
        if HAS_BIAS:
            z += tl.load(bias + first + at, mask=inside, other=0.0)
        if HAS_CAP:
            z, _ = _capped(z, softcap)
        z = tl.where(inside, z / temperature, float("-inf"))
        target += tl.sum(tl.where(inside & (at == token), z, 0.0), axis=0)
        highest = tl.maximum(maximum, tl.max(z, axis=0))
        base = tl.where(highest == float("-inf"), 0.0, highest)
        moved = tl.where(total > 0.0, maximum - base, 0.0)
        scale = tl.exp(moved)
        e = tl.exp(z - base)
        weighted = scale * (weighted + total * moved) + tl.sum(e * tl.where(e > 0.0, z - base, 0.0), axis=0)
        total = total * scale + tl.sum(e, axis=0)
        squares = squares * scale * scale + tl.sum(e * e, axis=0)
        maximum = highest
    tl.store(state + row, maximum)
    tl.store(state + rows + row, total)
    tl.store(state + 2 * rows + row, target)
    tl.store(state + 3 * rows + row, weighted)
    tl.store(state + 4 * rows + row, squares)


@triton.jit
def _turn(
    tile,
    stride,
    out,
    bias,
    tokens,
    numbers,
    rows,
    first,
    columns,
    softcap,
    temperature,
    HAS_BIAS: tl.constexpr,
    HAS_CAP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A block of a tile's row becomes the gradient of its raw logits, see `logprobs._turned`.

    numbers: [5, rows]: logsumexp, the gradients of log p, entropy and squares, and what is the same for all choices.
    out: may be the tile.
    """
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < columns
    place = row.to(tl.int64) * stride + at
    z = tl.load(tile + place, mask=inside, other=0.0)
    if HAS_BIAS:
        z += tl.load(bias + first + at, mask=inside, other=0.0)
    slope = 1.0
    if HAS_CAP:
        z, tanh = _capped(z, softcap)
        slope = 1.0 - tanh * tanh
    log_p = z / temperature - tl.load(numbers + row)
    of_token = tl.load(numbers + rows + row)
    of_entropy = tl.load(numbers + 2 * rows + row)
    of_squares = tl.load(numbers + 3 * rows + row)
    constant = tl.load(numbers + 4 * rows + row)
    p = tl.exp(log_p)
    nats = tl.where(p > 0.0, log_p, 0.0)
    found = p * (constant - of_entropy * nats + 2.0 * of_squares * p)
    found += tl.where(at == tl.load(tokens + row) - first, of_token, 0.0)
    tl.store(out + place, (found * slope / temperature).to(out.dtype.element_ty), mask=inside)


def _tiles(tokens: int, vocabulary: int) -> Iterator[tuple[slice, Iterator[slice]]]:
    """Parts of the vocabulary, and with each all parts of the tokens."""
    rows, columns = TILE
    for first in range(0, vocabulary, columns):
        yield slice(first, min(first + columns, vocabulary)), (slice(s, s + rows) for s in range(0, tokens, rows))


def _block(columns: int) -> int:
    found: int = triton.next_power_of_2(columns)
    return min(BLOCK, found)


class TiledScores(torch.autograd.Function):
    """Log-probs, entropy, squares; see `logprobs.token_scores`. Without a reference."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, tokens: Tensor, how: How
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        state = hidden.new_zeros((5, len(hidden)), dtype=torch.float32)
        state[MAXIMUM] = -torch.inf
        factor = hidden.to(how.dtype)
        for choices, parts in _tiles(len(hidden), len(weight)):
            right = weight[choices].to(how.dtype).t()
            for rows in parts:
                tile = product(factor[rows], right, how.dtype)
                own = state[:, rows].contiguous()
                _fold[(len(tile),)](
                    tile,
                    tile.stride(0),
                    tile if bias is None else bias,
                    tokens[rows],
                    own,
                    len(tile),
                    choices.start,
                    tile.shape[1],
                    how.softcap or 1.0,
                    how.temperature,
                    bias is not None,
                    how.softcap is not None,
                    _block(tile.shape[1]),
                )
                state[:, rows] = own
        logsumexp = state[MAXIMUM] + state[TOTAL].log()
        entropy = state[TOTAL].log() - state[WEIGHTED] / state[TOTAL]
        squares = state[SQUARES] / state[TOTAL] ** 2
        ctx.how = how
        ctx.save_for_backward(hidden, weight, bias, tokens, logsumexp, entropy, squares)
        found = (entropy if how.entropy else None, squares if how.squares else None, None)
        return state[TARGET] - logsumexp, *found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, tokens, *known = ctx.saved_tensors
        how, (for_hidden, for_weight, for_bias, *_) = ctx.how, ctx.needs_input_grad
        numbers = _numbers(grads[:3], known)
        d_hidden = torch.zeros_like(hidden, dtype=torch.float32) if for_hidden else None
        d_weight = torch.empty_like(weight) if for_weight else None
        d_bias = torch.empty_like(bias) if for_bias else None
        with torch.autocast(hidden.device.type, enabled=False):
            factor = hidden.to(how.dtype)
            for choices, parts in _tiles(len(hidden), len(weight)):
                right = weight[choices].to(how.dtype)
                of_weight = torch.zeros_like(right, dtype=torch.float32)
                of_bias = of_weight.new_zeros(len(right))
                for rows in parts:
                    turned = _turned(factor[rows], right, bias, tokens[rows], numbers[:, rows], choices.start, how)
                    if d_hidden is not None:
                        d_hidden[rows] += product(turned, right, how.dtype)
                    if d_weight is not None:
                        of_weight += product(turned.t(), factor[rows], how.dtype)
                    if d_bias is not None:
                        of_bias += turned.sum(0, dtype=torch.float32)
                if d_weight is not None:
                    d_weight[choices] = of_weight
                if d_bias is not None:
                    d_bias[choices] = of_bias
        return None if d_hidden is None else d_hidden.to(hidden.dtype), d_weight, d_bias, None, None


def _numbers(grads: tuple[Tensor | None, ...], known: list[Tensor]) -> Tensor:
    """[5, M] float32, see `_turn`."""
    logsumexp, entropy, squares = known
    zeros = torch.zeros_like(logsumexp)
    of_token, of_entropy, of_squares = (zeros if grad is None else grad for grad in grads)
    constant = -of_token - 2.0 * of_squares * squares
    if grads[1] is not None:
        constant = constant - of_entropy * entropy
    return torch.stack([logsumexp, of_token, of_entropy, of_squares, constant])


def _turned(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, tokens: Tensor, numbers: Tensor, first: int, how: How
) -> Tensor:
    """[rows, columns] in how.dtype: the gradient of a tile's logits."""
    tile = product(hidden, weight.t(), how.dtype)
    out = tile if how.dtype == torch.float32 else torch.empty_like(tile, dtype=how.dtype)
    block = _block(tile.shape[1])
    _turn[(len(tile), triton.cdiv(tile.shape[1], block))](
        tile,
        tile.stride(0),
        out,
        tile if bias is None else bias,
        tokens,
        numbers.contiguous(),
        len(tile),
        first,
        tile.shape[1],
        how.softcap or 1.0,
        how.temperature,
        bias is not None,
        how.softcap is not None,
        block,
    )
    return out


def token_scores(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    tokens: Tensor,
    *,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    squares: bool = False,
    dtype: torch.dtype = torch.float32,
) -> TokenScores:
    """What `logprobs.token_scores` finds, by the kernels wherever the tensors lie. dtype: of what products multiply."""
    how = How(temperature, softcap, entropy, squares, dtype, keep=False)
    return TokenScores(*TiledScores.apply(hidden, weight, bias, tokens, how))
