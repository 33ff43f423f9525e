"""Liar's dice's words and rules."""

from __future__ import annotations

import pytest

from turnwise.envs.openspiel import OpenSpielGame, liars_dice


def rolled(*faces: int, **settings: object) -> OpenSpielGame:
    game = liars_dice(**settings)  # type: ignore[arg-type]
    game.begin()
    for face in faces:
        game.apply(face - 1)
    return game


def test_a_game_in_full_words() -> None:
    game = rolled(2, 5)
    assert game.observe("player_0").endswith(
        "You are player_0.\nYour dice: 2.\nLegal moves: " + ", ".join(f"[{n}x{f}]" for n in (1, 2) for f in range(1, 7))
    )
    game.play("1x5")
    game.play("2x5")
    assert game.observe("player_0").startswith("player_1 bids 2x5.\nLegal moves: [2x6], [liar]")
    step = game.play("liar")
    assert step.rewards == {"player_0": 1.0, "player_1": -1.0}  # one 5 on the table, two were bid
    assert game.observe("player_0") == "All dice: player_0 has 2, player_1 has 5.\nThe game is over: you win 1."
    assert "player_0 calls liar." in game.observe("player_1")


def test_the_highest_face_is_wild() -> None:
    game = rolled(2, 6)
    game.play("2x2")
    assert game.play("liar").rewards == {"player_0": 1.0, "player_1": -1.0}


def test_compact_words_show_sorted_dice_and_every_bid() -> None:
    game = rolled(5, 3, 1, 4, numdice=2, prompt="compact")
    assert game.observe("player_0") == "dice 3 5 bids none"
    game.play("1x3")
    game.play("2x4")
    assert game.observe("player_0") == "dice 3 5 bids 1x3 2x4"
    game.play("liar")
    assert game.observe("player_1") == "over -1"


def test_several_dice_are_told_at_once() -> None:
    text = rolled(5, 3, 1, 4, numdice=2).observe("player_1")
    assert text.count("Your dice") == 1
    assert "Your dice: 1 4." in text


def test_quantity_can_be_the_lower_order() -> None:
    game = rolled(1, 1, dice_sides=3, bidding_rule="reset-quantity")
    assert game.legal() == ("1x1", "2x1", "1x2", "2x2", "1x3", "2x3")
    assert "names a higher face" in game.observe("player_0")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bidding_rule": "any"}, "reset-face, reset-quantity: got 'any'"),
        ({"numdice": 0}, "numdice >= 1"),
        ({"dice_sides": 1}, "dice_sides >= 2"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        liars_dice(**settings)  # type: ignore[arg-type]
