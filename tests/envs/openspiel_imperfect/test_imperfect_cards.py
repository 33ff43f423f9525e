"""Gin rummy, Hanabi and goofspiel: what is read, move by move, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from turnwise.envs.openspiel import OpenSpielGame
from turnwise.envs.openspiel.imperfect.gin_rummy import gin_rummy
from turnwise.envs.openspiel.imperfect.goofspiel import goofspiel
from turnwise.envs.openspiel.imperfect.hanabi import copies, deck_size, hanabi

Reach = Callable[..., OpenSpielGame]
FIFTEEN = {"num_ranks": 5, "num_suits": 3, "hand_size": 3, "knock_card": 5}
"""As 2s 3s 4s 5s are cards 0 to 4, clubs 5 to 9, diamonds 10 to 14."""


# --- gin rummy


def gin(reach: Reach, *steps: int | str, **settings: object) -> OpenSpielGame:
    return reach(gin_rummy(**FIFTEEN, **settings), *steps)  # type: ignore[arg-type]


def test_gin_from_the_deal_to_the_showdown(reach: Reach) -> None:
    game = gin(reach, 0, 1, 2, 9, 14, 8, 3)
    assert game.observe("player_0").endswith(
        "You are player_0.\n"
        "Your hand (player_0): As 2s 3s. Deadwood: 0. You may knock with 5 or less.\n"
        "Upcard: 4s. Stock: 8 cards. Discarded before: nothing.\n"
        "Take the upcard or pass.\n"
        "Legal moves: [draw upcard], [pass]"
    )
    reach(game, "draw upcard", "knock")
    assert game.legal() == ("discard As", "discard 4s")
    reach(game, "discard 4s")
    assert game.legal() == ("meld As 2s 3s",)
    reach(game, "meld As 2s 3s", "done")
    assert game.observe("player_1").endswith(
        "player_0 draws the upcard 4s.\nplayer_0 knocks.\nplayer_0 discards 4s.\nplayer_0 lays the meld As 2s 3s.\n"
        "player_0 is done.\n"
        "Your hand (player_1): 4c 5c 5d. Deadwood: 14.\n"
        "Upcard: none. Stock: 8 cards. Discarded before: 4s.\n"
        "Melds of player_0: As 2s 3s.\n"
        "The other player has knocked: lay off cards on its melds, say done, lay your own melds, say done.\n"
        "Legal moves: [done]"
    )
    reach(game, "done")
    assert game.state.returns() == [39, -39]  # 14 deadwood against none, and 25 for gin
    assert game.observe("player_0").endswith(
        "player_0 has 0 deadwood (no cards); player_1 has 14 deadwood (4c 5c 5d).\nThe game is over: you win 39."
    )


def test_an_undercut_costs_the_knocker(reach: Reach) -> None:
    game = gin(
        reach, 0, 5, 14, 7, 8, 9, 1, "draw upcard", "knock", "discard 5d", "done", "done", "meld 3c 4c 5c", "done"
    )
    assert game.state.returns() == [-29, 29]  # As Ac 2s are 4 against none, and 25 for the undercut
    assert "player_1 lays the meld 3c 4c 5c.\nplayer_1 is done." in game.observe("player_0")


def test_cards_are_laid_off_on_the_knockers_melds(reach: Reach) -> None:
    # player_0: 2s 3s 4s and an ace; player_1 holds As, which goes before 2s
    game = gin(reach, 1, 2, 5, 0, 9, 14, 3, "draw upcard", "knock", "discard Ac")
    assert game.legal() == ("meld 2s 3s 4s",)
    reach(game, "meld 2s 3s 4s", "done")
    assert game.legal() == ("done",)  # gin: no card may be laid off
    four = reach(gin_rummy(num_ranks=5, num_suits=3, hand_size=4, knock_card=5), 1, 2, 3, 5, 0, 9, 14, 12, 13)
    reach(four, "draw upcard", "knock", "discard 4d", "meld 2s 3s 4s", "done")
    assert four.legal() == ("lay off As", "done")
    reach(four, "lay off As")
    assert "player_1 lays off As." in four.observe("player_0")
    assert "Laid off: As." in four.observe("player_1")
    reach(four, "done", "done")
    assert four.state.returns() == [12, -12]  # 5c 5d 3d are 13 against one ace


def test_a_card_from_the_stock_is_told_to_who_draws_it(reach: Reach) -> None:
    game = gin(reach, 0, 1, 14, 9, 13, 8, 3, "pass", "pass")
    assert game.legal() == ("draw stock",)
    game.observe("player_0")
    game.observe("player_1")
    reach(game, "draw stock", 7, "discard 5d")
    assert game.observe("player_0").startswith("You draw 3c from the stock.\nYour hand (player_0): As 2s 3c.")
    told = game.observe("player_1")
    assert told.startswith("player_0 draws from the stock.\nplayer_0 discards 5d.\nYour hand (player_1): 4c 5c 4d.")
    assert "Upcard: 5d. Stock: 7 cards. Discarded before: 4s." in told
    assert "3c" not in told


def test_nobody_knocks_and_the_hands_stay_hidden(reach: Reach) -> None:
    game = gin(reach, 0, 1, 14, 9, 13, 8, 3, "pass", "pass", "draw stock", 7, "discard 3c")
    for card, name in ((2, "3s"), (4, "5s"), (10, "Ad"), (11, "2d"), (12, "3d")):
        reach(game, "draw stock", card, f"discard {name}")
    assert game.legal() == ("pass",)
    reach(game, "pass")
    assert game.state.returns() == [0, 0]
    assert game.observe("player_1").endswith("Nobody has knocked.\nThe game is over: it is a draw.")


def test_gin_in_one_line(reach: Reach) -> None:
    game = gin(reach, 0, 1, 2, 9, 14, 8, 3, prompt="compact")
    assert game.observe("player_0") == ("firstupcard p0 hand As 2s 3s deadwood 0 of 5 upcard 4s stock 8 discards none")
    reach(game, "draw upcard", "knock", "discard 4s", "meld As 2s 3s", "done")
    assert game.observe("player_1") == (
        "layoff p1 hand 4c 5c 5d deadwood 14 of 5 upcard none stock 8 discards 4s p0 melds As 2s 3s"
    )


def test_a_ten_is_written_with_its_number(reach: Reach) -> None:
    game = reach(gin_rummy(hand_size=3), 9, 22, 35, 0, 1, 2, 48)  # Ts 10c 10d, and the upcard is 10h
    assert "Your hand (player_0): 10s 10c 10d." in game.observe("player_0")
    reach(game, "draw upcard")
    assert "discard 10h" in game.legal()


# --- Hanabi


def test_hanabi_from_a_hint_to_the_full_score(reach: Reach) -> None:
    game = reach(hanabi(colors=2, ranks=2, hand_size=2), 0, 3, 1, 2)  # red 1, yellow 2; red 2, yellow 1
    assert game.observe("player_0").endswith(
        "Fireworks up to: red 0, yellow 0. Lives: 3. Information tokens: 8. Cards to draw: 4.\n"
        "Discarded: nothing.\n"
        "You (player_0) see: player_1 holds red 2, yellow 1.\n"
        "What your cards can be: card 1: red/yellow, 1/2; card 2: red/yellow, 1/2.\n"
        "Legal moves: [play 1], [play 2], [tell player_1 red], [tell player_1 yellow], [tell player_1 1], "
        "[tell player_1 2]"
    )
    reach(game, "tell player_1 red")
    text = game.observe("player_1")
    assert "player_0 tells you: your card 1 is red.\n" in text
    assert "You (player_1) see: player_0 holds red 1, yellow 2.\n" in text
    assert "What your cards can be: card 1: red, 1/2; card 2: yellow, 1/2.\n" in text
    reach(game, "play 2", 0)
    text = game.observe("player_0")
    assert text.startswith("player_1 plays its card 2, yellow 1; it fits.\nFireworks up to: red 0, yellow 1.")
    assert "player_1 holds red 2 (told red), red 1." in text
    reach(game, "play 1", 2, "play 1", 0)
    assert "Information tokens: 8." in game.observe("player_0")  # the red firework is finished
    reach(game, "play 1")
    assert game.state.returns() == [4, 4]
    assert game.observe("player_1").endswith("Score: 4.\nThe game is over: your result is 4.")


def test_hanabi_with_no_lives_left_is_worth_nothing(reach: Reach) -> None:
    game = reach(hanabi(colors=2, ranks=2, hand_size=2, max_life_tokens=1), 0, 3, 1, 2, "play 1", 0)
    assert "player_0 plays its card 1, red 1; it fits." in game.observe("player_1")
    reach(game, "play 1", 0)  # red 2
    assert game.state.returns() == [2, 2]
    reach(game, "play 1")
    assert game.state.returns() == [0, 0]
    assert game.observe("player_0").endswith("because all lives are lost.\nThe game is over: your result is 0.")
    assert "player_0 plays its card 1, yellow 2; it does not fit, and a life is lost." in game.observe("player_1")


def test_a_bystander_reads_a_hint_to_another(reach: Reach) -> None:
    game = reach(hanabi(players=3, colors=2, hand_size=3), 0, 1, 2, 0, 5, 1, 0, 7, 8)
    for seat in game.seats:
        game.observe(seat)
    reach(game, "tell player_1 1")
    assert game.observe("player_2").startswith("player_0 tells player_1: its cards 1 and 2 are of rank 1.\n")
    assert game.observe("player_1").startswith("player_0 tells you: your cards 1 and 2 are of rank 1.\n")
    assert game.observe("player_0").startswith("Fireworks")


def test_hanabi_in_one_line(reach: Reach) -> None:
    game = reach(hanabi(colors=2, ranks=2, hand_size=2, prompt="compact"), 0, 3, 1, 2)
    assert game.observe("player_0") == "R0 Y0 lives 3 tokens 8 deck 4 p0 sees R2 Y1 own ? ? discards none"
    reach(game, "tell player_1 red", "discard 2", 0)
    assert game.observe("player_0") == "R0 Y0 lives 3 tokens 8 deck 3 p0 sees R2:R R1 own ? ? discards Y1"
    reach(game, "tell player_1 2")
    assert game.observe("player_1") == "R0 Y0 lives 3 tokens 7 deck 3 p1 sees R1 Y2 own R2 RY1 discards Y1"


def test_the_deck_of_hanabi() -> None:
    assert [copies(rank, 5) for rank in range(1, 6)] == [3, 2, 2, 2, 1]
    assert deck_size(5, 5) == 50
    with pytest.raises(ValueError, match="a deck for all hands: got 5, 8, 3 and 4 cards"):
        hanabi(colors=1, ranks=2)


# --- goofspiel


def test_goofspiel_to_the_last_cards(reach: Reach) -> None:
    game = reach(goofspiel(num_cards=3, points_order="descending"))
    assert game.observe("player_0").endswith(
        "The point card is 3. Point cards to come: 1 2. Points: player_0 0, player_1 0.\n"
        "Your cards (player_0): 1 2 3.\nCards of player_1: 1 2 3.\nLegal moves: [1], [2], [3]"
    )
    reach(game, "3")
    assert game.observe("player_1").endswith("Cards of player_0: 1 2 3.\nLegal moves: [1], [2], [3]")
    reach(game, "2")
    assert game.observe("player_0") == (
        "Bids: player_0 3, player_1 2. player_0 gets the 3 points.\n"
        "The point card is 2. Point cards to come: 1. Points: player_0 3, player_1 0.\n"
        "Your cards (player_0): 1 2.\nCards of player_1: 1 3.\nLegal moves: [1], [2]"
    )
    reach(game, "1", "3")  # 1 point is left: 2 against 1
    assert game.observe("player_0") == (
        "Bids: player_0 1, player_1 3. player_1 gets the 2 points.\nThe last cards are played. player_0 gets the 1 "
        "point.\nPoints: player_0 4, player_1 2.\nThe game is over: you win 1."
    )


def test_equal_bids_win_nothing_and_hidden_bids_stay_untold(reach: Reach) -> None:
    game = reach(goofspiel(num_cards=3, points_order="ascending", imp_info=True), "3", "3")
    text = game.observe("player_1")
    assert "Nobody gets the 1 point.\n" in text
    assert "Bids:" not in text
    assert text.endswith("Your cards (player_1): 1 2.")
    reach(game, "2", "1")
    assert game.observe("player_1").endswith(
        "player_0 gets the 2 points.\nThe last cards are played. player_1 gets the 3 points.\n"
        "Points: player_0 2, player_1 3.\nThe game is over: you win 1."
    )


def test_goofspiel_in_one_line(reach: Reach) -> None:
    game = reach(goofspiel(num_cards=3, points_order="descending", prompt="compact"), "3", "2")
    assert game.observe("player_0") == "p0 cards 1 2 point 2 left 1 you 3 other 0 cards 1 3"
    game = reach(goofspiel(num_cards=3, points_order="descending", imp_info=True, prompt="compact"), "3", "2")
    assert game.observe("player_0") == "p0 cards 1 2 point 2 left 1 you 3 other 0 won 3:p0"


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (gin_rummy, {"num_suits": 2}, "3 or 4 suits"),
        (gin_rummy, {"num_ranks": 5, "num_suits": 3}, "got 15 cards, 2 hands of 10"),
        (hanabi, {"players": 6}, "2 to 5 players"),
        (goofspiel, {"points_order": "any"}, "random, descending, ascending: got 'any'"),
        (goofspiel, {"returns_type": "any"}, "win_loss, point_difference, total_points: got 'any'"),
        (goofspiel, {"num_turns": 14}, "num_turns -1 or from 1 to num_cards"),
    ],
)
def test_impossible_card_games_are_refused(
    make: Callable[..., OpenSpielGame], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)
