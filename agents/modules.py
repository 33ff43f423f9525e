"""Batched decoding with a model's own transformers modules and cache: for families that `decoder.py` does not cover."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from turnwise.agents.clock import ModelClock


def cache_name(model: Any) -> str:
    """What a model calls the cache that it goes on from: later releases of transformers have a new name for it."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


class ModuleRows:
    """The distinct contexts being decoded: their cache, their mask, and the logits of their next token."""

    def __init__(self, model: Any, clock: ModelClock, prompts: Sequence[tuple[int, ...]], pad_id: int) -> None:
        self._model, self._clock = model, clock
        width = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), width), pad_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        self._mask = mask.to(model.device)
        self._cache = DynamicCache()
        self._cache_name = cache_name(model)
        self._positions = (self._mask.cumsum(-1) - 1).clamp_min(0)
        self._forward(ids.to(model.device), self._positions)
        self._positions = self._positions[:, -1:]

    def advance(self, parents: NDArray[Any], tokens: NDArray[Any]) -> None:
        """Row i of the new rows is row `parents[i]` of the old ones with `tokens[i]` behind it."""
        device = self._mask.device
        if len(parents) != len(self._mask) or (parents != np.arange(len(parents))).any():
            chosen = torch.from_numpy(parents).to(device)
            self._cache.batch_select_indices(chosen)
            self._mask, self._positions = self._mask[chosen], self._positions[chosen]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(parents), 1)], dim=1)
        self._positions = self._positions + 1
        self._forward(torch.from_numpy(tokens).to(device)[:, None], self._positions)

    def _forward(self, ids: Tensor, positions: Tensor) -> None:
        with self._clock.running():
            out = self._model(
                input_ids=ids,
                attention_mask=self._mask,
                position_ids=positions,
                use_cache=True,
                logits_to_keep=1,
                **{self._cache_name: self._cache},
            )
        self.logits = out.logits[:, -1].float()
