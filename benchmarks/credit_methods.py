"""Which credit methods are measured, with which settings, and what each is fed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import credit_sampling
from credit_sampling import Sampler

from turnwise.algorithms.credit import CREDITS

CRITICS = ("none", "fitted", "exact")
"""Who fills in values: nobody, a table fitted to the batch before, or the dynamic programme."""
FORWARDS = (("values", "token_values"), ("answer_logprob",), ("train_logprobs", "token_entropy", "squared_probs"))
"""Needs that are met by reading each turn once more; those of one tuple by the same reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One line of the table."""

    name: str
    credit: str
    """Name in CREDITS."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the method's defaults."""
    sampler: Sampler = credit_sampling.independent
    critic: str = "none"

    def record(self) -> Any:
        """The settings."""
        return CREDITS[self.credit].settings(**self.settings)

    def needs(self) -> frozenset[str]:
        """What the method needs of the episodes."""
        return frozenset(CREDITS[self.credit].needs_with(self.record()))

    def forwards(self) -> int:
        """How often each trained turn is read beyond sampling and training."""
        return sum(1 for alternatives in FORWARDS if self.needs() & set(alternatives))


PLAIN_SPO = {"prob_threshold": None, "whiten": False}
VARIANTS: tuple[Variant, ...] = (
    Variant(name="return", credit="return"),
    Variant(name="rae", credit="rae"),
    Variant(name="rebn", credit="rebn"),
    Variant(name="topr", credit="topr"),
    Variant(name="rloo", credit="rloo"),
    Variant(name="grpo", credit="grpo"),
    Variant(name="grpo, no division", credit="grpo", settings={"scale": "none"}),
    Variant(name="opmd", credit="opmd", settings={"baseline": "logavgexp"}),
    Variant(name="gdpo", credit="gdpo"),
    Variant(name="bnpo", credit="bnpo"),
    Variant(name="canon", credit="canon"),
    Variant(name="hapo", credit="hapo"),
    Variant(name="optimal token baseline", credit="optimal_token_baseline"),
    Variant(name="igpo", credit="igpo"),
    Variant(name="gigpo", credit="gigpo"),
    Variant(name="gigpo, gamma 1", credit="gigpo", settings={"gamma": 1.0}),
    Variant(name="gae, fitted values", credit="gae", critic="fitted"),
    Variant(name="gae, exact values", credit="gae", settings={"whiten": False}, critic="exact"),
    Variant(name="gae, exact values, lam 1", credit="gae", settings={"whiten": False, "lam": 1.0}, critic="exact"),
    Variant(name="tppo, fitted values", credit="tppo", critic="fitted"),
    Variant(name="arpo, soft", credit="arpo", sampler=credit_sampling.forks),
    Variant(name="arpo, hard", credit="arpo", settings={"attribution": "hard"}, sampler=credit_sampling.forks),
    Variant(name="spo chain", credit="spo_chain", sampler=credit_sampling.chain),
    Variant(name="spo chain, plain", credit="spo_chain", settings=PLAIN_SPO, sampler=credit_sampling.full_chain),
    Variant(name="spo tree", credit="spo_tree", sampler=credit_sampling.tree),
    Variant(name="spo tree, plain", credit="spo_tree", settings=PLAIN_SPO, sampler=credit_sampling.tree),
)


class LeftOut(ValueError):
    """A registered credit method has no line in the table."""


def require_all(registered: frozenset[str]) -> None:
    """Raises LeftOut, unless every registered method has a line, and every line a method."""
    missing = sorted(registered - {variant.credit for variant in VARIANTS})
    unknown = sorted({variant.credit for variant in VARIANTS} - registered)
    if missing or unknown:
        raise LeftOut(
            f"every credit method has a line in VARIANTS of benchmarks/credit_methods.py: {missing} have none, and "
            f"{unknown} are no methods; say there what they are to be fed with"
        )
