"""What vLLM's workers can do for us beside their own work: take new weights in place, and keep to the tokenizer's ids.

vLLM mixes `Extension` into its worker class, by name, in whichever process that runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

NAME = f"{__name__}.Extension"


class Extension:
    """Methods that are called through `LLM.collective_rpc`."""

    model_runner: Any
    model_config: Any
    vllm_config: Any

    def turnwise_vocabulary(self, size: int) -> None:
        """Never sample an id of `size` or more: models have rows that stand for no token."""
        model = self.model_runner.get_model()
        inner = model.compute_logits

        def compute_logits(*args: Any, **kwargs: Any) -> Any:
            logits = inner(*args, **kwargs)
            if logits is not None:  # None on all but one of several ranks
                logits[..., size:] = -torch.inf
            return logits

        model.compute_logits = compute_logits

    def turnwise_begin(self) -> None:
        """Weights are about to come."""
        from vllm.model_executor.model_loader.reload import initialize_layerwise_reload

        with _as_the_worker(self):
            initialize_layerwise_reload(self.model_runner.get_model())

    def turnwise_take(self, weights: str | Iterable[tuple[str, Tensor]]) -> None:
        """Some weights under Hugging Face names, whole; or the path of a safetensors file with them."""
        with _as_the_worker(self):
            self.model_runner.get_model().load_weights(_read(weights) if isinstance(weights, str) else weights)

    def turnwise_finish(self) -> None:
        """All weights have come."""
        from vllm.model_executor.model_loader.reload import finalize_layerwise_reload

        with _as_the_worker(self):
            model = self.model_runner.get_model()
            finalize_layerwise_reload(model, self.model_config)
            _pack_tied_heads(model)
            if self.vllm_config.lora_config is not None:
                self.model_runner.reset_lora_state()

    def turnwise_weights(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter as vLLM holds it."""
        return {name: tuple(weight.shape) for name, weight in self.model_runner.get_model().named_parameters()}


def _as_the_worker(worker: Any) -> Any:
    """The block in which vLLM's own worker would load weights."""
    from contextlib import ExitStack

    from vllm.config import set_current_vllm_config

    stack = ExitStack()
    stack.enter_context(set_current_vllm_config(worker.vllm_config))
    stack.enter_context(torch.no_grad())
    return stack


def _pack_tied_heads(model: torch.nn.Module) -> None:
    """On a CPU, vLLM packs a copy of a head that shares the embedding's weights; its reload leaves it stale."""
    for module in model.modules():
        method, weight = getattr(module, "quant_method", None), getattr(module, "weight", None)
        tied = type(method).__name__ == "UnquantizedEmbeddingMethod" and hasattr(module, "cpu_linear")
        if method is not None and tied and weight is not None and weight.numel():
            method.process_weights_after_loading(module)


def _read(path: str) -> Iterator[tuple[str, Tensor]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt", device="cpu") as file:
        for name in file.keys():  # noqa: SIM118  # it is no mapping
            yield name, file.get_tensor(name)
