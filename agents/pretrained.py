"""Loading a causal language model and its tokenizer from a folder or the hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch


class ModelError(ValueError):
    """A model cannot be loaded."""


def load_pretrained(path: str, *, device: torch.device, trust_remote_code: bool = False) -> tuple[Any, Any]:
    """(model in eval mode on the device, in float32; tokenizer).

    Code that comes with a model runs only with `trust_remote_code`.

    Raises ModelError where there is no such model, or it cannot be loaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    _require_place(path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)
        model: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.float32, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, KeyError) as error:
        raise _not_loaded(path, error) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = model.to(device)
    if device.type == "cpu":
        _own_memory(model)
    return model.eval(), tokenizer


def load_config(path: str, *, trust_remote_code: bool = False) -> Any:
    """The configuration of a model in a folder or on the hub; no weights are read. Raises ModelError without one."""
    from transformers import AutoConfig

    _require_place(path)
    try:
        return AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise _not_loaded(path, error) from error


def _require_place(path: str) -> None:
    folder = Path(path).expanduser()
    if folder.exists() and not (folder / "config.json").exists():
        raise ModelError(f"a model folder holds config.json, weights and a tokenizer: {folder} has no config.json")
    if not folder.exists() and (path.startswith((".", "/", "~")) or path.count("/") > 1):
        raise ModelError(
            f"there is no model folder {path}; give an existing folder or a hub id such as Qwen/Qwen3-0.6B"
        )


def _not_loaded(path: str, error: Exception) -> ModelError:
    reason = str(error).strip().splitlines()[0]
    return ModelError(f"the model {path!r} cannot be loaded from a folder or the hub: {reason}")


def _own_memory(model: Any) -> None:
    """Copy weights out of the file that they are mapped from. There they lie askew in memory, where sums are rounded
    otherwise than in a model that was never saved; and the file may go."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one. Raises ModelError where the device is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"engine.device is auto, cpu, cuda or cuda:N: got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            f"engine.device={name} needs a GPU that torch can see, and there is none; use engine.device=cpu"
        )
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 on CUDA and float32 elsewhere."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
