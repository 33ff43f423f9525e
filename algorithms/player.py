"""Who plays the episodes of a step: here, this process (or its share, one rank of several)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnwise.agents.api.usage import asked_by
from turnwise.agents.engine import Weights
from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.agents.sampling import derive_seed
from turnwise.algorithms.algorithm import Algorithm
from turnwise.algorithms.checks import NothingPlayed
from turnwise.algorithms.credit.episodes import is_finished
from turnwise.algorithms.explore.ground import Ground
from turnwise.algorithms.explore.playing import by_group
from turnwise.algorithms.ledger import failures, with_unused
from turnwise.algorithms.startup import Policy
from turnwise.algorithms.world import World
from turnwise.records import Episode

_EXPLORING = 4
"""The stream of the chance in how a step's episodes are sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a step's plans."""

    episodes: list[Episode]
    """Whole groups of finished episodes, in the order of their plans."""
    metrics: dict[str, float] = field(default_factory=dict)
    """How they were sampled."""
    planned: list[str]
    """Ids of the episodes that were to be played."""
    dropped: dict[str, list[str]] = field(default_factory=dict)
    """Reason -> ids of the episodes that are left out: what ended one of their group, "group" for its others, "unused"
    where the way of sampling did without them."""
    retried: int = 0
    """Episodes that were begun again because they had failed."""
    tokens: int = 0
    """Sampled by the policy, whatever became of them."""
    answered: int = 0
    """Replies that a game went on after."""
    model_seconds: float = 0.0
    times: dict[str, float] = field(default_factory=dict)
    """More of the step's times in seconds, and whatever else differs between two runs of one seed."""


