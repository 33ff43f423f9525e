"""Triton kernels of `tree_attention.tree_attention`: forward and backward, blocks of keys that nobody sees left out.

Scores are in units of ln 2. A block of queries goes over a list of blocks of keys: those up to its own whose largest
`end` lies behind its first query (a list, since a condition inside the loop would keep it from loading ahead). A block
of keys goes over the queries up to that largest `end`. Every program adds up what it stores by itself, in one order: no
atomics.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_LOG2E = 1.4426950408889634


@triton.jit
def _tile(pointer, rows, token_stride, tokens, D: tl.constexpr, WIDTH: tl.constexpr, WIDE: tl.constexpr):
    """[rows, WIDTH] of a head, 0 outside; WIDE: in float32."""
    width = tl.arange(0, WIDTH)
    inside = (rows < tokens)[:, None] & (width < D)[None, :]
    tile = tl.load(pointer + rows.to(tl.int64)[:, None] * token_stride + width[None, :], mask=inside, other=0.0)
    return tile.to(tl.float32) if WIDE else tile


@triton.jit
def _put(pointer, tile, rows, token_stride, tokens, D: tl.constexpr, WIDTH: tl.constexpr):
    width = tl.arange(0, WIDTH)
    inside = (rows < tokens)[:, None] & (width < D)[None, :]
    places = pointer + rows.to(tl.int64)[:, None] * token_stride + width[None, :]
    tl.store(places, tile.to(pointer.dtype.element_ty), mask=inside)


@triton.jit
def _seen(queries, keys, end, tokens):
    """[queries, keys]: which of these keys are on the path to which query."""
    bounds = tl.load(end + keys, mask=keys < tokens, other=0)
    return (keys[None, :] <= queries[:, None]) & (queries[:, None] < bounds[None, :])


@triton.jit
def _forward(
    query, key, value, out, logsum, end, counts, read, most_blocks, tokens, scale,
    query_head, query_token, key_head, key_token, value_head, value_token, out_head, out_token,
    GROUP: tl.constexpr, D: tl.constexpr, WIDTH: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr,
    PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    head = tl.program_id(1).to(tl.int64)
    key += head // GROUP * key_head
    value += head // GROUP * value_head
    first = tl.program_id(0) * QUERIES
    queries = first + tl.arange(0, QUERIES)
    asked = _tile(query + head * query_head, queries, query_token, tokens, D, WIDTH, WIDE)
    most = tl.full((QUERIES,), -float("inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    found = tl.zeros((QUERIES, WIDTH), tl.float32)
    for step in range(tl.load(counts + tl.program_id(0))):
        block = tl.load(read + tl.program_id(0) * most_blocks + step)
        keys = block * KEYS + tl.arange(0, KEYS)
        tile = _tile(key, keys, key_token, tokens, D, WIDTH, WIDE)
        scores = tl.dot(asked, tl.trans(tile), input_precision=PRECISION) * scale
        scores = tl.where(_seen(queries, keys, end, tokens), scores, -float("inf"))
        higher = tl.maximum(most, tl.max(scores, 1))
        base = tl.where(higher == -float("inf"), 0.0, higher)
        shares = tl.exp2(scores - base[:, None])
        kept = tl.exp2(most - base)
        tile = _tile(value, keys, value_token, tokens, D, WIDTH, WIDE)
        found = found * kept[:, None] + tl.dot(shares.to(tile.dtype), tile, input_precision=PRECISION)
        total = total * kept + tl.sum(shares, 1)
        most = higher
    total = tl.where(queries < tokens, total, 1.0)
    _put(out + head * out_head, found / total[:, None], queries, out_token, tokens, D, WIDTH)
    tl.store(logsum + head * tokens + queries, most + tl.log2(total), mask=queries < tokens)


@triton.jit
def _backward_queries(
    query, key, value, given, logsum, delta, end, counts, read, most_blocks, grad_query, tokens, scale, plain_scale,
    query_head, query_token, key_head, key_token, value_head, value_token, given_head, given_token,
    grad_head, grad_token,
    GROUP: tl.constexpr, D: tl.constexpr, WIDTH: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr,
    PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    head = tl.program_id(1).to(tl.int64)
    key += head // GROUP * key_head
    value += head // GROUP * value_head
    first = tl.program_id(0) * QUERIES
    queries = first + tl.arange(0, QUERIES)
    asked = _tile(query + head * query_head, queries, query_token, tokens, D, WIDTH, WIDE)
    upstream = _tile(given + head * given_head, queries, given_token, tokens, D, WIDTH, WIDE)
    sums = tl.load(logsum + head * tokens + queries, mask=queries < tokens, other=0.0)
    means = tl.load(delta + head * tokens + queries, mask=queries < tokens, other=0.0)
    found = tl.zeros((QUERIES, WIDTH), tl.float32)
    for step in range(tl.load(counts + tl.program_id(0))):
        block = tl.load(read + tl.program_id(0) * most_blocks + step)
        keys = block * KEYS + tl.arange(0, KEYS)
        tile = _tile(key, keys, key_token, tokens, D, WIDTH, WIDE)
        scores = tl.dot(asked, tl.trans(tile), input_precision=PRECISION) * scale
        seen = _seen(queries, keys, end, tokens)
        shares = tl.where(seen, tl.exp2(tl.where(seen, scores, 0.0) - sums[:, None]), 0.0)
        values = _tile(value, keys, value_token, tokens, D, WIDTH, WIDE)
        slopes = tl.dot(upstream, tl.trans(values), input_precision=PRECISION)
        slopes = (shares * (slopes - means[:, None]) * plain_scale).to(tile.dtype)
        found += tl.dot(slopes, tile, input_precision=PRECISION)
    _put(grad_query + head * grad_head, found, queries, grad_token, tokens, D, WIDTH)


@triton.jit
def _backward_keys(
    query, key, value, given, logsum, delta, end, last, grad_key, grad_value, tokens, scale, plain_scale,
    query_head, query_token, key_head, key_token, value_head, value_token, given_head, given_token,
    grad_head, grad_token,
    GROUP: tl.constexpr, D: tl.constexpr, WIDTH: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr,
    PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    block, pair = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first = block * KEYS
    keys = first + tl.arange(0, KEYS)
    tile = _tile(key + pair * key_head, keys, key_token, tokens, D, WIDTH, WIDE)
    values = _tile(value + pair * value_head, keys, value_token, tokens, D, WIDTH, WIDE)
    of_keys = tl.zeros((KEYS, WIDTH), tl.float32)
    of_values = tl.zeros((KEYS, WIDTH), tl.float32)
    until = tl.load(last + block)
    for head in range(pair * GROUP, (pair + 1) * GROUP):
        for start in range(first // QUERIES, tl.cdiv(until, QUERIES)):
            queries = start * QUERIES + tl.arange(0, QUERIES)
            asked = _tile(query + head * query_head, queries, query_token, tokens, D, WIDTH, WIDE)
            upstream = _tile(given + head * given_head, queries, given_token, tokens, D, WIDTH, WIDE)
            sums = tl.load(logsum + head * tokens + queries, mask=queries < tokens, other=0.0)
            means = tl.load(delta + head * tokens + queries, mask=queries < tokens, other=0.0)
            scores = tl.dot(asked, tl.trans(tile), input_precision=PRECISION) * scale
            seen = _seen(queries, keys, end, tokens)
            shares = tl.where(seen, tl.exp2(tl.where(seen, scores, 0.0) - sums[:, None]), 0.0)
            of_values += tl.dot(tl.trans(shares.to(upstream.dtype)), upstream, input_precision=PRECISION)
            slopes = tl.dot(upstream, tl.trans(values), input_precision=PRECISION)
            slopes = (shares * (slopes - means[:, None]) * plain_scale).to(asked.dtype)
            of_keys += tl.dot(tl.trans(slopes), asked, input_precision=PRECISION)
    _put(grad_key + pair * grad_head, of_keys, keys, grad_token, tokens, D, WIDTH)
    _put(grad_value + pair * grad_head, of_values, keys, grad_token, tokens, D, WIDTH)


def _sizes(width: int, dtype: torch.dtype) -> dict[str, int]:
    """Tokens per block and warps, by the bytes of a token's head; chosen to fit an H100's shared memory, not tuned."""
    size = width * dtype.itemsize
    tokens = 64 if size <= 256 else 32 if size <= 512 else 16
    return {"QUERIES": tokens, "KEYS": tokens, "num_warps": 4, "num_stages": 2}


def _lists(last: Tensor, tokens: int, sizes: dict[str, int]) -> tuple[Tensor, Tensor]:
    """(counts [Q], blocks [Q, K + 1]) int32: how many blocks of keys each block of queries reads, and which.

    last: [K]: the largest `end` of each block of keys.
    """
    first = torch.arange(0, tokens, sizes["QUERIES"], device=last.device)[:, None]
    keys = torch.arange(len(last), device=last.device)
    read = (last > first) & (keys * sizes["KEYS"] < first + sizes["QUERIES"])
    place = torch.where(read, read.cumsum(1) - 1, len(last))  # what is not read goes into one column more
    found = torch.zeros(len(first), len(last) + 1, dtype=torch.int32, device=last.device)
    return read.sum(1, dtype=torch.int32), found.scatter_(1, place, keys.to(torch.int32).expand_as(read))


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, end: Tensor, scale: float, block: int | None
    ) -> Tensor:
        query, key, value = (part if part.stride(-1) == 1 else part.contiguous() for part in (query, key, value))
        heads, tokens, depth = query.shape[1:]
        width = max(16, triton.next_power_of_2(depth))
        sizes = _sizes(width, query.dtype)
        if block is not None:
            sizes |= {"QUERIES": block, "KEYS": block}
        blocks = triton.cdiv(tokens, sizes["KEYS"])
        padded = torch.nn.functional.pad(end, (0, blocks * sizes["KEYS"] - tokens))
        last = padded.view(blocks, sizes["KEYS"]).amax(1)
        fixed = {"GROUP": heads // key.shape[1], "D": depth, "WIDTH": width} | sizes
        fixed["WIDE"] = triton.knobs.runtime.interpret  # the interpreter cannot multiply bfloat16
        fixed["PRECISION"] = "ieee" if query.dtype == torch.float32 else "tf32"
        out = torch.empty(1, tokens, heads, depth, dtype=query.dtype, device=query.device).transpose(1, 2)
        logsum = torch.empty(heads, tokens, dtype=torch.float32, device=query.device)
        strides = [part.stride(axis) for part in (query, key, value, out) for axis in (1, 2)]
        grid = (triton.cdiv(tokens, sizes["QUERIES"]), heads)
        lists = _lists(last, tokens, sizes)
        read = (query, key, value, out, logsum, end, *lists, blocks + 1)
        _forward[grid](*read, tokens, scale * _LOG2E, *strides, **fixed)
        ctx.save_for_backward(query, key, value, out, logsum, end, last, *lists)
        ctx.scale, ctx.fixed = scale, fixed
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, logsum, end, last, *lists = ctx.saved_tensors
        fixed, tokens = ctx.fixed, query.shape[2]
        given = given if given.stride(-1) == 1 else given.contiguous()
        delta = (out[0].float() * given[0].float()).sum(-1).contiguous()
        of_query, of_key, of_value = (
            torch.empty_like(part.transpose(1, 2).contiguous()) for part in (query, key, value)
        )
        read = (query, key, value, given, logsum, delta, end)
        scales = (tokens, ctx.scale * _LOG2E, ctx.scale)
        strides = [part.stride(axis) for part in (query, key, value, given) for axis in (1, 2)]
        grid = (triton.cdiv(tokens, fixed["QUERIES"]), query.shape[1])
        _backward_queries[grid](
            *read, *lists, len(last) + 1, of_query, *scales, *strides, of_query.stride(2), of_query.stride(1), **fixed
        )
        grid = (len(last), key.shape[1])
        _backward_keys[grid](
            *read, last, of_key, of_value, *scales, *strides, of_key.stride(2), of_key.stride(1), **fixed
        )
        return *(part.transpose(1, 2) for part in (of_query, of_key, of_value)), None, None, None


def attention(
    query: Tensor, key: Tensor, value: Tensor, end: Tensor, scale: float, *, block: int | None = None
) -> Tensor:
    """As `tree_attention`, of float32 or bfloat16; heads of at most 256. block: tokens per block, for tests."""
    if query.shape[-1] > 256:
        raise ValueError(f"attention over a tree takes heads of at most 256: got {query.shape[-1]}; use layout=rows")
    found: Tensor = _Attention.apply(query, key, value, end, scale, block)
    return found
