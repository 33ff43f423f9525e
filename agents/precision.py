"""Which numbers a run computes in. The weights themselves stay float32, so that small updates are not rounded away."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def computing_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """A block whose matrix products run in `dtype` (torch's autocast); float32 changes nothing."""
    if dtype == torch.float32:
        return nullcontext()
    # Without its cache: the block outlives updates, and a cached copy of a weight would stay as it was before them.
    return torch.autocast(device.type, dtype, cache_enabled=False)
