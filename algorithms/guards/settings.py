"""The settings of every guard, as frozen records. No torch is loaded here, so that they can be checked at once."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.algorithms.checks import require_between, require_choice

WEIGHTS = ("none", "is", "advantage")
CLIPS = ("none", "one-side", "two-side", "ring")
REGULARIZERS = ("none", "k2", "forward-kl")
DIVERGENCES = ("tv", "kl")


def check_bounds(low: float, high: float, dual: float | None) -> None:
    """Raises ValueError unless `low` lies in [0, 1], `high` is at least 0 and `dual` is None or above 1."""
    require_between("low", low, 0.0, 1.0)
    require_between("high", high, 0.0)
    if dual is not None:
        require_between("dual", dual, 1.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """Settings of the clip."""

    low: float = 0.2
    """Distance of the lower bound from ratio 1, in [0, 1]."""
    high: float = 0.2
    """Distance of the upper bound from ratio 1, at least 0; DAPO: 0.28."""
    dual: float | None = None
    """Ceiling of the loss at negative advantages, in multiples of the advantage, above 1; null for none."""

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high, self.dual)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoneSettings:
    """The plain importance-weighted loss has nothing to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinforceSettings:
    """REINFORCE has nothing to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CISPOSettings:
    """Settings of the clipped weight."""

    low: float = 1.0
    """Distance of the lower bound from weight 1, in [0, 1]; 1 is no lower bound."""
    high: float = 0.28
    """Distance of the upper bound from weight 1, at least 0."""

    def __post_init__(self) -> None:
        require_between("low", self.low, 0.0, 1.0)
        require_between("high", self.high, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TOPRSettings:
    """The interval that the weight is cut to, per sign of the return; the canonical form is the default."""

    low_pos: float = 1.0
    """a+: smallest weight where R >= 0, at least 0."""
    high_pos: float = 1.0
    """b+: largest weight where R >= 0, at least a+."""
    low_neg: float = 0.0
    """a-: smallest weight where R < 0, at least 0."""
    high_neg: float = 1.0
    """b-: largest weight where R < 0, at least a-."""

    def __post_init__(self) -> None:
        for low, high in (("low_pos", "high_pos"), ("low_neg", "high_neg")):
            require_between(low, getattr(self, low), 0.0)
            require_between(high, getattr(self, high), getattr(self, low))


@dataclass(frozen=True, slots=True, kw_only=True)
class RECSettings:
    """What weighs a token, which tokens are kept, and what is added."""

    weight: str = "none"
    """`none`: A. `is`: A times the ratio. `advantage`: A exp(A / temp) (RED-Weight)."""
    clip: str = "one-side"
    """Tokens that are kept: all (`none`), `one-side`, `two-side` or `ring`, see `kept`."""
    regularizer: str = "none"
    """Added to the loss: nothing, `k2`: tau (log pi - log pi_old)^2 (OPMD), `forward-kl`: -tau log pi (AsymRE)."""
    low: float = 0.2
    """Distance of the lower bound from ratio 1, in [0, 1]."""
    high: float = 0.2
    """Distance of the upper bound from ratio 1, at least 0."""
    ring_low: float = 0.6
    """`ring` only: below 1 minus this, positive advantages are kept again; in [0, 1]."""
    ring_high: float = 2.0
    """`ring` only: above 1 plus this, negative advantages are kept again; at least 0."""
    tau: float = 0.1
    """Weight of the regularizer, in task units per nat (forward-kl) or per squared nat (k2), at least 0."""
    temp: float = 1.0
    """`weight` advantage only: task units by which an advantage grows e-fold in weight, > 0."""
    divide_by_one_plus_tau: bool = False
    """Divide the whole loss by 1 + tau: the form of OPMD whose baseline is a soft maximum."""

    def __post_init__(self) -> None:
        require_choice("weight", self.weight, WEIGHTS)
        require_choice("clip", self.clip, CLIPS)
        require_choice("regularizer", self.regularizer, REGULARIZERS)
        for name in ("low", "ring_low"):
            require_between(name, getattr(self, name), 0.0, 1.0)
        for name in ("high", "ring_high", "tau"):
            require_between(name, getattr(self, name), 0.0)
        require_between("temp", self.temp, 0.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DPPOSettings:
    """The trust region around the old probability."""

    divergence: str = "tv"
    """Distance of this token against all others: `tv`, the change of its probability, or `kl` in nats."""
    low: float = 0.15
    """Largest distance downwards at negative advantages, in units of the divergence, at least 0."""
    high: float = 0.15
    """Largest distance upwards at positive advantages, in units of the divergence, at least 0."""
    cap: float = 20.0
    """Largest weight of a token, > 0."""

    def __post_init__(self) -> None:
        require_choice("divergence", self.divergence, DIVERGENCES)
        require_between("low", self.low, 0.0)
        require_between("high", self.high, 0.0)
        require_between("cap", self.cap, 0.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SAPOSettings:
    """How fast the gate closes."""

    tau_pos: float = 1.0
    """Steepness of the gate at positive advantages, per unit of ratio, > 0."""
    tau_neg: float = 1.05
    """Steepness of the gate at negative advantages, per unit of ratio, > 0."""

    def __post_init__(self) -> None:
        require_between("tau_pos", self.tau_pos, 0.0, open_low=True)
        require_between("tau_neg", self.tau_neg, 0.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AEPOClipSettings:
    """Settings of the clip that keeps its gradient."""

    low: float = 0.2
    """Distance of the lower bound from ratio 1, in [0, 1]."""
    high: float = 0.2
    """Distance of the upper bound from ratio 1, at least 0."""
    dual: float | None = 3.0
    """Ceiling of the loss at negative advantages, in multiples of the advantage, above 1; null for none."""

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high, self.dual)


@dataclass(frozen=True, slots=True, kw_only=True)
class HAPOSettings:
    """Settings of the clip and the advantages that depend on the entropy."""

    pivot: float = 0.8
    """Quantile of the log-entropies that counts as neither high nor low, in [0, 1]."""
    low: float = 0.2
    """Distance of the lower bound from ratio 1 at the pivot, in [0, 1]; wider where the entropy is low."""
    high: float = 0.2
    """Distance of the upper bound from ratio 1 at the pivot, at least 0; wider where the entropy is high."""
    dual: float | None = 10.0
    """Ceiling of the loss at negative advantages, in multiples of the advantage, above 1; null for none."""
    clip_alpha: float = 1.0
    """Growth of a clip range at the ends of the entropy scale, as a share of it, at least 0."""
    adv_beta: float = 1.0
    """Change of an advantage at the ends of the entropy scale, as a share of it, in [0, 1]."""
    released: bool = False
    """Take over the sign slip of the released program, which makes every token's scale 0 or more."""

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high, self.dual)
        require_between("pivot", self.pivot, 0.0, 1.0)
        require_between("clip_alpha", self.clip_alpha, 0.0)
        require_between("adv_beta", self.adv_beta, 0.0, 1.0)
