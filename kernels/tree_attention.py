"""Causal attention over rows that share their beginnings, each shared token there once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

_FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_FLASH_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


@dataclass(frozen=True, slots=True)
class Blocks:
    """B stretches of n or fewer tokens, each with all W or fewer keys that any of its tokens sees, but for those of a
    trunk. CPU only."""

    queries: Tensor
    """[B * n] int64; a shorter stretch repeats its last token."""
    keys: Tensor
    """[B, W] int64."""
    mask: Tensor
    """[B, 1, n, W] float32: 0 where a key is seen, -inf elsewhere."""
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


class Trunk(NamedTuple):
    """Keys that all of some later queries see, both side by side. CPU only."""

    keys: slice
    queries: slice


@dataclass(frozen=True, slots=True)
class Tree:
    """N tokens in depth-first order: token j is on the path to token i where j <= i < end[j]."""

    end: Tensor
    """[N] int32: one past the last token of j's subtree."""
    blocks: tuple[Blocks, ...] = ()
    """Every token in one stretch; none: the CPU takes `reference`."""
    trunks: tuple[Trunk, ...] = ()
    """Each query in one of them at most."""


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
    return attention_of_some(*by_token, tree, scale=scale).transpose(0, 1)[None]


def attention_of_some(query: Tensor, key: Tensor, value: Tensor, tree: Tree, *, scale: float) -> Tensor:
    """`tree_attention` of the tokens that a tree was `narrowed` to, on a CPU, tokens first.

    query: [M, Hq, D]. key, value: [N, Hk, D]. Returns: [M, Hq, D].
    """
    found: Tensor = _InBlocks.apply(query, key, value, tree, scale)  # type: ignore[no-untyped-call]
    return found


def narrowed(tree: Tree, asked: Tensor) -> Tree:
    """The tree with queries of these tokens alone, numbered in their order. asked: [M] int64, ascending. CPU only."""
    place = torch.full((len(tree.end),), -1)
    place[asked] = torch.arange(len(asked))
    blocks = (_narrowed(block, place) for block in tree.blocks)
    bounds = [torch.searchsorted(asked, torch.tensor([part.start, part.stop])).tolist() for _, part in tree.trunks]
    trunks = (Trunk(keys, slice(*bound)) for (keys, _), bound in zip(tree.trunks, bounds, strict=True))
    left = tuple(trunk for trunk in trunks if trunk.queries.start < trunk.queries.stop)
    return Tree(tree.end, tuple(block for block in blocks if block is not None), left)


def _narrowed(block: Blocks, place: Tensor) -> Blocks | None:
    """place: [N] int64, -1 for tokens that are left out. None where nothing is left."""
    count, _, width = block.size
    places = torch.full_like(block.queries, -1)
    own = slice(None) if block.own is None else block.own
    places[own] = place[block.tokens]
    places = places.view(count, -1)
    sizes = (places >= 0).sum(1)
    some = sizes.nonzero()[:, 0]
    if not len(some):
        return None
    sizes, steps = sizes[some, None], torch.arange(int(sizes.max()))
    order = (places[some] < 0).byte().argsort(dim=1, stable=True).gather(1, steps.minimum(sizes - 1))
    repeated = steps >= sizes
    return Blocks(
        queries=places[some].gather(1, order).view(-1),
        keys=block.keys[some],
        mask=block.mask[some].gather(2, order[:, None, :, None].expand(-1, -1, -1, width)),
        own=(~repeated).view(-1).nonzero()[:, 0] if bool(repeated.any()) else None,
    )


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
    """Torch's fused CPU attention, block by block and trunk by trunk. The backward pass gathers the blocks again."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, tree: Tree, scale: float) -> Tensor:
        """[M, Hq, D] of query [M, Hq, D], key and value [N, Hk, D]."""
        heads, pairs = key.shape[1], torch.cat([key, value], -1)  # [N, Hk, 2 D]: gathered once
        query = _by_group(query, heads)
        found, logsum = torch.empty_like(query), query.new_empty(query.shape[:3], dtype=_sums(query))
        for block in tree.blocks:
            asked = _stretches(query.index_select(0, block.queries), len(block.keys))
            mask = _mask(block, query)
            out, of_block = _FLASH(asked, *_gathered(pairs, block.keys), 0.0, False, attn_mask=mask, scale=scale)
            _put(found, out, block)
            _put(logsum, of_block, block)
        for keys, queries in tree.trunks:
            out, of_trunk = _FLASH(_stretches(query[queries]), *_gathered(pairs[keys]), 0.0, False, scale=scale)
            _join(found[queries], logsum[queries], out, of_trunk)
        ctx.save_for_backward(query, pairs, found, logsum)
        ctx.tree, ctx.scale = tree, scale
        return _by_head(found)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, pairs, found, logsum = ctx.saved_tensors
        grad = _by_group(grad, pairs.shape[1])
        of_query, of_pairs = torch.empty_like(query), torch.zeros_like(pairs)
        for block in ctx.tree.blocks:
            given = _without_repetitions(grad, block)
            asked, out, sums = (part.index_select(0, block.queries) for part in (query, found, logsum))
            given, asked, out, sums = (_stretches(part, len(block.keys)) for part in (given, asked, out, sums))
            inputs = given, asked, *_gathered(pairs, block.keys), out, sums
            part, *both = _FLASH_BACKWARD(*inputs, 0.0, False, attn_mask=_mask(block, query), scale=ctx.scale)
            _put(of_query, part, block)
            of_pairs.index_add_(0, block.keys.view(-1), torch.cat([_flat(each) for each in both], -1))
        for keys, queries in ctx.tree.trunks:
            given, asked, out, sums = (_stretches(part[queries]) for part in (grad, query, found, logsum))
            inputs = given, asked, *_gathered(pairs[keys]), out, sums
            part, *both = _FLASH_BACKWARD(*inputs, 0.0, False, scale=ctx.scale)
            of_query[queries] += _flat(part).view_as(of_query[queries])
            for whole, each in zip(of_pairs[keys].chunk(2, -1), both, strict=True):
                whole += _flat(each)
        return _by_head(of_query), *of_pairs.chunk(2, -1), None, None


def _by_group(tokens: Tensor, heads: int) -> Tensor:
    """[M, group, Hk, D] of [M, Hq, D]: heads that share their keys' head come apart, to stand among the queries."""
    return tokens.view(len(tokens), heads, -1, tokens.shape[-1]).transpose(1, 2).contiguous()


