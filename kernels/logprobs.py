"""Log-probs of tokens, and what else is asked of their distributions, straight from hidden states.

The head's logits are never held for more than one chunk of tokens: the forward pass keeps a few numbers a token, and
the backward pass computes a chunk's logits again. This file is the reference and the path of a CPU; on CUDA
`logprobs_triton` does the same in tiles of tokens and vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_ENTRIES = 2**19
"""Logits that are worked on at a time, 2 MiB: they stay in a CPU's cache."""
LEAST_ROWS = {"cpu": 64, "cuda": 256}
"""Tokens of a chunk at any vocabulary: with fewer, reading the head's weights takes longer than the products."""
KEPT_ENTRIES = 2**24
"""Up to so many probabilities, 64 MiB, the backward pass finds instead of computing them again."""
TILE = (4096, 8192)
"""On CUDA: tokens and choices at a time, 128 MiB of float32 logits, and half of it again for a gradient in bfloat16."""


class TokenScores(NamedTuple):
    """Over M tokens; float32, or float64 of float64 inputs."""

    logprobs: Tensor
    """[M] nats."""
    entropy: Tensor | None = None
    """[M] nats, of the whole distribution."""
    squares: Tensor | None = None
    """[M] sum of all choices' squared probabilities."""
    kl: Tensor | None = None
    """[M] nats: exact KL(policy || reference)."""


class Reference(NamedTuple):
    """The head of another model and what it sees at the same tokens. It never gets a gradient."""

    hidden: Tensor
    """[M, H']."""
    weight: Tensor
    """[V, H']."""
    bias: Tensor | None = None
    """[V]."""
    softcap: float | None = None


