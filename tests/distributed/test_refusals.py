"""What the learner does not do beyond one process, or off a GPU, is refused in a line before it starts."""

from __future__ import annotations

from collections.abc import Callable

SMALL = ("model.sft.steps=0", "model.sft.games=10", "engine.device=cpu")


def test_layer_noise_stays_in_one_process(refused: Callable[..., str]) -> None:
    line = refused("train", "env=kuhn_poker", "algorithm=alp", "algorithm.optimisation.offload=true", *SMALL)
    assert "layer noise (algorithm.noise, ALP) is trained in one process, in place: train without torchrun" in line


def test_offload_needs_a_gpu(refused: Callable[..., str]) -> None:
    line = refused("train", "env=kuhn_poker", "algorithm.optimisation.offload=true", *SMALL)
    assert "offload keeps weights in main memory while a GPU computes: this run computes on the CPU" in line
