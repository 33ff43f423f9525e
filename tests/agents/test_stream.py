"""Agents that answer one by one, in their own order: the episodes are those of an agent that answers in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from turnwise.agents.engine import AgentFailure, Ask, Completion, StreamingEngine, Weights
from turnwise.agents.language import LanguageAgent
from turnwise.agents.local import LocalEngine
from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.sampling import Sampling
from turnwise.agents.table import Table
from turnwise.records import Episode


class OneByOne:
    """A local engine whose replies come back in any order, some of them as failures."""

    def __init__(self, inner: LocalEngine, seed: int, failing: Iterable[int] = (), mute: bool = False) -> None:
        self._inner, self._rng = inner, np.random.default_rng(seed)
        self.failing, self.mute = set(failing), mute
        self.clock, self.sampled, self.weight_version = inner.clock, 0, 0
        self.waiting: dict[int, Ask] = {}
        self.withdrawn: list[int] = []
        self.sessions: list[str | None] = []
        self._next = 0

    def generate(self, *arguments: Any, **named: Any) -> list[Completion]:
        return self._inner.generate(*arguments, **named)

    def load(self, weights: Weights, version: int) -> None:
        self.weight_version = version

    def close(self) -> None: ...

    def submit(self, asks: Sequence[Ask]) -> list[int]:
        numbers = list(range(self._next, self._next + len(asks)))
        self._next += len(asks)
        self.waiting |= zip(numbers, asks, strict=True)
        self.sessions += [ask.session for ask in asks]
        return numbers

    def receive(self, timeout_s: float) -> list[tuple[int, Completion | AgentFailure]]:
        if self.mute:
            return []
        count = int(self._rng.integers(0, 3))
        chosen = self._rng.permutation(list(self.waiting))[:count].tolist()
        return [(number, self._answer(number, self.waiting.pop(number))) for number in chosen]

    def _answer(self, number: int, ask: Ask) -> Completion | AgentFailure:
        if number in self.failing:
            return AgentFailure("no reply within 5 s", "timeout")
        begun = [ask.begun] if ask.begun else ()
        return self._inner.generate([ask.prompt], [ask.seed], ask.sampling, begun)[0]

    def withdraw(self, numbers: Sequence[int]) -> None:
        self.withdrawn += numbers
        for number in numbers:
            self.waiting.pop(number, None)


def some_plans(count: int, env_id: str = "TicTacToe-LLM") -> list[Plan]:
    seats = {"player_0": "policy", "player_1": "policy"}
    return [Plan(id=f"p{i}", env_id=env_id, seed=i // 2, stream=i % 2, seats=seats) for i in range(count)]


def stripped(episodes: Sequence[Episode]) -> list[Any]:
    return [
        (e.id, e.status, dict(e.returns), [(t.seat, t.text, t.prompt_ids, t.completion_ids, t.action) for t in e.turns])
        for e in episodes
    ]


def logprobs(episodes: Sequence[Episode]) -> list[float]:
    return [p for episode in episodes for turn in episode.turns for p in turn.logprobs]


@pytest.fixture
def batched(agent: Callable[..., LanguageAgent]) -> LanguageAgent:
    return agent()


def streamed(agent: LanguageAgent, seed: int, **named: Any) -> tuple[LanguageAgent, OneByOne]:
    assert isinstance(agent.engine, LocalEngine)
    engine = OneByOne(agent.engine, seed, **named)
    assert isinstance(engine, StreamingEngine)
    return LanguageAgent(engine, agent.context, agent.sampling, name=agent.name), engine


@pytest.mark.parametrize("seed", [0, 1])
def test_the_episodes_do_not_depend_on_who_answers_first(batched: LanguageAgent, seed: int) -> None:
    wanted = Rollout({"policy": batched}, invalid="random_legal").collect(some_plans(7))
    agent, engine = streamed(batched, seed)
    found = Rollout({"policy": agent}, invalid="random_legal", concurrency=4).collect(some_plans(7))
    assert stripped(found) == stripped(wanted)
    assert logprobs(found) == pytest.approx(logprobs(wanted), abs=1e-5)
    assert engine.waiting == {}
    assert {"p0:player_0", "p6:player_1"} <= set(engine.sessions)


def test_an_agent_that_cannot_reply_ends_its_episode_alone(batched: LanguageAgent) -> None:
    wanted = Rollout({"policy": batched}, invalid="random_legal").collect(some_plans(4))
    agent, _ = streamed(batched, 0, failing=[2])  # the first request of the third episode
    found = Rollout({"policy": agent}, invalid="random_legal").collect(some_plans(4))
    assert [episode.status for episode in found] == ["ok", "ok", "timeout", "ok"]
    assert found[2].metadata == {"failure": "no reply within 5 s"}
    assert found[2].turns == ()
    assert stripped([*found[:2], found[3]]) == stripped([*wanted[:2], wanted[3]])


def test_a_mute_agent_is_waited_for_no_longer_than_the_deadline(batched: LanguageAgent) -> None:
    agent, engine = streamed(batched, 0, mute=True)
    rollout = Rollout({"policy": agent})
    rollout._owed.patience_s = 0.05
    found = rollout.collect(some_plans(3))
    assert [episode.status for episode in found] == ["timeout"] * 3
    assert found[0].metadata["failure"] == "3 replies were waited for, and none came for 0.05 s"
    assert sorted(engine.withdrawn) == [0, 1, 2]


def test_what_nobody_waits_for_any_more_is_withdrawn(batched: LanguageAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, engine = streamed(batched, 0)
    rollout = Rollout({"policy": agent}, invalid="random_legal")

    def stop(table: Table, reply: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Table, "answer", stop)
    with pytest.raises(KeyboardInterrupt):
        rollout.collect(some_plans(5))
    assert engine.waiting == {}
    monkeypatch.undo()
    assert [episode.status for episode in rollout.collect(some_plans(2))] == ["ok", "ok"]


def test_a_reply_in_parts_is_the_same_reply(batched: LanguageAgent) -> None:
    sampling = Sampling(max_tokens=8)
    whole = LanguageAgent(batched.engine, batched.context, sampling, name="policy")
    agent, _ = streamed(whole, 3)
    tables = {}
    for name, speaker in (("whole", whole), ("streamed", agent)):
        rollout = Rollout({"policy": speaker}, invalid="random_legal")
        tables[name] = [rollout.seat(plan) for plan in some_plans(3)]
        rollout.play_turn(tables[name], 3)
        rollout.play_turn(tables[name])
    assert [table.turns[0].completion_ids for table in tables["streamed"]] == [
        table.turns[0].completion_ids for table in tables["whole"]
    ]
