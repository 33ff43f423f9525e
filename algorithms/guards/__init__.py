"""Which gradients pass, and how strongly? One file per answer; `GUARDS` finds them by name.

Every guard has a frozen settings record, one pure function `guard(inputs, settings) -> PolicyLoss`, and says what it
needs of the batch. The ratio comes ready made (see `RATIOS`): the same guard works per token and per sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwise.algorithms.guards import settings
from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.method import Method, Registry

if TYPE_CHECKING:
    from turnwise.algorithms.losses import PolicyLoss

__all__ = ["GUARDS", "LossInputs"]


GUARDS: Registry[PolicyLoss] = Registry(
    "guard",
    {
        "clip": Method(settings.ClipSettings, f"{__name__}.clip:guard"),
        "none": Method(settings.NoneSettings, f"{__name__}.plain:importance_weighted"),
        "reinforce": Method(settings.ReinforceSettings, f"{__name__}.plain:reinforce"),
        "cispo": Method(settings.CISPOSettings, f"{__name__}.cispo:guard"),
        "topr": Method(settings.TOPRSettings, f"{__name__}.topr:guard"),
        "rec": Method(settings.RECSettings, f"{__name__}.rec:guard"),
        "dppo": Method(settings.DPPOSettings, f"{__name__}.dppo:guard"),
        "sapo": Method(settings.SAPOSettings, f"{__name__}.sapo:guard"),
        "aepo": Method(settings.AEPOClipSettings, f"{__name__}.aepo:guard"),
        "hapo": Method(settings.HAPOSettings, f"{__name__}.hapo:guard", ("token_entropy",)),
    },
)
