"""The critic: a head that predicts the return to come from a language model's last hidden state."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from turnwise.algorithms.batch import Batch
from turnwise.algorithms.forward import hidden_states, place
from turnwise.algorithms.losses import ValueLoss, clipped_value_loss
from turnwise.algorithms.policy import body_and_head, within


class ValueNet(nn.Module):
    """A linear head, on the policy's own body or on a copy of it. It starts by predicting 0 everywhere."""

    def __init__(self, policy: Any, *, own_body: bool) -> None:
        """`own_body`: weights apart from the policy's, copied from them now."""
        super().__init__()
        body, _ = body_and_head(policy)
        width = policy.config.get_text_config().hidden_size
        self.body = copy.deepcopy(body).requires_grad_(True) if own_body else None
        self.head = nn.utils.skip_init(nn.Linear, width, 1, device=policy.device)  # draws no random numbers
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def read(self, hidden: Tensor) -> Tensor:
        """[...] float32 task units, from hidden states [..., H]."""
        values: Tensor = self.head(hidden.to(self.head.weight.dtype)).float()[..., 0]
        return values

    def forward(self, batch: Batch, policy_hidden: Tensor | None) -> Tensor:
        """[M]: the value before each trained token. `policy_hidden` [M, H] serves where the body is the policy's."""
        if self.body is None:
            if policy_hidden is None:
                raise ValueError("a critic on the policy's body needs its hidden states: score the policy first")
            return self.read(policy_hidden)
        hidden = hidden_states(self.body, batch)
        return self.read(hidden[place(batch, batch.token_row, batch.token_position - 1)])

    @torch.no_grad()
    def everywhere(self, policy: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """([M] before each trained token, [R] after the last token of each row), without gradient."""
        hidden = None if self.body else within(policy, hidden_states, body_and_head(policy)[0], batch)
        return within(self, self._both, batch, hidden)

    def _both(self, batch: Batch, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        hidden = hidden_states(self.body, batch) if hidden is None else hidden
        rows = torch.arange(len(batch.lengths), device=batch.ids.device)
        before = self.read(hidden[place(batch, batch.token_row, batch.token_position - 1)])
        return before, self.read(hidden[place(batch, rows, batch.lengths - 1)])


def value_loss(predictions: Tensor, batch: Batch, *, clip: float | None, valued: int) -> tuple[Tensor, ValueLoss]:
    """A part's share of the mean over the `valued` targets of the whole batch, and the loss per token [N, T].

    Args:
        predictions: [M] in task units, with gradient.
        clip: see `clipped_value_loss`; it needs `batch.values`.
    Raises: ValueError where the batch holds no targets, or no old values though they are asked for.
    """
    if batch.targets is None:
        raise ValueError("the critic has nothing to learn: this credit method gives no targets (gae and tppo do)")
    if clip is not None and batch.values is None:
        raise ValueError("a clip of the critic's steps needs its old predictions: set critic.clip=null")
    asked = batch.mask & ~batch.targets.isnan()
    targets = batch.targets.masked_fill(~asked, 0.0)
    predicted = predictions[batch.token_index].masked_fill(~asked, 0.0)
    old = predicted.detach() if batch.values is None else batch.values.masked_fill(~asked, 0.0)
    loss = clipped_value_loss(predicted, old, targets, clip=clip)
    return loss.per_token.masked_fill(~asked, 0.0).sum() / max(valued, 1), loss