def _by_head(tokens: Tensor) -> Tensor:
    """The other way."""
    return tokens.transpose(1, 2).flatten(1, 2)


def _sums(query: Tensor) -> torch.dtype:
    """Of what torch's attention divides by."""
    return torch.float64 if query.dtype == torch.float64 else torch.float32


def _mask(block: Blocks, query: Tensor) -> Tensor:
    """[B, 1, n * group, W], in a dtype that torch's attention takes beside the queries'; it reads a float32 mask as
    float64 otherwise."""
    mask = block.mask.repeat_interleave(query.shape[1], 2) if query.shape[1] > 1 else block.mask
    return mask.double() if query.dtype == torch.float64 else mask


def _stretches(tokens: Tensor, count: int = 1) -> Tensor:
    """[B, Hk, n * group, ...] of [B * n, group, Hk, ...]."""
    return tokens.view(count, -1, *tokens.shape[2:]).transpose(1, 2)


def _flat(tokens: Tensor) -> Tensor:
    """[B * n, Hk, ...] of [B, Hk, n, ...]."""
    return tokens.transpose(1, 2).flatten(0, 1)


def _gathered(pairs: Tensor, keys: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Keys and values, [B, Hk, W, D] each, of [B, W]; None: all of them in one."""
    size = (1, len(pairs)) if keys is None else keys.shape
    pairs = pairs if keys is None else pairs.index_select(0, keys.view(-1))
    key, value = pairs.view(*size, *pairs.shape[1:]).transpose(1, 2).chunk(2, -1)
    return key, value


def _join(found: Tensor, logsum: Tensor, out: Tensor, of_trunk: Tensor) -> None:
    """Take further keys in: attention [M, group, Hk, D] over some, and the logarithm of what it was divided by, become
    those over all."""
    out, of_trunk = _flat(out).view_as(found), _flat(of_trunk).view_as(logsum)
    found.lerp_(out, torch.sigmoid(of_trunk - logsum)[..., None].to(out.dtype))
    torch.logaddexp(logsum, of_trunk, out=logsum)


def _without_repetitions(grad: Tensor, block: Blocks) -> Tensor:
    """[B * n, ...]: the gradient at the block's queries, 0 at repetitions."""
    if block.own is None:
        return grad.index_select(0, block.queries)
    found = grad.new_zeros(len(block.queries), *grad.shape[1:])
    return found.index_copy_(0, block.own, grad.index_select(0, block.tokens))


def _put(whole: Tensor, part: Tensor, block: Blocks) -> None:
    """Write [B, Hk, n * group, ...] to the block's tokens of [M, group, Hk, ...]."""
    part = _flat(part).view(-1, *whole.shape[1:])
    whole.index_copy_(0, block.tokens, part if block.own is None else part.index_select(0, block.own))
