"""The reverse scan y_t = x_t + d_t y_(t+1): advantages and discounted sums over steps, segments lying end to end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

PRECISIONS = (torch.float32, torch.float64)


def reverse_scan(values: Tensor, decay: Tensor) -> Tensor:
    """y_t = x_t + d_t y_(t+1) along the last axis, y after the end taken as 0.

    Args:
        values: [..., L] float32 or float64: x, any unit. The result carries their gradient, which is the forward scan.
        decay: [..., L], same shape, dtype and device: d, what a step keeps of the next one; 0 at the last step of a
            segment, so that several of them lie in one row. It carries no gradient.
    Returns: [..., L] in the unit of `values`. Float32 on CUDA is one kernel, everything else is torch's.
    Raises: ValueError on other dtypes, shapes that differ, or a `decay` that wants a gradient.
    """
    if values.shape != decay.shape or values.dtype != decay.dtype or values.dim() == 0:
        raise ValueError(
            "values and decay are [..., L] of one dtype: got "
            f"{list(values.shape)} {values.dtype} and {list(decay.shape)} {decay.dtype}"
        )
    if values.dtype not in PRECISIONS:
        raise ValueError(f"a scan adds up in float32 or float64: got {values.dtype}; convert it first")
    if decay.requires_grad:
        raise ValueError("a scan has no gradient for its decay: detach it")
    scanned: Tensor = _ReverseScan.apply(values, decay)  # type: ignore[no-untyped-call]
    return scanned


def discounted_sums(rewards: Tensor, last: Tensor, *, discount: float) -> Tensor:
    """G_t = r_t + gamma G_(t+1) within each segment.

    Args:
        rewards: [..., L] float32 or float64, in task units.
        last: [..., L] bool: the last step of each segment. Segments lie end to end in a row.
        discount: gamma per step, in [0, 1].
    Returns: [..., L] in task units.
    """
    return reverse_scan(rewards, _decay(rewards, last, discount))


def generalised_advantages(
    rewards: Tensor, values: Tensor, last: Tensor, *, gamma: float, lam: float, bootstrap: Tensor | None = None
) -> Tensor:
    """A_t = r_t + gamma V_(t+1) - V_t + gamma lam A_(t+1) within each segment.

    Args:
        rewards: [..., L] float32 or float64: given after each step, in task units.
        values: [..., L]: V before each step, in task units.
        last: [..., L] bool: the last step of each segment. Segments lie end to end in a row.
        gamma: Discount per step, in [0, 1].
        lam: Mixing per step, in [0, 1].
        bootstrap: [..., L]: V after the last step of a segment, read there alone; None for 0, the episodes terminated.
    Returns: [..., L] in task units, without gradient.
    Source: Schulman et al. 2016, arXiv:1506.02438, eq. 16.
    """
    with torch.no_grad():
        after = torch.nn.functional.pad(values[..., 1:], (0, min(values.shape[-1], 1)))
        end = torch.zeros_like(values) if bootstrap is None else bootstrap
        differences = rewards + gamma * torch.where(last, end, after) - values
        return reverse_scan(differences, _decay(values, last, gamma * lam))


def reference(values: Tensor, decay: Tensor, *, forward: bool = False) -> Tensor:
    """What `reverse_scan` returns, or its transpose g_t = x_t + d_(t-1) g_(t-1), in log2(L) steps of torch.

    After k of them every entry holds the sum of its next 2^k terms, and `kept` the product of their decays.
    """
    length = values.shape[-1]
    total, step, kept = values.clone(), 1, decay[..., : max(length - 1, 0)]
    while step < length:
        near, far = total[..., : length - step], total[..., step:]
        if forward:
            far += kept * near
        else:
            near += kept * far
        rest = max(length - 2 * step, 0)
        kept = kept[..., :rest] * kept[..., step : step + rest]
        step *= 2
    return total


class _ReverseScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, decay: Tensor) -> Tensor:
        ctx.save_for_backward(decay)
        return _scan(values, decay, forward=False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (decay,) = ctx.saved_tensors
        return _scan(grads[0], decay, forward=True), None


def _scan(values: Tensor, decay: Tensor, *, forward: bool) -> Tensor:
    if not values.is_cuda or values.dtype != torch.float32:
        return reference(values, decay, forward=forward)
    from turnwise.kernels.scan_triton import scan

    return scan(values, decay, forward=forward)


def _decay(like: Tensor, last: Tensor, factor: float) -> Tensor:
    """[..., L] the factor, 0 at the end of each segment."""
    return torch.full_like(like, factor).masked_fill_(last, 0.0)
