"""What to do about the gap between the program that sampled and the one that trains: `CORRECTIONS` by name.

Every correction is a frozen settings record and a pure function `correct(inputs, settings) -> weights`, [N, T] without
gradient, 1 where nothing is to correct; `combined` multiplies them. A *weight* replaces the sampler by the trainer in
the denominator of an expectation; a *mask* only drops tokens or sequences that are too far off.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from turnwise.algorithms.checks import require_choice
from turnwise.algorithms.corrections import settings
from turnwise.algorithms.corrections.inputs import CorrectionInputs
from turnwise.algorithms.method import Method, Registry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CORRECTIONS", "CorrectionInputs", "refuse_double_correction"]

NEEDS = ("train_logprobs",)
WEIGHTS = ("tis", "mis", "icepop", "sequence_tis", "sequence_mis")
"""Those that multiply by trainer / sampler, so that the ratio's denominator must be the trainer's."""


CORRECTIONS: Registry[Tensor] = Registry(
    "corrections",
    {
        "tis": Method(settings.CapSettings, f"{__name__}.weights:truncated", NEEDS),
        "mis": Method(settings.CapSettings, f"{__name__}.weights:masked", NEEDS),
        "icepop": Method(settings.BandSettings, f"{__name__}.weights:icepop", NEEDS),
        "sequence_tis": Method(settings.CapSettings, f"{__name__}.weights:sequence_truncated", NEEDS),
        "sequence_mis": Method(settings.CapSettings, f"{__name__}.weights:sequence_masked", NEEDS),
        "geometric": Method(settings.GeometricSettings, f"{__name__}.masks:geometric", NEEDS),
        "trm": Method(settings.TRMSettings, f"{__name__}.masks:trust_region", NEEDS),
        "seq_mean_k3": Method(settings.MeanK3Settings, f"{__name__}.masks:mean_k3", NEEDS),
        "opsm": Method(settings.OPSMSettings, f"{__name__}.masks:off_policy_sequences", NEEDS),
        "veto": Method(settings.VetoSettings, f"{__name__}.masks:veto", NEEDS),
    },
)


def refuse_double_correction(old_logprobs: str, corrections: Iterable[str]) -> None:
    """Raises ValueError where the gap between sampler and trainer would be corrected twice.

    Args:
        old_logprobs: Whose log-probs stand in the ratio's denominator, `sampler` or `trainer`.
        corrections: Names out of `CORRECTIONS`. Masks are always allowed.
    """
    require_choice("old_logprobs", old_logprobs, ("sampler", "trainer"))
    twice = [name for name in corrections if name in WEIGHTS]
    if old_logprobs == "sampler" and twice:
        raise ValueError(
            f"corrections {', '.join(twice)} weigh by trainer / sampler, but with old_logprobs=sampler the ratio is "
            "new / sampler = (new / trainer) (trainer / sampler): it holds that weight already, and the gap would be "
            "corrected twice. Choose old_logprobs=trainer and keep the correction, or drop the correction; masks "
            f"({', '.join(name for name in CORRECTIONS if name not in WEIGHTS)}) go with both"
        )
