"""Wordle, Mastermind and hangman: marks by hand, rules by hand, and solvers that always win."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.core import IllegalAction, TextGame
from turnwise.envs.registry import make_game
from turnwise.envs.words.hangman import Hangman
from turnwise.envs.words.lists import LENGTHS, allowed, words
from turnwise.envs.words.make_lists import decent
from turnwise.envs.words.mastermind import mastermind, pegs
from turnwise.envs.words.wordle import feedback, wordle

FIVE = st.sampled_from(words("common", 5))


def started(game: TextGame, seed: int = 0) -> Any:
    game.start(np.random.default_rng(seed))
    return game


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_lists_are_sorted_clean_and_large(length: int) -> None:
    for kind, least in (("common", 1500), ("allowed", 2500)):
        found = words(kind, length)
        assert list(found) == sorted(set(found)) and len(found) >= least
        assert all(len(word) == length and word.isascii() and word.isalpha() and decent(word) for word in found)
    assert set(words("common", length)) <= allowed(length)


# --- Wordle ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guess", "secret", "marks"),
    [
        ("crane", "crane", "GGGGG"),
        ("speed", "abide", "--Y-Y"),  # one e in abide: the first is marked, the second not
        ("speed", "erase", "Y-YY-"),  # two e: both are elsewhere
        ("speed", "steal", "G-G--"),  # the right e uses up the only one
        ("allee", "apple", "GY--G"),
        ("aabbb", "bbaaa", "YYYY-"),
    ],
)
def test_marks_by_hand(guess: str, secret: str, marks: str) -> None:
    assert feedback(guess, secret) == marks


@given(FIVE, FIVE)
def test_marks_count_no_letter_too_often_and_fit_the_secret(guess: str, secret: str) -> None:
    marks = feedback(guess, secret)
    marked = Counter(letter for letter, mark in zip(guess, marks, strict=True) if mark != "-")
    assert marked == Counter(guess) & Counter(secret)
    assert (marks == "GGGGG") == (guess == secret)


def test_a_game_of_wordle() -> None:
    game = started(wordle())
    game._secret = "abide"
    assert game.observe("player_0").endswith("for example [aback].\n6 guesses left.")
    step = game.play("I try [Speed] first")
    assert (step.rewards, step.terminated) == ({"player_0": 0.0}, False)
    assert game.observe("player_0") == "speed: s absent, p absent, e elsewhere, e absent, d elsewhere.\n5 guesses left."
    assert game.observe("player_0") == ""
    assert game.board("player_0") == "speed:--Y-Y 5 letters, 5 left"
    assert game.play("abide").rewards == {"player_0": 1.0}
    assert game.observe("player_0") == "abide: a right, b right, i right, d right, e right.\nYou have found it."


def test_six_wrong_guesses_end_it() -> None:
    game = started(wordle())
    game._secret = "abide"
    for _ in range(5):
        assert not game.play("crane").terminated
    step = game.play("crane")
    assert (step.rewards, step.terminated, game.seat) == ({"player_0": 0.0}, True, None)
    assert game.observe("player_0").endswith("It was abide.")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("[cran]", "a guess has 5 letters: got 'cran'"),
        ("[zzzzz]", "'zzzzz' is not in the word list"),
        ("x" * 100_000, "a guess has 5 letters: got 'x{30}'"),
        ("[crañe]", "is not in the word list"),
    ],
)
def test_what_is_no_word_uses_no_guess_up(action: str, reason: str) -> None:
    game = started(wordle())
    with pytest.raises(IllegalAction, match=reason):
        game.play(action)
    assert game.board("player_0") == "5 letters, 6 left"


def test_hard_mode_wants_fitting_guesses_and_samples_them() -> None:
    game = started(wordle(hard_mode=True))
    game._secret = "abide"
    game.play("speed")
    with pytest.raises(IllegalAction, match="in hard mode a guess fits all that you have read: 'crane' does not"):
        game.play("crane")
    rng = np.random.default_rng(0)
    for _ in range(5):
        if game.seat:
            game.play(game.sample_action(rng))


def test_dense_rewards_pay_new_places_once() -> None:
    game = started(wordle(dense=True))
    game._secret = "abide"
    rewards = [game.play(word).rewards["player_0"] for word in ("abate", "abate", "aside", "abide")]
    assert rewards == pytest.approx([0.3, 0.0, 0.2, 0.5])  # a, b, e; nothing new; i, d; the word


@pytest.mark.parametrize("seed", range(5))
def test_guessing_what_fits_finds_the_word(seed: int) -> None:
    game = started(wordle(length=5, guesses=20), seed)
    while game.seat:
        fitting = [w for w in words("common", 5) if all(feedback(g, w) == m for g, m in game._tried)]
        assert game.ground_truth() in fitting
        step = game.play(fitting[0])
    assert step.rewards == {"player_0": 1.0} and len(game._tried) <= 12


# --- Mastermind ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guess", "secret", "found"),
    [("1234", "1234", (4, 0)), ("1122", "2211", (0, 4)), ("1112", "1221", (1, 2)), ("3456", "1122", (0, 0))],
)
def test_pegs_by_hand(guess: str, secret: str, found: tuple[int, int]) -> None:
    assert pegs(guess, secret) == found


def test_a_game_of_mastermind() -> None:
    game = started(mastermind(dense=True))
    game._secret = "1221"
    assert "4 digits from 1 to 6 in at most 10 guesses" in game.observe("player_0")
    assert game.play("[1 1 1 2]").rewards == {"player_0": 0.125}
    assert game.observe("player_0") == "1112: 1 right, 2 elsewhere.\n9 guesses left."
    assert game.board("player_0") == "1112:1+2 4 of 1-6, 9 left"
    assert game.play("[1221]").rewards == {"player_0": 0.875}
    for action, reason in (("[123]", "4 digits from 1 to 6"), ("[1237]", "got '1237'"), ("[١٢٣٤]", "4 digits")):
        with pytest.raises(IllegalAction, match=reason):
            started(mastermind()).play(action)
    with pytest.raises(IllegalAction, match="no digit comes twice"):
        started(mastermind(duplicates=False)).play("[1123]")


def test_knuth_s_strategy_needs_five_guesses_at_most() -> None:
    codes = ["".join(code) for code in itertools.product("123456", repeat=4)]
    table = {(one, other): pegs(one, other) for one in ("1122",) for other in codes}
    for seed in range(12):
        game = started(mastermind(), seed)
        left, guess = codes, "1122"
        while game.seat:
            game.play(guess)
            left = [
                code for code in left if (table.get((guess, code)) or pegs(guess, code)) == pegs(guess, game._secret)
            ]
            assert game._secret in left
            if game.seat:
                guess = min(left, key=lambda code: max(Counter(pegs(code, other) for other in left).values()))
        assert len(game._tried) <= 6


# --- hangman ---------------------------------------------------------------------------------------------------------


def test_a_game_of_hangman() -> None:
    game = started(Hangman(lives=2, dense=True))
    game._secret = "balloon"
    assert game.observe("player_0").endswith("_ _ _ _ _ _ _ missed: none, 2 lives")
    assert game.play("[L]").rewards["player_0"] == pytest.approx(1 / 7)
    assert game.observe("player_0") == "l comes 2 times.\n_ _ l l _ _ _ missed: none, 2 lives"
    assert game.play("[z]").rewards == {"player_0": 0.0}
    assert game.board("player_0") == "_ _ l l _ _ _ missed: z, 1 lives"
    for action, reason in (
        ("[z]", "z was tried before"),
        ("[ab]", "one letter, or a word of 7 letters"),
        ("[é]", "got"),
    ):
        with pytest.raises(IllegalAction, match=reason):
            game.play(action)
    step = game.play("[balloon]")
    assert step.rewards["player_0"] == pytest.approx(6 / 7) and step.terminated
    assert game.observe("player_0").endswith("b a l l o o n missed: z, 1 lives")


def test_lives_run_out() -> None:
    game = started(Hangman(lives=1))
    game._secret = "balloon"
    step = game.play("[quixote]")
    assert (step.rewards, step.terminated) == ({"player_0": 0.0}, True)
    assert "quixote is not the word. The word was balloon." in game.observe("player_0")


@pytest.mark.parametrize("dense", [False, True])
def test_all_letters_win(dense: bool) -> None:
    game = started(Hangman(lives=26, dense=dense))
    total = 0.0
    for letter in "abcdefghijklmnopqrstuvwxyz":
        if game.seat:
            total += game.play(letter).rewards["player_0"]
    assert total == pytest.approx(1.0) and game.seat is None


# --- all of them -----------------------------------------------------------------------------------------------------

IDS = ("Wordle-LLM", "Mastermind-LLM", "Hangman-LLM")


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_the_solution_wins_and_random_play_ends(env_id: str, level: str) -> None:
    game = make_game(env_id, level=level, prompt="compact")
    rng = np.random.default_rng(0)
    for seed in range(5):
        game.start(np.random.default_rng(seed))
        (answer,) = game.solution()
        twin, stored = game.clone(), pickle.loads(pickle.dumps(game))
        for one in (game, twin, stored):
            assert one.play(answer).rewards == {"player_0": 1.0}
        game.start(np.random.default_rng(seed))
        turns = 0
        while game.seat:
            assert len(game.observe("player_0")) < 400
            game.play(game.sample_action(rng))
            turns += 1
        assert turns <= 40


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        ("Wordle-LLM", {"length": 3}, "length is one of None, 4, 5, 6, 7, 8: got 3"),
        ("Wordle-LLM", {"guesses": 0}, "guesses is at least 1"),
        ("Mastermind-LLM", {"colours": 10}, "colours between 2 and 9"),
        ("Mastermind-LLM", {"positions": 7, "colours": 6, "duplicates": False}, "need as many colours"),
        ("Hangman-LLM", {"lives": 0}, "lives is at least 1"),
        ("Hangman-LLM", {"level": "x"}, "level is one of easy, medium, hard"),
    ],
)
def test_settings(env_id: str, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_game(env_id, **kwargs)
