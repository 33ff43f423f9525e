"""The settings of every correction, as frozen records. No torch is loaded here, so that they can be checked at once."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.algorithms.checks import require_between, require_choice

OLD = ("sampler", "trainer")


@dataclass(frozen=True, slots=True, kw_only=True)
class CapSettings:
    """Largest weight."""

    cap: float = 2.0
    """C: weights above are cut to it (TIS) or set to 0 (MIS); > 0."""

    def __post_init__(self) -> None:
        require_between("cap", self.cap, 0.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSettings:
    """Interval of weights that are trusted, both ends included."""

    low: float = 0.5
    """alpha: tokens whose weight lies below get 0; at least 0."""
    high: float = 2.0
    """beta: tokens whose weight lies above get 0; at least alpha."""

    def __post_init__(self) -> None:
        require_between("low", self.low, 0.0)
        require_between("high", self.high, self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricSettings:
    """Interval of the geometric mean of a sequence's weights, both ends included."""

    low: float = 0.999
    """A sequence whose mean weight lies below is dropped; > 0."""
    high: float = 1.001
    """A sequence whose mean weight lies above is dropped; at least `low`."""

    def __post_init__(self) -> None:
        require_between("low", self.low, 0.0, open_low=True)
        require_between("high", self.high, self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class TRMSettings:
    """Trust region of a sequence's worst token."""

    delta: float = 0.05
    """Largest k3 that a token may have, in nats, at least 0."""

    def __post_init__(self) -> None:
        require_between("delta", self.delta, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanK3Settings:
    """Trust region of a sequence's mean token."""

    delta: float = 0.01
    """Largest mean k3 that a sequence may have, in nats, at least 0."""

    def __post_init__(self) -> None:
        require_between("delta", self.delta, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OPSMSettings:
    """Off-policy sequence masking."""

    delta: float = 1e-4
    """Mean log(old / new) per token above which a bad sequence is dropped, in nats."""
    old: str = "sampler"
    """Whose log-probs are the old ones: the `sampler`'s, so that both kinds of drift count, or the `trainer`'s."""

    def __post_init__(self) -> None:
        require_between("delta", self.delta)
        require_choice("old", self.old, OLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoSettings:
    """One impossible token spoils its sequence."""

    threshold: float = 1e-4
    """Smallest weight rho that a token may have, at least 0."""

    def __post_init__(self) -> None:
        require_between("threshold", self.threshold, 0.0)
