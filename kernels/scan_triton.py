"""Triton kernel of `scan.reverse_scan`: a program per row, whose blocks hand on what they carry."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

CONFIGS = ((2048, 8), (1024, 4), (2048, 4), (4096, 8))
"""(most elements of a row that a program holds at once, warps) worth trying on Hopper; the first one is taken."""


@triton.jit
def _composed(kept_far, total_far, kept_near, total_near):
    """First the steps that are far, then the near ones: v -> total + kept v."""
    return kept_near * kept_far, total_near + kept_near * total_far


@triton.jit
def _scan_rows(values, decay, out, length, FORWARD: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * length
    carried = 0.0
    for block in range(tl.cdiv(length, BLOCK)):
        # Both directions run over `seen`, the distance from the end that has nothing behind it.
        seen = block * BLOCK + tl.arange(0, BLOCK)
        inside = seen < length
        if FORWARD:
            place = seen
            kept = tl.load(decay + row + place - 1, mask=inside & (place > 0), other=0.0)
        else:
            place = length - 1 - seen
            kept = tl.load(decay + row + place, mask=inside & (seen > 0), other=0.0)
        total = tl.load(values + row + place, mask=inside, other=0.0)
        kept, total = tl.associative_scan((kept, total), 0, _composed)
        total += kept * carried
        tl.store(out + row + place, total, mask=inside)
        carried = tl.sum(tl.where(seen == (block + 1) * BLOCK - 1, total, 0.0), 0)


def scan(values: Tensor, decay: Tensor, *, forward: bool = False, config: tuple[int, int] = CONFIGS[0]) -> Tensor:
    """As `scan.reference`, in float32."""
    found = torch.empty_like(values, memory_format=torch.contiguous_format)
    length = values.shape[-1]
    if found.numel():
        block, warps = config
        grid = (found.numel() // length,)
        width = min(block, triton.next_power_of_2(length))
        columns = values.contiguous(), decay.contiguous(), found
        _scan_rows[grid](*columns, length, FORWARD=forward, BLOCK=width, num_warps=warps)
    return found
