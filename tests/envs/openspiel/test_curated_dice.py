"""Pig, backgammon and blackjack: their words by hand, and their moves against OpenSpiel's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from turnwise.envs.openspiel import backgammon, blackjack, pig
from turnwise.envs.openspiel.backgammon import checkers, dice


def begun(game: Any, *steps: int | str) -> Any:
    """The game after these outcomes of chance (numbers) and moves (names), each read by nobody."""
    game.start(np.random.default_rng(0))
    game.begin()
    for step in steps:
        game.apply(step if isinstance(step, int) else game.action_id(step))
    return game


def test_pig_in_words() -> None:
    game = begun(pig(winscore=10), "roll", 4, "roll", 2)  # a 5 and a 3
    assert game.observe("player_0").endswith(
        "You are player_0.\nYou roll a 5.\nYou roll a 3.\n"
        "Scores: player_0 0, player_1 0; 10 wins. It is your turn, turn total: 8.\nLegal moves: [roll], [stop]"
    )
    game.apply(game.action_id("stop"))
    game.apply(game.action_id("roll"))
    game.apply(0)
    assert game.observe("player_0") == (
        "player_1 rolls a 1: its turn ends and 0 points are lost.\n"
        "Scores: player_0 8, player_1 0; 10 wins. It is your turn, turn total: 0.\nLegal moves: [roll], [stop]"
    )
    assert game.observe("player_1").endswith(
        "player_0 rolls a 5.\nplayer_0 rolls a 3.\nplayer_0 stops and adds 8 to its score.\n"
        "You roll a 1: your turn ends and 0 points are lost.\n"
        "Scores: player_0 8, player_1 0; 10 wins. It is player_0's turn, turn total: 0."
    )
    game.apply(game.action_id("roll"))
    game.apply(1)  # a 2: now 10 points are sure, and OpenSpiel lets one only stop
    assert game.legal() == ("stop",)
    assert game.play("stop") == ({"player_0": 1.0, "player_1": -1.0}, True, False, {})
    assert game.observe("player_1").endswith("Scores: player_0 10, player_1 0.\nThe game is over: you lose 1.")


def test_pig_in_compact_words() -> None:
    game = begun(pig(players=3, winscore=50, prompt="compact"), "roll", 5, "stop", "roll", 3)
    assert game.observe("player_1") == "pig to 50 you 0 other 0 6 turn 4"
    assert game.observe("player_0") == "pig to 50 you 6 other 0 0 turn 4"
    assert "-0.5 each for the others" in begun(pig(players=3)).observe("player_0")


def test_piglet_and_the_horizon() -> None:
    game = begun(pig(piglet=True, winscore=3, horizon=3), "roll", 1)
    assert "You roll no 1.\n" in game.observe("player_0")
    game.play("stop")
    assert "turn total: 0" in game.board("player_1")
    assert game.play("stop") == ({"player_0": 0.0, "player_1": 0.0}, True, False, {})  # three moves, nobody has 3
    assert game.observe("player_0").endswith("The game is over: it is a draw.")


OPENING = 18  # the outcome 3 and 4 of the first roll; even outcomes let player_0 begin


def test_backgammon_in_words() -> None:
    game = begun(backgammon(), OPENING)
    assert game.observe("player_0").endswith(
        "You are player_0.\nYou roll 4 and 3 and begin.\n"
        " 13  14  15  16  17  18 |  19  20  21  22  23  24\n"
        " x5   .   .   .  o3   . |  o5   .   .   .   .  x2\n"
        " o5   .   .   .  x3   . |  x5   .   .   .   .  o2\n"
        " 12  11  10   9   8   7 |   6   5   4   3   2   1\n"
        "On the bar: x 0, o 0. Borne off: x 0, o 0. You are x. You are to move with 4 and 3.\n"
        "Legal moves: " + ", ".join(f"[{name}]" for name in game.legal())
    )
    # 24/20 with the 4 and 13/10 with the 3, in both orders; one checker by both dice
    assert {"24/20 13/10", "13/10 24/20", "13/10 10/6", "13/9 9/6"} <= set(game.legal())
    assert not {"24/20 20/17", "24/21 21/17"} & set(game.legal())  # three o stand on 17
    game.apply(game.action_id("24/20 13/10"))
    game.apply(1)  # 2 and 1
    assert game.observe("player_1").endswith(
        "You are player_1.\nplayer_0 rolls 4 and 3 and begins.\nplayer_0 plays 24/20 13/10, by its own numbers.\n"
        " 13  14  15  16  17  18 |  19  20  21  22  23  24\n"
        " o5   .  x1   .  x3   . |  x5   .   .   .   .  o2\n"
        " x4   .   .   .  o3   . |  o5  x1   .   .   .  x1\n"
        " 12  11  10   9   8   7 |   6   5   4   3   2   1\n"
        "On the bar: x 0, o 0. Borne off: x 0, o 0. You are o. You are to move with 2 and 1.\n"
        "Legal moves: " + ", ".join(f"[{name}]" for name in game.legal())
    )
    assert "6/5* 8/6" in game.legal()  # the single checker on its point 5 is hit
    game.apply(game.action_id("6/5* 8/6"))
    game.apply(30)  # a double of 1
    assert "On the bar: x 1, o 0." in game.board("player_0")
    assert "You are to move with 1 and 1, first half of a double." in game.board("player_0")
    game.play(next(name for name in game.legal() if name.startswith("Bar/24")))
    assert game.seat == "player_0"
    assert "second half of a double" in game.board("player_0")


def test_backgammon_in_compact_words() -> None:
    game = begun(backgammon(prompt="compact"), OPENING)
    told = "dice 4 3 you 24:2 13:5 8:3 6:5 other 19:5 17:3 12:5 1:2"
    assert game.observe("player_0") == told
    assert game.observe("player_1") == told  # the board is the same from both chairs
    game.apply(game.action_id("24/20 13/10"))
    game.apply(1)
    game.apply(game.action_id("6/5* 8/6"))
    game.apply(30)
    assert game.observe("player_0") == ("dice 1 1 you 24:1 13:4 10:1 8:3 6:5 bar:1 other 20:1 19:5 17:2 12:5 1:2")


def test_backgammon_names_say_what_happens() -> None:
    """Names are unique, stars are hits, Off bears off, Pass moves nothing: over every move of random games."""
    game, rng = backgammon(), np.random.default_rng(2)
    seen: set[str] = set()
    for _ in range(4):
        game.start(rng)
        while game.seat is not None:
            mover = game.state.current_player()
            names = game.legal()
            assert len({name.replace(" ", "") for name in names}) == len(names)
            for name in names:
                after = game.state.child(game.action_id(name))
                assert after.board(1 - mover, 100) - game.state.board(1 - mover, 100) == name.count("*")
                here, there = (sum(checkers(state, mover, mover).values()) for state in (game.state, after))
                freed = game.state.board(mover, 100) - after.board(mover, 100)
                assert here - there + freed == name.count("Off")
                assert freed == name.count("Bar")
                assert (name == "Pass") == (str(after).split("Turn")[0] == str(game.state).split("Turn")[0])
                seen |= {mark for mark in ("*", "Off", "Bar", "Pass", "first)") if mark in name}
            move = game.sample_action(rng)
            low, high = dice(game.state)
            if "first)" in move:
                assert move.endswith((f"({low} first)", f"({high} first)"))
            game.play(move)
    assert seen == {"*", "Off", "Bar", "Pass", "first)"}


def test_backgammon_scores_gammons_where_asked() -> None:
    plain, full = backgammon(), backgammon(scoring_type="full_scoring")
    assert (plain.utility_bounds, full.utility_bounds) == ((-1.0, 1.0), (-3.0, 3.0))
    for seed, value in ((2, 2.0), (3, 3.0), (4, 1.0)):
        rng = np.random.default_rng(seed)
        full.start(rng)
        while full.seat is not None:
            step = full.play(full.sample_action(rng))
        assert {abs(reward) for reward in step.rewards.values()} == {value}
    short = backgammon(max_player_turns=2)
    short.start(rng)
    while short.seat is not None:
        step = short.play(short.sample_action(rng))
    assert step == ({"player_0": 0.0, "player_1": 0.0}, True, False, {})


def cards(*names: str) -> list[int]:
    """OpenSpiel's numbers of cards such as HA (the suits' order is OpenSpiel's)."""
    import pyspiel

    state = pyspiel.load_game("blackjack").new_initial_state()
    known = {state.action_to_string(-1, card): card for card in range(52)}
    return [known[name] for name in names]


