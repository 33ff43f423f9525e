"""Episodes that fail are begun again from their seed: what comes of them is what would have come of them anyway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from turnwise.agents.engine import AgentFailure
from turnwise.agents.language import LanguageAgent
from turnwise.agents.rollout import Plan, Rollout
from turnwise.records import Episode, Reply, Request


@pytest.fixture
def trouble(flaky: str) -> Iterator[Counter[str]]:
    """Task -> how often it fails from now on."""
    from flaky_game import TROUBLE

    TROUBLE.clear()
    yield TROUBLE
    TROUBLE.clear()


class Faltering:
    """An agent that cannot answer some of the times that it is asked."""

    def __init__(self, inner: LanguageAgent, failures: int, kind: Any) -> None:
        self.inner, self.failures, self.kind = inner, failures, kind
        self.name, self.context, self.sampling = inner.name, inner.context, inner.sampling

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        if self.failures and len(requests) == 1:
            self.failures -= 1
            raise AgentFailure("the line is dead", self.kind)
        return self.inner.act(requests)


def some_plans(env_id: str, count: int) -> list[Plan]:
    seats = {"player_0": "policy", "player_1": "policy"}
    return [Plan(id=f"{i}", env_id=env_id, seed=i, stream=i, seats=seats) for i in range(count)]


def seen(episode: Episode) -> tuple[Any, ...]:
    turns = [(t.seat, t.text, t.action, t.prompt_ids, t.completion_ids, t.reward) for t in episode.turns]
    return episode.id, episode.status, episode.task, dict(episode.returns), turns


def logprobs(episode: Episode) -> list[float]:
    return [p for turn in episode.turns for p in turn.logprobs]


def rollout(agent: Any, retries: int) -> Rollout:
    return Rollout({"policy": agent}, invalid="random_legal", retries=retries, concurrency=3)


def test_an_episode_that_failed_and_was_begun_again_is_the_undisturbed_one(
    flaky: str, trouble: Counter[str], agent: Callable[..., LanguageAgent]
) -> None:
    wanted = rollout(agent(), 2).collect(some_plans(flaky, 6))
    assert [episode.status for episode in wanted] == ["ok"] * 6
    trouble.update({str(wanted[1].task): 1, str(wanted[4].task): 2})
    disturbed = rollout(agent(), 2)
    found = disturbed.collect(some_plans(flaky, 6))
    assert [seen(episode) for episode in found] == [seen(episode) for episode in wanted]
    for mine, theirs in zip(found, wanted, strict=True):
        assert logprobs(mine) == pytest.approx(logprobs(theirs), abs=1e-5)
    assert disturbed.retried == 3
    assert trouble.total() == 0


def test_one_that_fails_again_and_again_is_given_up_with_what_failed(
    flaky: str, trouble: Counter[str], agent: Callable[..., LanguageAgent]
) -> None:
    wanted = rollout(agent(), 2).collect(some_plans(flaky, 3))
    trouble.update({str(wanted[0].task): 3, str(wanted[2].task): 99})
    for retries, statuses in ((2, ["env_error", "ok", "env_error"]), (0, ["ok", "ok", "env_error"])):
        tired = rollout(agent(), retries)
        found = tired.collect(some_plans(flaky, 3))
        assert [episode.status for episode in found] == statuses
        assert found[2].metadata == {"failure": "the table fell over"}
        assert [turn.text for turn in found[2].turns[:1]] == [turn.text for turn in wanted[2].turns[:1]]
        assert tired.retried == 2 * retries


@pytest.mark.parametrize("kind", ["agent_error", "timeout"])
def test_an_agent_that_fails_is_asked_again_too(
    flaky: str, trouble: Counter[str], agent: Callable[..., LanguageAgent], kind: str
) -> None:
    wanted = rollout(agent(), 0).collect(some_plans(flaky, 1))
    again = rollout(Faltering(agent(), 2, kind), 2)
    found = again.collect(some_plans(flaky, 1))
    assert (seen(found[0]), again.retried) == (seen(wanted[0]), 2)
    given_up = rollout(Faltering(agent(), 3, kind), 2).collect(some_plans(flaky, 1))
    assert (given_up[0].status, given_up[0].metadata) == (kind, {"failure": "the line is dead"})


def test_retries_are_counted_from_0() -> None:
    with pytest.raises(ValueError, match="retries is at least 0: got -1"):
        Rollout({}, retries=-1)
