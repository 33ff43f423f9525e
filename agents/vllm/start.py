"""From a model in memory to a vLLM engine that samples with its weights."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from turnwise.agents.context import ChatContext
from turnwise.agents.tiny import save_model
from turnwise.agents.vllm.engine import VllmEngine
from turnwise.agents.vllm.settings import VllmSettings


def start_vllm(
    settings: VllmSettings,
    *,
    model: Any,
    tokenizer: Any,
    context: ChatContext,
    path: str | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    trust_remote_code: bool = False,
) -> VllmEngine:
    """An engine that samples with the weights that `model` has now, under version 0.

    path: folder or hub id that the model came from, whose configuration vLLM reads; None: it is saved for vLLM, in a
    temporary folder. Raises ValueError where vLLM is not installed, or cannot run this model.
    """
    rest: dict[str, Any] = {
        "end_id": context.end_id,
        "decode": context.decode,
        "vocabulary": len(tokenizer),
        "max_context": context.settings.max_context,
        "settings": settings,
        "dtype": dtype,
        "seed": seed,
        "trust_remote_code": trust_remote_code,
    }
    if path is None:
        with tempfile.TemporaryDirectory(prefix="turnwise-model-") as folder:
            save_model(model, tokenizer, Path(folder))
            return VllmEngine(folder, **rest)
    engine = VllmEngine(path, **rest)
    engine.load(model.named_parameters, 0)
    return engine
