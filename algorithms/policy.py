"""One forward pass of the policy over a batch: what it thinks of each trained token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from turnwise.algorithms.batch import Batch
from turnwise.algorithms.forward import hidden_states, place

Found = TypeVar("Found")


class Scores(NamedTuple):
    """Over the M distinct trained tokens of a batch."""

    logprobs: Tensor
    """[M] float32 nats: log p of the token itself."""
    distribution: Tensor
    """[M, V] float32 nats: log p of every token there."""
    hidden: Tensor | None = None
    """[M, H]: the body's last state before the token, for a critic on the same body."""


def within(module: Any, compute: Callable[..., Found], *inputs: Any) -> Found:
    """compute(*inputs) with the module's weights at hand, wherever they are (see `sharding.shard`).

    What carries a gradient comes out as tensors, alone or in tuples.
    """
    run: Callable[..., Found] | None = getattr(module, "within", None)
    return compute(*inputs) if run is None else run(compute, *inputs)


def score(model: Any, batch: Batch, *, temperature: float) -> Scores:
    """Log-probs under `model` at a temperature. The head is computed at trained tokens only. Carries the gradient.

    Raises ValueError if the model lacks a separate body and head.
    """
    return within(model, _score, model, batch, temperature)


def _score(model: Any, batch: Batch, temperature: float) -> Scores:
    body, _ = body_and_head(model)
    hidden = hidden_states(body, batch)[place(batch, batch.token_row, batch.token_position - 1)]
    distribution = torch.log_softmax(logits_of(model, hidden) / (temperature or 1.0), dim=-1)
    tokens = batch.ids[batch.token_row, batch.token_position]
    return Scores(distribution.gather(1, tokens[:, None])[:, 0], distribution, hidden)


@torch.no_grad()
def require_plain_head(model: Any) -> None:
    """Raises ValueError unless head(body(x)) is what `model(x)` says: some families scale their logits on the way."""
    body, _ = body_and_head(model)
    ids = torch.arange(1, 9, device=model.device)[None] % model.config.get_text_config().vocab_size
    expected = model(input_ids=ids, use_cache=False).logits.float()
    got = logits_of(model, body(input_ids=ids, use_cache=False).last_hidden_state)
    if (got - expected).abs().max() > 0.02 * expected.abs().max().clamp_min(1e-6):
        raise ValueError(
            f"training computes the logits of {type(model).__name__} as its head over its body, but the model changes "
            "them further (a scale, for example): choose a model of another family"
        )


def body_and_head(model: Any) -> tuple[Any, Any]:
    """A causal language model's part below its head, and the head. Raises ValueError where it has no such parts."""
    head = model.get_output_embeddings()
    body = getattr(model, model.base_model_prefix, None)
    if head is None or body is None or body is model:
        raise ValueError(f"training needs a causal language model with a body and a head: got {type(model).__name__}")
    return body, head


def logits_of(model: Any, hidden: Tensor) -> Tensor:
    """[..., V] float32 from hidden states [..., H]."""
    logits: Tensor = body_and_head(model)[1](hidden).float()
    softcap = getattr(model.config, "final_logit_softcapping", None)
    return softcap * torch.tanh(logits / softcap) if softcap else logits
