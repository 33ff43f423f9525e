"""Every game of OpenSpiel that has an id: complete episodes beside OpenSpiel's own state, and what they promise."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pyspiel
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.catalogue.openspiel_names import LEFT_OUT, NAMES
from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.curated import CURATED
from turnwise.envs.openspiel.named import DEFAULTS
from turnwise.envs.parsing import read_action
from turnwise.envs.registry import GAMES, make_game

TOLERANCE = 1e-9  # returns are sums of floats
LONG = 120  # turns after which the costly looks at an episode stop


def made(name: str, **settings: Any) -> Any:
    return make_game(f"OpenSpiel/{name}-LLM", **settings)


def key(text: str) -> str:
    return "".join(text.split()).casefold()


def test_the_names_are_openspiels() -> None:
    import open_spiel.python.games  # noqa: F401  # importing registers the games written in Python

    assert set(NAMES) | set(LEFT_OUT) == set(pyspiel.registered_names())
    assert not set(NAMES) & set(LEFT_OUT)
    assert len(NAMES) == 133
    assert list(NAMES) == sorted(NAMES)
    assert set(CURATED) | set(DEFAULTS) <= set(NAMES)
    assert all(GAMES[f"OpenSpiel/{name}-LLM"].family == "openspiel" for name in NAMES)


def test_what_is_left_out_cannot_be_driven(tmp_path: Any) -> None:
    state = pyspiel.load_game("crossword").new_initial_state()
    with pytest.raises(pyspiel.SpielError, match="action structs only"):
        state.legal_actions()
    path = tmp_path / "coin.efg"
    path.write_text('EFG 2 R "coin" { "one" "two" } ""\np "" 1 1 "" { "up" "down" } 0\nt "" 1 "" { 1, -1 }\n'
                    't "" 2 "" { -1, 1 }\n')  # fmt: skip
    game = turnwise.envs.openspiel.plain("efg_game", filename=str(path))  # type: ignore[attr-defined]
    game.start(np.random.default_rng(0))
    assert game.legal() == ("up", "down")
    assert game.play("down") == ({"player_0": -1.0, "player_1": 1.0}, True, False, {})


def episode(game: OpenSpielGame, seed: int) -> Iterator[tuple[str, str]]:
    """(seat, move) of every turn of random play, while the game is still where that seat is asked."""
    rng = np.random.default_rng(seed)
    game.start(rng)
    while game.seat is not None:
        move = game.sample_action(rng)
        yield game.seat, move


@pytest.mark.parametrize("prompt", ["full", "compact"])
@pytest.mark.parametrize("name", NAMES)
def test_a_whole_episode_agrees_with_openspiel(name: str, prompt: str, capfd: pytest.CaptureFixture[str]) -> None:
    drive(made(name, prompt=prompt), seed=1)
    assert "OpenSpiel exception" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_ten_whole_episodes_agree_with_openspiel(name: str) -> None:
    game = made(name)
    for seed in range(10):
        drive(game, seed)


def drive(game: OpenSpielGame, seed: int) -> None:
    """Play an episode and compare every turn of it with the state, and its rewards with the returns."""
    low, high = game.utility_bounds
    assert np.isfinite(low) and np.isfinite(high)
    returns = dict.fromkeys(game.seats, 0.0)
    for turn, (seat, move) in enumerate(episode(game, seed)):
        text, names = game.observe(seat), game.legal()
        assert text.strip()
        assert game.observe(seat) == ""
        assert [game.action_id(name) for name in names] == game.state.legal_actions()
        assert len({key(name) for name in names}) == len(names)
        assert not any(mark in name for name in names for mark in "[]{}")
        if turn < LONG:
            assert game.board(seat).strip()
            assert all(read_action(f"I play [{name}].", names) == name for name in names)
            assert not game.has_anchor or game.anchor()
        step = game.play(move)
        assert not step.truncated
        for other, reward in step.rewards.items():
            returns[other] += reward
    assert step.terminated and game.state.is_terminal()
    assert list(returns.values()) == pytest.approx([float(value) for value in game.state.returns()], abs=TOLERANCE)
    assert all(low - TOLERANCE <= value <= high + TOLERANCE for value in returns.values())
    assert not game.zero_sum or sum(returns.values()) == pytest.approx(0.0, abs=TOLERANCE)
    for seat in game.seats:
        assert "over" in game.observe(seat)
        assert "over" in game.board(seat)


@pytest.mark.parametrize("name", NAMES)
def test_copies_go_on_alike_and_generators_of_the_process_are_left_alone(name: str) -> None:
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002  # the state is only looked at
    game = made(name)
    for turn, (seat, move) in enumerate(episode(game, 2)):
        if turn != 3:
            game.play(move)
            continue
        twins = [pickle.loads(pickle.dumps(game)), *([game.clone()] if game.can_clone else [])]
        asked, history = game.board(seat), game.state.history()
        for twin in twins:
            assert (twin.seat, twin.legal(), twin.board(seat)) == (seat, game.legal(), asked)
            first = twin.play(move)
            assert (game.board(seat), game.state.history()) == (asked, history)
            other = pickle.loads(pickle.dumps(game))
            assert other.play(move) == first
            assert all(other.board(each) == twin.board(each) for each in game.seats)
        break
    after = np.random.get_state()  # noqa: NPY002
    assert random.getstate() == before
    assert all(np.array_equal(old, new) for old, new in zip(numpy_before, after, strict=True))


SIMULTANEOUS = [name for name in NAMES if name.startswith("matrix_")] + [
    *("blotto", "capture_the_flag", "coop_box_pushing", "goofspiel", "laser_tag", "markov_soccer"),
    *("matching_pennies_3p", "normal_form_extensive_game", "oshi_zumo", "python_dynamic_routing"),
    *("python_iterated_prisoners_dilemma", "repeated_game", "snake", "turn_based_simultaneous_game", "zerosum"),
]


def test_the_games_whose_seats_move_at_once_say_so() -> None:
    found = {name for name in NAMES if name != "pathfinding" and made(name).simultaneous}
    assert found == set(SIMULTANEOUS)  # pathfinding has one seat by default


@pytest.mark.parametrize("prompt", ["full", "compact"])
@pytest.mark.parametrize("name", SIMULTANEOUS)
def test_nobody_sees_an_answer_before_all_have_answered(name: str, prompt: str) -> None:
    """Whatever the earlier seats answer, the later one reads the same and has the same moves."""
    settings = {"goofspiel": {"num_cards": 5}, "normal_form_extensive_game": {"game": "tiny_hanabi"}}.get(name, {})
    game = made(name, prompt=prompt, **settings)
    looked = 0
    for seat, move in episode(game, 3):
        if seat == game.seats[0] and looked < 6:
            looked += 1
            names = game.legal()
            seen = {views(game, (answer,)) for answer in (*names[:6], names[-1])}
            assert len(seen) == 1
        game.play(move)
    assert looked


def views(game: OpenSpielGame, answers: tuple[str, ...]) -> tuple[Any, ...]:
    twin = game.clone()
    for answer in answers:
        twin.play(answer)
    seat = twin.seat
    assert seat is not None and seat not in game.seats[: len(answers)]
    return seat, twin.board(seat), twin.observe(seat), twin.legal(), twin.anchor() if twin.has_anchor else ""


# One episode after another: the official checkers want many short steps, so that they run on every id once.


@pytest.mark.parametrize("name", NAMES)
def test_the_official_checkers(name: str) -> None:
    env_id = f"OpenSpiel/{name}-LLM"
    check_env(gym.make(env_id, seat="random").unwrapped, skip_render_check=True)
    api_test(turnwise.aec_env(env_id), num_cycles=20)
    seed_test(lambda: turnwise.aec_env(env_id), num_cycles=10)


def test_parameters_of_openspiel_are_arguments() -> None:
    assert len(make_game("OpenSpiel/pig-LLM", players=4).seats) == 4
    assert str(made("misere", game="kuhn_poker(players=3)").spiel_game) == "misere(game=kuhn_poker(players=3))"
    assert made("go", board_size=5, komi=3).spiel_game.get_parameters()["komi"] == 3.0  # a whole number will do
    assert len(made("mnk", m=3, n=3, k=3).seats) == 2


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mnk", {"rows": 3}, "cannot make mnk with rows: its parameters are k, m, n"),
        ("mnk", {"m": "three"}, "OpenSpiel cannot make mnk"),
        ("misere", {"game": "tic_tac_toe("}, "OpenSpiel cannot read the game 'tic_tac_toe\\('"),
        ("misere", {"game": "negotiation"}, "takes no seed"),
        ("mancala", {"prompt": "short"}, "prompt is one of full, compact"),
    ],
)
def test_bad_parameters_are_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(name, **settings)


@pytest.mark.parametrize("name", ["go", "amazons", "hive"])
def test_a_refusal_is_short_whatever_was_said(name: str) -> None:
    game = made(name)
    game.start(np.random.default_rng(0))
    for text in ("x" * 100_000, "\x00" * 100_000, "٣" * 100_000, "\ud800"):
        with pytest.raises(turnwise.envs.core.IllegalAction) as caught:  # type: ignore[attr-defined]
            game.play(text)
        assert "is not a legal move now" in str(caught.value)
        assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("name", ["chess", "go", "hive", "mancala", "leduc_poker", "matrix_pd"])
def test_the_legal_moves_can_be_hidden_and_shown(name: str) -> None:
    for prompt, show, mark in (("full", True, "Legal moves: ["), ("compact", True, " moves ")):
        shown, hidden = (made(name, prompt=prompt, show_legal_moves=choice) for choice in (show, False))
        for game in (shown, hidden):
            game.start(np.random.default_rng(0))
        seat = shown.seat
        assert mark in shown.board(seat) and mark in shown.observe(seat)
        assert mark not in hidden.board(seat)
        assert shown.legal() == hidden.legal()


def test_long_games_keep_little() -> None:
    game = made("chess")
    most = 0
    for seed in range(4):
        for _, move in episode(game, seed):
            game.observe(game.seat or "")
            game.play(move)
            most = max(most, game._positions._bytes)
    assert 0 < most < 17_000_000


def test_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnwise.envs.openspiel.positions.BYTES_LIMIT", 20_000)
    small = made("breakthrough", rows=6, columns=4)
    monkeypatch.undo()
    whole = made("breakthrough", rows=6, columns=4, show_legal_moves=True)
    held = None
    monkeypatch.setattr("turnwise.envs.openspiel.positions.BYTES_LIMIT", 20_000)
    for (seat, move), (again, same) in zip(episode(small, 5), episode(whole, 5), strict=True):
        assert (seat, move, small.board(seat)) == (again, same, whole.board(seat))
        held = held or small.clone()
        small.play(move)
        whole.play(same)
    assert held is not None and held.legal()
    assert small._positions._bytes < 40_000


def test_an_episode_is_the_same_under_any_hash_seed() -> None:
    code = (
        "import numpy as np\nfrom turnwise.envs.openspiel.named import named\n"
        "for name in ('chess', 'backgammon', 'bridge', 'goofspiel', 'stones_and_gems', 'tarok', 'python_hangman'):\n"
        "    game, rng = named(name), np.random.default_rng(9)\n    game.start(rng)\n"
        "    for _ in range(30):\n        if game.seat is None:\n            break\n"
        "        print(game.observe(game.seat), game.legal())\n        game.play(game.sample_action(rng))\n"
    )
    told = []
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env, timeout=120)
        told.append(hashlib.sha256(out.stdout).hexdigest())
    assert told[0] == told[1]
