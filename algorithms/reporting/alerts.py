"""Known sicknesses of a run, told from its latest metrics, each with what to do about it.

Every check is a pure function of the latest records of metrics.jsonl: the same records, the same alerts. One of them
compares the middle of a few latest steps with that of the steps before, so that a single odd step alarms nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from turnwise.algorithms.files import RunFolderError, write_atomically
from turnwise.algorithms.reporting.runlog import METRICS, read_records

ALERTS = "alerts.jsonl"
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From where on a run counts as sick. Shares lie in [0, 1]; log-probabilities and divergences are in nats."""

    recent: int = 10
    """Latest steps whose median is judged."""
    history: int = 100
    """Latest steps that are looked at in all; the first `fewest` of them are what the recent ones are compared with."""
    fewest: int = 20
    """Steps before the recent ones without which nothing is compared."""
    quiet: int = 50
    """Steps for which an alert is not told again."""
    length_collapse: float = 0.4
    """Tokens per reply below this share of before."""
    length_explosion: float = 3.0
    """Tokens per reply above so many times those of before."""
    short_reply: float = 6.0
    """Tokens per reply below which lengths are not compared: there is nothing to lose."""
    entropy_collapse: float = 0.1
    """Entropy per token below this share of before, and below `low_entropy`."""
    low_entropy: float = 0.02
    mismatch_tail: float = 0.1
    """Divergence of sampler and trainer at the worst thousandth of tokens."""
    invalid_rate: float = 0.25
    truncated_rate: float = 0.2
    """Share of replies that were cut at the token limit."""
    even_groups: float = 0.9
    """Share of groups whose returns are all equal."""
    gradient_spike: float = 10.0
    """Gradient norm above so many times the median of before, and above `large_gradient`."""
    large_gradient: float = 1.0
    spikes: int = 5
    """So many spikes among the latest `2 * recent` steps."""
    kl_blow_up: float = 5.0
    """Divergence from the reference above so many times that of before, and above `large_kl`."""
    large_kl: float = 1.5
    stale_share: float = 0.25
    """Share of planned episodes that were left out because they were begun too many updates ago."""


DEFAULT = Thresholds()


@dataclass(frozen=True, slots=True)
class Alert:
    """One sickness at one step."""

    step: int
    kind: str
    text: str
    """What was seen, and what to do."""


class Past:
    """The latest records, asked for one figure at a time."""

    def __init__(self, records: Sequence[Record], limits: Thresholds) -> None:
        self.records, self.limits = records[-limits.history :], limits

    def values(self, name: str) -> list[float]:
        """Of the records that hold it, oldest first."""
        return _numbers(name, self.records, len(self.records))

    def now(self, name: str) -> float | None:
        """The median of the recent steps; None where there are too few."""
        values = _numbers(name, reversed(self.records[-2 * self.limits.recent :]), self.limits.recent)
        return median(values) if len(values) == self.limits.recent else None

    def compared(self, name: str) -> tuple[float, float] | None:
        """(median of the recent steps, median of the first ones that are looked at); None where there are too few."""
        limits = self.limits
        now, first = self.now(name), _numbers(name, self.records[: -limits.recent], limits.fewest)
        return (now, median(first)) if now is not None and len(first) == limits.fewest else None


def _numbers(name: str, records: Iterable[Record], most: int) -> list[float]:
    found = []
    for record in records:
        value = record.get(name)
        if isinstance(value, int | float):
            found.append(float(value))
            if len(found) == most:
                break
    return found


def length_collapse(past: Past) -> str | None:
    found = past.compared("reply_tokens")
    if found is None or found[1] < past.limits.short_reply or found[0] >= past.limits.length_collapse * found[1]:
        return None
    return (
        f"replies shrank from {found[1]:.1f} to {found[0]:.1f} tokens: the policy may have stopped thinking. Look at "
        "replies of these steps; lower algorithm.optimisation.learning_rate, or take away what pays for short replies."
    )


def length_explosion(past: Past) -> str | None:
    found = past.compared("reply_tokens")
    if found is None or found[0] < past.limits.short_reply or found[0] <= past.limits.length_explosion * found[1]:
        return None
    return (
        f"replies grew from {found[1]:.1f} to {found[0]:.1f} tokens. If returns did not grow with them, use token-mean "
        "aggregation, a reward for length (overlong), or a lower agent.sampling.max_tokens."
    )


def entropy_collapse(past: Past) -> str | None:
    found, limits = past.compared("entropy"), past.limits
    if found is None or found[0] >= limits.low_entropy or found[0] >= limits.entropy_collapse * found[1]:
        return None
    return (
        f"entropy fell from {found[1]:.3g} to {found[0]:.3g} nats per token: the policy hardly explores any more. If "
        "the game is not solved, lower the learning rate, raise the upper clip bound, or add an entropy bonus."
    )


def mismatch_tail(past: Past) -> str | None:
    found = past.now("mismatch_kl_p999")
    if found is None or found <= past.limits.mismatch_tail:
        return None
    return (
        f"sampler and trainer disagree by {found:.3g} nats at the worst thousandth of tokens. Add a correction "
        "(algorithm.objective.corrections, for example tis), raise the precision, or let fewer updates pass meanwhile."
    )


def invalid_replies(past: Past) -> str | None:
    found = past.now("invalid_rate")
    if found is None or found <= past.limits.invalid_rate:
        return None
    return (
        f"{100 * found:.0f}% of replies are no legal move. Warm the policy up on legal play (model.sft), show the "
        "legal moves in the prompt, or let a reply be mended (env.invalid=retry(2))."
    )


