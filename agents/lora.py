"""Low-rank adapters (LoRA, by peft): training a few weights beside frozen ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_NAME = "default"
"""Peft's name of the only adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Which adapters are trained; rank 0 for none."""

    rank: int = 0
    """Inner width of the adapters; 0: none, all weights are trained."""
    alpha: int = 32
    """What an adapter says is scaled by alpha / rank."""
    targets: str = "all-linear"
    """Layers that get one: all-linear (all but the head), or names with commas between, such as q_proj,v_proj."""

    def __post_init__(self) -> None:
        if self.rank < 0 or self.alpha < 1:
            raise ValueError(f"model.lora.rank is 0 or more, alpha 1 or more: got {self.rank} and {self.alpha}")
        if not self.targets.strip(", "):
            raise ValueError("model.lora.targets is all-linear or names of layers with commas between: got none")


def add_adapters(model: Any, settings: LoraSettings, seed: int) -> None:
    """Put fresh adapters, which change nothing yet, into a causal language model; all its other weights are frozen.

    Raises ValueError where peft is missing, or no layer has such a name.
    """
    import torch

    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ValueError("model.lora.rank above 0 needs peft: pip install 'turnwise[lora]'") from None
    names = [name.strip() for name in settings.targets.split(",") if name.strip()]
    targets: Any = settings.targets if names == ["all-linear"] else names
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.0, target_modules=targets, task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model, _NAME)


def has_adapters(model: Any) -> bool:
    """Whether `add_adapters` was here."""
    return bool(getattr(model, "peft_config", None))


def merged(model: Any, whole: Callable[[Tensor], Tensor] = lambda tensor: tensor) -> Iterator[tuple[str, Tensor]]:
    """Every weight of a model under its Hugging Face name, adapters added to the weights that they stand beside.

    whole: makes the full tensor of a parameter.
    """
    layers = dict(model.named_modules())
    for name, parameter in model.named_parameters():
        place, _, kind = name.rpartition(".")
        if ".lora_" in name:
            continue
        if not place.endswith(".base_layer"):
            yield name, whole(parameter.detach())
            continue
        layer = layers[place.removesuffix(".base_layer")]
        value = whole(parameter.detach())
        if kind == "weight":
            value = value + _said(layer, whole)
        yield name.replace(".base_layer.", "."), value


def _said(layer: Any, whole: Callable[[Tensor], Tensor]) -> Tensor:
    """What an adapter adds to its layer's weight, in full precision wherever the run computes in less."""
    import torch

    up, down = (whole(part[_NAME].weight.detach()) for part in (layer.lora_B, layer.lora_A))
    with torch.autocast(up.device.type, enabled=False):
        found: Tensor = layer.scaling[_NAME] * (up @ down)
    return found


def linear_parts(layer: Any) -> tuple[Tensor, Tensor | None] | None:
    """(weight, bias) of a linear layer with what its adapter adds, without gradient; None of any other layer."""
    from torch import nn

    if type(layer) is nn.Linear:
        return layer.weight.detach(), layer.bias
    base = getattr(layer, "base_layer", None)
    if type(base) is not nn.Linear or _NAME not in getattr(layer, "lora_A", {}):
        return None
    return base.weight.detach() + _said(layer, lambda tensor: tensor), base.bias


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapters alone, as `peft.PeftModel.from_pretrained` and vLLM load them."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    config = copy.copy(model.peft_config[_NAME])
    config.inference_mode = True
    config.save_pretrained(folder)
    weights = get_peft_model_state_dict(model, adapter_name=_NAME)
    tensors = {f"base_model.model.{name}": tensor.contiguous() for name, tensor in weights.items()}
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
