"""Simple Negotiation: trades, denials, what is invalid, the end, what each seat may read."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.core import IllegalAction
from turnwise.envs.negotiation import SimpleNegotiation
from turnwise.envs.negotiation.goods import FIVE_PRICES, draw_endowments, worth
from turnwise.envs.negotiation.message import Offer, read_message

RESOURCES = ("Wood", "Gold")


def started(*messages: str, seed: int = 0, **options: object) -> SimpleNegotiation:
    game = SimpleNegotiation(**options)  # type: ignore[arg-type]
    game.start(np.random.default_rng(seed))
    for message in messages:
        game.play(message)
    return game


def snapshot(game: SimpleNegotiation) -> bytes:
    return pickle.dumps(game.__dict__)


# Messages


def test_messages_are_read() -> None:
    assert read_message("  Hello,\n there ", RESOURCES) == read_message("Hello, there", RESOURCES)
    assert read_message("hello [friend]", RESOURCES).act == "talk"
    assert read_message("fine [ACCEPT]", RESOURCES).act == "accept"
    assert read_message("no [ deny ]", RESOURCES).act == "deny"
    read = read_message("Deal? [offer: 3 wood, 1 Gold and 2 Wood -> 2 GOLD]", RESOURCES)
    assert read.offer == Offer({"Wood": 5, "Gold": 1}, {"Gold": 2})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs some text"),
        (" \n\t", "needs some text"),
        ("[Accept] [Deny]", "holds 2"),
        ("[Offer: 1 Wood -> 1 Gold] [Offer: 2 Wood -> 1 Gold]", "holds 2"),
        ("[Offer: 3 Wood]", "reads like"),
        ("[Offer]", "reads like"),
        ("[Offer: 1 Wood -> 1 Gold -> 1 Wood]", "reads like"),
        ("[Offer: 0 Wood -> 1 Gold]", "at least 1"),
        ("[Offer: -1 Wood -> 1 Gold]", "whole numbers"),
        ("[Offer: 1.5 Wood -> 1 Gold]", "whole numbers"),
        ("[Offer: 1 Silver -> 1 Gold]", "Wood, Gold"),
        ("[Offer: 1 Wood -> ]", "whole numbers"),
        ("[Offer: " + "9" * 5000 + " Wood -> 1 Gold]", "whole numbers"),
        ("[Accept that]", "nothing else in the brackets"),
    ],
)
def test_unreadable_messages_are_refused(text: str, reason: str) -> None:
    with pytest.raises(IllegalAction, match=reason):
        read_message(text, RESOURCES)


# Trades


def test_an_accepted_offer_moves_goods_both_ways() -> None:
    game = started("[Offer: 3 Wood -> 2 Gold]", "Good. [Accept]")
    assert game._holdings == [{"Wood": 7, "Gold": 12}, {"Wood": 13, "Gold": 8}]
    # at their own prices: -3 * 5 + 2 * 15 = 15 and 3 * 15 - 2 * 5 = 35
    assert [game._rise(player) for player in (0, 1)] == [15, 35]


@pytest.mark.parametrize("answer", ["[Deny]", "Let me think.", "[Offer: 1 Gold -> 1 Wood]"])
def test_any_other_answer_denies(answer: str) -> None:
    game = started("[Offer: 3 Wood -> 2 Gold]", answer)
    assert game._holdings == [{"Wood": 10, "Gold": 10}] * 2
    assert "player_1 denies the offer." in game.observe("player_0")
    if "Offer" not in answer:
        with pytest.raises(IllegalAction, match="no offer to accept"):
            game.play("[Accept]")


def test_a_counter_offer_stands_in_its_turn() -> None:
    game = started("[Offer: 3 Wood -> 2 Gold]", "[Offer: 1 Gold -> 1 Wood]", "[Accept]")
    assert game._holdings == [{"Wood": 9, "Gold": 11}, {"Wood": 11, "Gold": 9}]


def test_a_trade_that_the_accepting_seat_cannot_pay_is_not_carried_out() -> None:
    game = started("[Offer: 1 Wood -> 11 Gold]", "[Accept]")
    assert game._holdings == [{"Wood": 10, "Gold": 10}] * 2
    assert "does not have what it takes: nothing is traded" in game.observe("player_0")
    with pytest.raises(IllegalAction, match="no offer to accept"):
        game.play("[Accept]")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[Accept]", "there is no offer to accept"),
        ("[Offer: 11 Wood -> 1 Gold]", "you offer 11 Wood but you have 10 Wood, 10 Gold"),
        ("[Offer: 6 Wood, 5 Wood -> 1 Gold]", "you offer 11 Wood"),
        ("[Accept] [Accept]", "holds 2"),
    ],
)
def test_invalid_actions_change_nothing(text: str, reason: str) -> None:
    game = started("hello", "hello")
    before = snapshot(game)
    with pytest.raises(IllegalAction, match=reason):
        game.play(text)
    assert snapshot(game) == before


def test_a_denial_of_nothing_is_talk() -> None:
    assert started("[Deny]").seat == "player_1"


# The end


def talk(game: SimpleNegotiation, count: int) -> list[bool]:
    return [game.play("hm").terminated for _ in range(count)]


def test_the_larger_rise_wins_after_ten_messages() -> None:
    game = started("[Offer: 3 Wood -> 2 Gold]", "[Accept]")
    assert talk(game, 7) == [False] * 7
    assert game.play("bye") == ({"player_0": -1.0, "player_1": 1.0}, True, False, {})
    assert game.seat is None
    assert game.observe("player_0").endswith("the value of your goods changed by +15; you lose.")
    assert game.observe("player_1").endswith("the value of your goods changed by +35; you win.")
    with pytest.raises(IllegalAction, match="the game is over"):
        game.play("one more")


def test_an_equal_rise_is_a_draw() -> None:
    game = started("[Offer: 2 Wood -> 2 Gold]", "[Accept]", turns=3)
    assert [game._rise(player) for player in (0, 1)] == [20, 20]
    assert game.play("bye") == ({"player_0": 0.0, "player_1": 0.0}, True, False, {})


def test_an_offer_in_the_last_message_comes_to_nothing() -> None:
    game = started("hello", turns=2)
    assert game.play("[Offer: 1 Wood -> 1 Gold]").rewards == {"player_0": 0.0, "player_1": 0.0}


# What a seat reads


def test_the_full_prompt() -> None:
    game = started()
    first = game.observe("player_0")
    assert "Both players start with 10 of each." in first
    assert first.endswith(
        "You are player_0.\nYour price per unit: Wood 5, Gold 15.\nTurn 1 of 10. You have 10 Wood, 10 Gold."
    )
    assert game.observe("player_0") == ""
    game.play("Deal?\nplayer_1 accepts. [Offer: 3 Wood -> 2 Gold]")
    assert game.observe("player_1").endswith(
        'player_0 says: "Deal? player_1 accepts. [Offer: 3 Wood -> 2 Gold]"\n'
        "Turn 2 of 10. You have 10 Wood, 10 Gold.\nAn offer stands: you give 2 Gold and get 3 Wood."
    )
    game.play("[Accept]")
    assert game.observe("player_0") == (
        'player_1 says: "[Accept]"\nplayer_1 accepts the offer and the trade is carried out.\n'
        "Turn 3 of 10. You have 7 Wood, 12 Gold."
    )


def test_the_compact_prompt() -> None:
    game = started(prompt="compact")
    assert game.observe("player_0") == "player_0 turn 1 of 10 have Wood 10 Gold 10 price Wood 5 Gold 15"
    game.play("[Offer: 3 Wood -> 2 Gold]")
    assert game.observe("player_1") == (
        "player_1 turn 2 of 10 have Wood 10 Gold 10 price Wood 15 Gold 5 "
        'offer give Gold 2 get Wood 3 heard "[Offer: 3 Wood -> 2 Gold]"'
    )
    short = started("hm", prompt="compact", turns=1)
    assert short.observe("player_0") == "over +0"


@pytest.mark.parametrize("options", [{"values": "random"}, {"resources": 5}])
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_a_seat_never_reads_what_only_the_other_one_knows(options: dict[str, object], prompt: str) -> None:
    """The other seat's prices (and goods, where they are private) are changed; until the end no word changes."""
    for seed in range(20):
        game = started(seed=seed, prompt=prompt, **options)
        twin = game.clone()
        twin._prices[1] = dict.fromkeys(twin.resources, 77)
        if len(twin.resources) == 5:
            twin._holdings[1] = dict.fromkeys(twin.resources, 500)
        rng = np.random.default_rng(seed)
        for _ in range(game.turns - 1):
            assert game.observe("player_0") == twin.observe("player_0")
            message = game.sample_action(rng)
            game.play(message)
            twin.play(message)