class How(NamedTuple):
    """What is computed, and in which numbers."""

    temperature: float
    softcap: float | None
    entropy: bool
    squares: bool
    dtype: torch.dtype
    """Of what products multiply; they add up in float32 (or float64)."""
    keep: bool
    """Whether a backward pass may follow."""

    @property
    def numbers(self) -> torch.dtype:
        """Of what is computed: float32, or float64 of float64."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32


def token_scores(
    hidden: Tensor,
    weight: Tensor,
    tokens: Tensor,
    *,
    bias: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    entropy: bool = False,
    squares: bool = False,
    reference: Reference | None = None,
) -> TokenScores:
    """What softmax(cap(hidden weight^T + bias) / temperature) says, cap(z) = softcap tanh(z / softcap).

    Differentiable once, in hidden, weight and bias. Equal inputs give equal results. -inf in `bias` rules a choice out.
    On CUDA products multiply in autocast's numbers or the weight's, on a CPU in float32; all of them add up in float32.

    Args:
        hidden: [M, H].
        weight: [V, H]; tied to an embedding or not.
        tokens: [M] int64, below V.
        bias: [V] or None.
        temperature: Above 0.
        softcap: Above 0, or None.
        entropy, squares: Whether these are computed too.
        reference: Of the exact KL, or None.
    Raises: ValueError where shapes do not fit, or a number is out of range.
    """
    _check(hidden, weight, tokens, bias, temperature, softcap, reference)
    how = How(temperature, softcap, entropy, squares, _dtype(hidden, weight), torch.is_grad_enabled())
    with torch.autocast(hidden.device.type, enabled=False):
        if hidden.is_cuda and reference is None and how.dtype != torch.float64:
            from turnwise.kernels.logprobs_triton import TiledScores

            found = TiledScores.apply(hidden, weight, bias, tokens, how)  # type: ignore[no-untyped-call]
        else:
            found = _ChunkedScores.apply(hidden, weight, bias, tokens, how, reference)  # type: ignore[no-untyped-call]
    return TokenScores(*found)


def scores_of_logits(
    logits: Tensor, tokens: Tensor, *, entropy: bool = False, squares: bool = False, reference: Tensor | None = None
) -> TokenScores:
    """The same of logits that are there, by plain autograd. logits, reference: [M, V], over the temperature already."""
    log_p = torch.log_softmax(logits, dim=-1)
    p = log_p.exp()
    possible = p > 0
    nats = log_p.masked_fill(~possible, 0.0)
    kl = None
    if reference is not None:
        log_q = torch.log_softmax(reference, dim=-1)
        kl = (p * (nats - log_q.masked_fill(~possible, 0.0))).sum(-1)
    return TokenScores(
        log_p.gather(-1, tokens[..., None])[..., 0],
        -(p * nats).sum(-1) if entropy else None,
        (p * p).sum(-1) if squares else None,
        kl,
    )


def chunks(tokens: int, vocabulary: int, device: torch.device) -> Iterator[slice]:
    """The tokens in parts of about CHUNK_ENTRIES logits."""
    rows = chunk_rows(vocabulary, device.type)
    return (slice(start, start + rows) for start in range(0, tokens, rows))


def chunk_rows(vocabulary: int, kind: str) -> int:
    """Tokens of a chunk. kind: of the device."""
    return max(CHUNK_ENTRIES // vocabulary, LEAST_ROWS[kind])


def logit_bytes(tokens: int, vocabulary: int, *, kind: str, compared: bool = False, pulled: bool = False) -> int:
    """Most that `token_scores` and its backward pass hold of [tokens, vocabulary] at a time, without a soft cap.

    kind: of the device. compared: with a reference. pulled: with a gradient of entropy, squares or KL.
    """
    if kind == "cuda" and not compared:
        return 10 * min(TILE[0], tokens) * min(TILE[1], vocabulary)
    kept = (1 + compared) * tokens * vocabulary
    kept = kept if kept <= KEPT_ENTRIES else 0
    parts = (4 if compared else 1 + 2 * pulled) if kept else 2 + pulled + 3 * compared
    return 4 * (kept + parts * min(tokens, chunk_rows(vocabulary, kind)) * vocabulary)


def product(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """left @ right of factors in `dtype`, added up and returned in float32 (float64 of float64)."""
    left, right = left.to(dtype), right.to(dtype)
    if dtype in (torch.float32, torch.float64):
        return torch.mm(left, right)
    if left.is_cuda:
        return torch.mm(left, right, out_dtype=torch.float32)
    return torch.mm(left.float(), right.float())


def _check(
    hidden: Tensor,
    weight: Tensor,
    tokens: Tensor,
    bias: Tensor | None,
    temperature: float,
    softcap: float | None,
    reference: Reference | None,
) -> None:
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1]:
        raise ValueError(f"hidden is [M, H] and weight [V, H]: got {list(hidden.shape)} and {list(weight.shape)}")
    if tokens.shape != hidden.shape[:1] or tokens.dtype != torch.int64:
        raise ValueError(f"tokens is [{len(hidden)}] int64, one a row: got {list(tokens.shape)} {tokens.dtype}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias is [{len(weight)}], one a choice: got {list(bias.shape)}")
    if not temperature > 0.0 or (softcap is not None and not softcap > 0.0):
        raise ValueError(f"temperature and softcap are above 0: got {temperature} and {softcap}")
    if reference is not None and (len(reference.hidden) != len(hidden) or len(reference.weight) != len(weight)):
        raise ValueError(
            f"a reference sees the same {len(hidden)} tokens and {len(weight)} choices: got {len(reference.hidden)} "
            f"and {len(reference.weight)}"
        )


def _dtype(hidden: Tensor, weight: Tensor) -> torch.dtype:
    """Of what products multiply."""
    kind = hidden.device.type
    if torch.float64 in (hidden.dtype, weight.dtype):
        return torch.float64
    if kind == "cpu":
        return torch.float32
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


class _Chunk(NamedTuple):
    """The distributions of some tokens."""

    probs: Tensor
    """[C, V]."""
    logits: Tensor
    """[C, V] less each row's largest: nats but for a number per row."""
    offset: Tensor
    """[C]: log p = logits - offset."""
    slope: Tensor | None = None
    """[C, V]: of the soft cap, d capped / d raw."""


