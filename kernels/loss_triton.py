"""Triton kernel of `loss.clipped_token_loss`."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from turnwise.kernels.loss import LOG_RATIO_LIMIT

CONFIGS = ((1024, 4), (512, 4), (2048, 8))
"""(tokens of a program, warps) worth trying on Hopper; the first one is taken."""
NO_CEILING = 1e30
"""c without a dual clip: ratios stay below e^20."""


@triton.jit
def _clipped(
    logprobs, old_logprobs, advantages, mask, loss, slope, clipped, lower, count, low, high, ceiling,
    LIMIT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    here = at < count
    inside = tl.load(mask + at, mask=here, other=0) != 0
    difference = tl.load(logprobs + at, mask=inside, other=0.0) - tl.load(old_logprobs + at, mask=inside, other=0.0)
    advantage = tl.load(advantages + at, mask=inside, other=0.0)
    # Comparisons, not minimum and maximum: a NaN inside the mask has to come out again.
    far = (difference > LIMIT) | (difference < -LIMIT)
    ratio = tl.exp(tl.where(difference > LIMIT, LIMIT, tl.where(difference < -LIMIT, -LIMIT, difference)))
    free = -advantage * ratio
    held = -advantage * tl.where(ratio > high, high, tl.where(ratio < low, low, ratio))
    bites = held > free
    found = tl.where(bites, held, free)
    most = -advantage * ceiling
    cut = (advantage < 0) & (found > most)
    # torch gives each of two equal numbers half of the gradient of their minimum.
    share = tl.where((advantage < 0) & (found == most), 0.5, 1.0)
    tl.store(loss + at, tl.where(cut, most, found), mask=here)
    tl.store(slope + at, tl.where(bites | far | cut, 0.0, share * free), mask=here)
    tl.store(clipped + at, bites.to(tl.int8), mask=here)
    tl.store(lower + at, cut.to(tl.int8), mask=here)


def clipped(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    bounds: tuple[float, float, float | None],
    config: tuple[int, int] = CONFIGS[0],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss, its slope in the log-probs, and both flags, in the shape of the log-probs."""
    columns = [column.contiguous() for column in (logprobs, old_logprobs, advantages)]
    loss, slope = (torch.empty_like(columns[0]) for _ in range(2))
    flags = [torch.empty_like(loss, dtype=torch.int8) for _ in range(2)]
    low, high, ceiling = bounds
    count = loss.numel()
    block, warps = config
    if count:
        _clipped[(triton.cdiv(count, block),)](
            *columns, mask.contiguous().view(torch.int8), loss, slope, *flags, count, low, high,
            NO_CEILING if ceiling is None else ceiling, LIMIT=LOG_RATIO_LIMIT, BLOCK=block, num_warps=warps,
        )  # fmt: skip
    return loss, slope, flags[0].view(torch.bool), flags[1].view(torch.bool)
