"""GuessTheNumber: answers, the last guess, halving."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.core import IllegalAction
from turnwise.envs.puzzles.guess_the_number import LEVELS, GuessTheNumber, bisection


def hiding(number: int, **kwargs: object) -> GuessTheNumber:
    game = GuessTheNumber(**kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(0))
    game._number = number
    return game


def test_bisection_by_hand() -> None:
    assert bisection(1, 10, 7) == (5, 8, 6, 7)
    assert bisection(1, 10, 5) == (5,)
    assert bisection(3, 3, 3) == (3,)


@given(high=st.integers(2, 3000), number=st.integers(1, 3000))
def test_bisection_needs_no_more_than_the_bits_of_the_range(high: int, number: int) -> None:
    number = min(number, high)
    guesses = bisection(1, high, number)
    assert guesses[-1] == number and len(guesses) <= high.bit_length()


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_won_by_halving(level: str) -> None:
    size = LEVELS[level]
    assert max(len(bisection(1, size.high, number)) for number in range(1, size.high + 1)) <= size.guesses


def test_answers_and_the_hit() -> None:
    game = hiding(7)
    assert game.ground_truth() == "7"
    assert game.play("5") == ({"player_0": 0.0}, False, False, {})
    assert game.observe("player_0") == "My number is higher than 5. Guesses left: 4."
    game.play("9")
    assert game.observe("player_0") == "My number is lower than 9. Guesses left: 3."
    assert game.anchor() == "6 8 3"
    game.play("2")  # allowed, and tells nothing new
    assert game.anchor() == "6 8 2"
    assert game.solution() == ("7",)
    assert game.board("player_0") == (
        "A number from 1 to 10. Guesses left: 2.\nMy number is higher than 5.\n"
        "My number is lower than 9.\nMy number is higher than 2."
    )
    assert game.play("7") == ({"player_0": 1.0}, True, False, {})
    assert game.observe("player_0") == "7 is right: you win."


def test_the_last_guess_ends_the_game() -> None:
    game = hiding(10, guesses=2)
    assert game.solution() == ("5", "8")  # as far as the guesses go
    game.play("1")
    assert game.play("2") == ({"player_0": 0.0}, True, False, {})
    assert game.observe("player_0") == (
        "My number is higher than 2. The game is over: that was the last guess. My number was 10."
    )


def test_what_is_no_number_of_the_range_is_refused() -> None:
    game = hiding(3)
    for text in ("0", "11", "3.0", "+3", "٣", "three", ""):
        with pytest.raises(IllegalAction, match="guess a whole number from 1 to 10"):
            game.play(text)


def test_compact_words() -> None:
    game = hiding(3, prompt="compact")
    assert game.observe("player_0") == "number 1 to 10 guesses 5"
    game.play("5")
    assert game.observe("player_0") == "number 1 to 4 guesses 4"
    game.play("3")
    assert game.observe("player_0") == "over won"


def test_numbers_are_drawn_from_the_whole_range() -> None:
    game, rng = GuessTheNumber(high=4), np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        game.start(rng)
        drawn.append(game._number)
    assert all(60 < drawn.count(number) < 140 for number in (1, 2, 3, 4))
