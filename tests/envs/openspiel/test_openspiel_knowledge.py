"""What a seat knows: secrets, whole boards, and the crowd of a mean-field game."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyspiel
import pytest

from turnwise.envs.core import Unsupported
from turnwise.envs.openspiel import kuhn_poker, leduc_poker, liars_dice, plain, tic_tac_toe
from turnwise.envs.openspiel.mean_field import reachable_returns, settle, utility_bounds

POKER: list[tuple[Any, dict[str, Any]]] = [
    (kuhn_poker, {}),
    (kuhn_poker, {"players": 4}),
    (leduc_poker, {}),
    (leduc_poker, {"players": 3, "suit_isomorphism": True}),
    (liars_dice, {}),
    (liars_dice, {"numdice": 2, "dice_sides": 3}),
]


@pytest.mark.parametrize(("make", "settings"), POKER)
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_a_secret_is_read_by_its_owner_and_nobody_else(make: Any, settings: dict[str, Any], prompt: str) -> None:
    game, rng, told = make(prompt=prompt, **settings), np.random.default_rng(7), 0
    assert game.has_secrets
    for _ in range(25):
        game.start(rng)
        read = dict.fromkeys(game.seats, "")
        while game.seat is not None:
            for seat in game.seats:
                read[seat] += f"{game.observe(seat)}\n{game.board(seat)}\n"
            for seat in game.seats:
                secrets = game.secrets(seat)
                assert not secrets or any(secret in read[seat] for secret in secrets)
                told += len(secrets)
                others = [text for other, text in read.items() if other != seat]
                assert not any(secret in text for secret in secrets for text in others)
            game.play(game.sample_action(rng))
    assert told


def test_secrets_by_hand() -> None:
    game = kuhn_poker()
    game.begin()
    assert game.secrets("player_0") == ()  # nothing has been dealt
    game.apply(2)
    game.apply(0)
    assert game.secrets("player_0") == ("Your card is the King.", "card King")
    game.play("bet")
    folded = game.clone()
    folded.play("fold")
    assert folded.secrets("player_0") == ("Your card is the King.", "card King")  # nobody has seen it
    game.play("call")
    assert game.secrets("player_0") == game.secrets("player_1") == ()  # a showdown


def test_two_who_hold_the_same_have_no_secret() -> None:
    game = liars_dice()
    game.begin()
    game.apply(3)
    game.apply(3)
    assert game.secrets("player_0") == game.secrets("player_1") == ()
    game.begin()
    game.apply(3)
    game.apply(4)
    assert game.secrets("player_1") == ("Your dice: 5.", "dice 5 bids")


def test_games_without_secrets_say_so() -> None:
    game = tic_tac_toe()
    game.start(np.random.default_rng(0))
    assert not game.has_secrets
    with pytest.raises(Unsupported, match="keeps no secrets"):
        game.secrets("player_0")


def test_boards_by_hand() -> None:
    game = kuhn_poker(show_legal_moves=False)
    game.begin()
    assert game.board("player_0") == ""  # chance is still to come
    game.apply(0)
    game.apply(1)
    game.play("check")
    game.play("bet")
    assert game.board("player_0") == (
        "You are player_0.\nYour card is the Jack. So far: player_0 checks, player_1 bets."
    )
    dice = liars_dice(numdice=2)
    dice.begin()
    for face in (0, 4, 2, 2):
        dice.apply(face)
    dice.play("1x3")
    assert dice.board("player_0") == "You are player_0.\nYour dice: 1 5.\nBids so far: player_0 1x3."
    with pytest.raises(ValueError, match="player_0, player_1: got 'north'"):
        dice.board("north")


def test_a_leduc_board_by_hand() -> None:
    game = leduc_poker()
    game.begin()
    for step in (0, 3):
        game.apply(step)
    for move in ("raise", "call"):
        game.apply(game.action_id(move))
    game.apply(4)
    assert game.board("player_0") == (
        "You are player_0.\nYour card is the Jack of hearts.\nFirst round: raise, call.\n"
        "The public card is the King of hearts.\nSecond round: nothing yet.\nPot: 6 chips. To call: 0.\n"
        "Legal moves: [check], [raise]"
    )


@pytest.mark.parametrize(("make", "settings"), [(kuhn_poker, {}), (leduc_poker, {}), (liars_dice, {"dice_sides": 3})])
def test_asking_for_the_board_changes_nothing_and_tells_only_what_is_known(make: Any, settings: Any) -> None:
    """Equal information, equal board; and what is read afterwards does not depend on having asked."""
    asked, rng = make(**settings), np.random.default_rng(1)
    known: dict[tuple[str, str], str] = {}
    for seed in range(150):
        asked.start(np.random.default_rng(seed))
        while asked.seat is not None:
            plain_copy = asked.clone()
            for player, seat in enumerate(asked.seats):
                board = asked.board(seat)
                assert board == asked.board(seat)
                known_text = f"{asked.state.information_state_string(player)} {asked.seat}"
                assert known.setdefault((seat, known_text), board) == board
            assert asked.observe(asked.seat) == plain_copy.observe(asked.seat)
            asked.play(asked.sample_action(rng))


def test_a_plain_game_shows_openspiels_view_as_its_board() -> None:
    game = plain("mancala")
    game.start(np.random.default_rng(0))
    text = game.state.observation_string(0).strip()
    assert game.board("player_0").startswith(f"You are player_0.\n{text}\nLegal moves: [")


def test_the_bounds_of_a_mean_field_game_by_brute_force() -> None:
    game = pyspiel.load_game("mfg_crowd_modelling", {"size": 3, "horizon": 2})

    def leaves(state: Any) -> list[float]:
        settle(state)
        if state.is_terminal():
            return [state.returns()[0]]
        return [value for action in state.legal_actions() for value in leaves(state.child(action))]

    values = leaves(game.new_initial_state())
    low, high = reachable_returns(game)
    assert (low, high) == (pytest.approx(min(values)), pytest.approx(max(values)))
    assert math.isinf(game.max_utility())
    assert utility_bounds(game)[0] <= low < high <= utility_bounds(game)[1]


def test_a_mean_field_game_pays_for_the_place_it_starts_at_too() -> None:
    game = plain("mfg_crowd_modelling", size=3, horizon=2)
    game.start(np.random.default_rng(0))
    first = game.state.returns()[0]
    assert first != 0.0
    total = 0.0
    while game.seat is not None:
        total += game.play(game.sample_action(np.random.default_rng(0))).rewards["player_0"]
    assert total == pytest.approx(game.state.returns()[0])
    assert "A crowd that you do not move stays spread evenly over all places." in game._positions.introductions[0]
