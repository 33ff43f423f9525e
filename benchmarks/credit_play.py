"""A tabular player: episodes as records, with all that a credit method may ask for, at a budget of generated tokens.

An action is one token. What was generated is counted once, however many episodes share it; continuations count too.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from credit_exact import Solved

from turnwise.records import Episode, Turn

LEARNER = "policy"
Path = list[tuple[int, int]]
"""(node, action) of every turn."""
Values = Callable[[int], float]
"""Node -> estimated return to come of the seat that acts there, in task units."""


@dataclass(slots=True)
class Batch:
    """What one step of training would see."""

    episodes: list[Episode] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    """Of each episode."""
    generated: int = 0
    """Tokens sampled, those of continuations included."""
    extra: int = 0
    """Tokens sampled that are not trained: continuations."""
    forwards: int = 0
    """Contexts that a model has to read beyond sampling and training: by a critic, or to score an answer."""


class Player:
    """Plays the policy of a solved table. Equal seeds, equal episodes."""

    def __init__(self, solved: Solved, seed: int, values: Values | None = None) -> None:
        """values: what a critic would say; None leaves the fields empty."""
        self.solved, self.tree = solved, solved.tree
        self._random = random.Random(seed)
        self._values = values
        self._cumulative = [list(accumulate(chances.tolist())) for chances in solved.policy]
        self._turns: dict[tuple[int, int], Turn] = {}
        self._count = 0

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()

    def instance(self) -> int:
        """Chance before the first turn."""
        return self._random.randrange(len(self.tree.roots))

    def step(self, number: int) -> tuple[int, int | None]:
        """An action of the policy and the node it leads to, None at the end."""
        cumulative = self._cumulative[number]
        action = min(bisect_right(cumulative, self._random.random()), len(cumulative) - 1)
        return action, self.tree.nodes[number].children[action]

    def walk(self, number: int | None, most: int | None = None) -> Path:
        """Play from a node to the end, or `most` turns of it."""
        path: Path = []
        while number is not None and (most is None or len(path) < most):
            action, after = self.step(number)
            path.append((number, action))
            number = after
        return path

    def after(self, path: Path) -> int | None:
        """The node that a path leads to; None at the end."""
        number, action = path[-1]
        return self.tree.nodes[number].children[action]

    def returns(self, path: Path) -> list[float]:
        """Sum of the rewards of every seat along a path."""
        total = [0.0] * len(self.tree.seats)
        for number, action in path:
            for seat, reward in enumerate(self.tree.nodes[number].rewards[action]):
                total[seat] += reward
        return total

    def monte_carlo(self, number: int, samples: int, batch: Batch) -> float:
        """Mean return of some continuations, for the seat that acts. Their tokens are counted in the batch."""
        seat, total = self.tree.nodes[number].seat, 0.0
        for _ in range(samples):
            path = self.walk(number)
            total += self.returns(path)[seat]
            batch.generated += len(path)
            batch.extra += len(path)
        return total / samples

    def record(
        self,
        path: Path,
        group: str,
        *,
        parent: str | None = None,
        fork_turn: int | None = None,
        turns: Sequence[Mapping[str, Any]] | None = None,
        **fields: Any,
    ) -> Episode:
        """The episode of a path that reaches the end. `turns`: fields to set, per turn; `fields`: of the episode."""
        instance = self.tree.nodes[path[0][0]].instance
        self._count += 1
        made = [self._turn(number, action) for number, action in path]
        if turns is not None:
            made = [replace(turn, **more) if more else turn for turn, more in zip(made, turns, strict=True)]
        returns = dict(zip(self.tree.seats, self.returns(path), strict=True))
        return Episode(
            id=f"e{self._count}",
            env_id=self.tree.env_id,
            seats=dict.fromkeys(self.tree.seats, LEARNER),
            turns=tuple(made),
            returns=returns,
            seed=instance,
            group=group,
            parent=parent,
            fork_turn=fork_turn,
            ground_truth=self.tree.truths[instance],
            reward_parts={"task": returns},
            **fields,
        )

    def _turn(self, number: int, action: int) -> Turn:
        if (number, action) not in self._turns:
            self._turns[number, action] = self._made(number, action)
        return self._turns[number, action]

    def _made(self, number: int, action: int) -> Turn:
        node, chances = self.tree.nodes[number], self.solved.policy[number].tolist()
        logprob, entropy, answer = math.log(chances[action]), self.solved.entropy(number), self.solved.answers[number]
        value = None if self._values is None else self._values(number)
        return Turn(
            seat=self.tree.seats[node.seat],
            observation=(),
            text=f"[{node.actions[action]}]",
            action=node.actions[action],
            reward=node.rewards[action][node.seat],
            prompt_ids=(number,),
            completion_ids=(action,),
            logprobs=(logprob,),
            train_logprobs=(logprob,),
            reference_logprobs=(-math.log(len(chances)),),
            topk_entropy=(entropy,),
            token_entropy=(entropy,),
            squared_probs=(sum(chance * chance for chance in chances),),
            value=value,
            token_values=None if value is None else (value,),
            answer_logprob=None if math.isnan(answer) else answer,
            anchor=node.anchor,
        )
