"""A model's layers compiled by torch: what lies between its matrix products becomes a few kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from turnwise.agents.lora import has_adapters
from turnwise.algorithms.forward import ATTENTION, attention_of
from turnwise.algorithms.noise import LayerNoise
from turnwise.algorithms.recipes import Optimisation
from turnwise.algorithms.sharding import decoder_layers

Active = Callable[[int, int], AbstractContextManager[None]]


def active_layers(
    model: Any,
    settings: Optimisation,
    noise: LayerNoise | None = None,
    *,
    alone: bool = True,
    backend: str = "inductor",
) -> Active:
    """(number of the pass, of the part in it) -> what an update's layers are while it computes: with noise, compiled,
    or as they are. Everybody else who computes with the model meets them as they are.

    Shapes are left open, so that a batch of another size compiles nothing anew.
    alone: whole in one process, where they compute. backend: torch.compile's.
    Raises ValueError where layers that are to be compiled cannot be.
    """
    if not settings.compile:
        return (lambda *_: nullcontext()) if noise is None else noise.active
    for clash, name, what in (
        (noise is not None, "algorithm.noise", "noise in its layers"),
        (has_adapters(model), "model.lora", "adapters beside its layers"),
        (settings.activation_checkpointing, "activation_checkpointing", "layers that are computed twice"),
        (not alone, "offload or torchrun", "weights that lie elsewhere while they are not needed"),
    ):
        if clash:
            raise ValueError(
                f"algorithm.optimisation.compile=true is for plain layers: this run has {what} ({name}); leave one out"
            )
    layers = decoder_layers(model)
    if not layers:
        raise ValueError(
            f"algorithm.optimisation.compile=true compiles a model's list of layers: {type(model).__name__} has none"
        )
    if attention_of(getattr(model, model.base_model_prefix)) == ATTENTION:
        _leave_attention_out()
    forwards = [torch.compile(layer.forward, dynamic=True, backend=backend) for layer in layers]

    @contextmanager
    def active(*_: int) -> Iterator[None]:
        for layer, forward in zip(layers, forwards, strict=True):
            layer.forward = forward
        try:
            yield
        finally:
            for layer in layers:
                del layer.forward

    return active


def _leave_attention_out() -> None:
    """The attention over trees is a kernel of its own: what is compiled ends before it and begins again behind it."""
    from transformers import AttentionInterface
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    AttentionInterface.register(ATTENTION, torch.compiler.disable(ALL_ATTENTION_FUNCTIONS[ATTENTION]))