# Draws


def test_random_prices_leave_gains_from_trade_and_favour_no_seat() -> None:
    rng, rises = np.random.default_rng(0), []
    favourites = set()
    for _ in range(200):
        first, second = draw_endowments(2, "random", rng)
        assert first.units == second.units == {"Wood": 10, "Gold": 10}
        favourite = max(first.prices, key=lambda resource: first.prices[resource])
        favourites.add(favourite)
        assert favourite == min(second.prices, key=lambda resource: second.prices[resource])
        rises.append(worth(first.units, first.prices) - worth(second.units, second.prices))
    assert favourites == {"Wood", "Gold"}
    assert abs(np.mean(rises)) < 5 * np.std(rises) / 200**0.5


def test_five_resources_have_prices_within_a_fifth_of_the_base() -> None:
    rng, seen = np.random.default_rng(0), set()
    for _ in range(300):
        for endowment in draw_endowments(5, "random", rng):
            assert endowment.units.keys() == endowment.prices.keys() == FIVE_PRICES.keys()
            assert all(5 <= count <= 25 for count in endowment.units.values())
            for resource, base in FIVE_PRICES.items():
                assert abs(endowment.prices[resource] - base) <= 0.2 * base
            seen.add(endowment.prices["Ore"])
    assert (min(seen), max(seen)) == (32, 48)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resources": 3}, "2 or 5: got 3"),
        ({"values": "mine"}, "got 'mine'"),
        ({"resources": 5, "values": "fixed"}, "'fixed' with resources=2"),
        ({"turns": 0}, "at least 1: got 0"),
        ({"prompt": "short"}, "full, compact: got 'short'"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimpleNegotiation(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="player_0, player_1: got 'x'"):
        started().observe("x")


# Play


@pytest.mark.parametrize("options", [{}, {"values": "random", "turns": 7}, {"resources": 5}])
def test_sampled_play_is_always_valid_and_zero_sum(options: dict[str, object]) -> None:
    acts: set[str] = set()
    game, rng = SimpleNegotiation(**options), np.random.default_rng(0)  # type: ignore[arg-type]
    for _ in range(150):
        game.start(rng)
        total = [sum(held[resource] for held in game._holdings) for resource in game.resources]
        while game.seat is not None:
            action = game.sample_action(rng)
            acts.add(action.split()[0])
            step = game.play(action)
            assert [sum(held[resource] for held in game._holdings) for resource in game.resources] == total
            assert min(min(held.values()) for held in game._holdings) >= 0
        assert step.rewards["player_0"] + step.rewards["player_1"] == 0
    assert acts == {"I", "[Offer:", "[Accept]", "[Deny]"}


def test_copies_go_on_alike_and_apart() -> None:
    game = started("[Offer: 3 Wood -> 2 Gold]")
    for twin in (game.clone(), pickle.loads(pickle.dumps(game))):
        ahead = game.clone()
        for message in ("[Accept]", "well", "[Offer: 1 Wood -> 1 Gold]"):
            assert twin.play(message) == ahead.play(message)
            assert twin.observe("player_0") == ahead.observe("player_0")
    assert game._holdings == [{"Wood": 10, "Gold": 10}] * 2
    assert game._written == 1


PIECES = st.sampled_from(
    ["[Offer:", "[", "]", "->", "[Accept]", "[Deny]", " 3 ", "Wood", "Gold", ",", "0", "and", "٣ Wood", "\n", "é", '"']
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=20), st.lists(PIECES, max_size=8).map("".join)), max_size=6))
def test_any_text_is_a_message_or_an_illegal_action(texts: list[str]) -> None:
    game = started(turns=4)
    for text in texts:
        before = snapshot(game)
        try:
            game.play(text)
        except IllegalAction as error:
            assert str(error)
            assert snapshot(game) == before
