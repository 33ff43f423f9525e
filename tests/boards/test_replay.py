"""Boards of episodes that were played before."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.agents.scripted import scripted_agent
from turnwise.boards import board_of, replay
from turnwise.envs.registry import make_game
from turnwise.records import Episode, Reply, Request


class Clumsy:
    """Every other reply is no action."""

    name = "clumsy"

    def __init__(self) -> None:
        self.said = 0

    def act(self, requests: list[Request]) -> list[Reply]:
        self.said += 1
        agent = scripted_agent("random")
        return [Reply(text="hm")] * len(requests) if self.said % 2 else agent.act(requests)


def episode(env_id: str, seed: int = 3, invalid: str = "forfeit", agent: str = "random") -> Episode:
    rollout = Rollout({"random": scripted_agent("random"), "clumsy": Clumsy()}, invalid=invalid)
    seats = dict.fromkeys(make_game(env_id).seats, "random") | {"player_0": agent}
    (played,) = rollout.collect([Plan(id="e", env_id=env_id, seed=seed, seats=seats)])
    return played


def test_there_is_a_board_before_every_turn_and_one_at_the_end() -> None:
    played = episode("TicTacToe-LLM")
    game = make_game("TicTacToe-LLM")
    game.start(np.random.default_rng(played.seed))
    expected = [board_of(game, None)]
    for turn in played.turns:
        assert turn.action is not None
        game.play(turn.action)
        expected.append(board_of(game, None))
    found = replay(played)
    assert len(found) == len(played.turns) + 1
    assert [board and board["cells"] for board in found] == [board and board["cells"] for board in expected]
    assert found[1] is not None
    assert len(found[1]["last"]) == 1


@pytest.mark.parametrize("invalid", ["noop", "retry(2)", "random_legal", "forfeit"])
def test_invalid_replies_are_followed(invalid: str) -> None:
    played = episode("ConnectFour-LLM", invalid=invalid, agent="clumsy")
    assert any(turn.status == "unparsable" for turn in played.turns)
    boards = replay(played)
    assert None not in boards
    stones = [sum(one["text"] != "" for row in board["cells"] for one in row) for board in boards if board]
    assert stones[-1] == sum(turn.status == "ok" or invalid == "random_legal" for turn in played.turns)


def test_where_the_game_does_not_follow_there_are_no_boards() -> None:
    played = episode("TicTacToe-LLM")
    turns = (played.turns[0], dataclasses.replace(played.turns[1], text="[x]", action="x"), *played.turns[2:])
    boards = replay(dataclasses.replace(played, turns=turns))
    assert [board is not None for board in boards] == [True, True, *[False] * (len(turns) - 1)]
    assert replay(dataclasses.replace(played, seed=None)) == [None] * (len(turns) + 1)


def test_a_game_without_boards_has_none() -> None:
    played = episode("SimpleNegotiation-LLM")
    assert set(map(str, replay(played))) == {"None"}


def test_a_game_that_told_its_history_again_is_followed() -> None:
    rollout = Rollout({"random": scripted_agent("random")})
    plan = Plan(id="e", env_id="KuhnPoker-LLM", seed=1, seats={}, env_kwargs={"history": "full"})
    seats = dict.fromkeys(("player_0", "player_1"), "random")
    (played,) = rollout.collect([dataclasses.replace(plan, seats=seats)])
    assert None not in replay(played)
