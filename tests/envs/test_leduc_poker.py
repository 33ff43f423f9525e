"""Leduc poker's words."""

from __future__ import annotations

from turnwise.envs.openspiel import OpenSpielGame, leduc_poker

JACK_OF_HEARTS, JACK_OF_SPADES, QUEEN_OF_HEARTS, KING_OF_SPADES = 0, 1, 2, 5


def dealt(*cards: int, **settings: object) -> OpenSpielGame:
    game = leduc_poker(**settings)  # type: ignore[arg-type]
    game.begin()
    for card in cards:
        game.apply(card)
    return game


def test_a_hand_in_full_words() -> None:
    game = dealt(JACK_OF_HEARTS, KING_OF_SPADES)
    assert game.observe("player_0").endswith(
        "You are player_0.\nYour card is the Jack of hearts.\nPot: 2 chips. To call: 0.\nLegal moves: [check], [raise]"
    )
    game.apply(game.action_id("raise"))
    assert game.observe("player_1").endswith(
        "Your card is the King of spades.\nplayer_0 raises.\nPot: 4 chips. To call: 2.\n"
        "Legal moves: [fold], [call], [raise]"
    )
    game.apply(game.action_id("raise"))
    assert game.observe("player_0").endswith("player_1 raises.\nPot: 8 chips. To call: 2.\nLegal moves: [fold], [call]")
    game.apply(game.action_id("call"))
    assert game.seat is None  # chance: the public card
    game.apply(JACK_OF_SPADES)
    assert game.observe("player_0") == (
        "The public card is the Jack of spades.\nPot: 10 chips. To call: 0.\nLegal moves: [check], [raise]"
    )
    game.play("check")
    assert game.observe("player_1").startswith(
        "player_0 calls.\nThe public card is the Jack of spades.\nplayer_0 checks."
    )
    step = game.play("check")
    assert step.rewards == {"player_0": 5.0, "player_1": -5.0}  # the pair of Jacks beats the King
    assert game.observe("player_0") == (
        "player_1 checks.\nShowdown: player_0 has the Jack of hearts, player_1 has the King of spades.\n"
        "The game is over: you win 5."
    )


def test_compact_words() -> None:
    game = dealt(QUEEN_OF_HEARTS, JACK_OF_HEARTS, prompt="compact")
    assert game.observe("player_0") == "card Queen hearts first"
    for action in (1, 2, 1, KING_OF_SPADES, 2):
        game.apply(action)
    assert game.observe("player_1") == "card Jack hearts first check raise call public King spades second raise"
    assert game.lead_in() == "Jack "
    assert game.lead_ins() == ("Jack ", "Queen ", "King ")
    game.play("fold")
    assert game.observe("player_1") == "over -3"


def test_suits_can_be_left_out() -> None:
    game = dealt(2, 0, prompt="compact", suit_isomorphism=True)
    assert game.observe("player_0") == "card King first"


def test_a_fold_shows_no_card() -> None:
    game = dealt(JACK_OF_HEARTS, KING_OF_SPADES)
    game.observe("player_0")
    game.play("raise")
    game.play("fold")
    assert game.observe("player_0") == "player_1 folds.\nThe game is over: you win 1."


def test_three_players() -> None:
    game = dealt(0, 2, 4, players=3)
    assert "Ten, Jack, Queen, King" in game.observe("player_0")
    for name in ("check", "raise", "fold", "call"):
        game.apply(game.action_id(name))
    game.apply(6)
    for name in ("check", "check"):
        game.apply(game.action_id(name))
    assert game.state.returns() == [-3.0, 4.0, -1.0]  # the Jack beats the Ten
    assert "Showdown: player_0 has the Ten of hearts, player_1 has the Jack of hearts." in game.observe("player_2")
