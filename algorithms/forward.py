"""The forward pass of a model's body over a batch, and where in its result a token of a row is found."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from turnwise.algorithms.batch import Batch


def hidden_states(body: Any, batch: Batch) -> Tensor:
    """[K, H]: the body's last state at each of the K tokens that are forwarded, see `place`. Carries the gradient."""
    columns = torch.arange(batch.ids.shape[1], device=batch.ids.device)
    attention = (columns < batch.lengths[:, None]).long()
    found: Tensor = body(input_ids=batch.ids, attention_mask=attention, use_cache=False).last_hidden_state
    return found.flatten(0, 1)


def place(batch: Batch, rows: Tensor, positions: Tensor) -> Tensor:
    """Which of the K tokens stands at these positions of these rows; same shape as both, int64."""
    return rows * batch.ids.shape[1] + positions
