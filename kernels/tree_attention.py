"""Causal attention over rows that share their beginnings, each shared token there once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_FLASH_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


@dataclass(frozen=True, slots=True)
class Blocks:
    """B stretches of n or fewer tokens, each with all W or fewer keys that any of its tokens sees. CPU only."""

    queries: Tensor
    """[B * n] int64; a shorter stretch repeats its last token."""
    keys: Tensor
    """[B, W] int64."""
    mask: Tensor
    """[B, 1, n, W] float32: 0 where a key is seen, -inf elsewhere."""
    shared: int
    """Leading columns of `keys` that are alike in all stretches."""
    own: Tensor | None
    """Which entries of `queries` are no repetition, int64; None: all of them."""

    @property
    def size(self) -> tuple[int, int, int]:
        """B, n, W."""
        return self.mask.shape[0], self.mask.shape[2], self.mask.shape[3]

    @property
    def tokens(self) -> Tensor:
        """`queries` without repetitions."""
        return self.queries if self.own is None else self.queries[self.own]


@dataclass(frozen=True, slots=True)
class Tree:
    """N tokens in depth-first order: token j is on the path to token i where j <= i < end[j]."""

    end: Tensor
    """[N] int32: one past the last token of j's subtree."""
    blocks: tuple[Blocks, ...] = ()
    """Every token in one stretch; none: the CPU takes `reference`."""


def tree_attention(query: Tensor, key: Tensor, value: Tensor, tree: Tree, *, scale: float | None = None) -> Tensor:
    """Softmax attention of each token over the tokens on its path, itself included.

    Args:
        query: [1, Hq, N, D].
        key, value: [1, Hk, N, D], same dtype; Hq is a multiple of Hk, and heads of a group lie side by side. Inside an
            autocast block all three are taken in its dtype, as torch's own attention is.
        scale: Of the scores; None: 1 / sqrt(D).
    Returns: [1, Hq, N, D], differentiable in query, key and value. On CUDA two runs agree to the last bit.
    Raises: ValueError where the shapes or the tree do not fit.
    """
    _check(query, key, value, tree)
    kind = query.device.type
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    if query.is_cuda:
        from turnwise.kernels.tree_attention_triton import attention

        return attention(query, key, value, tree.end, scale)
    if not tree.blocks:
        return reference(query, key, value, tree, scale=scale)
    by_token = query[0].transpose(0, 1), key[0].transpose(0, 1), value[0].transpose(0, 1)
    found: Tensor = _InBlocks.apply(*by_token, tree.blocks, scale)  # type: ignore[no-untyped-call]
    return found.transpose(0, 1)[None]


def reference(query: Tensor, key: Tensor, value: Tensor, tree: Tree, *, scale: float | None = None) -> Tensor:
    """What `tree_attention` returns, by torch's attention under a mask of N x N."""
    tokens = torch.arange(len(tree.end), device=query.device)
    seen = (tokens <= tokens[:, None]) & (tokens[:, None] < tree.end)
    group = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=scale)


def _check(query: Tensor, key: Tensor, value: Tensor, tree: Tree) -> None:
    tokens = len(tree.end)
    fits = query.dim() == 4 and key.shape == value.shape == (1, key.shape[1], tokens, query.shape[-1])
    if not fits or query.shape[0] != 1 or query.shape[2] != tokens or query.shape[1] % key.shape[1]:
        raise ValueError(
            f"attention over a tree of {tokens} tokens takes query [1, Hq, {tokens}, D] and key and value "
            f"[1, Hk, {tokens}, D] with Hq a multiple of Hk: got {list(query.shape)}, {list(key.shape)} and "
            f"{list(value.shape)}"
        )