class _Kept(NamedTuple):
    """[M, V] each, what the backward pass finds."""

    probs: Tensor | None = None
    gaps: Tensor | None = None
    """log p - log q, with a reference."""

    def at(self, rows: slice) -> _Kept:
        return _Kept(*(None if each is None else each[rows] for each in self))

    def chunk(self, logarithms: bool) -> _Chunk | None:
        """The distributions again, if they are here; their logits only where they are asked for."""
        if self.probs is None:
            return None
        return _Chunk(self.probs.clone(), self.probs.log() if logarithms else self.probs, self.probs.new_zeros(()))


def _room(hidden: Tensor, vocabulary: int, how: How, compared: bool) -> _Kept:
    """Room for what is kept, where it is little enough. A soft cap's slope would have to be kept too: it is not."""
    size = (len(hidden), vocabulary)
    if not how.keep or how.softcap is not None or (1 + compared) * size[0] * size[1] > KEPT_ENTRIES:
        return _Kept()
    probs = hidden.new_empty(size, dtype=how.numbers)
    return _Kept(probs, torch.empty_like(probs) if compared else None)


def _distributions(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, how: How, softcap: float | None, probs: Tensor | None = None
) -> _Chunk:
    """Of a chunk. probs: [C, V], where the probabilities go."""
    logits, slope = product(hidden, weight.t(), how.dtype), None
    if bias is not None:
        logits.add_(bias)
    if softcap is not None:
        logits.div_(softcap).tanh_()
        slope = 1.0 - logits * logits
        logits.mul_(softcap)
    if how.temperature != 1.0:
        logits.div_(how.temperature)
    logits.sub_(logits.amax(1, keepdim=True))
    probs = torch.softmax(logits, 1, out=probs)  # its largest entry says what the exponentials add up to
    return _Chunk(probs, logits, -probs.amax(1).log(), slope)


def _gaps(chunk: _Chunk, reference: Reference, how: How, gaps: Tensor | None = None) -> Tensor:
    """[C, V] nats: log p - log q of every choice. gaps: where they go."""
    hidden, weight, bias, softcap = reference
    other = _distributions(hidden, weight, bias, how, softcap)
    found = torch.sub(chunk.logits, other.logits, out=gaps)
    return found.sub_((chunk.offset - other.offset)[:, None])


def _mean(probs: Tensor, nats: Tensor) -> Tensor:
    """Row sums of probs * nats, where 0 * -inf is 0."""
    found: Tensor = torch.linalg.vecdot(probs, nats)
    if bool(found.isnan().any()):
        found = torch.linalg.vecdot(probs, nats.masked_fill(probs == 0, 0.0))
    return found


