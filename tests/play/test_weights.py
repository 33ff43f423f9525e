"""A person against weights: of a run, which reads the prompt that it was trained with."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from turnwise.algorithms.evaluation.players import load, player
from turnwise.envs.registry import make_game
from turnwise.play.opponents import Weights, arguments_of, load_opponent
from turnwise.play.session import Session
from turnwise.play.setup import Setup, prepare
from turnwise.records import Reply, Request

WAIT_S = 120.0


def test_a_run_is_played_under_its_own_prompt(finished_run: Path) -> None:
    session = Session(Setup(game="KuhnPoker-LLM", seat="0", seed=4, opponents=str(finished_run)))
    state = session.wait(WAIT_S)
    while not state.over:
        assert state.legal
        session.act(f"[{state.legal[0]}]")
        state = session.wait(WAIT_S)
    episode = session.episode
    assert episode is not None
    assert dict(episode.seats) == {"player_0": "human", "player_1": str(finished_run)}
    assert episode.env_kwargs["prompt"] == "compact"
    assert state.messages[0][1].startswith("card ")
    rules = session.to_dict()["rules"]
    assert rules is not None
    assert rules.startswith("This is Kuhn poker for 2 players.")
    theirs = next(turn for turn in episode.turns if turn.seat == "player_1")
    assert len(theirs.logprobs) == len(theirs.completion_ids) > 0
    assert theirs.prompt_ids


def test_arguments_that_are_given_hold(finished_run: Path) -> None:
    wanted = Setup(game="KuhnPoker-LLM", kwargs={"prompt": "full"}, seat="0", opponents=str(finished_run))
    assert prepare(wanted).plan.env_kwargs == {"prompt": "full"}
    assert arguments_of(str(finished_run), "TicTacToe-LLM") == {}
    assert arguments_of("random", "KuhnPoker-LLM") == {}


def test_weights_are_loaded_once_and_asked_one_game_after_the_other(finished_run: Path) -> None:
    game = make_game("KuhnPoker-LLM", prompt="compact")
    agents = [load_opponent(str(finished_run), game, "KuhnPoker-LLM", {"prompt": "compact"}) for _ in range(2)]
    assert agents[0] is agents[1]
    assert isinstance(agents[0], Weights)
    setup = Setup(game="KuhnPoker-LLM", seat="1", seed=4, opponents=str(finished_run))
    sessions = [Session(setup) for _ in range(4)]
    messages = {session.wait(WAIT_S).messages for session in sessions}
    assert len(messages) == 1  # one seed, one reply
    for session in sessions:
        assert session.leave(WAIT_S).outcome in ("truncated", "win", "loss")


def test_two_threads_are_never_inside_at_once() -> None:
    inside, most, both = [0], [0], threading.Barrier(2)

    class Voice:
        context = sampling = None

        def act(self, requests: list[Request]) -> list[Reply]:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            threading.Event().wait(0.05)
            inside[0] -= 1
            return []

    agent = Weights("w", Voice())

    def ask() -> None:
        both.wait(WAIT_S)
        agent.act([])

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert most == [1]


def test_a_step_of_a_run_and_one_that_is_not_there(finished_run: Path) -> None:
    with pytest.raises(ValueError, match="has no checkpoint of step 999"):
        prepare(Setup(game="KuhnPoker-LLM", seat="0", opponents=f"{finished_run}:999"))
    with pytest.raises(ValueError, match="holds no weights"):
        prepare(Setup(game="KuhnPoker-LLM", seat="0", opponents=str(finished_run / "checkpoints")))
    assert load(player("constant"), "KuhnPoker-LLM", {}).name == "constant"
    assert prepare(Setup(game="KuhnPoker-LLM", seat="0", opponents="constant")).agents.keys() == {"constant"}
