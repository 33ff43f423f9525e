"""The parts of a recipe at work: episodes are played, annotated, and given credit. Holds the state of every part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.algorithms.credit.episodes import Advantage, TurnCredit, is_trained
from turnwise.algorithms.explore.ground import Ground
from turnwise.algorithms.recipes import AlgorithmSettings, Part
from turnwise.algorithms.replay import replay
from turnwise.algorithms.samples import DEMONSTRATION
from turnwise.records import Episode

RENEWED = frozenset({"train_logprobs", "token_entropy"})
"""What the current weights have to say of replayed turns."""
Annotate = Callable[[Sequence[Episode], frozenset[str]], list[Episode]]
"""(episodes, needs) -> the episodes with those that the learner's weights can fill."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Episodes as they are trained on."""

    episodes: list[Episode]
    advantages: TurnCredit
    targets: TurnCredit | None
    metrics: dict[str, float]


class Algorithm:
    """Carries out the five choices of a recipe but for the update itself."""

    def __init__(self, settings: AlgorithmSettings, annotate: Annotate, learner: str, seed: int = 0) -> None:
        """`learner`: name of the agent that is trained. `seed`: of the replay buffer's choices."""
        self.settings, self.learner, self._annotate, self._seed = settings, learner, annotate, seed
        self.states: dict[str, Any] = {}
        """`stage.name` -> state of that part, fit for JSON."""
        parts = settings.parts()
        self._explorer, *self._rest = parts
        self._needs = frozenset(need for part in parts for need in part.needs)

    def play(self, plans: Sequence[Plan], ground: Ground) -> tuple[list[Episode], dict[str, float]]:
        """The episodes of a step, and figures of how they were sampled."""
        part = self._explorer
        found = part.method.function(plans, ground, part.settings, self._state(part))
        self.states[_key(part)] = found.state
        return list(found.episodes), {f"{part.name}/{name}": value for name, value in found.metrics.items()}

    def judge(self, episodes: Sequence[Episode]) -> Judged:
        """What every turn is worth. Demonstrations take no part in it: each of their turns counts 1."""
        own = [episode for episode in episodes if not episode.metadata.get(DEMONSTRATION)]
        shown = [episode for episode in episodes if episode.metadata.get(DEMONSTRATION)]
        metrics: dict[str, float] = {}
        own = self._annotate(own, self._needs)
        advantages: TurnCredit = []
        targets: TurnCredit | None = None
        for part in self._rest:
            function, state = part.method.function, self._state(part)
            if part.stage == "rewards":
                own, self.states[_key(part)], figures = function(own, state, part.settings, self.learner)
            elif part.stage == "credit":
                advantages, self.states[_key(part)], targets, figures = function(
                    own, state, part.settings, self.learner
                )
            elif part.stage == "shapings":
                advantages, figures = function(own, advantages, part.settings, self.learner)
            else:
                continue
            prefix = "" if part.stage == "credit" else f"{part.name}/"
            metrics |= {f"{prefix}{name}": value for name, value in figures.items()}
        more = [self._imitated(episode) for episode in shown]
        if self.settings.replay.turns:
            again = replay(own, advantages, self.states.get("replay", {}), self.settings.replay, self._seed)
            self.states["replay"] = again.state
            shown += self._annotate(again.episodes, self._needs & RENEWED)
            more += again.advantages
            metrics["replayed_turns"] = float(len(again.episodes))
        if targets is not None:
            targets = targets + [[None] * len(episode.turns) for episode in shown]
        return Judged(own + shown, advantages + more, targets, metrics)

    def _imitated(self, episode: Episode) -> list[Advantage]:
        return [1.0 if is_trained(episode, turn, self.learner) else None for turn in episode.turns]

    def _state(self, part: Part) -> Any:
        return self.states.get(_key(part), {})


def _key(part: Part) -> str:
    return f"{part.stage}.{part.name}"
