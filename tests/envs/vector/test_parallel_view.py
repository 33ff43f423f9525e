"""The parallel view on a small game whose seats move at once, and on OpenSpiel's."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

import turnwise
from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame
from turnwise.envs.openspiel.plain import plain
from turnwise.envs.parallel_view import TextGameParallel
from turnwise.envs.registry import GAMES


class Bids(TextGame):
    """Three seats bid 0, 1 or 2 at once, three rounds; the only highest bid wins 1. In round 2 player_1 rests."""

    seats = ("player_0", "player_1", "player_2")
    simultaneous = dense_rewards = True
    utility_bounds = (0.0, 3.0)

    def start(self, rng: np.random.Generator) -> None:
        self.round, self.bids, self.seat = 1, dict[str, str](), "player_0"
        self.limit = int(rng.integers(2, 9))
        self.news = dict.fromkeys(self.seats, f"Bid at most {self.limit}.")

    def observe(self, seat: str) -> str:
        text, self.news[seat] = self.news[seat], ""
        return text

    def legal(self) -> Sequence[str] | None:
        return tuple(str(bid) for bid in range(self.limit + 1)) if self.seat else ()

    def play(self, action: str) -> Step:
        if action not in (self.legal() or ()):
            raise IllegalAction(f"{action!r} is no bid")
        if action == "8":
            raise EnvFailure("the auctioneer is ill")
        self.bids[self.seat or ""] = action
        left = [seat for seat in self.seats if seat not in self.bids and not (self.round == 2 and seat == "player_1")]
        if left:
            self.seat = left[0]
            return Step({})
        best = max(self.bids.values())
        winners = [seat for seat, bid in self.bids.items() if bid == best]
        told = " ".join(f"{seat}:{bid}" for seat, bid in self.bids.items())
        self.news = {seat: f"{news}{told}" for seat, news in self.news.items()}
        self.round, self.bids = self.round + 1, {}
        self.seat = "player_0" if self.round <= 3 else None
        return Step({winners[0]: 1.0} if len(winners) == 1 else {}, terminated=self.seat is None)


def actions(*bids: str) -> dict[str, str]:
    return {f"player_{seat}": bid for seat, bid in enumerate(bids)}


def test_an_episode_by_hand() -> None:
    env = TextGameParallel(Bids())
    observations, infos = env.reset(seed=3)
    limit = env.game.limit  # type: ignore[attr-defined]
    legal = tuple(str(bid) for bid in range(limit + 1))
    assert observations == dict.fromkeys(env.possible_agents, f"Bid at most {limit}.")
    assert infos == {seat: {"status": "ok", "acts": True, "legal_actions": legal} for seat in env.possible_agents}
    observations, rewards, terminations, truncations, infos = env.step(actions("[0]", "I say [2]", "[1]"))
    assert observations == dict.fromkeys(env.possible_agents, "player_0:0 player_1:2 player_2:1")
    assert rewards == {"player_0": 0.0, "player_1": 1.0, "player_2": 0.0}
    assert not any(terminations.values()) and not any(truncations.values())
    assert {seat: info["acts"] for seat, info in infos.items()} == {
        "player_0": True,
        "player_1": False,
        "player_2": True,
    }
    assert "legal_actions" not in infos["player_1"]
    _, rewards, _, _, _ = env.step(actions("[2]", "whatever", "[1]"))  # player_1 rests in round 2
    assert rewards == {"player_0": 1.0, "player_1": 0.0, "player_2": 0.0}
    observations, rewards, terminations, truncations, _ = env.step(actions("[1]", "[1]", "[0]"))
    assert rewards == dict.fromkeys(env.possible_agents, 0.0)
    assert all(terminations.values()) and not any(truncations.values()) and env.agents == []
    assert observations["player_1"] == "player_0:1 player_1:1 player_2:0"


def test_nobody_sees_an_answer_before_all_are_in() -> None:
    for reply in ("[0]", "[1]"):
        env = TextGameParallel(plain("matrix_pd"))
        first, _ = env.reset(seed=0)
        assert "player_1" in first["player_1"] and "Legal moves: [Cooperate], [Defect]" in first["player_1"]
        assert reply not in first["player_1"]
    _, rewards, _, _, _ = env.step({"player_0": "[Defect]", "player_1": "[Cooperate]"})
    assert rewards == {"player_0": 10.0, "player_1": 0.0}


def test_a_retry_keeps_the_round_open() -> None:
    env = TextGameParallel(Bids(), invalid="retry(1)", render_mode="ansi")
    env.reset(seed=3)
    observations, rewards, _, _, infos = env.step(actions("[0]", "dunno", "[2]"))
    assert {seat: info["acts"] for seat, info in infos.items()} == {
        "player_0": False,
        "player_1": True,
        "player_2": False,
    }
    assert observations["player_1"].startswith("Your last reply was not valid")
    assert (observations["player_0"], observations["player_2"]) == ("", "")
    assert infos["player_1"]["status"] == "unparsable" and not any(rewards.values())
    observations, rewards, _, _, infos = env.step(actions("ignored", "[1]", "ignored"))
    assert rewards == {"player_0": 0.0, "player_1": 0.0, "player_2": 1.0}
    assert observations["player_0"] == "player_0:0 player_1:1 player_2:2"
    assert env.render() == "player_0: [0]\nplayer_1: dunno\nplayer_1: [1]\nplayer_2: [2]"
    assert infos["player_0"]["acts"]


def test_a_forfeit_ends_the_game_for_all() -> None:
    env = TextGameParallel(Bids())
    env.reset(seed=3)
    _, rewards, terminations, _, infos = env.step(actions("[1]", "dunno", "[2]"))
    assert rewards == dict.fromkeys(env.possible_agents, 0.0)
    assert all(terminations.values()) and infos["player_1"]["status"] == "unparsable"


def test_max_turns_and_a_failing_game_truncate() -> None:
    env = TextGameParallel(Bids(), max_turns=4)
    env.reset(seed=3)
    env.step(actions("[1]", "[1]", "[1]"))
    assert all(env.step(actions("[1]", "[1]", "[1]"))[3].values())
    for seed in range(50):
        env.reset(seed=seed)
        if env.game.limit == 8:  # type: ignore[attr-defined]
            break
    _, _, terminations, truncations, infos = env.step(actions("[8]", "[1]", "[1]"))
    assert all(truncations.values()) and not any(terminations.values()) and env.agents == []
    assert infos["player_2"] == {"status": "env_error", "acts": False, "reason": "the auctioneer is ill"}


def test_misuse_is_told() -> None:
    env = TextGameParallel(Bids())
    env.reset(seed=0)
    with pytest.raises(ValueError, match="a reply of every live seat: player_1, player_2 sent none"):
        env.step({"player_0": "[1]"})
    with pytest.raises(TypeError, match="reply of player_1 as a str: got int"):
        env.step({**actions("[1]", "[1]", "[1]"), "player_1": 1})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match=r"TicTacToe-LLM they take turns .* use aec_env"):
        turnwise.parallel_env("TicTacToe-LLM")
    with pytest.raises(ValueError, match="render_mode is ansi or None"):
        TextGameParallel(Bids(), render_mode="human")


def test_seeds_and_copies() -> None:
    one, other = TextGameParallel(Bids()), TextGameParallel(Bids())
    assert [one.reset(seed=s) for s in (4, None, None)] == [other.reset(seed=s) for s in (4, None, None)]
    twin = copy.deepcopy(one)
    for _ in range(2):
        replies = {seat: twin.action_space(seat).sample() for seat in twin.agents}
        result = twin.step(replies)
        assert {info["status"] for info in result[4].values()} == {"ok"}
        assert one.step(replies) == result


GOOFSPIEL = {"num_cards": 4, "players": 3}
SIMULTANEOUS = sorted(
    env_id for env_id in GAMES if env_id in ("Kitchen-LLM", "Goofspiel-LLM", "OpenSpiel/matrix_pd-LLM")
)


def check(make: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(make(), num_cycles=100)
    parallel_seed_test(make, num_cycles=50)


@pytest.mark.parametrize(
    "make",
    [Bids, lambda: plain("matrix_pd"), lambda: plain("goofspiel", **GOOFSPIEL), lambda: plain("matrix_rps")],
    ids=["bids", "matrix_pd", "goofspiel", "matrix_rps"],
)
def test_the_official_tests_pass(make: Any) -> None:
    check(lambda: TextGameParallel(make()))


@pytest.mark.parametrize("env_id", SIMULTANEOUS)
def test_the_official_tests_pass_by_id(env_id: str) -> None:
    check(lambda: turnwise.parallel_env(env_id))
