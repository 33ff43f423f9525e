"""An engine without a model, so that its numbers do not depend on the batch, and a game that pays every turn."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.engine import Completion
from turnwise.agents.language import LanguageAgent
from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.agents.sampling import Sampling, uniforms
from turnwise.agents.scripted import scripted_agent
from turnwise.agents.tiny import build_tokenizer
from turnwise.algorithms.explore.ground import Ground
from turnwise.envs.core import Step, TextGame
from turnwise.envs.registry import GAMES
from turnwise.envs.spec import GameSpec
from turnwise.records import Episode

WORDS = ("check", "bet", "1", "2")


class WordEngine:
    """Samples words, and the end of the turn, with chances that follow from the context."""

    def __init__(self, ids: Sequence[int], end_id: int) -> None:
        self.ids, self.weight_version = (*ids, end_id), 0

    def generate(
        self,
        prompts: Sequence[tuple[int, ...]],
        seeds: Sequence[int],
        sampling: Sampling,
        begun: Sequence[tuple[int, ...]] = (),
    ) -> list[Completion]:
        said = begun or [()] * len(prompts)
        return [self._reply(*each, sampling) for each in zip(prompts, seeds, said, strict=True)]

    def _reply(self, prompt: tuple[int, ...], seed: int, begun: tuple[int, ...], sampling: Sampling) -> Completion:
        ids: list[int] = []
        logprobs, entropies = [], []
        while len(ids) < sampling.max_tokens and (not ids or ids[-1] != self.ids[-1]):
            chances = self._chances((*prompt, *ids))
            draw = uniforms(np.array([seed], dtype=np.uint64), len(begun) + len(ids))[0]
            choice = int(np.searchsorted(np.cumsum(chances), draw * sum(chances), side="right"))
            ids.append(self.ids[choice])
            logprobs.append(math.log(chances[choice]))
            entropies.append(-sum(p * math.log(p) for p in chances))
        k = sampling.entropy_tokens
        return Completion(tuple(ids), tuple(logprobs), ids[-1] == self.ids[-1], tuple(entropies[:k]) if k else None)

    def _chances(self, context: tuple[int, ...]) -> list[float]:
        weights = np.random.default_rng(zlib.crc32(np.array(context).tobytes())).integers(1, 8, len(self.ids))
        weights[-1] = 1  # of the end
        return [float(weight) / float(weights.sum()) for weight in weights]


class Wages(TextGame):
    """Pays 1, then 2, then 4, whatever is said; stops after so many turns."""

    seats = ("player_0",)
    utility_bounds = (0.0, 7.0)
    dense_rewards = True

    def start(self, rng: np.random.Generator) -> None:
        self.seat, self._turn = "player_0", 0

    def observe(self, seat: str) -> str:
        return f"turn {self._turn}"

    def legal(self) -> None:
        return None

    def play(self, action: str) -> Step:
        self._turn += 1
        self.seat = "player_0" if self._turn < 3 else None
        return Step({"player_0": 2.0 ** (self._turn - 1)}, terminated=self._turn == 3)

    def sample_action(self, rng: np.random.Generator) -> str:
        return "well"


@pytest.fixture(autouse=True)
def wages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `Wages` known."""
    monkeypatch.setitem(GAMES, "Wages", GameSpec(id="Wages", entry_point="turnwise.testing:Wages"))
    monkeypatch.setattr(
        "turnwise.envs.registry.import_module",
        lambda name: SimpleNamespace(Wages=Wages) if name == "turnwise.testing" else import_module(name),
    )


@pytest.fixture(scope="session")
def context() -> ChatContext:
    return ChatContext(
        build_tokenizer(("Your card: King. check or bet? turn 1 2", *WORDS), 320), ContextSettings(), "chatml"
    )


@pytest.fixture
def policy(context: ChatContext) -> LanguageAgent:
    """Replies of at most 6 words, with the entropies of their first 3."""
    ids = [context.encode(word)[-1] for word in WORDS]
    return LanguageAgent(WordEngine(ids, context.end_id), context, Sampling(max_tokens=6, entropy_tokens=3))


@pytest.fixture
def rollout(policy: LanguageAgent) -> Rollout:
    """The policy, a random agent and one that takes the first legal action; invalid replies are played at random."""
    agents = {"policy": policy, "random": scripted_agent("random"), "first_legal": scripted_agent("first_legal")}
    return Rollout(agents, invalid="random_legal")


@pytest.fixture
def ground(rollout: Rollout) -> Callable[..., Ground]:
    """`ground(seed=1)`: a step on that rollout, whose trainer agrees with the sampler."""

    def annotate(episodes: Sequence[Episode]) -> list[Episode]:
        return [
            replace(episode, turns=tuple(replace(turn, train_logprobs=turn.logprobs) for turn in episode.turns))
            for episode in episodes
        ]

    def unused(*_: Any) -> list[Any]:
        raise AssertionError("not part of this way of sampling")

    def build(**fields: Any) -> Ground:
        given = {"rollout": rollout, "learner": "policy", "seed": 1, "group_size": 4, "annotate": annotate}
        return Ground(**{**given, "fresh": unused, "demonstrate": unused, **fields})

    return build


@pytest.fixture
def plans() -> Callable[..., list[Plan]]:
    """`plans(groups, size, env_id, second="random")`: plans as a training step makes them."""

    def build(
        groups: int, size: int, env_id: str = "TicTacToe-LLM", second: str | None = "random", **kwargs: Any
    ) -> list[Plan]:
        seats = {"player_0": "policy"} | ({} if second is None else {"player_1": second})
        return [
            Plan(
                id=f"0-{group * size + member}",
                env_id=env_id,
                env_kwargs=kwargs,
                seed=301 + group,
                stream=member,
                group=f"0-{group}",
                seats=seats,
            )
            for group in range(groups)
            for member in range(size)
        ]

    return build


@pytest.fixture
def untimed() -> Callable[[Sequence[Episode]], list[Episode]]:
    """The episodes without wall times, which no two plays share."""
    return lambda episodes: [
        replace(episode, turns=tuple(replace(turn, seconds=None) for turn in episode.turns)) for episode in episodes
    ]