class Player(Protocol):
    """Plays steps. Its `state` is all that a resumed run needs."""

    def play(self, step: int) -> Played:
        """The episodes to train on in a step. Raises NothingPlayed where there are none."""
        ...

    def load_weights(self, weights: Weights, version: int) -> None:
        """Go on with the learner's latest weights."""
        ...

    def state(self) -> dict[str, Any]: ...

    def load(self, state: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


Cast = Callable[["Stage", Callable[[int, int], list[Plan]], World], Player]
"""(where to play, (step, attempt) -> plans, the ranks that train together) -> who plays."""


class Stage:
    """Agents, games and a recipe's way of sampling: turns plans into episodes, in this process."""

    def __init__(
        self,
        policy: Policy,
        rollout: Rollout,
        algorithm: Algorithm,
        ground: Callable[[int, Callable[[int], list[Plan]]], Ground],
        seed: int,
    ) -> None:
        """`ground`: (seed of a step, its further plans) -> what the recipe's way of sampling stands on."""
        self.policy, self.rollout, self.algorithm = policy, rollout, algorithm
        self._ground, self._seed = ground, seed

    def perform(self, step: int, plans: Sequence[Plan], fresh: Callable[[int], list[Plan]], part: int = 0) -> Played:
        """Play the plans of a step, or a part of them in whole groups. part: which one; its draws are its own."""
        engine, rollout = self.policy.engine, self.rollout
        sampled, answered, retried, seconds = engine.sampled, rollout.answered, rollout.retried, engine.clock.seconds
        askers = [*rollout.agents.values(), engine]
        asked = asked_by(askers)
        seed = derive_seed(self._seed, _EXPLORING, step, *([part] if part else []))
        planned = [plan.id for plan in plans]

        def more(attempt: int) -> list[Plan]:
            found = fresh(attempt)
            planned.extend(plan.id for plan in found)
            return found

        episodes, metrics = self.algorithm.play(plans, self._ground(seed, more))
        whole, dropped = whole_groups(episodes)
        return Played(
            episodes=whole,
            metrics=metrics | {name: value - asked.get(name, 0) for name, value in asked_by(askers).items()},
            planned=planned,
            dropped=with_unused(planned, whole, dropped),
            retried=rollout.retried - retried,
            tokens=engine.sampled - sampled,
            answered=rollout.answered - answered,
            model_seconds=engine.clock.seconds - seconds,
        )


class LocalPlayer:
    """Plays every step when it is asked for, with the weights of that moment. Each rank plays its share of groups."""

    def __init__(self, stage: Stage, plans: Callable[[int, int], list[Plan]], world: World) -> None:
        """`plans`: (step, attempt) -> the episodes of a step, see `Matchmaker.plans`."""
        self._stage, self._plans, self._world = stage, plans, world
        if world.size > 1 and stage.algorithm.settings.explore == "windows":
            raise ValueError(
                "explore=windows keeps unfinished episodes from step to step, in one process: train without torchrun"
            )

    def play(self, step: int) -> Played:
        """See `Player`."""
        world = self._world
        mine = share_of(self._plans(step, 0), world.rank, world.size)
        part = self._stage.perform(
            step, mine, lambda attempt: share_of(self._plans(step, attempt), world.rank, world.size)
        )
        rest = getattr(self._stage.policy.engine, "sleep", None)
        if rest is not None:  # the update needs the memory; whatever is asked of the engine next wakes it
            rest()
        return require_some(merged(world.gather(part, f"the episodes of step {step}")), step)

    def load_weights(self, weights: Weights, version: int) -> None:
        """See `Player`."""
        self._stage.policy.engine.load(weights, version)

    def state(self) -> dict[str, Any]:
        """Nothing lasts beyond a step."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """There is nothing to load."""

    def close(self) -> None:
        """Let go of the engine."""
        self._stage.policy.engine.close()


def share_of(plans: Sequence[Plan], rank: int, size: int) -> list[Plan]:
    """A rank's share of the plans: neighbouring whole groups."""
    if size == 1:
        return [*plans]
    groups = by_group(plans)
    mine = groups[rank * len(groups) // size : (rank + 1) * len(groups) // size]
    return [plan for group in mine for plan in group]


def whole_groups(episodes: Sequence[Episode]) -> tuple[list[Episode], dict[str, list[str]]]:
    """The episodes of groups in which all are finished, and reason -> ids of those that are left out.

    A group that lost a member is left out whole: what is left would be judged against a biased sample of its kind.
    """
    broken = {_group(episode) for episode in episodes if not is_finished(episode)}
    if not broken:
        return list(episodes), {}
    dropped: dict[str, list[str]] = {}
    for episode in episodes:
        if _group(episode) in broken:
            dropped.setdefault("group" if is_finished(episode) else episode.status, []).append(episode.id)
    return [episode for episode in episodes if _group(episode) not in broken], dropped


def _group(episode: Episode) -> str:
    return f"episode {episode.id}" if episode.group is None else f"group {episode.group}"


def require_some(played: Played, step: int) -> Played:
    """What was played. Raises NothingPlayed where every group was left out."""
    if not played.episodes and failures(played.dropped):
        reasons = ", ".join(f"{len(ids)} {reason}" for reason, ids in sorted(played.dropped.items()))
        raise NothingPlayed(
            f"none of the {len(played.planned)} episodes of step {step} can be trained on ({reasons}); the failures "
            "are those of the environment or of the agents, see `turnwise check`"
        )
    return played


def merged(parts: Sequence[Played]) -> Played:
    """The parts of one step as one, in their order."""
    if len(parts) == 1:
        return parts[0]
    dropped: dict[str, list[str]] = {}
    for part in parts:
        for reason, ids in part.dropped.items():
            dropped.setdefault(reason, []).extend(ids)
    return Played(
        episodes=[episode for part in parts for episode in part.episodes],
        metrics=_merged_metrics([part.metrics for part in parts]),
        planned=[name for part in parts for name in part.planned],
        dropped=dropped,
        retried=sum(part.retried for part in parts),
        tokens=sum(part.tokens for part in parts),
        answered=sum(part.answered for part in parts),
        model_seconds=max(part.model_seconds for part in parts),
    )


def _merged_metrics(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Counts are added up; shares and rounds are averaged."""
    totals: Counter[str] = Counter()
    for part in parts:
        totals.update(part)
    known = Counter(name for part in parts for name in part)
    return {
        name: value / known[name] if name.endswith(("_share", "rounds")) else value for name, value in totals.items()
    }
