"""Twenty questions: the table, what questions are read as, answers by hand, a bisecting solver, hostile answerers."""

from __future__ import annotations

import pickle
from itertools import combinations
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.core import EnvFailure, IllegalAction
from turnwise.envs.registry import make_game
from turnwise.envs.words.knowledge import Attribute, knowledge, parse
from turnwise.envs.words.questions import read_question
from turnwise.envs.words.twenty_questions import SETTINGS, TwentyQuestions

THINGS, ATTRIBUTES = knowledge().things, knowledge().attributes
HAS = {thing.name: thing.attributes for thing in THINGS}


def started(secret: str | None = None, seed: int = 0, **options: Any) -> TwentyQuestions:
    game = TwentyQuestions(**options)
    game.start(np.random.default_rng(seed))
    if secret is not None:
        game._secret = secret
    return game


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_is_large_and_tells_all_objects_apart_twice() -> None:
    assert len(THINGS) >= 120 and len(ATTRIBUTES) >= 45
    names = [name for thing in THINGS for name in (thing.name, *thing.aliases)]
    assert len(set(names)) == len(names)
    for first, second in combinations(THINGS, 2):
        assert len(first.attributes ^ second.attributes) >= 2, (first.name, second.name)


def test_every_attribute_holds_for_some_and_is_a_sentence() -> None:
    for attribute in ATTRIBUTES:
        assert 1 < sum(attribute.name in thing.attributes for thing in THINGS) < len(THINGS) - 1, attribute.name
        assert attribute.sentence(True) != attribute.sentence(False)
    animal, fur = (next(one for one in ATTRIBUTES if one.name == name) for name in ("animal", "fur"))
    assert (animal.sentence(True), animal.sentence(False)) == ("It is an animal.", "It is not an animal.")
    assert fur.sentence(False) == "It does not have fur or hair."
    assert Attribute("flies", "can fly", (), ()).sentence(False) == "It cannot fly."


def test_classes_follow_from_each_other() -> None:
    assert HAS["dog"] == {"animal", "mammal", "fur", "tail", "legs", "pet"}
    assert "flies" in HAS["eagle"] and "flies" not in HAS["penguin"]
    for part, whole in (("mammal", "animal"), ("bird", "lays"), ("fruit", "food"), ("flower", "plant")):
        for thing in THINGS:
            assert part not in thing.attributes or whole in thing.attributes, thing.name


def test_a_table_with_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'hairy' in 'cat = hairy'"):
        parse("[attributes]\nfur | has fur |\n[objects]\ncat = hairy\n")


# --- questions -------------------------------------------------------------------------------------------------------


def test_every_name_and_key_word_asks_for_its_attribute() -> None:
    for attribute in ATTRIBUTES:
        for phrase in (attribute.name, attribute.predicate.partition(" ")[2], *attribute.phrases):
            for form in ("{}", "Is it {}?", "THE {}!"):
                read = read_question(form.format(phrase))
                assert (read.guess, read.attributes, read.negated) == (None, (attribute.name,), False), phrase
        for phrase in attribute.opposites:
            assert read_question(f"Is it {phrase}?").attributes == (attribute.name,)
            assert read_question(f"Is it {phrase}?").negated


def test_every_object_can_be_guessed() -> None:
    for thing in THINGS:
        for name in (thing.name, *thing.aliases):
            for form in ("guess: {}", "{}", "Is it a {}?", "is it the {}", "My guess is {}.", "It's a {}!"):
                assert read_question(form.format(name)).guess == thing.name


@pytest.mark.parametrize(
    ("text", "attributes", "negated"),
    [
        ("Does it have four legs?", ("legs",), False),
        ("Is it bigger than a person?", ("big",), False),
        ("is it larger than a human", ("big",), False),
        ("Is it smaller than a person?", ("big",), True),
        ("Isn't it an animal?", ("animal",), True),
        ("Is it something that can\u2019t fly?", ("flies",), True),
        ("Is it not indoors?", ("outdoors",), False),  # two negations
        ("Is it a red fruit?", ("red", "fruit"), False),
        ("Do you like me?", (), False),
        ("Is it a cat or a dog?", (), False),
        ("", (), False),
    ],
)
def test_questions_by_hand(text: str, attributes: tuple[str, ...], negated: bool) -> None:
    read = read_question(text)
    assert (read.guess, read.attributes, read.negated) == (None, attributes, negated)


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert set(read_question(text).attributes) <= {attribute.name for attribute in ATTRIBUTES}


# --- play ------------------------------------------------------------------------------------------------------------


def test_a_game_by_hand() -> None:
    game = started("dog", level="medium")
    assert "at most 20 questions" in game.observe("player_0") and game.observe("player_0") == ""
    for action, news in (
        ("Is it an animal?", "Yes: it is an animal."),
        ("I wonder. [flies]", "No: it cannot fly."),
        ("Isn't it a pet?", "It is kept as a pet."),
        ("Is it a wild pet with a tail?", "I cannot tell: ask about one thing at a time, not about pet, tail at once."),
        ("[guess: cat]", "No: it is not cat."),
    ):
        assert game.play(action).rewards == {"player_0": 0.0}
        assert game.observe("player_0").startswith(news)
    game.play("Who are you?")
    assert game.observe("player_0").startswith("I cannot tell: ask about one of animal, mammal, bird,")
    assert game.board("") == "animal yes, flies no, pet yes, ? ?, cat no\n14 questions left"
    assert game.play("Is it a dog?") == ({"player_0": 1.0}, True, False, {})
    assert game.seat is None and game.observe("player_0") == "Yes: it is dog.\nYou have found it."


