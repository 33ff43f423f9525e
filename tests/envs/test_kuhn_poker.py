"""Kuhn poker's words, its equilibria and TextArena's other rules."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pyspiel
import pytest

from turnwise.envs.core import IllegalAction, Unsupported
from turnwise.envs.openspiel import OpenSpielGame, kuhn_poker
from turnwise.envs.openspiel.kuhn_textarena import TextArenaKuhn
from turnwise.envs.openspiel.optimal import has_optimal, kuhn_bet_probability, optimal_action

JACK, QUEEN, KING = 0, 1, 2


def dealt(*cards: int, **settings: object) -> OpenSpielGame:
    game = kuhn_poker(players=len(cards), **settings)  # type: ignore[arg-type]
    assert isinstance(game, OpenSpielGame)
    game.begin()
    for card in cards:
        game.apply(card)
    return game


def test_a_hand_in_full_words() -> None:
    game = dealt(JACK, KING)
    first = game.observe("player_0")
    assert first.startswith("This is Kuhn poker for 2 players.")
    assert first.endswith("You are player_0.\nYour card is the Jack.\nLegal moves: [check], [bet]")
    assert game.lead_in() == "Jack "
    assert game.play("check") == ({}, False, False, {})
    assert game.observe("player_1").endswith("Your card is the King.\nplayer_0 checks.\nLegal moves: [check], [bet]")
    game.play("bet")
    assert game.observe("player_0") == "player_1 bets.\nLegal moves: [fold], [call]"
    assert game.anchor() == "player_0 0pb"
    assert game.play("call") == ({"player_0": -2.0, "player_1": 2.0}, True, False, {})
    shown = "Showdown: player_0 has the Jack, player_1 has the King."
    assert game.observe("player_0") == f"{shown}\nThe game is over: you lose 2."
    assert game.observe("player_1") == f"player_0 calls.\n{shown}\nThe game is over: you win 2."


def test_a_fold_shows_no_card() -> None:
    game = dealt(QUEEN, KING)
    game.observe("player_0")
    game.play("bet")
    game.play("fold")
    assert game.observe("player_0") == "player_1 folds.\nThe game is over: you win 1."


def test_all_compact_texts_of_the_two_seats() -> None:
    game = dealt(QUEEN, JACK, prompt="compact")
    texts = [game.observe("player_0")]
    game.play("check")
    texts.append(game.observe("player_1"))
    game.play("bet")
    texts.append(game.observe("player_0"))
    game.play("fold")
    texts += [game.observe("player_0"), game.observe("player_1")]
    assert texts == [
        "card Queen history none",
        "card Jack history check",
        "card Queen history check bet",
        "over -1",
        "over +1",
    ]
    assert dealt(QUEEN, JACK, prompt="compact", show_legal_moves=True).observe("player_0") == (
        "card Queen history none moves check bet"
    )


def test_lead_ins_are_the_cards() -> None:
    assert dealt(JACK, KING).lead_ins() == ("Jack ", "Queen ", "King ")
    game = dealt(QUEEN, KING)
    assert game.lead_in() + f"[{game.legal()[1]}]" == "Queen [bet]"


def test_three_players_answer_a_bet_in_turn() -> None:
    game = dealt(0, 3, 2)  # Ten, King, Queen
    assert game.lead_ins() == ("Ten ", "Jack ", "Queen ", "King ")
    for name in ("check", "bet", "call", "fold"):
        assert name in game.legal()
        step = game.play(name)
    assert step.rewards == {"player_0": -1.0, "player_1": 3.0, "player_2": -2.0}
    assert "Showdown: player_1 has the King, player_2 has the Queen." in game.observe("player_2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rules": "texas"}, "'openspiel' or 'textarena': got 'texas'"),
        ({"rounds": 5}, "rounds belongs to rules='textarena'"),
        ({"rules": "textarena", "players": 3}, "needs players=2: got 3"),
        ({"rules": "textarena", "rounds": 0}, "at least 1: got 0"),
        ({"rules": "textarena", "prompt": "short"}, "full, compact: got 'short'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kuhn_poker(**settings)  # type: ignore[arg-type]


# Equilibria


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1 / 3])
def test_every_alpha_is_an_equilibrium_worth_minus_one_eighteenth(alpha: float) -> None:
    spiel = pyspiel.load_game("kuhn_poker")
    table = {}
    for card in range(3):
        for word in ("", "p", "b", "pb"):
            bet = kuhn_bet_probability(card, ["pb".index(letter) for letter in word], alpha)
            table[f"{card}{word}"] = [(0, 1 - bet), (1, bet)]
    assert pyspiel.nash_conv(spiel, pyspiel.TabularPolicy(table)) == pytest.approx(0.0, abs=1e-12)
    values = pyspiel.expected_returns(spiel.new_initial_state(), pyspiel.TabularPolicy(table), -1, True)
    assert values[0] == pytest.approx(-1 / 18, abs=1e-12)


def test_alpha_outside_the_family_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0 <= alpha <= 1/3: got 0\.4"):
        kuhn_bet_probability(KING, (), 0.4)


def test_moves_are_drawn_with_the_equilibrium_s_probabilities() -> None:
    rng = np.random.default_rng(0)
    game = dealt(JACK, KING)
    bets = sum(optimal_action(game, rng, alpha=0.25) == "bet" for _ in range(4000))
    assert abs(bets - 1000) < 5 * 27.4  # sd of a binomial(4000, 1/4)
    assert {optimal_action(dealt(QUEEN, KING), rng) for _ in range(50)} == {"check"}
    facing = dealt(JACK, KING)
    facing.play("bet")
    assert {optimal_action(facing, rng) for _ in range(50)} == {"call"}


def test_optimal_play_says_which_games_it_knows() -> None:
    assert has_optimal(dealt(0, 1))
    assert not has_optimal(dealt(0, 1, 2))
    for unknown in (dealt(0, 1, 2), kuhn_poker(rules="textarena")):
        with pytest.raises(Unsupported, match=r"kuhn_poker \(two players\), nim, tic_tac_toe: got"):
            optimal_action(unknown, np.random.default_rng(0))
    over = dealt(0, 1)
    over.play("bet")
    over.play("fold")
    with pytest.raises(ValueError, match="needs a seat to act"):
        optimal_action(over, np.random.default_rng(0))


# TextArena's rules


def repeated(rounds: int = 2, prompt: str = "full", seed: int = 3) -> TextArenaKuhn:
    game = kuhn_poker(rules="textarena", rounds=rounds, prompt=prompt)
    assert isinstance(game, TextArenaKuhn)
    game.start(np.random.default_rng(seed))
    return game


def test_textarena_pays_one_chip_a_round_however_one_bets() -> None:
    for line in (("check", "check"), ("bet", "call"), ("check", "bet", "call")):
        game = repeated()
        better = game._cards[0] > game._cards[1]
        for name in line:
            step = game.play(name)
        assert step == ({}, False, False, {})
        assert game._chips == ([1, -1] if better else [-1, 1])


def test_textarena_opens_with_player_1_and_alternates() -> None:
    game = repeated()
    assert game.seat == "player_1"
    game.play("bet")
    game.play("fold")
    assert game._chips == [-1, 1]
    assert game.seat == "player_0"
    assert "Round 2 of 2. Your card is the " in game.observe("player_0")


def test_textarena_ends_with_a_win_or_a_draw() -> None:
    game = repeated()
    for name in ("bet", "fold", "bet"):  # player_1 takes the first round, player_0 opens the second one
        game.play(name)
    assert copy.deepcopy(game).play("fold") == ({"player_0": 0.0, "player_1": 0.0}, True, False, {})
    game = repeated(rounds=1)
    game.play("bet")
    step = game.play("fold")
    assert step == ({"player_0": -1.0, "player_1": 1.0}, True, False, {})
    assert game.observe("player_0").endswith("The game is over: you lose.")
    assert game.legal() == ()
    assert game.lead_in() == ""
    with pytest.raises(IllegalAction, match="the game is over"):
        game.play("check")


def test_textarena_shows_a_card_only_at_a_showdown() -> None:
    for seed in range(12):
        game = repeated(rounds=1, seed=seed)
        other = f"{game._card(1)}"
        game.play("bet")
        assert f"Your card is the {other}" not in game.observe("player_0")
        game.play("fold")
        assert "Showdown" not in game.observe("player_0")


def test_textarena_in_compact_words() -> None:
    game = repeated(prompt="compact")
    card = game.lead_in().strip()
    assert game.observe("player_1") == f"round 1 chips +0 card {card} history none"
    assert game.observe("player_1") == ""
    assert game.anchor() == f"player_1 round 1 chips +0 card {card} history none"
    game.play("check")
    game.play("bet")
    assert game.observe("player_1") == f"round 1 chips +0 card {card} history check bet"


def test_textarena_copies_go_on_alike() -> None:
    game = repeated(rounds=3)
    game.play("bet")
    for twin in (game.clone(), pickle.loads(pickle.dumps(game))):
        ahead = game.clone()
        while ahead.seat is not None:
            assert twin.observe(ahead.seat) == ahead.observe(ahead.seat)
            assert twin.play(ahead.legal()[-1]) == ahead.play(ahead.legal()[-1])
    assert game._round == 1


def test_textarena_refuses_what_is_not_legal() -> None:
    game = repeated()
    with pytest.raises(IllegalAction, match=r"legal moves are \[check\], \[bet\]"):
        game.play("call")
    assert game.seat == "player_1"
    with pytest.raises(ValueError, match="player_0, player_1: got 'x'"):
        game.observe("x")
