"""What a guard sees of a batch, cleaned of everything outside the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class LossInputs:
    """Samples of one update. When the record is made, what stands outside `mask` is replaced by a neutral value.

    So a NaN there reaches neither the loss nor, as 0 * NaN, the gradient, and no guard has to think of it.
    """

    logprobs: Tensor
    """[N, T] nats, under the weights that are being updated; carries the gradient. 0 outside the mask."""
    old_logprobs: Tensor
    """[N, T] nats, under the policy in the ratio's denominator. 0 outside the mask."""
    ratio: Tensor
    """[N, T], > 0, from `RATIOS`; carries the gradient. 1 outside the mask."""
    advantages: Tensor
    """[N, T] in task units, without gradient. 0 outside the mask."""
    mask: Tensor
    """[N, T] bool or 0/1: tokens that are trained. Kept as bool."""
    returns: Tensor
    """[N] return R of the sample's seat, in task units. 0 for a sample without trained tokens."""
    entropies: Tensor | None = None
    """[N, T] nats: of the policy before the update, or None where they were not computed. 0 outside the mask."""
    entropy_pool: Tensor | None = None
    """[K] nats: entropies of all trained tokens of the whole batch where this is a part of it; None: this is all."""

    def __post_init__(self) -> None:
        inside = self.mask.bool()
        if inside.shape != self.logprobs.shape or self.returns.shape != inside.shape[:1]:
            raise ValueError(
                "a guard needs mask and log-probs of one shape [N, T] and returns [N]: got "
                f"{list(inside.shape)}, {list(self.logprobs.shape)} and {list(self.returns.shape)}"
            )
        neutral = {"logprobs": 0.0, "old_logprobs": 0.0, "ratio": 1.0, "advantages": 0.0, "entropies": 0.0}
        for name, value in neutral.items():
            column = getattr(self, name)
            if column is not None:
                object.__setattr__(self, name, column.masked_fill(~inside, value))
        object.__setattr__(self, "mask", inside)
        object.__setattr__(self, "returns", self.returns.masked_fill(~inside.any(dim=-1), 0.0))