def test_blackjack_in_words() -> None:
    game = begun(blackjack(), *cards("HA", "D5", "H2", "DQ"))
    assert game.observe("player_0").endswith(
        "You are player_0.\nYour cards: Ace of hearts, 5 of diamonds. Total: 16, an Ace counting 11.\n"
        "The dealer shows: Queen of diamonds; one card is hidden.\nLegal moves: [hit], [stand]"
    )
    game.apply(game.action_id("hit"))
    game.apply(cards("C9")[0])
    assert game.observe("player_0") == (
        "You get the 9 of clubs.\nYour cards: Ace of hearts, 5 of diamonds, 9 of clubs. Total: 15.\n"
        "The dealer shows: Queen of diamonds; one card is hidden.\nLegal moves: [hit], [stand]"
    )
    game.apply(game.action_id("stand"))  # the dealer has 12 and draws
    game.apply(cards("S4")[0])  # 16: draws again
    game.apply(cards("CT")[0])  # 26
    assert game.state.returns() == [1.0]
    assert game.observe("player_0") == (
        "The dealer takes the 4 of spades.\nThe dealer takes the 10 of clubs.\n"
        "Your cards: Ace of hearts, 5 of diamonds, 9 of clubs. Total: 15.\n"
        "The dealer's cards: 2 of hearts, Queen of diamonds, 4 of spades, 10 of clubs. Total: 26, more than 21.\n"
        "The game is over: your result is 1."
    )


