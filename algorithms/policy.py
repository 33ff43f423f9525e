"""One forward pass of the policy over a batch: what it thinks of each trained token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from turnwise.agents.lora import linear_parts
from turnwise.algorithms.batch import Batch
from turnwise.algorithms.forward import distinct, hidden_states, place
from turnwise.algorithms.lean import is_lean, states_at
from turnwise.kernels.logprobs import Reference, TokenScores, chunks, scores_of_logits, token_scores

Found = TypeVar("Found")


class Scores(NamedTuple):
    """Over the M distinct trained tokens of a batch."""

    logprobs: Tensor
    """[M] float32 nats: log p of the token itself."""
    entropy: Tensor | None = None
    """[M] float32 nats: of the whole distribution there, where it was asked for."""
    squares: Tensor | None = None
    """[M] float32: sum of all its squared probabilities, where it was asked for."""
    kl: Tensor | None = None
    """[M] float32 nats: exact KL(policy || reference), with a reference."""
    hidden: Tensor | None = None
    """[M, H]: the body's last state before the token, for a critic on the same body."""
    vocabulary: int = 0
    """V, the number of choices."""

    def repeated(self, tokens: Tensor) -> Scores:
        """Of these tokens, [M'] int64, some of them more than once."""
        columns: dict[str, Any] = {name: found for name, found in self._asdict().items() if isinstance(found, Tensor)}
        return self._replace(**{name: found[tokens] for name, found in columns.items()})


def within(module: Any, compute: Callable[..., Found], *inputs: Any) -> Found:
    """compute(*inputs) with the module's weights at hand, wherever they are (see `sharding.shard`).

    What carries a gradient comes out as tensors, alone or in tuples.
    """
    run: Callable[..., Found] | None = getattr(module, "within", None)
    return compute(*inputs) if run is None else run(compute, *inputs)


def score(
    model: Any,
    batch: Batch,
    *,
    temperature: float,
    entropy: bool = False,
    squares: bool = False,
    reference: Any = None,
) -> Scores:
    """Log-probs under `model` at a temperature, and what else is asked for. Carries the gradient.

    The head is computed at trained tokens only, and never for more than a chunk of them at a time.
    reference: another model of the same vocabulary, for the exact KL; it gets no gradient.
    Raises ValueError if a model lacks a separate body and head.
    """
    once, back = distinct(batch)
    other = None if reference is None else within(reference, _compared, reference, once)
    found = within(model, _score, model, once, temperature, entropy, squares, other)
    return found if back is None else found.repeated(back)


class Compared(NamedTuple):
    """What a reference sees at each of M tokens, and its head."""

    hidden: Tensor
    """[M, H]."""
    head: tuple[Tensor, Tensor | None] | None
    """Weight [V, H] and bias [V], where the head is linear."""
    model: Any

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., V] float32."""
        if self.head is None:
            return logits_of(self.model, hidden)
        return _capped(self.model, nn.functional.linear(hidden, *self.head).float())


@torch.no_grad()
def _compared(reference: Any, batch: Batch) -> Compared:
    """Of a reference that is spread over ranks, the head's weight is at hand only here: it is copied."""
    layer = body_and_head(reference)[1]
    head, spread_out = linear_parts(layer), hasattr(reference, "within")
    if spread_out and head is None:
        raise ValueError(
            "the exact KL to a reference that is spread over ranks needs a linear head: got "
            f"{type(layer).__name__}; set algorithm.magnet.estimator=k3"
        )
    if spread_out and head is not None:
        head = head[0].clone(), None if head[1] is None else head[1].clone()
    return Compared(_seen(reference, batch), head, reference)


def _seen(model: Any, batch: Batch) -> Tensor:
    """[M, H]: the body's last state before each trained token."""
    tokens = place(batch, batch.token_row, batch.token_position - 1)
    if batch.tree is not None and is_lean(model):
        return states_at(model, batch.tree, tokens)
    return hidden_states(body_and_head(model)[0], batch)[tokens]


def _score(
    model: Any, batch: Batch, temperature: float, entropy: bool, squares: bool, reference: Compared | None
) -> Scores:
    hidden, tokens = _seen(model, batch), batch.ids[batch.token_row, batch.token_position]
    options = {"entropy": entropy, "squares": squares}
    found = head_scores(model, hidden, tokens, temperature=temperature, reference=reference, **options)
    return Scores(*found, hidden, _choices(model))


def head_scores(
    model: Any,
    hidden: Tensor,
    tokens: Tensor,
    *,
    temperature: float,
    entropy: bool = False,
    squares: bool = False,
    reference: Compared | None = None,
) -> TokenScores:
    """What the model's head makes of hidden states [M, H], for the tokens [M] that follow them.

    A head that is no plain linear layer (an adapter stands beside it) is called itself, chunk by chunk, and once more
    in the backward pass.
    """
    head, plain = body_and_head(model)[1], reference is None or reference.head is not None
    options: dict[str, Any] = {"entropy": entropy, "squares": squares}
    if not (plain and type(head) is nn.Linear and not head._forward_hooks and not head._forward_pre_hooks):
        return _by_module(model, hidden, tokens, temperature or 1.0, reference, options)
    other = None
    if reference is not None and reference.head is not None:
        other = Reference(reference.hidden, *reference.head, _softcap(reference.model))
    options |= {"bias": head.bias, "softcap": _softcap(model), "reference": other}
    return token_scores(hidden, head.weight, tokens, temperature=temperature or 1.0, **options)


def _by_module(
    model: Any,
    hidden: Tensor,
    tokens: Tensor,
    temperature: float,
    reference: Compared | None,
    options: dict[str, Any],
) -> TokenScores:
    def of_chunk(states: Tensor, chosen: Tensor, compared: Tensor | None) -> TokenScores:
        logits = logits_of(model, states) / temperature
        other = None
        if reference is not None and compared is not None:
            other = reference.logits(compared).detach() / temperature
        return scores_of_logits(logits, chosen, reference=other, **options)

    parts = []
    for rows in list(chunks(len(tokens), _choices(model), hidden.device)) or [slice(0, 0)]:
        inputs = (hidden[rows], tokens[rows], None if reference is None else reference.hidden[rows])
        parts.append(checkpoint(of_chunk, *inputs, use_reentrant=False, preserve_rng_state=False))
    logprobs, *others = zip(*parts, strict=True)
    return TokenScores(torch.cat(logprobs), *(None if each[0] is None else torch.cat(each) for each in others))


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
    return _capped(model, body_and_head(model)[1](hidden).float())


def _capped(model: Any, logits: Tensor) -> Tensor:
    softcap = _softcap(model)
    return softcap * torch.tanh(logits / softcap) if softcap else logits


def _softcap(model: Any) -> float | None:
    return getattr(model.config, "final_logit_softcapping", None) or None


def _choices(model: Any) -> int:
    """V."""
    weight = getattr(body_and_head(model)[1], "weight", None)
    return model.config.get_text_config().vocab_size if weight is None else len(weight)
