"""Which gradients pass, and how strongly? One file per answer; `GUARDS` finds them by name.

Every guard has a frozen settings record, one pure function `guard(inputs, settings) -> PolicyLoss`, and says what it
needs of the batch. The ratio comes ready made (see `RATIOS`): the same guard works per token and per sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from turnwise.algorithms.guards import aepo, cispo, clip, dppo, hapo, plain, rec, sapo, topr
from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.losses import PolicyLoss

__all__ = ["GUARDS", "Guard", "LossInputs"]


class Guard(NamedTuple):
    """A guard: its settings record and its function."""

    settings: type[Any]
    function: Callable[..., PolicyLoss]
    needs: tuple[str, ...] = ()
    """Names out of `turnwise.algorithms.needs.NEEDS`."""


GUARDS: dict[str, Guard] = {
    "clip": Guard(clip.ClipSettings, clip.guard),
    "none": Guard(plain.NoneSettings, plain.importance_weighted),
    "reinforce": Guard(plain.ReinforceSettings, plain.reinforce),
    "cispo": Guard(cispo.CISPOSettings, cispo.guard),
    "topr": Guard(topr.TOPRSettings, topr.guard),
    "rec": Guard(rec.RECSettings, rec.guard),
    "dppo": Guard(dppo.DPPOSettings, dppo.guard),
    "sapo": Guard(sapo.SAPOSettings, sapo.guard),
    "aepo": Guard(aepo.AEPOClipSettings, aepo.guard),
    "hapo": Guard(hapo.HAPOSettings, hapo.guard, ("token_entropy",)),
}
