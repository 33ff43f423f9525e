"""Adaptive layerwise perturbation: learnable noise on what enters each decoder layer while the policy is updated.

The perturbed policy stands in the ratio's numerator, the untouched sampler in its denominator. A sharp policy, whose
ratio explodes when its numbers move a little, then pays for it, and the ratio's tail shrinks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from turnwise.algorithms.noise_settings import LAYERS, LayerNoiseSettings


def perturbed(hidden: Tensor, log_sigma: Tensor, noise: Tensor) -> Tensor:
    """hidden + exp(log_sigma) noise, in hidden's dtype.

    Args:
        hidden, noise: Same shape, in units of the hidden state and without unit.
        log_sigma: Scalar, natural logarithm.
    """
    return hidden + (log_sigma.exp() * noise).to(hidden.dtype)


def standard_normal(like: Tensor, seed: int, part: int, layer: int) -> Tensor:
    """Noise of `like`'s shape and device, float32, that follows from the three numbers alone: recomputation (gradient
    checkpoints) draws the same."""
    state = np.random.SeedSequence((seed, part, layer)).generate_state(1, np.uint64)[0]
    generator = torch.Generator(device=like.device).manual_seed(int(state) >> 1)
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=torch.float32)


def chosen_layers(depth: int, layers: str) -> range:
    """Indices of the layers that are perturbed in a model of `depth` layers: at least one of them."""
    first, last = (round(bound * depth / 28) for bound in LAYERS[layers])
    first = min(first, depth - 1)
    return range(first, max(last, first + 1))


class LayerNoise(nn.Module):
    """One log sigma per perturbed layer. The layers are touched only inside `active`.

    `state_dict` and `parameter_group` are what a checkpoint and an optimiser take.
    """

    def __init__(self, model_layers: Sequence[nn.Module], settings: LayerNoiseSettings) -> None:
        """`model_layers`: the decoder layers in order, as `model.model.layers` of a transformers model.

        Raises ValueError where there are none.
        """
        super().__init__()
        if not len(model_layers):
            raise ValueError("layer noise needs a model with decoder layers: got none; look at model.model.layers")
        self.settings = settings
        self._indices = chosen_layers(len(model_layers), settings.layers)
        # In a tuple, so that the model's weights do not become part of this module's state.
        self._layers = tuple(model_layers[index] for index in self._indices)
        start = float(np.log(settings.sigma))
        device = next((p.device for p in model_layers[0].parameters()), None)
        self.log_sigma = nn.Parameter(torch.full((len(self._layers),), start, dtype=torch.float32, device=device))

    @contextmanager
    def active(self, seed: int, part: int = 0) -> Iterator[None]:
        """Perturb every forward pass inside; outside, the model is bit for bit what it was.

        The backward pass belongs inside too where gradient checkpoints compute layers again.

        Args:
            seed: At least 0; another one for each update and epoch.
            part: Number of the micro-batch, at least 0.
        """
        handles = [
            layer.register_forward_pre_hook(self._hook(place, index, seed, part), with_kwargs=True)
            for place, (index, layer) in enumerate(zip(self._indices, self._layers, strict=True))
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def parameter_group(self) -> dict[str, Any]:
        """What `torch.optim` takes: log sigma with a rate of its own and no decay."""
        return {"params": [self.log_sigma], "lr": self.settings.learning_rate, "weight_decay": 0.0}

    def sigmas(self) -> dict[int, float]:
        """Layer -> standard deviation now, in units of the hidden state."""
        return dict(zip(self._indices, self.log_sigma.detach().exp().tolist(), strict=True))

    def _hook(self, place: int, layer: int, seed: int, part: int) -> Any:
        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            hidden: Tensor = args[0] if args else kwargs["hidden_states"]
            noise = standard_normal(hidden, seed, part, layer)
            changed = perturbed(hidden, self.log_sigma[place].to(hidden.device), noise)
            return ((changed, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": changed})

        return before
