"""The settings of layer noise, as a frozen record. No torch is loaded here."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.algorithms.checks import require_between, require_choice

LAYERS = {"all": (0, 28), "early": (0, 6), "middle": (12, 18), "late": (23, 28)}
"""[first, last) of the layers that are perturbed, in 28ths of the model's depth: the paper's model has 28 layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoiseSettings:
    """Settings of the noise."""

    sigma: float = 1e-6
    """Standard deviation at the start, in units of the hidden state, > 0."""
    learning_rate: float = 5e-4
    """Adam's step of log sigma, per update, at least 0; 0 keeps sigma as it is."""
    layers: str = "all"
    """Which layers: `all`, `early`, `middle` or `late`."""

    def __post_init__(self) -> None:
        require_between("sigma", self.sigma, 0.0, open_low=True)
        require_between("learning_rate", self.learning_rate, 0.0)
        require_choice("layers", self.layers, tuple(LAYERS))
