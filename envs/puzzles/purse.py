"""`Purse`: rewards that add up to a quantity in [0, 1], to the last bit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Purse:
    """What one seat has been paid of a progress that lies in [0, 1]."""

    paid: float = 0.0

    def pay(self, progress: float) -> float:
        """The reward that brings the sum of all rewards to `progress`; the sum never leaves [0, 1] by rounding."""
        reward = progress - self.paid
        self.paid += reward
        return reward
