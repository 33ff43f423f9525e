"""The sizes of a language model, and the bytes that they lead to; no weights are loaded.

The formulas of an update and of generation count what transformers and torch keep for one pass of a dense model of the
Llama and Qwen kind, and were held against torch's own count of allocations: tests/algorithms/test_memory_plan.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnwise.agents.pretrained import load_config
from turnwise.agents.tiny import tiny_config
from turnwise.algorithms.checkpoint import weights_of
from turnwise.algorithms.settings import ModelSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Sizes of a causal language model."""

    parameters: int
    """All of them; a head that is tied to the embedding counts once."""
    layers: int
    hidden: int
    """Width of the residual stream."""
    heads: int
    key_heads: int
    """Heads of keys and values."""
    head_dim: int
    intermediate: int
    """Width of the gated layer; of a mixture of experts, of all that one token passes."""
    vocabulary: int
    tied: bool = True
    """Whether the head is the embedding."""

    @property
    def query(self) -> int:
        """Width of all query heads."""
        return self.heads * self.head_dim

    @property
    def key(self) -> int:
        """Width of all key heads, and of all value heads."""
        return self.key_heads * self.head_dim

    @property
    def embedding(self) -> int:
        """Parameters of the embedding, and of the head."""
        return self.vocabulary * self.hidden

    @property
    def of_layer(self) -> int:
        """Parameters of one layer; of a mixture of experts, with all of them."""
        return (self.parameters - self.embedding * (1 if self.tied else 2)) // self.layers

    def cache_bytes(self, bf16: bool) -> int:
        """Of one token in transformers' cache. In bfloat16 the keys stay float32: their norm widens them."""
        return self.layers * self.key * (6 if bf16 else 8)

    def layer_bytes(self, row: int, bf16: bool) -> int:
        """What one layer keeps of one token for the backward pass. row: tokens of the row, for its mask."""
        small = 4 * (2 + 2 * self.heads + self.key_heads)
        if bf16:
            return 26 * self.hidden + 14 * self.query + 6 * self.key + 8 * self.intermediate + 2 * row + small
        return 4 * (6 * self.hidden + 6 * self.query + 2 * self.key + 4 * self.intermediate + row) + small

    def update_bytes(
        self,
        tokens: int,
        row: int,
        trained: int,
        *,
        logits: int,
        bf16: bool,
        checkpointed: bool = False,
        bodies: int = 1,
    ) -> int:
        """Most that a micro-batch takes beyond weights and gradients.

        Args:
            tokens: Of the micro-batch, padding included.
            row: Tokens of its rows.
            trained: Its distinct trained tokens: the head is computed there.
            logits: Bytes of them that are held at a time, see `kernels.logprobs.logit_bytes`.
            bf16: Whether products run in bfloat16.
            checkpointed: Whether layers keep their inputs alone, and one at a time computes the rest again.
            bodies: 2 with a critic of its own.
        """
        copies = 2 * self.of_layer if bf16 else 0  # autocast keeps the weights in bfloat16 until the backward pass
        layer = tokens * self.layer_bytes(row, bf16) + copies
        outside = 12 * self.hidden * tokens
        head = logits + 4 * self.embedding + 8 * self.hidden * trained  # and the gradients of weight and states
        if not checkpointed:
            passing = 4 * self.embedding + 4 * tokens * (self.hidden + self.intermediate)  # as a layer goes back
            return bodies * (self.layers * layer + outside) + max(head, passing)
        kept = tokens * 4 * self.hidden * self.layers + outside
        return bodies * kept + max(head, layer + tokens * 8 * self.intermediate)


def shape_of(settings: ModelSettings) -> ModelShape:
    """Of the model that a run would train. Raises ModelError where there is no such model."""
    return shape_of_config(_config(settings), settings.trust_remote_code)


def shape_of_config(config: Any, trust_remote_code: bool = False) -> ModelShape:
    """Of a configuration of transformers; its weights are counted without being made."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    text = config.get_text_config()
    heads = text.num_attention_heads
    width = getattr(text, "intermediate_size", None) or 4 * text.hidden_size
    experts = getattr(text, "num_experts_per_tok", None)
    if experts is not None:
        width = experts * (getattr(text, "moe_intermediate_size", None) or width)
    return ModelShape(
        parameters=sum(p.numel() for p in model.parameters()),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        heads=heads,
        key_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
        intermediate=width,
        vocabulary=text.vocab_size,
        tied=bool(text.tie_word_embeddings),
    )


def _config(settings: ModelSettings) -> Any:
    if settings.path is None:
        return tiny_config(settings.tiny, settings.tiny.vocabulary)
    path = settings.path
    if Path(path).exists():
        path = str(weights_of(Path(path)))
    return load_config(path, trust_remote_code=settings.trust_remote_code)
