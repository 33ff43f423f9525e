"""Which gradients pass, and how strongly? One file per answer; `GUARDS` finds them by name.

Every guard has a frozen settings record, one pure function `guard(inputs, settings) -> PolicyLoss`, and says what it
needs of the batch. The ratio comes ready made (see `RATIOS`): the same guard works per token and per sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from turnwise.algorithms.guards import settings
from turnwise.algorithms.guards.inputs import LossInputs

if TYPE_CHECKING:
    from turnwise.algorithms.losses import PolicyLoss

__all__ = ["GUARDS", "Guard", "LossInputs"]


class Guard(NamedTuple):
    """A guard: its settings record, where its function is, and its needs."""

    settings: type[Any]
    place: str
    """`module:name` in this folder: torch is loaded when the function is asked for, not before."""
    needs: tuple[str, ...] = ()
    """Names out of `turnwise.algorithms.needs.NEEDS`."""

    @property
    def function(self) -> Callable[..., PolicyLoss]:
        """`guard(inputs, settings) -> PolicyLoss`."""
        module, _, name = self.place.partition(":")
        return cast("Callable[..., PolicyLoss]", getattr(import_module(f"{__name__}.{module}"), name))


GUARDS: dict[str, Guard] = {
    "clip": Guard(settings.ClipSettings, "clip:guard"),
    "none": Guard(settings.NoneSettings, "plain:importance_weighted"),
    "reinforce": Guard(settings.ReinforceSettings, "plain:reinforce"),
    "cispo": Guard(settings.CISPOSettings, "cispo:guard"),
    "topr": Guard(settings.TOPRSettings, "topr:guard"),
    "rec": Guard(settings.RECSettings, "rec:guard"),
    "dppo": Guard(settings.DPPOSettings, "dppo:guard"),
    "sapo": Guard(settings.SAPOSettings, "sapo:guard"),
    "aepo": Guard(settings.AEPOClipSettings, "aepo:guard"),
    "hapo": Guard(settings.HAPOSettings, "hapo:guard", ("token_entropy",)),
}
