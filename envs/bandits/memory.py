"""`Memory`: what has been pulled and paid so far, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isinf

from turnwise.envs.bandits.index import Index


@dataclass(slots=True)
class Memory:
    """The pulls of one episode in order."""

    names: tuple[str, ...]
    arms: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)

    def add(self, arm: int, reward: float) -> None:
        """One more pull."""
        self.arms.append(arm)
        self.rewards.append(reward)

    def pulls(self) -> list[int]:
        """How often each arm was pulled."""
        return [self.arms.count(arm) for arm in range(len(self.names))]

    def sums(self) -> list[float]:
        """What each arm has paid in all."""
        sums = [0.0] * len(self.names)
        for arm, reward in zip(self.arms, self.rewards, strict=True):
            sums[arm] += reward
        return sums


def money(reward: float) -> str:
    """At most two digits after the point: 1, 0.5, -2.31."""
    return f"{round(reward, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def raw_lines(memory: Memory) -> list[str]:
    """One line per pull."""
    return [
        f"{turn}. {memory.names[arm]}: {money(reward)}"
        for turn, (arm, reward) in enumerate(zip(memory.arms, memory.rewards, strict=True), start=1)
    ]


def summary_lines(memory: Memory, hints: Index | None) -> list[str]:
    """One line per arm: pulls, mean, and the hints where there are any."""
    lines = []
    for arm, (pulls, total) in enumerate(zip(memory.pulls(), memory.sums(), strict=True)):
        told = (
            f"chosen {pulls} {'time' if pulls == 1 else 'times'}, mean {money(total / pulls)}"
            if pulls
            else "not chosen yet"
        )
        lines.append(f"{memory.names[arm]}: {told}{_hint(hints, arm)}")
    return lines


def hint_lines(memory: Memory, hints: Index) -> list[str]:
    """One line per arm: the hints."""
    return [f"{name}:{_hint(hints, arm)}".replace(":,", ":") for arm, name in enumerate(memory.names)]


def compact_summary(memory: Memory, hints: Index | None) -> str:
    """`red 3 0.67, blue 0`: pulls and mean of every arm, then exploit and bonus where there are hints."""
    words = []
    for arm, (pulls, total) in enumerate(zip(memory.pulls(), memory.sums(), strict=True)):
        mean = f" {money(total / pulls)}" if pulls else ""
        words.append(f"{memory.names[arm]} {pulls}{mean}{_short_hint(hints, arm)}")
    return ", ".join(words)


def compact_raw(memory: Memory, hints: Index | None) -> str:
    """`red 1 0 1, blue`: the payments of every arm in order."""
    paid: Sequence[list[str]] = [[] for _ in memory.names]
    for arm, reward in zip(memory.arms, memory.rewards, strict=True):
        paid[arm].append(money(reward))
    return ", ".join(" ".join([name, *paid[arm]]) + _short_hint(hints, arm) for arm, name in enumerate(memory.names))


def _hint(hints: Index | None, arm: int) -> str:
    if hints is None:
        return ""
    return f", exploitation value {money(hints.exploit[arm])}, exploration bonus {_bonus(hints.bonus[arm])}"


def _short_hint(hints: Index | None, arm: int) -> str:
    return "" if hints is None else f" ({money(hints.exploit[arm])} + {_bonus(hints.bonus[arm])})"


def _bonus(bonus: float) -> str:
    return "infinite" if isinf(bonus) else money(bonus)
