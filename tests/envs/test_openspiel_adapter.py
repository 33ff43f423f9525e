"""The adapter against OpenSpiel itself: whole trees, hidden information, legality, copies, chance."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyspiel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.core import IllegalAction, TextGame, Unsupported
from turnwise.envs.openspiel import (
    OpenSpielGame,
    connect_four,
    kuhn_poker,
    leduc_poker,
    liars_dice,
    nim,
    plain,
    tic_tac_toe,
)

Make = Callable[..., Any]
CURATED = (kuhn_poker, tic_tac_toe, leduc_poker, connect_four, liars_dice, nim)


def whole_tree(make: Make, merge: Callable[[Any], Any], **settings: Any) -> Iterator[tuple[OpenSpielGame, Any]]:
    """Every state of a game beside a `pyspiel.State` that the adapter never touched; states of one `merge` once."""
    game = make(**settings)
    game.start(np.random.default_rng(0))
    game.begin()
    stack, seen = [(game, game.spiel_game.new_initial_state())], set()
    while stack:
        here, state = stack.pop()
        yield here, state
        for action in state.legal_actions():
            after = state.child(action)
            if merge(after) not in seen:
                seen.add(merge(after))
                twin = here.clone()
                twin.apply(action)
                stack.append((twin, after))


def by_history(state: Any) -> str:
    return str(state.history())


TREES: list[tuple[Make, Callable[[Any], Any], int]] = [
    (kuhn_poker, by_history, 58),
    (leduc_poker, by_history, 9457),
    (tic_tac_toe, str, 5478),
]
"""States per game, counted by walking OpenSpiel alone: Kuhn 1 + 3 + 6 * 9, Leduc, tic-tac-toe boards."""


@pytest.mark.parametrize(("make", "merge", "size"), TREES)
def test_every_state_agrees_with_openspiel(make: Make, merge: Callable[[Any], Any], size: int) -> None:
    count = 0
    for game, state in whole_tree(make, merge):
        count += 1
        player = state.current_player()
        assert game.seat == (f"player_{player}" if player >= 0 else None)
        assert merge(game.state) == merge(state)
        if player < 0:
            assert game.legal() == ()
            continue
        assert [game.action_id(name) for name in game.legal()] == state.legal_actions()
        assert [game.action_name(action) for action in state.legal_actions()] == list(game.legal())
        for name, action in zip(game.legal(), state.legal_actions(), strict=True):
            after, twin = state.child(action), game.clone()
            step = twin.play(name)
            assert step.terminated == after.is_terminal()
            assert not step.truncated
            rewards = [step.rewards.get(seat, 0.0) for seat in game.seats]
            assert rewards == after.returns()
    assert count == size


@pytest.mark.parametrize(
    ("make", "settings", "infostates"),
    [
        (kuhn_poker, {}, 12),
        (kuhn_poker, {"players": 3}, 48),
        (leduc_poker, {}, 936),
        (leduc_poker, {"suit_isomorphism": True}, 288),
        (liars_dice, {"dice_sides": 3}, 192),
        (liars_dice, {"dice_sides": 2, "numdice": 2}, 768),
    ],
)
def test_each_information_state_has_one_text(make: Make, settings: dict[str, Any], infostates: int) -> None:
    """Equal knowledge, equal words: so nothing hidden is in them. In the compact prompt also: other words, other state.

    (The full prompt leaves a seat's own moves to its own replies.)
    """
    for prompt in ("compact", "full"):
        found: dict[tuple[str, str], str] = {}
        for game, state in whole_tree(make, by_history, prompt=prompt, **settings):
            if game.seat is not None:
                text = game.clone().observe(game.seat)
                assert found.setdefault((game.seat, state.information_state_string()), text) == text
        assert len(found) == infostates
        assert prompt == "full" or len(set(found.values())) == infostates


def test_each_tic_tac_toe_board_has_one_compact_text() -> None:
    texts: dict[str, str] = {}
    for game, state in whole_tree(tic_tac_toe, str, prompt="compact"):
        if game.seat is not None:
            texts[str(state)] = game.clone().observe(game.seat)
    assert len(texts) == len(set(texts.values())) == 4520  # 5,478 boards, 958 of them final


@pytest.mark.parametrize("make", [kuhn_poker, leduc_poker])
def test_what_a_seat_has_read_never_depends_on_the_hidden_card_before_a_showdown(make: Make) -> None:
    """Transcripts, every observation read when it comes, of all deals that the seat cannot tell apart; folds too."""
    known: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def walk(game: OpenSpielGame, read: dict[str, tuple[str, ...]]) -> None:
        read = {seat: (*lines, game.observe(seat)) for seat, lines in read.items()}
        history = game.state.history()
        if len(history) >= 2 and not (game.state.is_terminal() and not _folded(make, history)):
            for player, seat in enumerate(game.seats):
                visible = tuple(-1 if index == 1 - player else action for index, action in enumerate(history))
                assert known.setdefault((player, *visible), read[seat]) == read[seat]
        for action in game.state.legal_actions():
            twin = game.clone()
            twin.apply(action)
            walk(twin, read)

    game = make()
    game.start(np.random.default_rng(0))
    game.begin()
    walk(game, dict.fromkeys(game.seats, ()))
    assert len(known) == (36 if make is kuhn_poker else 3180)  # Kuhn: 3 cards, 2 seats, 6 histories


def _folded(make: Make, history: list[int]) -> bool:
    if make is leduc_poker:
        return history[-1] == 0
    return history[-2:] == [1, 0]


@pytest.mark.parametrize("make", CURATED)
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_random_playouts_agree_with_openspiel(make: Make, prompt: str) -> None:
    game, rng = make(prompt=prompt), np.random.default_rng(5)
    for _ in range(60):
        game.start(rng)
        total = dict.fromkeys(game.seats, 0.0)
        while game.seat is not None:
            text = game.observe(game.seat)
            assert text
            assert ("\n" in text) == (prompt == "full")
            assert game.observe(game.seat) == ""
            names = game.legal()
            assert len(set(names)) == len(names)
            assert [game.action_id(name) for name in names] == game.state.legal_actions()
            step = game.play(names[int(rng.random() * len(names))])
            for seat, reward in step.rewards.items():
                total[seat] += reward
        assert step.terminated
        assert list(total.values()) == game.state.returns()
        assert game.legal() == ()
        for seat in game.seats:
            assert game.observe(seat)
            assert game.observe(seat) == ""


@pytest.mark.parametrize("make", CURATED)
def test_an_observation_repeats_nothing_but_the_board(make: Make) -> None:
    game = make()
    game.start(np.random.default_rng(1))
    first = game.observe("player_0")
    assert first.count("Answer with") == 1
    assert "You are player_0." in first
    game.play(game.legal()[0])
    game.observe("player_1")
    game.play(game.legal()[0])
    again = game.observe("player_0")
    assert "Answer with" not in again
    assert "You are" not in again


@pytest.mark.parametrize("make", CURATED)
def test_legal_moves_are_listed_when_asked_and_only_to_the_seat_that_acts(make: Make) -> None:
    for prompt, show, listed in (
        ("full", None, "Legal moves: ["),
        ("full", False, None),
        ("compact", None, None),
        ("compact", True, " moves "),
    ):
        game = make(prompt=prompt, show_legal_moves=show)
        game.start(np.random.default_rng(1))
        own, other = game.observe("player_0"), game.observe("player_1")
        if listed is None:
            assert "Legal moves" not in own
            assert " moves " not in own.partition("You are")[2]
        else:
            assert all(name in own.partition(listed)[2] for name in game.legal())
            assert "Legal moves" not in other


def play_some(game: TextGame, rng: np.random.Generator, turns: int) -> None:
    game.start(rng)
    for _ in range(turns):
        game.observe(game.seat or "player_0")
        game.play((game.legal() or ("",))[0])


@pytest.mark.parametrize("make", CURATED)
@pytest.mark.parametrize("turns", [0, 1])
def test_clones_and_pickles_go_on_alike_and_apart(make: Make, turns: int) -> None:
    game = make()
    play_some(game, np.random.default_rng(3), turns)
    for twin in (game.clone(), pickle.loads(pickle.dumps(game))):
        assert twin.seat == game.seat
        assert twin.legal() == game.legal()
        assert twin.state.history() == game.state.history()
        assert twin.anchor() == game.anchor()
        ahead, behind = game.clone(), game.state.history()
        while ahead.seat is not None:
            assert twin.observe(ahead.seat) == ahead.observe(ahead.seat)
            name = ahead.legal()[-1]
            assert twin.play(name) == ahead.play(name)
        assert twin.state.history() == ahead.state.history()
        assert game.state.history() == behind


def test_a_clone_draws_the_same_public_card_and_leaves_the_generator_of_the_other_alone() -> None:
    for seed in range(20):
        game = leduc_poker()
        game.start(np.random.default_rng(seed))
        twin = game.clone()
        for copy in (game, twin):
            copy.play("check")
            copy.play("check")
        assert game.state.history() == twin.state.history()


def test_pickles_before_the_start_and_after_the_end() -> None:
    fresh = pickle.loads(pickle.dumps(kuhn_poker(prompt="compact")))
    fresh.start(np.random.default_rng(0))
    fresh.play("bet")
    fresh.play("fold")
    over = pickle.loads(pickle.dumps(fresh))
    assert over.seat is None
    assert over.observe("player_0") == "over +1"


@pytest.mark.parametrize("make", CURATED)
def test_illegal_text_raises_and_changes_nothing(make: Make) -> None:
    game = make()
    play_some(game, np.random.default_rng(3), 1)
    before, seat, names = game.state.history(), game.seat, game.legal()
    for text in ("", "castle", "[" + names[0] + "]", names[0].upper() + " ", "-5", "99"):
        with pytest.raises(IllegalAction, match="not a legal move now") as caught:
            game.play(text)
        assert f"[{names[0]}]" in str(caught.value)
    assert (game.state.history(), game.seat, game.legal()) == (before, seat, names)
    with pytest.raises(IllegalAction, match="legal action ids"):
        game.apply(99_999)
    with pytest.raises(IllegalAction, match="legal action ids"):
        game.action_name(99_999)
    with pytest.raises(IllegalAction, match="not a legal move"):
        game.action_id("castle")
    assert game.state.history() == before


@pytest.mark.parametrize("make", CURATED)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=12), max_size=4), seed=st.integers(0, 1000))
def test_any_text_is_legal_or_an_illegal_action(make: Make, texts: list[str], seed: int) -> None:
    game = make(prompt="compact")
    game.start(np.random.default_rng(seed))
    for text in texts:
        try:
            game.play(text)
        except IllegalAction as error:
            assert str(error)


def test_nothing_can_be_played_after_the_end() -> None:
    game = kuhn_poker()
    play_some(game, np.random.default_rng(0), 2)
    assert game.seat is None
    with pytest.raises(IllegalAction, match="the game is over"):
        game.play("check")
    with pytest.raises(Unsupported, match="anchor only where a seat acts"):
        game.anchor()


def test_a_game_that_has_not_begun_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"call start\(rng\) first"):
        kuhn_poker().legal()
    game = kuhn_poker()
    game.begin()
    with pytest.raises(RuntimeError, match="chance needs a generator"):
        game.resolve_chance()
    with pytest.raises(ValueError, match="player_0, player_1: got 'north'"):
        game.observe("north")


def test_nothing_is_read_before_chance_is_resolved() -> None:
    game = kuhn_poker(prompt="compact")
    game.begin()
    assert game.observe("player_0") == ""
    assert game.action_name(2) == "Deal:2"
    game.apply(2)
    game.apply(0)
    assert game.observe("player_0") == "card King history none"


class FixedDraws:
    """A stand-in generator that gives these numbers."""

    def __init__(self, *draws: float) -> None:
        self._draws = list(draws)

    def random(self) -> float:
        return self._draws.pop(0)


def test_chance_is_the_inverse_of_the_cumulative_distribution() -> None:
    game = kuhn_poker()
    # cards 0, 1, 2 at a third each: 0.34 is card 1; of the rest {0, 2} at a half each: 0.5 is card 2
    game.start(FixedDraws(0.34, 0.5))
    assert game.state.history() == [1, 2]
    game.start(FixedDraws(0.999999999, 0.499))
    assert game.state.history() == [2, 0]


def test_all_deals_come_equally_often() -> None:
    game, rng = kuhn_poker(), np.random.default_rng(0)
    counts: dict[str, int] = {}
    for _ in range(6000):
        game.start(rng)
        counts[str(game.state)] = counts.get(str(game.state), 0) + 1
    assert len(counts) == 6
    assert all(abs(count - 1000) < 5 * 29 for count in counts.values())  # sd of a binomial(6000, 1/6): 28.9


def test_the_same_seed_gives_the_same_episode() -> None:
    games = [liars_dice(), liars_dice()]
    for game in games:
        game.start(np.random.default_rng(42))
    assert games[0].state.history() == games[1].state.history()


def test_declared_members_come_from_openspiel() -> None:
    game = leduc_poker(players=3)
    assert game.seats == ("player_0", "player_1", "player_2")
    assert (game.zero_sum, game.utility_bounds) == (True, (-13.0, 26.0))
    assert game.can_clone
    assert game.has_anchor
    assert not game.dense_rewards
    assert not game.simultaneous


def test_bad_settings_are_refused_with_what_is_possible(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="full, compact: got 'short'"):
        kuhn_poker(prompt="short")
    with pytest.raises(ValueError, match="OpenSpiel cannot make kuhn_poker"):
        kuhn_poker(players=77)
    with pytest.raises(ValueError, match="OpenSpiel cannot make no_such_game"):
        plain("no_such_game")


def test_games_without_texts_of_ours_speak_openspiel() -> None:
    game, rng = plain("goofspiel", num_cards=4, imp_info=True, points_order="descending"), np.random.default_rng(0)
    assert game.simultaneous
    game.start(rng)
    assert game.legal() == ("(P0)Bid: 1", "(P0)Bid: 2", "(P0)Bid: 3", "(P0)Bid: 4")
    twin = game.clone()
    game.play("(P0)Bid: 3")
    twin.play("(P0)Bid: 4")
    assert game.observe("player_1") == twin.observe("player_1")  # the bid of player_0 is not shown
    while game.seat is not None:
        step = game.play(game.sample_action(rng))
    assert list(step.rewards.values()) == game.state.returns()


def test_rewards_on_the_way_add_up_to_the_returns() -> None:
    game, rng = plain("pathfinding"), np.random.default_rng(0)
    assert game.dense_rewards
    game.start(rng)
    total = 0.0
    while game.seat is not None:
        total += game.play(game.sample_action(rng)).rewards["player_0"]
    assert total == pytest.approx(game.state.returns()[0], abs=1e-9)


def test_a_game_that_hides_its_chance_is_seeded_from_our_generator() -> None:
    views = []
    for seed in (1, 1, 2):
        game = plain("negotiation")
        game.start(np.random.default_rng(seed))
        views.append(game.observe("player_0"))
    assert views[0] == views[1] != views[2]
    assert not any("[" in name or "]" in name for name in game.legal())
    with pytest.raises(Unsupported, match="cannot be cloned"):
        game.clone()
    twin = pickle.loads(pickle.dumps(game))
    assert str(twin.state) == str(game.state)
    assert twin.legal() == game.legal()


def test_positions_are_shared_between_games_and_forgotten_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnwise.envs.openspiel.positions.LIMIT", 10)
    game, rng = nim(pile_sizes=(2, 3)), np.random.default_rng(0)
    for _ in range(50):
        game.start(rng)
        while game.seat is not None:
            game.observe(game.seat)
            step = game.play(game.sample_action(rng))
        assert list(step.rewards.values()) == game.state.returns()
    assert len(game._positions._known) <= 10


def test_the_version_of_openspiel_has_every_curated_game() -> None:
    names = set(pyspiel.registered_names())
    assert {make.__name__ for make in CURATED} <= names
