"""An environment that fails ends the episode as env_error in the referee, in every view, and in the rollout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import gymnasium as gym
import numpy as np
import pytest
import worker_games

import turnwise
from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.scripted import scripted_agent
from turnwise.envs.aec_view import TextGameAEC
from turnwise.envs.core import EnvFailure
from turnwise.envs.gym_view import TextGameEnv
from turnwise.envs.referee import Referee
from turnwise.envs.workers import RemoteGame
from turnwise.records import Reply, Request

Remote = Callable[..., RemoteGame]
SHORT = {"deadline_s": 0.5, "start_deadline_s": 5.0}


class FailsAtSampling(worker_games.Lab):
    """Even to ask it for an action is too much."""

    def sample_action(self, rng: np.random.Generator) -> str:
        raise EnvFailure("no dice")


class FailsAtReading(worker_games.Lab):
    def observe(self, seat: str) -> str:
        if self.turns:
            raise EnvFailure("no paper")
        return super().observe(seat)


class Says:
    """Says the line that belongs to the number of its request."""

    name = "says"

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(text=f"[{self.lines[sum(m.role == 'assistant' for m in r.messages)]}]") for r in requests]


def test_the_referee_gives_no_verdict(remote: Remote) -> None:
    referee = Referee(remote())
    referee.start(3)
    paid = referee.submit("[add]").rewards["player_0"]
    outcome = referee.submit("[crash]")
    assert (outcome.status, outcome.rewards, outcome.terminated, outcome.truncated) == ("env_error", {}, False, True)
    assert outcome.info == {"reason": "KeyError: 'door'"}
    assert (referee.status, referee.seat, referee.returns) == ("env_error", None, {"player_0": paid})
    referee.start(3)
    assert (referee.status, referee.failure, referee.seat) == ("ok", None, "player_0")


def test_gymnasium_truncates(remote: Remote) -> None:
    env = TextGameEnv(remote())
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step("[crash]")
    assert (reward, terminated, truncated, info["status"]) == (0.0, False, True, "env_error")
    assert info["reason"] == "KeyError: 'door'" and info["legal_actions"] == ()
    assert observation == "The environment failed: KeyError: 'door'"
    with pytest.raises(gym.error.ResetNeeded):
        env.step("[add]")
    assert env.reset(seed=0)[1]["status"] == "ok"


def test_gymnasium_reports_a_reset_that_fails_and_truncates_at_the_first_step(remote: Remote) -> None:
    env = TextGameEnv(remote(at_start="crash"))
    _, info = env.reset(seed=0)
    assert (info["status"], info["reason"]) == ("env_error", "KeyError: 'door'")
    assert env.step("[add]")[1:4] == (0.0, False, True)


def test_a_failure_at_an_opponents_turn_or_at_reading_truncates_too() -> None:
    class Pair(FailsAtSampling):
        seats = ("player_0", "player_1")

        def play(self, action: str) -> worker_games.Step:
            step = super().play(action)
            self.seat = "player_1"
            return step

    env = TextGameEnv(Pair())
    env.reset(seed=0)
    env.action_space.seed(0)
    assert isinstance(env.action_space.sample(), str)  # noise
    _, _, terminated, truncated, info = env.step("[add]")
    assert (terminated, truncated, info["status"], info["reason"]) == (False, True, "env_error", "no dice")
    env = TextGameEnv(FailsAtReading())
    env.reset(seed=0)
    observation, _, terminated, truncated, info = env.step("[add]")
    assert (terminated, truncated, info["reason"]) == (False, True, "no paper")
    assert observation == "The environment failed: no paper"


def test_pettingzoo_truncates_every_seat(remote: Remote) -> None:
    env = TextGameAEC(remote())
    env.reset(seed=0)
    env.step("[crash]")
    _, _, terminated, truncated, info = env.last()
    assert (terminated, truncated, info["status"], info["reason"]) == (False, True, "env_error", "KeyError: 'door'")
    env.step(None)
    assert env.agents == []
    env = TextGameAEC(remote(at_start="crash"))
    env.reset(seed=0)
    assert env.last()[2:4] == (False, True)
    env = TextGameAEC(FailsAtReading())
    env.reset(seed=0)
    env.step("[add]")
    assert env.last()[3] is True
    env.step(None)
    assert env.agents == []


# --- the vector environment ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_a_hung_game_ends_alone_and_the_others_are_received_before_it(slow_lab: str) -> None:
    env = turnwise.vector_env(slow_lab, 3, deadline_s=5)
    single = turnwise.vector_env(slow_lab, 3, worker=False)
    env.reset(seed=0)
    single.reset(seed=0)
    env.send([0, 1, 2], ["[hang]", "[add]", "[add]"])
    first = env.recv(min_ready=2)
    expected = single.step_subset([1, 2], ["[add]", "[add]"])
    assert first.indices.tolist() == [1, 2] and first.observations == expected.observations
    assert first.rewards.tolist() == expected.rewards.tolist() and not first.truncations.any()
    with pytest.raises(ValueError, match=r"envs \[0\] still owe a result"):
        env.step(["[add]"] * 3)
    last = env.recv()
    assert (last.indices.tolist(), last.truncations.tolist()) == ([0], [True])
    assert last.infos["status"].tolist() == ["env_error"]
    assert last.infos["reason"].tolist() == ["play did not come back within 5 s"]
    with pytest.raises(RuntimeError, match="none owes a result"):
        env.recv()
    observations, _, _, truncations, infos = env.step(["", "[add]", "[add]"])
    assert observations[0].startswith("turn 0") and not truncations.any()
    assert infos["status"].tolist() == ["ok"] * 3
    env.close()


def test_games_in_workers_play_as_those_here(slow_lab: str) -> None:
    far, here = (turnwise.vector_env(slow_lab, 4, worker=worker, autoreset_mode="SameStep") for worker in (True, False))
    assert far.reset(seed=5)[0] == here.reset(seed=5)[0]
    for replies in (["[add]"] * 4, ["[stop]", "[add]", "[add]", "nonsense"], ["[add]"] * 4):
        (left, *numbers, infos), (right, *expected, wanted) = far.step(replies), here.step(replies)
        assert left == right and np.array_equal(numbers, expected)
        assert infos.keys() == wanted.keys() and infos["status"].tolist() == wanted["status"].tolist()
    far.close()


# --- the rollout ---------------------------------------------------------------------------------------------------


def plans(env_id: str, agent: str, seeds: range, **kwargs: object) -> list[Plan]:
    seats = {"player_0": agent}
    return [Plan(id=f"e{seed}", env_id=env_id, seed=seed, seats=seats, env_kwargs=kwargs) for seed in seeds]


def test_the_rollout_records_a_failure_and_judges_no_reply(slow_lab: str) -> None:
    agents = {"bad": Says("add", "crash"), "hangs": Says("add", "add", "hang"), "good": Says("add", "add", "stop")}
    wanted = [plan for name in agents for plan in plans(slow_lab, name, range(3), **SHORT)]
    episodes = Rollout(agents).collect(wanted)
    assert [episode.status for episode in episodes] == ["env_error"] * 6 + ["ok"] * 3
    for episode in episodes[:3]:
        assert [turn.status for turn in episode.turns] == ["ok", "ok"]
        assert [turn.text for turn in episode.turns] == ["[add]", "[crash]"]
        assert episode.turns[1].action is None and episode.turns[1].reward == 0.0
        assert episode.metadata == {"failure": "KeyError: 'door'"}
        assert episode.returns["player_0"] == episode.turns[0].reward
    assert episodes[4].metadata == {"failure": "play did not come back within 0.5 s"}
    assert len(episodes[4].turns) == 3
    local = [dataclasses.replace(plan, env_kwargs={"worker": False}) for plan in wanted[6:]]
    for far, near in zip(episodes[6:], Rollout(agents).collect(local), strict=True):
        assert dataclasses.replace(far, env_kwargs={}) == dataclasses.replace(near, env_kwargs={})


def test_a_start_that_fails_is_an_episode_without_turns(slow_lab: str) -> None:
    wanted = plans(slow_lab, "good", range(2), at_start="crash")
    for episode in Rollout({"good": Says("add")}).collect(wanted):
        assert (episode.turns, episode.status, episode.returns) == ((), "env_error", {"player_0": 0.0})
        assert episode.metadata == {"failure": "KeyError: 'door'"}


def test_a_failure_while_an_agent_looks_at_the_game_costs_that_episode_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cls in (("Bad-LLM", FailsAtSampling), ("Good-LLM", worker_games.Lab)):
        monkeypatch.setattr(worker_games, cls.__name__, cls, raising=False)
        spec = turnwise.envs.spec.GameSpec(id=name, entry_point=f"worker_games:{cls.__name__}")  # type: ignore[attr-defined]
        monkeypatch.setitem(turnwise.envs.registry.GAMES, name, spec)  # type: ignore[attr-defined]
    wanted = [plan for name in ("Good-LLM", "Bad-LLM") for plan in plans(name, "random", range(2))]
    monkeypatch.setattr(worker_games, "ACTIONS", ("add", "stop"))
    episodes = Rollout({"random": scripted_agent("random")}).collect(wanted)
    assert [episode.status for episode in episodes] == ["ok", "ok", "env_error", "env_error"]
    assert [episode.metadata for episode in episodes[2:]] == [{"failure": "no dice"}] * 2
    assert all(episode.turns for episode in episodes[:2]) and not episodes[2].turns


def test_who_is_faster_changes_nothing() -> None:
    seats = {"player_0": "random", "player_1": "random"}
    wanted = [
        Plan(id=f"e{i}", env_id="TicTacToe-LLM", seed=i, seats=seats, env_kwargs={"worker": True} if i % 2 else {})
        for i in range(24)
    ]
    agents = {"random": scripted_agent("random")}
    mixed = Rollout(agents, concurrency=7).collect(wanted)
    plain = Rollout(agents).collect([dataclasses.replace(plan, env_kwargs={}) for plan in wanted])
    assert [dataclasses.replace(episode, env_kwargs={}) for episode in mixed] == plain
