"""Universal poker's words, from one card each to Texas hold'em.

A card's number is four times its rank (a two is 0) plus its suit (c, d, h, s are 0 to 3).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from turnwise.envs.openspiel import OpenSpielGame
from turnwise.envs.openspiel.imperfect.universal_poker import universal_poker

Reach = Callable[..., OpenSpielGame]


def test_a_small_hand_in_full_words(reach: Reach) -> None:
    game = reach(universal_poker(), 11, 9)
    assert game.observe("player_0").endswith(
        "You are player_0.\nYour cards (player_0): 4s. Public cards: none yet.\n"
        "Pot: 200 chips (player_0 100, player_1 100). To call: 0. You have 1100 chips left.\n"
        "Legal moves: [check], [raise pot], [all in]"
    )
    reach(game, "check", "raise pot")
    assert game.observe("player_0") == (
        "player_1 raises to 300.\nYour cards (player_0): 4s. Public cards: none yet.\n"
        "Pot: 400 chips (player_0 100, player_1 300). To call: 200. You have 1100 chips left.\n"
        "Legal moves: [fold], [call], [raise pot], [all in]"
    )
    reach(game, "call", 10, "check")
    assert "player_0 calls.\nPublic card: 4h.\nplayer_0 checks.\n" in game.observe("player_1")
    assert game.board("player_1").startswith(
        "You are player_1.\nRound 1: player_0 check, player_1 raise to 300, player_0 call.\nRound 2: player_0 check.\n"
        "Your cards (player_1): 4d. Public cards: 4h.\n"
    )
    reach(game, "check")
    assert game.state.returns() == [0, 0]
    assert "Showdown: player_0 has 4s (pair), player_1 has 4d (pair).\n" in game.observe("player_0")


def test_a_fold_shows_no_card(reach: Reach) -> None:
    game = reach(universal_poker(), 11, 9, "all in", "fold")
    assert game.state.returns() == [100, -100]
    text = game.observe("player_0")
    assert "4d" not in text
    assert text.endswith("player_1 folds.\nYour cards (player_0): 4s. Public cards: none yet.\n"
                         "Pot: 1300 chips (player_0 1200, player_1 100).\nThe game is over: you win 100.")  # fmt: skip
    assert game.secrets("player_0")


def test_holdem_to_the_river(reach: Reach) -> None:
    game = reach(universal_poker(variant="holdem"), 51, 47, 3, 7, "raise pot", "call", 0, 4, 8)
    assert game.seat == "player_1"
    assert game.observe("player_1").endswith(
        "Public card: 2c.\nPublic card: 3c.\nPublic card: 4c.\n"
        "Your cards (player_1): 3s 2s. Public cards: 4c 3c 2c.\n"
        "Pot: 12 chips (player_0 6, player_1 6). To call: 0. You have 14 chips left.\n"
        "Legal moves: [check], [raise pot], [all in]"
    )
    reach(game, "check", "all in", "call", 22, 33)
    assert game.state.returns() == [-20, 20]
    assert game.observe("player_0").endswith(
        "player_1 calls.\nPublic card: 7h.\nPublic card: 10d.\n"
        "Your cards (player_0): As Ks. Public cards: 10d 7h 4c 3c 2c.\nPot: 40 chips (player_0 20, player_1 20).\n"
        "Showdown: player_0 has As Ks (high card), player_1 has 3s 2s (two pair).\nThe game is over: you lose 20."
    )


def test_a_raise_by_any_sum_names_the_sum(reach: Reach) -> None:
    game = reach(universal_poker(variant="holdem", bettingAbstraction="fullgame"), 51, 47, 3, 7)
    assert game.legal() == ("fold", "call", *(f"raise to {total}" for total in range(4, 21)))
    text = game.observe("player_0")
    assert "You may raise to any sum from 4 to 20." in text
    assert "Legal moves" not in text
    reach(game, "raise to 7")
    assert "player_0 raises to 7.\n" in game.observe("player_1")
    assert game.legal()[2] == "raise to 12"  # at least as much more as the raise before


def test_fixed_raises_are_told_by_their_sum(reach: Reach) -> None:
    game = reach(universal_poker(variant="limit holdem", prompt="compact"), 51, 47, 3, 7)
    assert game.observe("player_0") == "p0 hand As Ks public none in 1 2 call 1 bets -"
    reach(game, "raise", "call", 0, 4, 8)
    assert game.observe("player_1") == "p1 hand 3s 2s public 4c 3c 2c in 4 4 call 0 bets r c / -"
    reach(game, "check", "raise", "fold")
    assert game.state.returns() == [4, -4]
    full = reach(universal_poker(variant="limit holdem"), 51, 47, 3, 7, "raise", "raise")
    assert "player_1 raises to 6.\n" in full.observe("player_0")


def test_a_call_costs_no_more_than_one_has(reach: Reach) -> None:
    game = universal_poker(numPlayers=3, blind="100 100 50", stack="900 400 700", firstPlayer="3 1")
    reach(game, 11, 9, 4, "call", "all in")
    assert "To call: 300. You have 300 chips left." in game.observe("player_1")
    reach(game, "call")
    assert game.observe("player_2").endswith("Legal moves: [fold], [call]")
    assert "Round 1: player_2 call, player_0 raise to 900, player_1 call.\n" in game.board("player_2")
    reach(game, "fold", 0)  # 4s against 4d, and 2c is public: the two share 400 each, and 100 that player_2 gave up
    assert game.state.returns() == [50, 50, -100]


def test_half_the_pot(reach: Reach) -> None:
    game = reach(universal_poker(bettingAbstraction="fchpa"), 11, 9)
    assert game.legal() == ("check", "raise pot", "all in", "raise half pot")
    reach(game, "raise half pot")
    assert "player_0 raises to 200.\n" in game.observe("player_1")  # 100 + half of 200


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "omaha"}, "small, small limit, holdem, limit holdem: got 'omaha'"),
        ({"numSuits": 2}, "numSuits=4, as OpenSpiel codes cards: got 2"),
        ({"boardCards": "2c"}, "leave boardCards out"),
        ({"betting": "limit", "bettingAbstraction": "fullgame"}, "bettingAbstraction='fcpa'"),
        ({"players": 3}, "its parameters are"),
    ],
)
def test_impossible_poker_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        universal_poker(**settings)  # type: ignore[arg-type]