def test_blackjack_bust_and_draw() -> None:
    game = begun(blackjack(), *cards("HK", "D5", "H7", "DQ"), "hit", *cards("S8"))
    assert game.state.returns() == [-1.0]
    assert "Total: 23, more than 21.\nThe dealer's cards: 7 of hearts, Queen of diamonds. Total: 17.\n" in game.observe(
        "player_0"
    )
    drawn = begun(blackjack(), *cards("HK", "D7", "H7", "DQ"))
    assert drawn.play("stand") == ({"player_0": 0.0}, True, False, {})
    assert drawn.observe("player_0").endswith("The game is over: your result is 0.")


def test_blackjack_in_compact_words() -> None:
    game = begun(blackjack(prompt="compact"), *cards("HA", "DA", "H2", "DK"))
    assert game.observe("player_0") == "you soft 12 dealer 10"
    game.apply(game.action_id("hit"))
    game.apply(cards("SK")[0])
    assert game.observe("player_0") == "you hard 12 dealer 10"
    assert (
        begun(blackjack(prompt="compact"), *cards("H9", "D8", "H2", "DA")).observe("player_0") == "you hard 17 dealer A"
    )


def test_the_hidden_card_is_never_told_before_the_end() -> None:
    known: dict[str, str] = {}
    for hidden in cards("H2", "S3", "CK"):
        mine, other, shown = cards("HA", "D5", "DQ")
        game = begun(blackjack(), mine, other, hidden, shown, "hit", *cards("C2"))
        text = game.observe("player_0") + game.board("player_0")
        assert known.setdefault(game.state.information_state_string(0), text) == text
    assert len(known) == 1


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (pig, {"winscore": 0}, "got 0, 6 and 1000"),
        (pig, {"players": 11}, "2 to 10 players: got 11"),
        (backgammon, {"scoring_type": "cube"}, "winloss_scoring, enable_gammons, full_scoring: got 'cube'"),
        (backgammon, {"max_player_turns": 0}, "at least 1: got 0"),
    ],
)
def test_bad_settings(make: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)
