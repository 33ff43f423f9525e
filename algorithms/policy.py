"""One forward pass of the policy over a batch: what it thinks of each trained token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from turnwise.algorithms.batch import Batch


@dataclass(frozen=True, slots=True)
class Scores:
    """Over the M distinct trained tokens of a batch."""

    logprobs: Tensor
    """[M] float32 nats: log p of the token itself."""
    distribution: Tensor
    """[M, V] float32 nats: log p of every token there."""


def score(model: Any, batch: Batch, *, temperature: float) -> Scores:
    """Log-probs under `model` at a temperature. The head is computed at trained tokens only. Carries the gradient.

    Raises ValueError if the model lacks a separate body and head.
    """
    head = model.get_output_embeddings()
    body = getattr(model, model.base_model_prefix, None)
    if head is None or body is None or body is model:
        raise ValueError(f"training needs a causal language model with a body and a head: got {type(model).__name__}")
    columns = torch.arange(batch.ids.shape[1], device=batch.ids.device)
    attention = (columns < batch.lengths[:, None]).long()
    hidden = body(input_ids=batch.ids, attention_mask=attention, use_cache=False).last_hidden_state
    logits = head(hidden[batch.token_row, batch.token_position - 1]).float()
    softcap = getattr(model.config, "final_logit_softcapping", None)
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    distribution = torch.log_softmax(logits / (temperature or 1.0), dim=-1)
    tokens = batch.ids[batch.token_row, batch.token_position]
    return Scores(distribution.gather(1, tokens[:, None])[:, 0], distribution)