class _ChunkedScores(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        tokens: Tensor,
        how: How,
        reference: Reference | None,
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        if reference is not None:
            reference = reference._replace(weight=reference.weight.to(how.dtype))
        kept = _room(hidden, len(weight), how, reference is not None)
        asked = (True, how.entropy, how.squares, reference is not None)
        found = [hidden.new_empty(len(hidden), dtype=how.numbers) if each else None for each in asked]
        factor = weight.to(how.dtype)
        for rows in chunks(len(hidden), len(weight), hidden.device):
            scores = _of_chunk(hidden[rows], factor, bias, tokens[rows], how, kept.at(rows), _at(reference, rows))
            for column, values in zip(found, scores, strict=True):
                if column is not None and values is not None:
                    column[rows] = values
        ctx.how, ctx.reference = how, reference
        ctx.save_for_backward(hidden, weight, bias, tokens, *kept, *found[1:])
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, tokens, probs, gaps, *found = ctx.saved_tensors
        how, kept, inputs = ctx.how, _Kept(probs, gaps), (hidden, weight, bias)
        totals = [
            torch.zeros_like(each, dtype=how.numbers) if needed else None
            for each, needed in zip(inputs, ctx.needs_input_grad, strict=False)
        ]
        with torch.autocast(hidden.device.type, enabled=False):
            factor = weight.to(how.dtype)
            for rows in chunks(len(hidden), len(weight), hidden.device):
                given, numbers = ([None if each is None else each[rows] for each in part] for part in (grads, found))
                seen, room, other = hidden[rows].to(how.dtype), kept.at(rows), _at(ctx.reference, rows)
                turned = _turned(seen, factor, bias, tokens[rows], given, numbers, how, room, other)
                _add(totals, rows, turned, seen, factor)
                del turned  # before the next chunk's
        made = (None if total is None else total.to(like.dtype) for total, like in zip(totals, inputs, strict=True))
        return *made, None, None, None


def _at(reference: Reference | None, rows: slice) -> Reference | None:
    return None if reference is None else reference._replace(hidden=reference.hidden[rows])


def _of_chunk(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    tokens: Tensor,
    how: How,
    room: _Kept,
    reference: Reference | None,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """Log-probs, entropy, squares and KL of some tokens; what is kept goes into `room`."""
    chunk = _distributions(hidden, weight, bias, how, how.softcap, room.probs)
    logprobs = chunk.logits.gather(1, tokens[:, None])[:, 0] - chunk.offset
    entropy = chunk.offset - _mean(chunk.probs, chunk.logits) if how.entropy else None
    squares = torch.linalg.vecdot(chunk.probs, chunk.probs) if how.squares else None
    kl = None if reference is None else _mean(chunk.probs, _gaps(chunk, reference, how, room.gaps))
    return logprobs, entropy, squares, kl


def _turned(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    tokens: Tensor,
    grads: list[Tensor | None],
    found: list[Tensor | None],
    how: How,
    room: _Kept,
    reference: Reference | None,
) -> Tensor:
    """[C, V]: the gradient of the raw logits of some tokens.

    Of a choice j, with g the gradients of log p(token), entropy H, squares S and KL:
    g_0 (1[j = token] - p_j) + p_j (-g_1 (log p_j + H) + 2 g_2 (p_j - S) + g_3 (log p_j - log q_j - KL)).
    """
    (of_token, of_entropy, of_squares, of_kl), (entropy, squares, kl) = grads, found
    chunk = room.chunk(logarithms=of_entropy is not None) or _distributions(hidden, weight, bias, how, how.softcap)
    p = chunk.probs
    constant = torch.zeros_like(p[:, 0]) if of_token is None else -of_token
    factor: Tensor | None = None
    if of_entropy is not None and entropy is not None:
        constant = constant - of_entropy * entropy
        factor = (chunk.logits - chunk.offset[..., None]).mul_(-of_entropy[:, None])
    if of_squares is not None and squares is not None:
        constant = constant - 2.0 * of_squares * squares
        factor = _plus(factor, p, 2.0 * of_squares)
    if of_kl is not None and kl is not None and reference is not None:
        constant = constant - of_kl * kl
        factor = _plus(factor, _gaps(chunk, reference, how) if room.gaps is None else room.gaps, of_kl)
    if factor is None:
        p.mul_(constant[:, None])
    else:
        p.mul_(factor.add_(constant[:, None]).masked_fill_(p == 0, 0.0))
    if of_token is not None:
        p.scatter_add_(1, tokens[:, None], of_token[:, None])
    if chunk.slope is not None:
        p.mul_(chunk.slope)
    return p if how.temperature == 1.0 else p.div_(how.temperature)


def _plus(total: Tensor | None, values: Tensor, scale: Tensor) -> Tensor:
    """total + values * scale, a scale per row."""
    return values * scale[:, None] if total is None else total.addcmul_(values, scale[:, None])


def _add(totals: list[Tensor | None], rows: slice, turned: Tensor, seen: Tensor, weight: Tensor) -> None:
    """Add a chunk's share to the gradients of hidden, weight and bias, where they are asked for."""
    of_hidden, of_weight, of_bias = totals
    if of_hidden is not None:
        of_hidden[rows] = product(turned, weight, weight.dtype)
    if of_weight is not None and weight.dtype == of_weight.dtype:
        of_weight.addmm_(turned.t(), seen)
    elif of_weight is not None:
        of_weight += product(turned.t(), seen, weight.dtype)
    if of_bias is not None:
        of_bias += turned.sum(0)
