"""Settings of the vLLM engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """How vLLM runs; only with engine.name vllm."""
