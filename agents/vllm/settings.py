"""Settings of the vLLM engine."""

from __future__ import annotations

from dataclasses import dataclass

IN_FLIGHT = ("drain", "continue")


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """How vLLM runs; only with engine.name vllm."""

    gpu_memory_utilization: float = 0.9
    """Share of a GPU's memory for weights and key-value cache; less where the trainer sits there too."""
    kv_cache_gb: float | None = None
    """Key-value cache in GiB; null: what `gpu_memory_utilization` leaves, on a CPU 0.25."""
    block_size: int | None = None
    """Tokens per block of the cache: what prompts share is found in whole blocks; null: vLLM's own, on a CPU 32."""
    max_num_seqs: int = 256
    """Most requests decoded at once; the others wait inside vLLM."""
    tensor_parallel: int = 1
    """GPUs (on a CPU: processes) that share one model."""
    own_process: bool = False
    """Run vLLM in processes of its own even where it need not be: with one GPU a model, and one process that trains."""
    eager: bool = False
    """No CUDA graphs and no compilation: starts sooner, decodes slower. On a CPU always so."""
    in_flight: str = "drain"
    """Requests that run when weights come: `drain` ends them under the old ones first; `continue` goes on under the new
    ones, their caches computed again and the version of each token recorded."""
    sleep: bool = False
    """Give the GPU's memory to the trainer while it updates: weights move to the host, the cache is dropped."""
    grammar: bool = False
    """Only the actions that may be played can be sampled; log-probs are then of that masked distribution."""
    lora: str | None = None
    """Folder of a PEFT adapter that every reply is sampled with; its base weights stay as they are."""
    deadline_s: float = 600.0
    """Seconds after which a reply that has not come is given up, and its episode ends as a timeout."""

    def __post_init__(self) -> None:
        if not 0 < self.gpu_memory_utilization <= 1:
            raise ValueError(f"vllm.gpu_memory_utilization lies in (0, 1]: got {self.gpu_memory_utilization}")
        for name in ("kv_cache_gb", "deadline_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"vllm.{name} is a finite number above 0: got {value}")
        for name in ("block_size", "max_num_seqs", "tensor_parallel"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"vllm.{name} is at least 1: got {value}")
        if self.in_flight not in IN_FLIGHT:
            raise ValueError(f"vllm.in_flight is one of {', '.join(IN_FLIGHT)}: got {self.in_flight!r}")
