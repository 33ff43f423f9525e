"""What a correction sees of a batch, cleaned of everything outside the mask and without gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionInputs:
    """Log-probs of the same tokens by three policies. When the record is made, all are 0 outside `mask`, detached."""

    trainer: Tensor
    """[N, T] nats: by the trainer's program, with the weights before the update."""
    sampler: Tensor
    """[N, T] nats: as they were sampled."""
    mask: Tensor
    """[N, T] bool or 0/1: tokens that are trained. Kept as bool."""
    advantages: Tensor
    """[N, T] in task units."""
    new: Tensor | None = None
    """[N, T] nats: by the weights that are being updated; None: as `trainer` (the first update of a batch)."""

    def __post_init__(self) -> None:
        inside = self.mask.bool()
        for name in ("trainer", "sampler", "advantages", "new"):
            column = getattr(self, name)
            if column is None:
                continue
            if column.shape != inside.shape:
                raise ValueError(
                    f"a correction needs {name} and mask of one shape [N, T]: got {list(column.shape)} and "
                    f"{list(inside.shape)}"
                )
            object.__setattr__(self, name, column.detach().masked_fill(~inside, 0.0))
        object.__setattr__(self, "mask", inside)

    @property
    def current(self) -> Tensor:
        """[N, T] nats: `new`, or `trainer` where it is None."""
        return self.trainer if self.new is None else self.new
