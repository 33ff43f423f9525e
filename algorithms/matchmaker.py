"""Which game, which level and whom every group of a step plays: in turn, by a curriculum, out of a league."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.agents.sampling import derive_seed
from turnwise.algorithms import curriculum
from turnwise.algorithms.algorithm import Judged
from turnwise.algorithms.games import Arm, arm_of
from turnwise.algorithms.league import LEARNER, OPPONENT, Pairing, plan_step
from turnwise.algorithms.samples import DEMONSTRATION
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.snapshots import League
from turnwise.records import Episode

_ARMS, _OPPONENTS = 5, 6
"""Streams of seeds: which arms are drawn, and which opponents."""


class Matchmaker:
    """Plans the episodes of every step. Its `state` is all that a resumed run needs."""

    def __init__(self, settings: RunSettings, arms: Sequence[Arm], league: League | None) -> None:
        self.settings, self.arms, self.league = settings, arms, league
        self.bandit = curriculum.begin([arm.name for arm in arms])
        """State of the curriculum, where there is one."""

    def plans(self, step: int, attempt: int = 0) -> list[Plan]:
        """The episodes of a step; see `plan_step`."""
        return plan_step(self.settings, self.pairings(step, attempt), step, attempt)

    def pairings(self, step: int, attempt: int = 0) -> list[Pairing]:
        """One per group. Without a curriculum the arms take turns, from step to step too, so that each has its share.

        The learner's seat against an opponent moves on when every arm has had a turn.
        """
        groups = self.settings.games_per_step // self.settings.algorithm.group_size
        numbers = range(step * groups, (step + 1) * groups)
        chosen = self._arms(numbers, derive_seed(self.settings.seed, _ARMS, step, attempt))
        opponents = self._opponents(groups, derive_seed(self.settings.seed, _OPPONENTS, step, attempt))
        rounds = [number if self.settings.curriculum else number // len(self.arms) for number in numbers]
        return [
            Pairing(arm) if opponent is None else Pairing(arm, arm.seats[turn % len(arm.seats)], opponent)
            for arm, opponent, turn in zip(chosen, opponents, rounds, strict=True)
        ]

    def _arms(self, numbers: range, seed: int) -> list[Arm]:
        settings = self.settings.curriculum
        if settings is None:
            return [self.arms[number % len(self.arms)] for number in numbers]
        by_name = {arm.name: arm for arm in self.arms}
        return [by_name[name] for name in curriculum.draw(self.bandit["q"], settings, len(numbers), seed)]

    def _opponents(self, groups: int, seed: int) -> list[str | None]:
        if self.league is not None:
            return self.league.draw(groups, seed)
        return [None if self.settings.agent.opponent == "self" else OPPONENT] * groups

    def after_step(self, steps_done: int, episodes: Sequence[Episode], judged: Judged) -> dict[str, float]:
        """Let curriculum and league learn from a step; returns their figures. episodes: as they were played."""
        figures = self._learn(judged) if self.settings.curriculum else {}
        if self.league is not None:
            figures |= self.league.after_step(steps_done, episodes)
        return figures

    def _learn(self, judged: Judged) -> dict[str, float]:
        """Values of the arms after this step, and the chances that it was drawn by."""
        settings = self.settings.curriculum
        assert settings is not None
        drawn = curriculum.probabilities(self.bandit["q"], settings)
        played = [pair for pair in zip(judged.episodes, judged.advantages, strict=True) if _is_own(pair[0])]
        episodes, advantages = [episode for episode, _ in played], [row for _, row in played]
        names = [arm_of(episode, self.arms).name for episode in episodes]
        self.bandit = curriculum.record(self.bandit, episodes, names, advantages, settings, LEARNER)
        figures = {f"curriculum/chance/{name}": chance for name, chance in drawn.items()}
        return figures | {f"curriculum/value/{name}": value for name, value in self.bandit["q"].items()}

    def state(self) -> dict[str, Any]:
        """What the curriculum and the league have learned."""
        return {"bandit": self.bandit, "league": None if self.league is None else self.league.state()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state()` of a matchmaker with the same settings."""
        self.bandit = state["bandit"]
        if self.league is not None:
            self.league.load(state["league"])


def _is_own(episode: Episode) -> bool:
    """Whether the learner played it: a demonstration says nothing about what it finds hard."""
    return not episode.metadata.get(DEMONSTRATION)
