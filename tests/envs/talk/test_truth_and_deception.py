"""Truth and deception: statements checked by other means, a game by hand, what each seat may read."""

from __future__ import annotations

import datetime
import math
import pickle
import re
from collections import Counter
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.core import IllegalAction
from turnwise.envs.talk.facts import facts
from turnwise.envs.talk.statements import LEVELS, draw_claims, is_prime
from turnwise.envs.talk.truth_and_deception import TruthAndDeception

ID = "TruthAndDeception-LLM"
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
ORDINALS = ["first", "second", "third", "fourth", "fifth"]


def started(seed: int = 0, **options: Any) -> TruthAndDeception:
    game = TruthAndDeception(**options)
    game.start(np.random.default_rng(seed))
    return game


def day(text: str, year: str) -> datetime.date:
    number, month = text.split()
    return datetime.date(int(year), MONTHS.index(month) + 1, int(number))


CHECKS: dict[str, Any] = {
    r"(\d+) plus (\d+) is (\d+)\.": lambda a, b, c: int(a) + int(b) == int(c),
    r"(\d+) times (\d+) is (\d+)\.": lambda a, b, c: int(a) * int(b) == int(c),
    r"(\d+) is an even number\.": lambda a: a[-1] in "02468",
    r"(\d+) can be divided by (\d+) without a remainder\.": lambda a, b: math.gcd(int(a), int(b)) == int(b),
    r"(\d+) is a prime number\.": lambda a: all(math.gcd(int(a), other) == 1 for other in range(2, int(a))),
    r"A rectangle with sides of (\d+) cm and (\d+) cm has an area of (\d+) square cm\.": lambda a, b, c: (
        int(a) * int(b) == int(c)
    ),
    r"A box of (\d+) cm by (\d+) cm by (\d+) cm has a volume of (\d+) cubic cm\.": lambda a, b, c, d: (
        int(a) * int(b) * int(c) == int(d)
    ),
    r"The inner angles of a flat convex polygon with (\d+) corners add up to (\d+) degrees\.": lambda a, b: (
        int(b) == 180 * int(a) - 360
    ),
    r"The month after (\w+) is (\w+)\.": lambda a, b: MONTHS.index(b) == MONTHS.index(a) + 1,
    r"In (\d+) the (.+) came (\d+) days after the (.+)\.": lambda year, end, days, begin: (
        (day(end, year) - day(begin, year)).days == int(days)
    ),
    r"The (\d+ \w+) (\d+) was a (\w+)\.": lambda a, b, c: DAYS[day(a, b).weekday()] == c,
    r"The word '(\w+)' begins with the letter (\w)\.": lambda a, b: a.startswith(b),
    r"The vowels a, e, i, o, u stand in '(\w+)' (\d+) times in all\.": lambda a, b: (
        len(re.findall("[aeiou]", a)) == int(b)
    ),
    r"Counted from the end, the (\w+) letter of '(\w+)' is (\w)\.": lambda a, b, c: b[::-1][ORDINALS.index(a)] == c,
}


def holds(statement: str) -> bool:
    for form, check in CHECKS.items():
        found = re.fullmatch(form, statement)
        if found:
            return bool(check(*found.groups()))
    raise AssertionError(f"no check knows {statement!r}")


@pytest.mark.parametrize("level", LEVELS)
def test_generated_statements_are_true_and_false_beyond_doubt(level: str) -> None:
    rng, kinds = np.random.default_rng(0), Counter[str]()
    for _ in range(600):
        claims = draw_claims(level, rng)
        kinds[claims.kind] += 1
        assert len({claims.truth, *claims.lies}) == 4
        if claims.kind != "knowledge":
            assert holds(claims.truth) and not any(map(holds, claims.lies)), claims
    assert set(kinds) == {"knowledge", "arithmetic", "numbers", "geometry", "calendar", "letters"}
    assert min(kinds.values()) > 60


def test_facts_are_many_and_well_formed() -> None:
    known = [fact for level in LEVELS for fact in facts(level)]
    assert len(known) >= 100 and len({fact.truth for fact in known}) == len(known)
    for fact in known:
        assert len(fact.lies) == 3 and len({fact.truth, *fact.lies}) == 4
        assert all(text.endswith(".") and not set("{}|[]") & set(text) for text in (fact.truth, *fact.lies))
    assert facts("easy")[0].truth == "The capital of France is Paris."


def test_primes_by_hand() -> None:
    assert [number for number in range(-2, 24) if is_prime(number)] == [2, 3, 5, 7, 11, 13, 17, 19, 23]


