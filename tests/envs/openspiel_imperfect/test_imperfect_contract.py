"""What every game of hidden information keeps to: OpenSpiel's rules and returns, one name per move, short texts."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.core import IllegalAction
from turnwise.envs.openspiel import OpenSpielGame
from turnwise.envs.openspiel.curated import CURATED
from turnwise.envs.openspiel.imperfect.matrix_games import GAMES
from turnwise.envs.parsing import read_action, write_action
from turnwise.envs.registry import make_game

IDS = (
    "GinRummy-LLM",
    "Hanabi-LLM",
    "Goofspiel-LLM",
    "FirstSealedAuction-LLM",
    "Negotiation-LLM",
    "Bargaining-LLM",
    "CoinGame-LLM",
    "Battleship-LLM",
    "DarkHex-LLM",
    "PhantomTicTacToe-LLM",
    "MatrixGame-LLM",
    "PrisonersDilemma-LLM",
    "UniversalPoker-LLM",
)
CASES: list[tuple[str, dict[str, Any], int]] = [
    ("GinRummy-LLM", {}, 2),
    ("GinRummy-LLM", {"num_ranks": 7, "num_suits": 3, "hand_size": 4, "knock_card": 9, "oklahoma": True}, 20),
    ("Hanabi-LLM", {}, 6),
    ("Hanabi-LLM", {"players": 4, "colors": 3, "ranks": 4, "max_life_tokens": 9, "max_information_tokens": 3}, 4),
    ("Goofspiel-LLM", {}, 4),
    ("Goofspiel-LLM", {"players": 3, "num_cards": 5, "imp_info": True, "returns_type": "point_difference"}, 20),
    ("Goofspiel-LLM", {"num_cards": 6, "num_turns": 3, "points_order": "descending"}, 20),
    ("FirstSealedAuction-LLM", {"players": 3}, 40),
    ("Negotiation-LLM", {}, 8),
    ("Negotiation-LLM", {"enable_utterances": False, "num_items": 2}, 20),
    ("Bargaining-LLM", {"prob_end": 0.3, "discount": 0.9}, 20),
    ("CoinGame-LLM", {}, 6),
    ("CoinGame-LLM", {"players": 3, "rows": 4, "columns": 4, "num_coins_per_color": 2}, 10),
    ("Battleship-LLM", {}, 1),
    ("Battleship-LLM", {"board_height": 3, "board_width": 4, "num_shots": 6, "ship_sizes": "[1;2]",
                        "ship_values": "[1.0;2.0]", "allow_repeated_shots": False, "loss_multiplier": 2.0}, 20),
    ("DarkHex-LLM", {}, 20),
    ("DarkHex-LLM", {"num_cols": 4, "num_rows": 3, "gameversion": "adh", "obstype": "reveal-numturns"}, 20),
    ("PhantomTicTacToe-LLM", {}, 20),
    ("PhantomTicTacToe-LLM", {"gameversion": "abrupt", "obstype": "reveal-numturns"}, 20),
    ("PrisonersDilemma-LLM", {}, 10),
    *[("MatrixGame-LLM", {"game": game, "rounds": 2}, 4) for game in GAMES],
    *[("MatrixGame-LLM", {"game": game}, 4) for game in GAMES],
    ("UniversalPoker-LLM", {}, 30),
    ("UniversalPoker-LLM", {"variant": "small limit"}, 30),
    ("UniversalPoker-LLM", {"variant": "holdem"}, 30),
    ("UniversalPoker-LLM", {"variant": "limit holdem"}, 30),
    ("UniversalPoker-LLM", {"variant": "holdem", "bettingAbstraction": "fullgame"}, 10),
    ("UniversalPoker-LLM", {"variant": "small", "bettingAbstraction": "fchpa"}, 20),
    ("UniversalPoker-LLM", {"variant": "small", "numPlayers": 3, "blind": "100 100 50", "stack": "900 400 700",
                            "firstPlayer": "3 1"}, 30),
]  # fmt: skip
"""(id, arguments, episodes)."""
LABELS = [f"{env_id} {' '.join(f'{key}={value}' for key, value in kwargs.items())}" for env_id, kwargs, _ in CASES]


def spiel(env_id: str, **kwargs: Any) -> OpenSpielGame:
    game = make_game(env_id, **kwargs)
    assert isinstance(game, OpenSpielGame)
    return game


@pytest.mark.parametrize(("env_id", "kwargs", "episodes"), CASES, ids=LABELS)
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_random_play_agrees_with_openspiel(env_id: str, kwargs: dict[str, Any], episodes: int, prompt: str) -> None:
    game, rng = spiel(env_id, prompt=prompt, **kwargs), np.random.default_rng(7)
    low, high = game.utility_bounds
    for _ in range(episodes):
        game.start(rng)
        total = dict.fromkeys(game.seats, 0.0)
        while game.seat is not None:
            text = game.observe(game.seat)
            assert text.strip()
            assert ("\n" in text) == (prompt == "full")
            assert game.observe(game.seat) == ""
            assert prompt == "full" or (len(text) <= 400 and not set("[]{}") & set(text)), text
            names = game.legal()
            assert [game.action_id(name) for name in names] == game.state.legal_actions()
            assert len({"".join(name.split()).casefold() for name in names}) == len(names)
            step = game.play(names[int(rng.integers(len(names)))])
            for seat, reward in step.rewards.items():
                total[seat] += reward
        assert step.terminated
        assert list(total.values()) == pytest.approx(game.state.returns(), abs=1e-9)
        assert all(low - 1e-9 <= value <= high + 1e-9 for value in total.values())
        assert not game.zero_sum or sum(total.values()) == pytest.approx(0, abs=1e-9)
        for seat in game.seats:
            assert game.observe(seat)
            assert game.observe(seat) == ""


@pytest.mark.parametrize("env_id", IDS)
def test_names_are_parsed_back_and_hold_no_brackets(env_id: str) -> None:
    game, rng = spiel(env_id), np.random.default_rng(1)
    game.start(rng)
    for _ in range(30):
        if game.seat is None:
            game.start(rng)
        names = game.legal()
        for name in names[:40]:
            assert read_action(write_action(name, names), names) == name
            assert read_action(f"I say [{name.upper()}].", names) == name
            assert not set("[]{}") & set(name)
        game.play(names[int(rng.integers(len(names)))])


@pytest.mark.parametrize("env_id", IDS)
def test_brackets_in_an_observation_are_answers(env_id: str) -> None:
    """After the rules, square brackets stand only around legal moves."""
    game, rng = spiel(env_id, show_legal_moves=False), np.random.default_rng(2)
    game.start(rng)
    read: set[str] = set()
    while game.seat is not None:
        seat, names = game.seat, game.legal()
        text = game.observe(seat)
        assert seat in read or "in square brackets" in text
        assert seat not in read or not set("[]") & set(text)
        read.add(seat)
        game.play(names[int(rng.integers(len(names)))])


@pytest.mark.parametrize(("env_id", "kwargs"), [(env_id, kwargs) for env_id, kwargs, _ in CASES], ids=LABELS)
def test_copies_and_restarts_play_on_alike(env_id: str, kwargs: dict[str, Any]) -> None:
    """A clone, a pickle and the original read the same from the middle on; a used object starts as a fresh one."""
    game = spiel(env_id, **kwargs)
    game.start(np.random.default_rng(3))
    play(game, seed=4, plies=3)
    twins = [pickle.loads(pickle.dumps(game))] + ([game.clone()] if game.can_clone else [])
    wanted = play(game, seed=5)
    for twin in twins:
        assert play(twin, seed=5) == wanted
    game.start(np.random.default_rng(6))
    fresh = spiel(env_id, **kwargs)
    fresh.start(np.random.default_rng(6))
    assert play(game, seed=8) == play(fresh, seed=8)


def play(game: OpenSpielGame, *, seed: int, plies: int = 60) -> list[tuple[str, str, str, tuple[float, ...]]]:
    """Random play: (seat, observation, board, rewards) of every turn, and what all read in the end."""
    rng, seen = np.random.default_rng(seed), []
    for _ in range(plies):
        if game.seat is None:
            break
        seat, names = game.seat, game.legal()
        text, board = game.observe(seat), game.board(seat)
        step = game.play(names[int(rng.integers(len(names)))])
        seen.append((seat, text, board, tuple(step.rewards.values())))
    return [*seen, *((seat, game.observe(seat), game.board(seat), ()) for seat in game.seats)]


@pytest.mark.parametrize("env_id", IDS)
def test_the_official_checkers_are_content(env_id: str) -> None:
    small = {"Battleship-LLM": {"board_height": 4, "board_width": 4, "num_shots": 8, "ship_sizes": "[1;2]",
                                "ship_values": "[1.0;1.0]"}}.get(env_id, {})  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, **small).unwrapped)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="pettingzoo")
        api_test(turnwise.aec_env(env_id, **small), num_cycles=30)
        seed_test(lambda: turnwise.aec_env(env_id, **small), num_cycles=10)


@pytest.mark.parametrize("env_id", IDS)
def test_hostile_moves_are_refused_and_change_nothing(env_id: str) -> None:
    game = spiel(env_id)
    game.start(np.random.default_rng(0))
    seat = game.seat
    for text in ("", "\0", "[" * 100_000, "meld " * 20_000, "keep 9 9 9", "raise to -1", "play 0", "\u0661"):
        with pytest.raises(IllegalAction) as refusal:
            game.play(text)
        assert len(str(refusal.value)) < 1500
    assert game.seat == seat
    assert len(game.state.history()) == len(pickle.loads(pickle.dumps(game)).state.history())


def test_the_curated_table_names_these_games() -> None:
    ours = {name: entry for name, entry in CURATED.items() if ".imperfect." in entry}
    assert len(ours) == 11 + len(GAMES)
    for name in ours:
        game = spiel(f"OpenSpiel/{name}-LLM", prompt="compact")
        game.start(np.random.default_rng(0))
        assert game.observe(game.seats[0])
