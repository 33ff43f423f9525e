"""Where keys and values lie while replies are sampled: a pool of slots, one per row, and what is kept beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from turnwise.quick import quick

_STEP = 32
"""Slots are long enough for this many tokens, or a multiple."""
_SMALL = 1 << 22
"""Numbers of a cache that is kept, whatever it was needed for."""


@dataclass(frozen=True, eq=False)
class Trunk:
    """The beginning that several rows have in common, kept once."""

    tokens: tuple[int, ...]
    cache: Tensor
    """[layers, 2, key heads, tokens, D]."""


@dataclass(frozen=True, slots=True, eq=False)
class Parked:
    """The cache of a context that nobody samples from now."""

    tokens: tuple[int, ...]
    trunk: Trunk | None
    shared: int
    """Tokens of the context that lie in the trunk."""
    caches: Tensor
    """[layers, 2, contexts, key heads, T, D]: of several contexts that were parked together."""
    place: int
    """Which of them is this one."""

    @property
    def own(self) -> int:
        """Tokens that are not in the trunk."""
        return len(self.tokens) - self.shared


make_parked = quick(Parked)


class Pool:
    """Keys and values of all rows: [layers, 2, slots, key heads, T, D], slots in use at the front."""

    def __init__(self, layers: int, key_heads: int, head_dim: int, device: torch.device) -> None:
        self._sizes = (layers, key_heads, head_dim)
        self._device = device
        self._lay(self._empty(0, 0, torch.float32))

    def _lay(self, cache: Tensor) -> None:
        self.cache = cache
        self.parts = [(layer[0], layer[1]) for layer in cache]
        """Keys and values of each layer: [slots, key heads, T, D]."""
        self.flat = [(keys.flatten(0, 2), values.flatten(0, 2)) for keys, values in self.parts]
        """The same as [slots * key heads * T, D]."""
        on_cpu = cache.device.type == "cpu"
        self._bytes = cache.view(torch.uint8).numpy() if on_cpu else None
        """The same memory, where numpy moves slots in half of torch's time."""

    def _empty(self, slots: int, length: int, dtype: torch.dtype) -> Tensor:
        layers, heads, dim = self._sizes
        return torch.zeros(layers, 2, slots, heads, length, dim, dtype=dtype, device=self._device)

    @property
    def slots(self) -> int:
        return self.cache.shape[2]

    @property
    def length(self) -> int:
        """Tokens that a slot has room for."""
        return self.cache.shape[4]

    def reserve(self, slots: int, length: int, used: int, most: int, dtype: torch.dtype) -> bool:
        """Have room for so many slots of so many tokens; the first `used` ones stay. Returns whether it lies anew.

        most: slots that there will ever be; their number is doubled up to that.
        """
        length = -(-length // _STEP) * _STEP
        large = not used and self.cache.numel() > max(_SMALL, 4 * self._empty_numel(max(slots, 8), length))
        if slots <= self.slots and length <= self.length and dtype == self.cache.dtype and not large:
            return False
        if not used:  # its memory is free before the new one is taken
            self._lay(self._empty(0, self.length, self.cache.dtype))
        old = self.cache
        length = max(length, old.shape[4]) if used else length
        grown = max(slots, min(2 * self.slots, most)) if slots > self.slots else max(slots, used)
        self._lay(self._empty(grown, length, dtype))
        if used:
            self.cache[:, :, :used, :, : old.shape[4]] = old[:, :, :used]
        return True

    def _empty_numel(self, slots: int, length: int) -> int:
        layers, heads, dim = self._sizes
        return 2 * layers * slots * heads * length * dim

    def clear(self) -> None:
        """Let go of all slots, unless their memory is little."""
        if self.cache.numel() > _SMALL:
            self._lay(self._empty(0, 0, self.cache.dtype))

    def copy(self, sources: NDArray[np.int64], targets: NDArray[np.int64], length: int) -> None:
        """Slot `targets[i]` becomes slot `sources[i]`, its first tokens; no target is a source."""
        if self._bytes is not None:
            self._bytes[:, :, targets, :, :length] = self._bytes[:, :, sources, :, :length]
            return
        used = self.cache[:, :, :, :, :length]
        chosen = used.index_select(2, torch.from_numpy(sources).to(self._device))
        used.index_copy_(2, torch.from_numpy(targets).to(self._device), chosen)

    def take(self, slots: NDArray[np.int64], length: int) -> Tensor:
        """A copy of the first tokens of some slots: [layers, 2, slots, key heads, length, D]."""
        return self.cache[:, :, :, :, :length].index_select(2, torch.from_numpy(slots).to(self._device))

    def put(self, slots: list[int], caches: Tensor, places: list[int], length: int) -> None:
        """The other way: slot i gets the first tokens of `caches` at place i."""
        part, device = caches[:, :, :, :, :length], self._device
        if places != [*range(part.shape[2])]:
            part = part.index_select(2, torch.tensor(places, device=device))
        if slots == [*range(slots[0], slots[0] + len(slots))]:
            self.cache[:, :, slots[0] : slots[0] + len(slots), :, : part.shape[4]] = part
        else:
            self.cache[:, :, :, :, : part.shape[4]].index_copy_(2, torch.tensor(slots, device=device), part)


def attention(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """Attention, and the logarithm of the sum of what it was divided by, to be joined with other keys.

    queries: [B, heads, Q, D]. keys, values: [B, heads, T, D]. mask: added to the scores, [B, 1, 1 or Q, T].
    Returns: [B, heads, Q, D] and [B, heads, Q].
    """
    if queries.device.type == "cpu":
        out, norm = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            queries, keys, values, 0.0, False, attn_mask=mask, scale=scale
        )
        return out, norm
    scores = (queries @ keys.transpose(-1, -2)).float() * scale
    if mask is not None:
        scores = scores + mask
    norm = scores.logsumexp(-1)
    return ((scores - norm[..., None]).exp().to(values.dtype) @ values), norm


def joined(out: Tensor, norm: Tensor, other: Tensor, other_norm: Tensor) -> Tensor:
    """Attention over both sets of keys from what each came to alone. Shapes [..., D] and [...]."""
    share = torch.sigmoid(other_norm - norm)[..., None].to(out.dtype)
    return torch.lerp(out, other, share)


def _typed(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor if tensor.dtype == dtype else tensor.to(dtype)


class Reading:
    """One row that is read from its beginning, in parts. An `Attending`."""

    def __init__(self, scale: float, dtype: torch.dtype) -> None:
        self._scale, self._dtype = scale, dtype
        self._cache: dict[int, tuple[Tensor, Tensor]] = {}

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        new = keys.transpose(0, 1).to(self._dtype), values.transpose(0, 1).to(self._dtype)
        old = self._cache.get(layer)
        self._cache[layer] = new if old is None else (torch.cat([old[0], new[0]], 1), torch.cat([old[1], new[1]], 1))

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        keys, values = self._cache[layer]
        count, length = len(queries), keys.shape[1]
        mask = None
        if length > count:
            places = torch.arange(length, device=queries.device)
            mask = places <= places[length - count :, None]
        q, k, v = queries.to(self._dtype).transpose(0, 1)[None], keys[None], values[None]
        found = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, scale=self._scale, enable_gqa=True
        )
        return found[0].transpose(0, 1).reshape(count, -1)

    def cache(self) -> Tensor:
        """[layers, 2, key heads, tokens, D]."""
        return torch.stack([torch.stack(self._cache[layer]) for layer in sorted(self._cache)])


@dataclass(frozen=True)
class Block:
    """Rows that read several tokens, padded to one length."""

    rows: Tensor | slice
    """[r] slots."""
    tokens: Tensor
    """[r, W] places among the tokens that are read, any one where a row has fewer."""
    places: Tensor
    """Places of `[r * W]` that are no padding."""
    targets: Tensor
    """What they are among the tokens that are read."""
    mask: Tensor
    """[r, 1, W * group, T]: added to the scores."""


@dataclass(frozen=True)
class Branch:
    """Tokens that see one trunk."""

    trunk: Trunk
    length: int
    tokens: Tensor | None
    """[m] places among the tokens of the pass; None for all."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """What the tokens of one forward pass see. An `Attending`.

    The first `rows` tokens are the latest ones of slots 0, 1, ...; the others are read into the slots of `blocks`.
    """

    pool: Pool
    scale: float
    rows: int
    places: Tensor
    """[N * key heads] where their keys and values go, in a layer's slots laid out flat."""
    length: int
    """Tokens of the longest slot."""
    mask: Tensor | None
    """[rows, 1, 1, length], added to the scores of the latest tokens."""
    blocks: tuple[Block, ...] = ()
    branches: tuple[Branch, ...] = ()

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        dim = keys.shape[-1]
        for part, new in zip(self.pool.flat[layer], (keys, values), strict=True):
            part.index_copy_(0, self.places, _typed(new.reshape(-1, dim), part.dtype))

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        cache = self.pool.parts[layer]
        count, _, dim = queries.shape
        q = _typed(queries, cache[0].dtype).view(count, cache[0].shape[1], -1, dim)  # [N, key heads, group, D]
        if not self.blocks or count == self.rows:
            out, norm = self._latest(cache, q[: self.rows])
        else:
            out, norm = torch.empty_like(q), q.new_empty(q.shape[:3], dtype=torch.float32)
            if self.rows:
                out[: self.rows], latest = self._latest(cache, q[: self.rows])
                if latest is not None:
                    norm[: self.rows] = latest
            self._read(cache, q[self.rows :], out[self.rows :], norm[self.rows :])
        for branch in self.branches if norm is not None else ():
            out = self._branched(layer, branch, q, out, norm)
        return out.reshape(count, -1)

    def _latest(self, cache: tuple[Tensor, Tensor], q: Tensor) -> tuple[Tensor, Tensor | None]:
        keys, values = (part[: self.rows, :, : self.length] for part in cache)
        return self._seen(q, keys, values, self.mask)

    def _seen(self, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.branches:
            return attention(q, keys, values, mask, self.scale)
        return F.scaled_dot_product_attention(q, keys, values, attn_mask=mask, scale=self.scale), None

    def _read(self, cache: tuple[Tensor, Tensor], q: Tensor, out: Tensor, norm: Tensor) -> None:
        """Fill `out` and `norm` of the tokens that are read."""
        heads, group, dim = q.shape[1:]
        for block in self.blocks:
            length = block.mask.shape[-1]
            keys, values = (part[block.rows, :, :length] for part in cache)
            r, width = block.tokens.shape
            padded = q[block.tokens].transpose(1, 2).reshape(r, heads, width * group, dim)
            found, found_norm = self._seen(padded, keys, values, block.mask)
            found = found.view(r, heads, width, group, dim).transpose(1, 2).reshape(r * width, heads, group, dim)
            out.index_copy_(0, block.targets, found[block.places])
            if found_norm is not None:
                found_norm = found_norm.reshape(r, heads, width, group).transpose(1, 2).reshape(r * width, heads, group)
                norm.index_copy_(0, block.targets, found_norm[block.places])

    def _branched(self, layer: int, branch: Branch, q: Tensor, out: Tensor, norm: Tensor | None) -> Tensor:
        assert norm is not None
        tokens = branch.tokens
        if tokens is not None:
            tokens = tokens[tokens < len(q)] if len(q) == self.rows else tokens
            q = q[tokens]
        m, heads, group, dim = q.shape
        keys, values = branch.trunk.cache[layer, :, None, :, : branch.length]
        flat = q.transpose(0, 1).reshape(1, heads, m * group, dim)
        found, found_norm = attention(flat, keys, values, None, self.scale)
        found = found.reshape(heads, m, group, dim).transpose(0, 1)
        found_norm = found_norm.reshape(heads, m, group).transpose(0, 1)
        if tokens is None:
            return joined(out, norm, found, found_norm)
        return out.index_copy_(0, tokens, joined(out[tokens], norm[tokens], found, found_norm))


make_pass = quick(Pass)