def test_the_last_question_ends_the_game() -> None:
    game = started("cow", questions=2)
    assert not game.play("[animal]").terminated
    assert game.play("[guess: horse]") == ({"player_0": 0.0}, True, False, {})
    assert game.observe("player_0").endswith("No question is left. It was cow.")
    with pytest.raises(IllegalAction, match="over"):
        game.play("[pet]")


def test_levels_say_which_objects_there_are() -> None:
    easy, other = started(seed=1), started(seed=2)
    assert len(easy._candidates) == 16 and easy._candidates != other._candidates
    assert f"It is one of: {', '.join(easy._candidates)}." in easy.observe("player_0")
    assert started(level="medium")._candidates == tuple(thing.name for thing in THINGS[:60])
    assert len(started(level="hard")._candidates) == len(THINGS)
    assert "It is one of" not in started(level="hard").observe("player_0")


def test_compact_is_the_board() -> None:
    game = started("cow", prompt="compact", level="medium")
    assert game.observe("player_0") == "nothing asked yet\n20 questions left"
    game.play("horns")
    assert game.observe("player_0") == "horns yes\n19 questions left"
    assert len(started(prompt="compact").board("")) < 300


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs words"),
        ("?!", "needs words"),
        ("[]", "needs words"),
        ("x" * 301, "at most 300"),
        ("a " * 50_000, "300"),
    ],
)
def test_what_is_no_question_uses_none_up(text: str, reason: str) -> None:
    game = started()
    with pytest.raises(IllegalAction, match=reason) as refused:
        game.play(text)
    assert len(str(refused.value)) < 200 and game._asked == ()


def bisect(candidates: list[str]) -> str | None:
    """The attribute that splits the candidates best; None where one is left."""
    if len(candidates) == 1:
        return None
    return min(
        (attribute.name for attribute in ATTRIBUTES),
        key=lambda name: abs(2 * sum(name in HAS[one] for one in candidates) - len(candidates)),
    )


@pytest.mark.parametrize("level", SETTINGS)
def test_bisecting_always_wins(level: str) -> None:
    most = 0
    for secret in started(level=level)._candidates:
        game = started(secret, level=level)
        left = list(game._candidates)
        while (name := bisect(left)) is not None:
            game.play(f"[{name}]")
            holds = game._asked[-1] == (name, "yes")
            left = [one for one in left if (name in HAS[one]) == holds]
        assert game.play(f"[guess: {left[0]}]").rewards == {"player_0": 1.0}
        most = max(most, len(game._asked))
    assert most <= {"easy": 8, "medium": 11, "hard": 14}[level]


def test_the_solution_wins_at_once_and_copies_play_on_alike() -> None:
    game = started(seed=5)
    game.play("[animal]")
    for twin in (game.clone(), pickle.loads(pickle.dumps(game))):
        assert twin.anchor() == game.anchor() and twin.observe("player_0") == game.clone().observe("player_0")
        assert twin.play(*twin.solution()).rewards == {"player_0": 1.0}
        assert twin.solution() == () and game.seat is not None
    assert game.ground_truth() in game.solution()[0]


def test_anchors_forget_the_order() -> None:
    first, second = started(), started()
    for name in ("red", "pet"):
        first.play(name)
    for name in ("pet", "red"):
        second.play(name)
    assert first.anchor() == second.anchor()
    second.play("pet")
    assert first.anchor() != second.anchor()


# --- answerers -------------------------------------------------------------------------------------------------------


def tells(thing: str, question: str) -> str:
    return f"{question}\nPerhaps, {thing[0]}."


def breaks(thing: str, question: str) -> str:
    raise RuntimeError("no line")


def says_nothing(thing: str, question: str) -> str:
    return " "


def test_an_answerer_answers_in_one_line_and_guesses_stay_exact() -> None:
    game = started("cow", answerer=tells)
    game.observe("player_0")
    game.play("Is it\x00 old?")
    assert game.observe("player_0") == "The answer: Is it old? Perhaps, c.\n19 questions left."
    game.play("x" * 300)
    assert len(game._asked[-1][1]) == 200
    assert pickle.loads(pickle.dumps(game)).play("Is it a cow?").rewards == {"player_0": 1.0}


@pytest.mark.parametrize(("answerer", "reason"), [(breaks, "RuntimeError: no line"), (says_nothing, "not empty")])
def test_a_broken_answerer_fails_the_environment(answerer: Any, reason: str) -> None:
    with pytest.raises(EnvFailure, match=reason):
        started(answerer=answerer).play("Is it old?")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"level": "huge"}, "easy, medium, hard"),
        ({"prompt": "x"}, "full, compact"),
        ({"questions": 0}, "from 1 to 1000: got 0"),
        ({"questions": 2.5}, "whole number"),
        ({"answerer": 3}, "answerer is called"),
        ({"answerer": lambda thing, question: "yes"}, "can be pickled"),
    ],
)
def test_bad_arguments(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TwentyQuestions(**options)


@given(st.integers(0, 1000), st.sampled_from(list(SETTINGS)), st.sampled_from(["full", "compact"]))
def test_random_play_ends_within_the_questions(seed: int, level: str, prompt: str) -> None:
    game, rng = started(seed=seed, level=level, prompt=prompt), np.random.default_rng(seed)
    turns = 0
    while game.seat is not None:
        assert game.observe("player_0")
        step = game.play(game.sample_action(rng))
        turns += 1
    assert turns == 20 and step.terminated


@pytest.mark.filterwarnings("error")
def test_gymnasium_takes_it() -> None:
    check_env(gym.make("TwentyQuestions-LLM").unwrapped)
    assert isinstance(make_game("TwentyQuestions-LLM", level="hard"), TwentyQuestions)