class _InBlocks(torch.autograd.Function):
    """Torch's fused CPU attention, block by block. The backward pass gathers the blocks again."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, blocks: tuple[Blocks, ...], scale: float
    ) -> Tensor:
        """[N, Hq, D] of query [N, Hq, D], key and value [N, Hk, D]."""
        group = query.shape[1] // key.shape[1]
        pairs = torch.cat([key, value], -1)  # [N, Hk, 2 D]: gathered once
        found = torch.empty(query.shape, dtype=query.dtype)
        sums = []
        for block in blocks:
            heads, keys, values = _gathered(query, pairs, block, group)
            mask = _mask(block, query)
            parts = [_FLASH(head, keys, values, 0.0, False, attn_mask=mask, scale=scale) for head in heads]
            sums += [logsum for _, logsum in parts]
            _put(found, _by_token([part for part, _ in parts]), block)
        ctx.save_for_backward(query, pairs, found, *sums)
        ctx.blocks, ctx.scale, ctx.group = blocks, scale, group
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, pairs, found, *sums = ctx.saved_tensors
        group, scale = ctx.group, ctx.scale
        grad_query = torch.empty_like(found)
        grad_keys = [torch.zeros_like(part, memory_format=torch.contiguous_format) for part in pairs.chunk(2, -1)]
        for number, block in enumerate(ctx.blocks):
            heads, keys, values = _gathered(query, pairs, block, group)
            results, grads = _heads(found, block, group), _heads(_without_repetitions(grad, block), block, group, False)
            mask, parts = _mask(block, query), []
            of_keys: list[Tensor] = []
            for place, (head, result, given) in enumerate(zip(heads, results, grads, strict=True)):
                logsum = sums[number * group + place]
                of_head, *both = _FLASH_BACKWARD(
                    given, head, keys, values, result, logsum, 0.0, False, attn_mask=mask, scale=scale
                )
                parts.append(of_head)
                of_keys = [old.add_(new) for old, new in zip(of_keys, both, strict=True)] if of_keys else both
            _put(grad_query, _by_token(parts), block)
            for whole, part in zip(grad_keys, of_keys, strict=True):
                _add(whole, part.transpose(1, 2), block)
        return grad_query, *grad_keys, None, None


def _mask(block: Blocks, query: Tensor) -> Tensor:
    """In a dtype that torch's attention takes beside the queries'; it reads a float32 mask as float64 otherwise."""
    return block.mask.double() if query.dtype == torch.float64 else block.mask


def _gathered(query: Tensor, pairs: Tensor, block: Blocks, group: int) -> tuple[list[Tensor], Tensor, Tensor]:
    """Queries, `group` times [B, Hk, n, D], and keys and values [B, Hk, W, D] of a block."""
    batch, _, width = block.size
    gathered = pairs.index_select(0, block.keys.view(-1)).view(batch, width, *pairs.shape[1:]).transpose(1, 2)
    keys, values = gathered.chunk(2, -1)
    return _heads(query, block, group), keys, values


def _heads(tokens: Tensor, block: Blocks, group: int, gather: bool = True) -> list[Tensor]:
    """`group` times [B, Hk, n, D]: heads that share their keys' head come apart. tokens: [N, Hq, D], or gathered."""
    batch, queries, _ = block.size
    found = tokens.index_select(0, block.queries) if gather else tokens
    heads = found.view(batch, queries, -1, group, found.shape[-1]).transpose(1, 2)
    return list(heads.unbind(3))


def _by_token(heads: list[Tensor]) -> Tensor:
    """[B * n, Hq, D] from `group` times [B, Hk, n, D]."""
    if len(heads) == 1:
        return heads[0].transpose(1, 2).flatten(0, 1)
    return torch.stack([head.transpose(1, 2) for head in heads], 3).flatten(0, 1).flatten(1, 2)


def _without_repetitions(grad: Tensor, block: Blocks) -> Tensor:
    """[B * n, Hq, D]: the gradient at the block's queries, 0 at repetitions."""
    if block.own is None:
        return grad.index_select(0, block.queries)
    found = grad.new_zeros(len(block.queries), *grad.shape[1:])
    return found.index_copy_(0, block.own, grad.index_select(0, block.tokens))


def _put(whole: Tensor, part: Tensor, block: Blocks) -> None:
    """Write [B * n, ...] to the block's tokens of [N, ...]."""
    whole.index_copy_(0, block.tokens, part if block.own is None else part.index_select(0, block.own))


def _add(whole: Tensor, part: Tensor, block: Blocks) -> None:
    """Add [B, W, ...] to the block's keys of [N, ...]."""
    if block.shared and len(part) > 1:
        whole.index_add_(0, block.keys[0, : block.shared], part[:, : block.shared].sum(0))
        rest = block.keys[:, block.shared :].reshape(-1)
        whole.index_add_(0, rest, part[:, block.shared :].flatten(0, 1))
    else:
        whole.index_add_(0, block.keys.view(-1), part.flatten(0, 1))
