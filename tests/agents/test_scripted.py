"""Agents that follow a rule: what they play, and that all their chance is the request's seed."""

from collections import Counter

import numpy as np
import pytest

from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.scripted import SCRIPTED, ScriptedAgent, scripted_agent
from turnwise.envs.core import Step, TextGame, Unsupported
from turnwise.envs.opponents import POLICIES
from turnwise.envs.registry import make_game
from turnwise.records import Episode, Reply, Request


def started(env_id: str, seed: int = 0, **kwargs: object) -> TextGame:
    game = make_game(env_id, **kwargs)
    game.start(np.random.default_rng(seed))
    return game


def ask(agent: ScriptedAgent, game: TextGame, seeds: range) -> list[Reply]:
    return agent.act([Request(seat=game.seat or "", messages=(), seed=seed, game=game) for seed in seeds])


def match(first: str, second: str, games: int, env_id: str = "TicTacToe-LLM") -> list[Episode]:
    """Games between two scripted agents, each in either seat in turn."""
    agents = {name: scripted_agent(name) for name in (first, second)}
    plans = [
        Plan(
            id=str(i),
            env_id=env_id,
            seed=i,
            seats=dict(zip(("player_0", "player_1"), (first, second) if i % 2 else (second, first), strict=True)),
        )
        for i in range(games)
    ]
    return Rollout(agents).collect(plans)


def returns_of(name: str, episodes: list[Episode]) -> list[float]:
    return [episode.returns[seat] for episode in episodes for seat, who in episode.seats.items() if who == name]


def test_random_is_uniform_and_follows_from_the_seed() -> None:
    game = started("TicTacToe-LLM")
    replies = ask(scripted_agent("random"), game, range(900))
    assert replies == ask(scripted_agent("random"), game, range(900))
    counts = Counter(reply.text for reply in replies)
    assert counts.keys() == {f"[{cell}]" for cell in range(9)}
    assert sum((hits - 100) ** 2 / 100 for hits in counts.values()) < 26.1  # chi-square, 8 degrees, p = 0.001


def test_first_legal_plays_the_first() -> None:
    game = started("TicTacToe-LLM")
    game.play("0")
    assert [reply.text for reply in ask(scripted_agent("first_legal"), game, range(3))] == ["[1]"] * 3


def test_the_policies_are_those_of_the_gymnasium_view() -> None:
    assert {name: SCRIPTED[name] for name in POLICIES} == POLICIES


def test_talk_opens_with_the_lead_in_of_the_game() -> None:
    game = started("KuhnPoker-LLM", seed=3)
    (spoken,) = ask(scripted_agent("first_legal", talk=True), game, range(1))
    assert game.lead_in() != ""
    assert spoken.text == f"{game.lead_in()}[check]"


def test_optimal_never_loses_at_tic_tac_toe() -> None:
    results = returns_of("optimal", match("optimal", "random", 40))
    assert min(results) >= 0.0
    assert sum(results) > 20.0
    assert set(returns_of("optimal", match("optimal", "mcts(50)", 6))) <= {0.0, 1.0}


def test_optimal_refuses_a_game_it_does_not_know() -> None:
    with pytest.raises(Unsupported, match="optimal play is known for"):
        ask(scripted_agent("optimal"), started("ConnectFour-LLM"), range(1))


def test_mcts_beats_random_at_tic_tac_toe() -> None:
    results = returns_of("mcts", match("mcts", "random", 20))
    assert results.count(1.0) >= 16
    assert -1.0 not in results


def test_mcts_takes_a_win_and_follows_from_the_seed() -> None:
    game = started("TicTacToe-LLM")
    for cell in "03146":  # o to move: 3 and 4 are taken, 5 wins
        game.play(cell)
    replies = ask(scripted_agent("mcts(200)"), game, range(5))
    assert [reply.text for reply in replies] == ["[5]"] * 5
    opening = started("TicTacToe-LLM")
    assert ask(scripted_agent("mcts(3)"), opening, range(5)) == ask(scripted_agent("mcts(3)"), opening, range(5))


@pytest.mark.parametrize("env_id", ["KuhnPoker-LLM", "SimpleNegotiation-LLM"])
def test_mcts_refuses_what_it_would_play_by_looking_at_hidden_cards(env_id: str) -> None:
    with pytest.raises(Unsupported, match="perfect information"):
        ask(scripted_agent("mcts"), started(env_id), range(1))


@pytest.mark.parametrize("name", ["randon", "mcts(x)", "mcts()", ""])
def test_an_unknown_name_is_refused_with_the_choices(name: str) -> None:
    known = r"random, first_legal, optimal, expert, mcts, mcts\(N\)"
    with pytest.raises(ValueError, match=f"scripted agents are {known}: got"):
        scripted_agent(name)


def test_a_near_miss_is_named_and_no_simulations_are_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'random'"):
        scripted_agent("randon")
    with pytest.raises(ValueError, match="at least 1 simulation: got 0"):
        scripted_agent("mcts(0)")


class Countdown(TextGame):
    """One seat says the numbers from 2 down to 1."""

    seats = ("player_0",)
    has_solution = True

    def start(self, rng: np.random.Generator) -> None:
        self.left, self.seat = 2, "player_0"

    def observe(self, seat: str) -> str:
        return str(self.left)

    def legal(self) -> tuple[str, ...]:
        return ("1", "2")

    def play(self, action: str) -> Step:
        won = action == str(self.left)
        self.left -= 1
        self.seat = self.seat if self.left and won else None
        return Step({"player_0": float(won and not self.left)}, self.seat is None)

    def solution(self) -> tuple[str, ...]:
        return tuple(str(number) for number in range(self.left, 0, -1))


def test_the_expert_plays_the_solution_that_a_game_tells() -> None:
    game, expert = Countdown(), scripted_agent("expert")
    game.start(np.random.default_rng(0))
    for text in ("[2]", "[1]"):
        assert [reply.text for reply in ask(expert, game, range(1))] == [text]
        game.play(text[1])
    with pytest.raises(Unsupported, match="none from this state on"):
        ask(expert, game, range(1))
    with pytest.raises(Unsupported, match="tells no solution"):
        ask(expert, started("KuhnPoker-LLM"), range(1))