def truncation(past: Past) -> str | None:
    found = past.now("truncated_rate")
    if found is None or found <= past.limits.truncated_rate:
        return None
    return (
        f"{100 * found:.0f}% of replies are cut at the token limit and count as invalid. Raise "
        "agent.sampling.max_tokens, or reward shorter replies."
    )


def even_groups(past: Past) -> str | None:
    found = past.now("even_groups")
    if found is None or found <= past.limits.even_groups:
        return None
    return (
        f"in {100 * found:.0f}% of groups all returns are equal, so that they teach nothing. Play tasks that the "
        "policy sometimes solves (a curriculum, other levels), use algorithm.explore=dynamic, or raise the temperature."
    )


def gradient_spikes(past: Past) -> str | None:
    values, limits = past.values("grad_norm"), past.limits
    latest, before = values[-2 * limits.recent :], values[: -2 * limits.recent]
    if len(before) < limits.fewest:
        return None
    bound = max(limits.large_gradient, limits.gradient_spike * median(before))
    high = [value for value in latest if value > bound]
    if len(high) < limits.spikes:
        return None
    return (
        f"the gradient norm went beyond {bound:.3g} in {len(high)} of the latest {len(latest)} steps, up to "
        f"{max(high):.3g}. Lower algorithm.optimisation.learning_rate or algorithm.optimisation.max_grad_norm, and "
        "look at the episodes of these steps."
    )


def kl_blow_up(past: Past) -> str | None:
    found, limits = past.compared("magnet_kl"), past.limits
    if found is None or found[0] <= max(limits.large_kl, limits.kl_blow_up * found[1]):
        return None
    return (
        f"the policy is {found[0]:.3g} nats per token away from its reference, {found[1]:.3g} before. Raise "
        "algorithm.magnet.weight, or lower the learning rate."
    )


def staleness(past: Past) -> str | None:
    latest, limits = past.records[-past.limits.recent :], past.limits
    stale, planned = (sum(record.get(name) or 0.0 for record in latest) for name in ("dropped/stale", "planned"))
    if len(latest) < limits.recent or not planned or stale / planned <= limits.stale_share:
        return None
    return (
        f"{100 * stale / planned:.0f}% of episodes are thrown away because they were begun too many updates ago. Raise "
        "launcher.max_staleness, use launcher.mode=one_step_off, or add engines."
    )


CHECKS: Mapping[str, Callable[[Past], str | None]] = {
    "reply_length_collapse": length_collapse,
    "reply_length_explosion": length_explosion,
    "entropy_collapse": entropy_collapse,
    "mismatch_tail": mismatch_tail,
    "invalid_rate": invalid_replies,
    "truncation": truncation,
    "zero_variance_groups": even_groups,
    "gradient_spikes": gradient_spikes,
    "kl_blow_up": kl_blow_up,
    "staleness": staleness,
}
"""Kind -> what is seen in the latest records, or None."""


def alerts_of(records: Sequence[Record], limits: Thresholds = DEFAULT) -> list[Alert]:
    """What is wrong at the last of these records."""
    if not records:
        return []
    past, step = Past(records, limits), int(records[-1]["step"])
    found = ((kind, check(past)) for kind, check in CHECKS.items())
    return [Alert(step, kind, text) for kind, text in found if text is not None]


class Watch:
    """Looks at every step of a run and writes down what is wrong: RUN/alerts.jsonl, an object a line."""

    def __init__(self, run_dir: Path, limits: Thresholds = DEFAULT) -> None:
        self._path, self._limits = Path(run_dir) / ALERTS, limits
        self._records: list[Record] = []
        self._told: dict[str, int] = {}

    def go_on_from(self, step: int) -> None:
        """Forget what came after that step; what came before is read from the run's folder."""
        metrics, kept = self._path.with_name(METRICS), [a for a in read_alerts(self._path.parent) if a.step <= step]
        records: list[Record] = [*read_records(metrics)] if metrics.exists() else []
        self._records = [record for record in records if record["step"] <= step][-self._limits.history :]
        self._told = {alert.kind: alert.step for alert in kept}
        if self._path.exists():
            write_atomically(self._path, "".join(map(_line, kept)))

    def look(self, record: Record) -> list[Alert]:
        """The alerts to tell at this step: those of kinds that were not told lately."""
        self._records = [*self._records[1 - self._limits.history :], record]
        found = alerts_of(self._records, self._limits)
        new = [alert for alert in found if not self._was_told(alert)]
        self._told |= {alert.kind: alert.step for alert in new}
        if new:
            write_atomically(self._path, "".join(map(_line, [*read_alerts(self._path.parent), *new])))
        return new

    def _was_told(self, alert: Alert) -> bool:
        before = self._told.get(alert.kind)
        return before is not None and alert.step - before <= self._limits.quiet


def read_alerts(run_dir: Path) -> list[Alert]:
    """The alerts of a run, by ascending step; [] where there are none. Raises RunFolderError on a broken line."""
    path = Path(run_dir) / ALERTS
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            raw = json.loads(line)
            found.append(Alert(int(raw["step"]), str(raw["kind"]), str(raw["text"])))
        except (ValueError, KeyError, TypeError) as error:
            raise RunFolderError(f"line {number} of {path} is no alert ({error}): mend or delete it") from None
    return found


def _line(alert: Alert) -> str:
    return json.dumps(asdict(alert), ensure_ascii=False) + "\n"
