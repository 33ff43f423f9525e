"""Whether the kernels are right on this card: each against its torch reference, in both precisions.

A row says how far apart they are and how far they may be; the first that is too far ends the part with an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from device import Place
from torch import Tensor

Row = dict[str, Any]
Columns = Sequence[Tensor]


class WrongKernel(AssertionError):
    """A kernel and its reference differ."""


def held(what: str, got: Columns, wanted: Columns, allowed: float) -> Row:
    """The largest difference, relative to the largest number of its column (at least 0.1). Raises WrongKernel."""
    gaps = []
    for mine, other in zip(got, wanted, strict=True):
        if mine.shape != other.shape or not bool(mine.isfinite().all()):
            raise WrongKernel(
                f"{what}: shapes {list(mine.shape)} and {list(other.shape)}, or a number that is not finite"
            )
        mine, other = mine.double(), other.double()
        gaps.append(float((mine - other).abs().max() / other.abs().max().clamp_min(0.1)) if other.numel() else 0.0)
    if max(gaps) > allowed:
        raise WrongKernel(f"{what}: {max(gaps):.2g} off, relative to the largest; {allowed:.2g} is allowed")
    return {"what": what, "rate": max(gaps), "note": f"off, of {allowed:g} allowed"}


def scans(place: Place, large: bool) -> Iterator[Row]:
    from turnwise.kernels.scan import reference
    from turnwise.kernels.scan_triton import CONFIGS, scan

    for shape in ((1, 1), (3, 77), (2, 5000) if large else (2, 40)):
        values = place.random(*shape)
        decay = torch.where(place.random(*shape) > 1.5, 0.0, 0.95)
        for config in CONFIGS if large else ((16, 1),):
            for forward in (False, True):
                wanted = reference(values.double(), decay.double(), forward=forward)
                got = scan(values, decay, forward=forward, config=config)
                yield held(f"scan {shape} {config}{' forwards' if forward else ''}", [got], [wanted], 1e-5)


def losses(place: Place, large: bool) -> Iterator[Row]:
    from turnwise.kernels.loss import reference
    from turnwise.kernels.loss_triton import CONFIGS, clipped

    shape, bounds = (5, 3001 if large else 30), (0.8, 1.28, 3.0)
    old, steps, advantages = (place.random(*shape, dtype=torch.float32).roll(turn) for turn in range(3))
    new = (old + 0.5 * steps).requires_grad_()
    mask = old < 1.0
    wanted = reference(new, old, advantages, mask, bounds)
    (slope,) = torch.autograd.grad(wanted.per_token.sum(), new)
    for config in CONFIGS if large else ((64, 1),):
        loss, gradient, *_ = clipped(new.detach(), old, advantages, mask, bounds, config)
        yield held(f"loss {config}", [loss, gradient], [wanted.per_token.detach(), slope], 1e-5)


def heads(place: Place, large: bool) -> Iterator[Row]:
    """Log-probs, entropies and squares, and the gradients of all of them, bias, soft cap and temperature included."""
    from turnwise.kernels.logprobs import scores_of_logits
    from turnwise.kernels.logprobs_triton import token_scores

    cases = ((1, 16, 50), (300, 128, 20_011), (5000, 256, 9000)) if large else ((1, 8, 50), (5, 16, 70))
    for dtype, allowed in ((torch.float32, 2e-5), (torch.bfloat16, 2e-2)):
        for count, size, vocabulary in cases:
            for capped in (False, True):
                hidden = place.random(count, size, dtype=dtype)
                weight = (0.2 * place.random(vocabulary, size)).to(dtype)
                bias = place.random(vocabulary) if capped else None
                softcap, temperature = (20.0, 0.7) if capped else (None, 1.0)
                tokens = torch.arange(count, device=place.device) * 7919 % vocabulary
                weights = [place.random(count).roll(turn) for turn in range(3)]

                def plain(h: Tensor, w: Tensor, b: Tensor | None, t: Any = (tokens, softcap, temperature)) -> Any:
                    logits = h @ w.t() if b is None else h @ w.t() + b
                    logits = logits if t[1] is None else t[1] * torch.tanh(logits / t[1])
                    return scores_of_logits(logits / t[2], t[0], entropy=True, squares=True)

                def fused(
                    h: Tensor, w: Tensor, b: Tensor | None, t: Any = (tokens, softcap, temperature, dtype)
                ) -> Any:
                    extra = {"temperature": t[2], "softcap": t[1], "dtype": t[3]}
                    return token_scores(h, w, b, t[0], entropy=True, squares=True, **extra)

                got = _with_gradients(fused, (hidden, weight, bias), weights)
                exact = tuple(None if each is None else each.double() for each in (hidden, weight, bias))
                wanted = _with_gradients(plain, exact, [column.double() for column in weights])
                what = f"head {count} x {size} x {vocabulary} {str(dtype)[6:]}{' capped' if capped else ''}"
                # The first three are log-probs, entropies and squares: products of halves add up in float32 there too.
                yield held(what, got[:3], wanted[:3], 2e-5)
                yield held(f"{what}, gradients", got[3:], wanted[3:], allowed)


def _with_gradients(function: Callable[..., Any], inputs: Sequence[Tensor | None], weights: Columns) -> list[Tensor]:
    """Results of a function that finds three columns, and the gradients of their weighted sum."""
    given = [None if each is None else each.detach().clone().requires_grad_() for each in inputs]
    found = list(function(*given))[:3]
    total = sum((column * weight).sum() for column, weight in zip(found, weights, strict=True))
    assert isinstance(total, Tensor)
    return [column.detach() for column in found] + list(
        torch.autograd.grad(total, [each for each in given if each is not None])
    )


def trees(place: Place, large: bool) -> Iterator[Row]:
    from turnwise.algorithms.tree import tree_of
    from turnwise.kernels.tree_attention import Tree, reference
    from turnwise.kernels.tree_attention_triton import attention

    sizes = ((1, 1, 0), (3, 50, 37), (4, 700, 333)) if large else ((1, 1, 0), (2, 9, 5))
    for members, shared, own in sizes:
        length = shared + own
        ids = torch.arange(length).repeat(members, 1)
        ids[:, shared:] += length * torch.arange(members)[:, None]
        end = tree_of(ids, torch.full((members,), length)).attention.end.to(place.device)
        for heads, groups, size in ((4, 2, 64), (2, 2, 128)) if large else ((2, 1, 16),):
            for dtype, allowed in ((torch.float32, 5e-5), (torch.bfloat16, 2e-2)):
                columns = [place.random(1, n, len(end), size, dtype=dtype) for n in (heads, groups, groups)]
                given = place.random(1, heads, len(end), size)
                got = _attended(lambda q, k, v, e=end, s=size: attention(q, k, v, e, s**-0.5), columns, given)
                wanted = _attended(
                    lambda q, k, v, e=end: reference(q, k, v, Tree(e)), [each.double() for each in columns], given
                )
                what = f"tree {members} x ({shared} + {own}), heads {heads}/{groups} x {size}, {str(dtype)[6:]}"
                yield held(what, got, wanted, allowed)


def _attended(attend: Callable[..., Tensor], columns: Columns, given: Tensor) -> list[Tensor]:
    inputs = [column.detach().clone().requires_grad_() for column in columns]
    found = attend(*inputs)
    return [found.detach(), *torch.autograd.grad((found * given.to(found.dtype)).sum(), inputs)]


GATES = {"scan": scans, "loss": losses, "head": heads, "tree": trees}


def gates(place: Place, large: bool) -> Iterator[Row]:
    """All of them."""
    torch.backends.cuda.matmul.allow_tf32 = False
    for check in GATES.values():
        yield from check(place, large)