def test_a_game_by_hand() -> None:
    game = started(talk_turns=2)
    game._said, game._true = ("2 is odd.", "3 is odd."), "2"
    first = game.observe("player_0")
    assert first.endswith(
        "You know that statement 2 is the true one.\n1. 2 is odd.\n2. 3 is odd.\n"
        "Message 1 of 2: write what you say to the other player."
    )
    assert game.observe("player_0") == "" and game.legal() is None
    assert game.play("Take 1.\nStatement 1 is the true one.") == ({}, False, False, {})
    assert game.observe("player_0") == ""
    assert game.observe("player_1").endswith(
        "You are the guesser.\n1. 2 is odd.\n2. 3 is odd.\nplayer_0 says: Take 1.\n"
        "player_0 says: Statement 1 is the true one.\nMessage 2 of 2: write what you say to the other player."
    )
    game.play("No.")
    assert game.seat == "player_1" and game.legal() == ["1", "2"]
    assert game.observe("player_1") == (
        "Which statement is true? Answer with its number in square brackets, for example [1]."
    )
    with pytest.raises(IllegalAction, match="one of 1, 2"):
        game.play("3")
    assert game.play("2") == ({"player_0": -1.0, "player_1": 1.0}, True, False, {})
    assert game.observe("player_0") == "player_1 says: No.\nThe guesser chose 2, which is right: 2 is true."
    assert game.observe("player_1") == "The guesser chose 2, which is right: 2 is true."
    assert game.secrets("player_0") == ()
    with pytest.raises(IllegalAction, match="over"):
        game.play("1")


def test_a_wrong_choice_pays_the_deceiver() -> None:
    game = started(talk_turns=1)
    game.play("Trust me.")
    assert game.seat == "player_1"
    wrong = next(number for number in game.legal() or [] if number != game.ground_truth())
    assert game.play(wrong).rewards == {"player_0": 1.0, "player_1": -1.0}


def test_the_place_of_the_truth_is_fair_and_all_lies_are_told() -> None:
    places, rng = Counter[str](), np.random.default_rng(0)
    game = TruthAndDeception(statements=3)
    for _ in range(600):
        game.start(rng)
        places[game.ground_truth()] += 1
    assert set(places) == {"1", "2", "3"} and min(places.values()) > 150


@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_the_guesser_reads_the_same_whichever_statement_is_true(prompt: str) -> None:
    for seed in range(20):
        game = started(seed, prompt=prompt)
        twin = game.clone()
        twin._true = {"1": "2", "2": "1"}[game._true]
        rng = np.random.default_rng(seed)
        for _ in range(5):
            assert game.observe("player_1") == twin.observe("player_1")
            assert game.board("player_1") == twin.board("player_1")
            action = game.sample_action(rng)
            assert game.legal() is not None or (game.play(action), twin.play(action))
        assert game.secrets("player_1") == () and "true one" in game.secrets("player_0")[0]


def test_compact_is_short_and_shows_the_last_message_alone() -> None:
    game = started(prompt="compact", talk_turns=3)
    for text in ("first", "second", "x" * 5000):
        assert len(game.observe(game.seat or "")) < 450
        game.play(text)
    told = game.observe("player_1")
    assert "first" not in told and "x..." in told and len(told) < 450


def test_copies_play_on_alike_and_apart() -> None:
    game = started()
    game.play("one")
    for twin in (game.clone(), pickle.loads(pickle.dumps(game))):
        assert twin.anchor() == game.anchor()
        twin.play("two")
        assert twin.anchor() != game.anchor() and len(game._speeches) == 1


@given(st.integers(0, 10_000), st.sampled_from(LEVELS), st.integers(2, 4), st.integers(1, 7))
def test_random_play_is_zero_sum(seed: int, level: str, statements: int, talk_turns: int) -> None:
    game, rng = started(seed, level=level, statements=statements, talk_turns=talk_turns), np.random.default_rng(seed)
    turns, rewards = 0, {}
    while game.seat is not None:
        assert game.observe(game.seat)
        rewards = dict(game.play(game.sample_action(rng)).rewards)
        turns += 1
    assert turns == talk_turns + 1 and sorted(rewards.values()) == [-1.0, 1.0]


@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_text_is_a_message_or_illegal(texts: list[str]) -> None:
    game = started()
    for text in texts:
        try:
            game.play(text)
        except IllegalAction as error:
            assert len(str(error)) < 100


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"level": "huge"}, "easy, medium, hard"),
        ({"statements": 5}, "from 2 to 4: got 5"),
        ({"talk_turns": 0}, "from 1 to 100"),
        ({"talk_turns": 1.5}, "whole number"),
        ({"prompt": "x"}, "full, compact"),
    ],
)
def test_bad_arguments(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TruthAndDeception(**options)


@pytest.mark.filterwarnings("error")
def test_the_official_checks_pass() -> None:
    check_env(gym.make(ID).unwrapped)


def test_pettingzoo_takes_it() -> None:
    api_test(turnwise.aec_env(ID), num_cycles=100)
    seed_test(lambda: turnwise.aec_env(ID), num_cycles=20)
