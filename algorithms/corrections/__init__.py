"""What to do about the gap between the program that sampled and the one that trains: `CORRECTIONS` by name.

Every correction is a frozen settings record and a pure function `correct(inputs, settings) -> weights`, [N, T] without
gradient, 1 where nothing is to correct; `combined` multiplies them. A *weight* replaces the sampler by the trainer in
the denominator of an expectation; a *mask* only drops tokens or sequences that are too far off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from turnwise.algorithms.checks import require_choice
from turnwise.algorithms.corrections import settings
from turnwise.algorithms.corrections.inputs import CorrectionInputs

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CORRECTIONS", "Correction", "CorrectionInputs", "refuse_double_correction"]

NEEDS = ("train_logprobs",)


class Correction(NamedTuple):
    """A correction: its settings record, where its function is, and whether it is an importance weight."""

    settings: type[Any]
    place: str
    """`module:name` in this folder: torch is loaded when the function is asked for, not before."""
    needs: tuple[str, ...] = NEEDS
    """Names out of `turnwise.algorithms.needs.NEEDS`."""
    is_weight: bool = False
    """Whether it multiplies by trainer / sampler, so that the ratio's denominator must be the trainer's."""

    @property
    def function(self) -> Callable[..., Tensor]:
        """`correct(inputs, settings) -> weights`."""
        module, _, name = self.place.partition(":")
        return cast("Callable[..., Tensor]", getattr(import_module(f"{__name__}.{module}"), name))


CORRECTIONS: dict[str, Correction] = {
    "tis": Correction(settings.CapSettings, "weights:truncated", is_weight=True),
    "mis": Correction(settings.CapSettings, "weights:masked", is_weight=True),
    "icepop": Correction(settings.BandSettings, "weights:icepop", is_weight=True),
    "sequence_tis": Correction(settings.CapSettings, "weights:sequence_truncated", is_weight=True),
    "sequence_mis": Correction(settings.CapSettings, "weights:sequence_masked", is_weight=True),
    "geometric": Correction(settings.GeometricSettings, "masks:geometric"),
    "trm": Correction(settings.TRMSettings, "masks:trust_region"),
    "seq_mean_k3": Correction(settings.MeanK3Settings, "masks:mean_k3"),
    "opsm": Correction(settings.OPSMSettings, "masks:off_policy_sequences"),
    "veto": Correction(settings.VetoSettings, "masks:veto"),
}


def refuse_double_correction(old_logprobs: str, corrections: Iterable[str]) -> None:
    """Raises ValueError where the gap between sampler and trainer would be corrected twice.

    Args:
        old_logprobs: Whose log-probs stand in the ratio's denominator, `sampler` or `trainer`.
        corrections: Names out of `CORRECTIONS`. Masks are always allowed.
    """
    require_choice("old_logprobs", old_logprobs, ("sampler", "trainer"))
    twice = [name for name in corrections if CORRECTIONS[name].is_weight]
    if old_logprobs == "sampler" and twice:
        raise ValueError(
            f"corrections {', '.join(twice)} weigh by trainer / sampler, but with old_logprobs=sampler the ratio is "
            "new / sampler = (new / trainer) (trainer / sampler): it holds that weight already, and the gap would be "
            "corrected twice. Choose old_logprobs=trainer and keep the correction, or drop the correction; masks "
            f"({', '.join(name for name, entry in CORRECTIONS.items() if not entry.is_weight)}) go with both"
        )
