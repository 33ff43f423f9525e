"""ToolChain: what the tools tell, what is still possible, and what is paid."""

from __future__ import annotations

import numpy as np
import pytest

from turnwise.envs.core import IllegalAction
from turnwise.envs.credit.tool_chain import ToolChain


def house(**kwargs: object) -> ToolChain:
    """ada has badge 2, ben 1, cleo 3; 1 opens the garden, 2 the attic, 3 the cellar. Asked of ada."""
    game = ToolChain(**({"level": "medium"} | kwargs))  # type: ignore[arg-type]
    game.start(np.random.default_rng(0))
    game._asked = "ada"
    game._badges = {"ada": "2", "ben": "1", "cleo": "3"}
    game._rooms = {"1": "garden", "2": "attic", "3": "cellar"}
    game._news = game._rules()
    return game


def test_a_chain_by_hand() -> None:
    game = house()
    assert game.ground_truth() == "attic"
    assert game.solution() == ("badge ada", "room 2", "answer attic")
    assert game.legal() == (
        *("badge ada", "badge ben", "badge cleo", "room 1", "room 2", "room 3"),
        *("weather", "answer attic", "answer cellar", "answer garden"),
    )
    assert "Which room does ada's badge open? You have 4 turns." in game.observe("player_0")
    assert game.play("badge ada") == ({"player_0": 0.0}, False, False, {})
    assert game.observe("player_0") == "ada has badge 2. Turns left: 3."
    assert game.solution() == ("room 2", "answer attic")
    game.play("weather")
    assert game.observe("player_0") == "It rains. Turns left: 2."
    game.play("room 2")
    assert game.observe("player_0") == "Badge 2 opens the attic. Turns left: 1."
    assert game.anchor() == "3 ada 1 2=attic ada=2"
    assert game.board("player_0") == (
        "Which room does ada's badge open? Turns left: 1.\nada has badge 2.\nBadge 2 opens the attic."
    )
    twin = game.clone()
    assert twin.play("answer garden") == ({"player_0": 0.0}, True, False, {})
    assert twin.observe("player_0") == "Wrong. The game is over. ada's badge opens the attic."
    assert game.play("answer attic") == ({"player_0": 1.0}, True, False, {})


def test_an_answer_may_come_at_once() -> None:
    game = house()
    assert game.play("answer attic") == ({"player_0": 1.0}, True, False, {})
    with pytest.raises(IllegalAction, match="the game is over"):
        game.play("weather")


def test_the_last_turn_ends_the_game() -> None:
    game = house(turns=3)
    for action in ("room 1", "room 1"):
        assert not game.play(action).terminated
    assert game.play("badge ada") == ({"player_0": 0.0}, True, False, {})
    assert game.observe("player_0").startswith("ada has badge 2. The game is over: no turn is left. ada's badge")


@pytest.mark.parametrize(
    ("actions", "rewards"),
    [
        (("badge ada", "room 2", "answer attic"), [0.25, 0.25, 0.5]),
        (("room 2", "badge ada", "answer attic"), [0.25, 0.25, 0.5]),
        (("badge ada", "badge ada", "answer garden"), [0.25, 0.0, 0.0]),
        (("room 1", "weather", "answer attic"), [0.0, 0.0, 1.0]),
    ],
)
def test_dense_rewards(actions: tuple[str, ...], rewards: list[float]) -> None:
    game = house(dense=True)
    assert [game.play(action).rewards["player_0"] for action in actions] == rewards


@pytest.mark.parametrize(
    ("known", "plan"),
    [
        (("badge ben", "badge cleo"), ("room 2", "answer attic")),  # ada has the badge that is left
        (("weather", "weather"), ("answer attic",)),  # two turns are too few: the first room
        (("room 2", "weather", "badge ben"), ("answer attic",)),  # seen, and ada's or cleo's
        (("badge ada", "room 1"), ("room 2", "answer attic")),
        (("badge ben", "room 1"), ("answer attic",)),  # not the garden; the attic and the cellar are possible
        (("badge ada", "room 1", "room 3"), ("answer attic",)),  # the room that is left
    ],
)
def test_solutions_use_what_is_known_and_no_more(known: tuple[str, ...], plan: tuple[str, ...]) -> None:
    game = house()
    for action in known:
        game.play(action)
    assert game.solution() == plan


def test_compact_words() -> None:
    game = house(prompt="compact")
    assert game.observe("player_0") == "ada left 4"
    game.play("room 3")
    assert game.observe("player_0") == "ada left 3 3 cellar"
    game.play("answer garden")
    assert game.observe("player_0") == "over attic"


def test_houses_are_drawn_uniformly() -> None:
    game, rng = ToolChain(), np.random.default_rng(0)
    drawn = []
    for _ in range(800):
        game.start(rng)
        drawn.append((game._asked, game._badges["ada"], game._rooms["1"]))
    assert len(set(drawn)) == 8
    assert all(60 < drawn.count(one) < 140 for one in set(drawn))
