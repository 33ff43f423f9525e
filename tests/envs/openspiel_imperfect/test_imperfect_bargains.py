"""The auction, bargaining, negotiation and the matrix games: what is read, move by move, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from turnwise.envs.openspiel import OpenSpielGame
from turnwise.envs.openspiel.imperfect.bargaining import bargaining
from turnwise.envs.openspiel.imperfect.first_sealed_auction import first_sealed_auction
from turnwise.envs.openspiel.imperfect.matrix_games import matrix_game, payoffs
from turnwise.envs.openspiel.imperfect.negotiation import negotiation

Reach = Callable[..., OpenSpielGame]


# --- the auction


def test_an_auction_from_the_values_to_the_winner(reach: Reach) -> None:
    game = reach(first_sealed_auction(), 9, 8)
    assert game.observe("player_0").endswith(
        "You are player_0.\nThe object is worth 9 to you (player_0).\n"
        "Legal moves: [0], [1], [2], [3], [4], [5], [6], [7], [8]"
    )
    reach(game, "6")
    text = game.observe("player_1")
    assert "The object is worth 8 to you (player_1).\n" in text
    assert "6" not in text.rpartition("Legal moves")[0].partition("You are")[2]
    reach(game, "4", 0)
    assert game.observe("player_0") == (
        "You win the object.\nThe object is worth 9 to you (player_0). You have bid 6.\n"
        "Bids: player_0 6, player_1 4.\nThe game is over: your result is 3."
    )
    assert game.observe("player_1").startswith("player_0 wins the object.\n")


def test_an_auction_in_one_line(reach: Reach) -> None:
    game = reach(first_sealed_auction(prompt="compact", players=3), 9, 8, 1)
    assert game.observe("player_0") == "auction 3 players value 9 max 10"
    reach(game, "6")
    assert game.board("player_0") == "auction 3 players value 9 max 10 bid 6"


# --- bargaining: the first instance has 1 book, 2 hats, 3 basketballs, worth 8 1 0 and 4 0 2


def test_an_offer_is_told_in_full_and_taken(reach: Reach) -> None:
    game = reach(bargaining(), 0)
    assert game.observe("player_0").endswith(
        "You are player_0.\nThe pool: 1 book, 2 hats and 3 basketballs. What each is worth to you (player_0): "
        "book 8, hat 1, basketball 0.\nNo offer has been made."
    )
    assert len(game.legal()) == 2 * 3 * 4
    reach(game, "keep 0 1 0")
    assert game.observe("player_1").endswith(
        "player_0 makes an offer.\nThe pool: 1 book, 2 hats and 3 basketballs. What each is worth to you (player_1): "
        "book 4, hat 0, basketball 2.\nOffer 1 of 10 is on the table: player_0 keeps 0 books, 1 hat and 0 basketballs; "
        "you get 1 book, 1 hat and 3 basketballs. It is worth 10 to you."
    )
    assert len(game.legal()) == 2 * 3 * 4 + 1
    assert game.play("agree").rewards == {"player_0": 1.0, "player_1": 10.0}
    text = game.observe("player_0")
    assert text.startswith("player_1 agrees.\n")
    assert text.endswith("The offer was accepted.\nThe game is over: your result is 1.")


def test_a_late_deal_is_worth_less(reach: Reach) -> None:
    game = reach(bargaining(discount=0.5), 0, "keep 0 1 0", "keep 0 0 3", "agree")
    assert game.state.returns() == [5, 3]  # half of 8 + 2 and half of 6
    assert "every move multiplies the result of a deal by 0.5" in game.observe("player_0")
    quick = reach(bargaining(discount=0.5), 0, "keep 0 1 0", "agree")
    assert quick.state.returns() == [1, 10]


def test_talks_break_off_by_chance_or_run_out(reach: Reach) -> None:
    game = reach(bargaining(prob_end=0.5), 0, "keep 0 1 0", "keep 0 0 3")
    outcomes = game.state.chance_outcomes()
    assert [chance for _, chance in outcomes] == [0.5, 0.5]
    ended = next(action for action, _ in outcomes if game.state.child(action).is_terminal())
    assert game.observe("player_0") == ""  # chance has still to decide
    reach(game, ended)
    assert game.observe("player_0").endswith("There was no agreement.\nThe game is over: your result is 0.")
    assert "The talks break off.\n" in game.observe("player_1")
    short = reach(bargaining(max_turns=1), 0, "keep 0 0 0")
    assert short.state.returns() == [0, 0]


def test_bargaining_in_one_line(reach: Reach) -> None:
    game = reach(bargaining(prompt="compact"), 0)
    assert game.observe("player_0") == "pool 1 2 3 values 8 1 0 offers 0 of 10"
    reach(game, "keep 0 1 0")
    assert game.observe("player_1") == "pool 1 2 3 values 4 0 2 offers 1 of 10 other keep 0 1 0"
    assert game.board("player_0") == "pool 1 2 3 values 8 1 0 offers 1 of 10 you keep 0 1 0"


# --- negotiation: chance is OpenSpiel's own, so the numbers are read, not chosen


def shares(text: str) -> tuple[list[int], list[int]]:
    """(pool, values) of a compact observation."""
    words = text.split()
    return [int(word) for word in words[1:4]], [int(word) for word in words[5:8]]


def test_a_proposal_a_word_and_an_agreement() -> None:
    game = negotiation(prompt="compact")
    game.start(np.random.default_rng(3))
    pool, mine = shares(game.board("player_0"))
    _, other = shares(game.board("player_1"))
    steps = int(game.board("player_0").split()[-2])
    assert 4 <= steps <= 10
    assert len(game.legal()) == (pool[0] + 1) * (pool[1] + 1) * (pool[2] + 1)
    kept = [count // 2 for count in pool]
    game.play("keep " + " ".join(map(str, kept)))
    assert game.seat == "player_0"
    assert len(game.legal()) == 5**3
    assert game.legal()[:2] == ("say aaa", "say aab")
    game.play("say bad")
    assert game.observe("player_1").endswith(
        f"1 of {steps} other keep {' '.join(map(str, kept))} other say bad proposal?"
    )
    step = game.play("agree")
    worth = sum(value * count for value, count in zip(mine, kept, strict=True))
    rest = sum(value * (whole - count) for value, whole, count in zip(other, pool, kept, strict=True))
    assert step.rewards == {"player_0": worth, "player_1": rest}
    assert step.terminated


def test_negotiation_in_full_words() -> None:
    game = negotiation(num_items=2, enable_utterances=False)
    game.start(np.random.default_rng(1))
    text = game.observe("player_0")
    assert "of these kinds: A, B. There are 0 to 5 items" in text
    assert "[say" not in text
    game.play("keep 0 0")
    told = game.observe("player_1")
    assert "player_0 makes a proposal.\n" in told
    assert "Proposal 1 of " in told
    assert "player_0 keeps 0 A, 0 B; you get " in told
    game.play("agree")
    assert game.observe("player_0").startswith("player_1 agrees.\n")
    assert "The proposal was accepted." in game.observe("player_1")


def test_negotiation_without_an_agreement_is_worth_nothing() -> None:
    game = negotiation(enable_utterances=False)
    game.start(np.random.default_rng(0))
    while game.seat is not None:
        step = game.play("keep 0 0 0")
    assert step.rewards == {"player_0": 0.0, "player_1": 0.0}
    assert "There was no agreement." in game.observe("player_0")


# --- matrix games


def test_the_tables_come_out_of_openspiel() -> None:
    assert payoffs("matrix_pd") == {
        ("cooperate", "cooperate"): (5, 5),
        ("cooperate", "defect"): (0, 10),
        ("defect", "cooperate"): (10, 0),
        ("defect", "defect"): (1, 1),
    }
    assert payoffs("matrix_brps")["rock", "scissors"] == (50, -50)
    assert payoffs("matching_pennies_3p")["heads", "tails", "tails"] == (-1, 1, 1)


def test_a_matrix_game_played_once(reach: Reach) -> None:
    game = reach(matrix_game())
    text = game.observe("player_0")
    assert "This is the game Prisoner's Dilemma for 2 players." in text
    assert "\nplayer_0 cooperate, player_1 defect: player_0 gets 0, player_1 gets 10.\n" in text
    assert text.endswith("You are player_0.\nChoose now.\nLegal moves: [cooperate], [defect]")
    reach(game, "cooperate", "defect")
    assert game.state.returns() == [0, 10]
    assert game.observe("player_1").endswith(
        "player_0 chooses cooperate and gets 0, player_1 chooses defect and gets 10.\n"
        "The game is over: your result is 10."
    )


def test_a_matrix_game_played_in_rounds(reach: Reach) -> None:
    game = reach(matrix_game(game="matrix_bos", rounds=2))
    assert "for 2 rounds; your result is the sum of what you get" in game.observe("player_0")
    game.play("bach")
    step = game.play("bach")
    assert step.rewards == {"player_0": 3.0, "player_1": 2.0}
    assert game.observe("player_0") == (
        "Round 1: player_0 chooses bach and gets 3, player_1 chooses bach and gets 2.\n"
        "Round 2 of 2. Your sum so far: 3.\nLegal moves: [bach], [stravinsky]"
    )
    game.play("stravinsky")
    assert game.play("bach").terminated
    assert game.state.returns() == [3, 2]


def test_a_matrix_game_in_one_line_puts_the_own_choice_first(reach: Reach) -> None:
    game = reach(matrix_game(prompt="compact", rounds=3), "cooperate", "defect")
    assert game.observe("player_0") == (
        "you/other: cooperate/cooperate 5/5, cooperate/defect 0/10, defect/cooperate 10/0, defect/defect 1/1 "
        "round 2 of 3 past cooperate/defect"
    )
    assert game.board("player_1").endswith("past defect/cooperate")


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (first_sealed_auction, {"players": 11}, "2 to 10 players"),
        (bargaining, {"discount": 0}, "0 < discount <= 1"),
        (bargaining, {"max_turns": 0}, "max_turns >= 1"),
        (bargaining, {"instances_file": "/there/is/none"}, "instances_file is a file"),
        (negotiation, {"num_items": 6}, "1 to 5 kinds of items: got num_items=6"),
        (negotiation, {"num_symbols": 26, "utterance_dim": 5}, "at most 10000 words"),
        (matrix_game, {"game": "chess"}, "matrix_pd.*: got 'chess'"),
        (matrix_game, {"rounds": 0}, "rounds is at least 1: got 0"),
    ],
)
def test_impossible_bargains_are_refused(
    make: Callable[..., OpenSpielGame], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)
