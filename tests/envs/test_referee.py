"""Replies against games: rewards, turns, notices, and every invalid-action policy by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwise.envs.core import TextGame
from turnwise.envs.invalid import Forfeit, Penalty, RandomLegal, Retry
from turnwise.envs.referee import Outcome, Referee


def play(game: TextGame, replies: list[str], **kwargs: Any) -> tuple[Referee, list[Outcome]]:
    referee = Referee(game, **kwargs)
    referee.start(0)
    return referee, [referee.submit(reply) for reply in replies]


def test_a_game_without_mistakes(duel: TextGame) -> None:
    referee, outcomes = play(duel, ["[high]", "I say [low]", "high", r"\boxed{high}"])
    assert [outcome.seat for outcome in outcomes] == ["player_0", "player_1"] * 2
    assert [outcome.action for outcome in outcomes] == ["high", "low", "high", "high"]
    assert {outcome.status for outcome in outcomes} == {"ok"}
    assert [outcome.terminated for outcome in outcomes] == [False, False, False, True]
    assert referee.returns == {"player_0": 1.0, "player_1": -1.0}
    assert (referee.seat, referee.turns, referee.status) == (None, 4, "ok")


def test_observations_are_the_games(duel: TextGame) -> None:
    referee, _ = play(duel, ["[high]"])
    secret = f"Your secret digit is {duel.secrets['player_1']}."  # type: ignore[attr-defined]
    assert referee.observe() == f"{secret}\nplayer_0: high"
    assert referee.observe() == ""


def test_the_same_seed_gives_the_same_game(duel: TextGame) -> None:
    referee = Referee(duel)
    texts = []
    for seed in (5, 6, 5):
        referee.start(seed)
        texts.append(referee.observe("player_0") + referee.observe("player_1"))
    assert texts[0] == texts[2] != texts[1]


@pytest.mark.parametrize("reply", ["[nonsense]", "no idea", ""])
def test_forfeit_costs_the_lowest_return_and_pays_the_other(duel: TextGame, reply: str) -> None:
    referee, (_, outcome) = play(duel, ["[high]", reply])
    assert outcome.rewards == {"player_1": -1.0, "player_0": 1.0}
    assert outcome.terminated and not outcome.truncated
    assert outcome.status == ("illegal" if reply == "[nonsense]" else "unparsable")
    assert outcome.action == ("nonsense" if reply == "[nonsense]" else None)
    assert referee.seat is None
    assert "forfeit" in referee.observe("player_1")
    assert "player_1 forfeited" in referee.observe("player_0")


def test_forfeit_sets_the_return_whatever_was_earned_before(guess: TextGame) -> None:
    referee = Referee(guess)
    referee.start(0)
    wrong = next(digit for digit in "01" if digit != guess.answer)  # type: ignore[attr-defined]
    referee.submit(wrong)
    outcome = referee.submit("[x]")
    assert outcome.rewards == {"player_0": -1.0}  # -0.25 before, lowest return -1.25
    assert referee.returns == {"player_0": -1.25}


def test_forfeit_among_three_leaves_the_others_what_they_have(chat: TextGame) -> None:
    referee, outcomes = play(chat, ["five words are said here", "damn"])
    assert outcomes[1].rewards == {"player_1": 0.0, "player_0": 0.0, "player_2": 0.0}
    assert referee.returns == {"player_0": 0.5, "player_1": 0.0, "player_2": 0.0}
    assert outcomes[1].info == {"reason": "no swearing"}


def test_spiral_and_explicit_forfeits(duel: TextGame) -> None:
    assert play(duel, ["?"], invalid="spiral")[0].returns == {"player_0": -1.5, "player_1": 0.5}
    assert play(duel, ["?"], invalid=Forfeit(offender=-3.0))[0].returns == {"player_0": -3.0, "player_1": 3.0}
    assert play(duel, ["?"], invalid=Forfeit(others=0.0))[0].returns == {"player_0": -1.0, "player_1": 0.0}


def test_retry_asks_again_and_then_forfeits(duel: TextGame) -> None:
    referee = Referee(duel, invalid="retry(2)")
    referee.start(0)
    referee.observe()
    for reply in ("?", "[x]"):
        outcome = referee.submit(reply)
        assert (outcome.rewards, outcome.terminated, referee.seat) == ({}, False, "player_0")
    told = "Your last reply was not valid: 'x' is not high or low. Reply again."
    assert referee.observe() == f"{told}\nYour secret digit is 8."  # said again, for who keeps the latest text only
    assert referee.submit("?").terminated
    assert referee.returns == {"player_0": -1.0, "player_1": 1.0}


def test_a_valid_reply_resets_the_retries(duel: TextGame) -> None:
    referee, outcomes = play(duel, ["?", "high", "?", "high", "?", "high", "?", "low"], invalid="retry(1)")
    assert [outcome.status for outcome in outcomes] == ["unparsable", "ok"] * 4
    assert referee.returns == {"player_0": 1.0, "player_1": -1.0}


def test_unparsable_replies_are_told_what_is_legal(duel: TextGame) -> None:
    referee, _ = play(duel, ["?"], invalid="noop")
    assert "legal actions: [high], [low]" in referee.observe()


def test_noop_asks_for_ever(duel: TextGame) -> None:
    referee, outcomes = play(duel, ["?"] * 50, invalid="noop")
    assert (referee.seat, referee.turns, len(outcomes)) == ("player_0", 50, 50)
    assert referee.returns == {"player_0": 0.0, "player_1": 0.0}


def test_penalty_takes_reward_each_time(duel: TextGame) -> None:
    referee, outcomes = play(duel, ["?", "?", "high"], invalid="penalty(0.25)")
    assert [dict(outcome.rewards) for outcome in outcomes] == [{"player_0": -0.25}, {"player_0": -0.25}, {}]
    assert referee.seat == "player_1"


def test_penalty_then_forfeit_adds_up(duel: TextGame) -> None:
    referee, _ = play(duel, ["?", "?"], invalid=Penalty(0.25, then=Retry(1)))
    assert referee.returns == {"player_0": -1.25, "player_1": 1.0}  # the first quarter is part of the lowest return


def test_nested_retries_count_on(duel: TextGame) -> None:
    referee, outcomes = play(duel, ["?"] * 4, invalid=Retry(1, then=Retry(2)))
    assert [outcome.terminated for outcome in outcomes] == [False, False, False, True]
    assert referee.turns == 4


def test_random_legal_plays_on_and_follows_the_seed(duel: TextGame) -> None:
    played = []
    for seed in (1, 1, 2, 3, 4):
        referee = Referee(duel, invalid=RandomLegal())
        referee.start(seed)
        outcomes = [referee.submit("?") for _ in range(4)]
        assert outcomes[-1].terminated and outcomes[0].status == "unparsable" and outcomes[0].action is None
        played.append([outcome.info["played"] for outcome in outcomes])
        assert played[-1] == duel.moves  # type: ignore[attr-defined]
    assert played[0] == played[1]
    assert len({tuple(moves) for moves in played}) > 1


def test_random_legal_tells_what_was_played(duel: TextGame) -> None:
    referee = Referee(duel, invalid="random_legal")
    referee.start(0)
    referee.observe()
    move = referee.submit("[x]").info["played"]
    referee.submit("high")
    expected = f"Your last reply was not valid: 'x' is not high or low. A random action was played: {move}."
    assert referee.observe() == f"{expected}\nplayer_0: {move}\nplayer_1: high"


def test_a_cut_reply_is_never_read(duel: TextGame) -> None:
    referee = Referee(duel, invalid="retry(1)")
    referee.start(0)
    outcome = referee.submit("[high]", cut=True)
    assert (outcome.status, outcome.action, referee.seat) == ("truncated", None, "player_0")
    assert "cut at the token limit" in referee.observe()


def test_max_turns_truncates_without_reward(duel: TextGame) -> None:
    referee, outcomes = play(duel, ["high", "?", "low"], invalid="noop", max_turns=3)
    assert (outcomes[-1].truncated, outcomes[-1].terminated, outcomes[-1].rewards) == (True, False, {})
    assert (referee.seat, referee.status, referee.turns) == (None, "truncated", 3)
    assert referee.returns == {"player_0": 0.0, "player_1": 0.0}
    assert "stopped after 3 turns" in referee.observe("player_1")


def test_a_game_that_ends_at_the_limit_has_ended(duel: TextGame) -> None:
    referee, outcomes = play(duel, ["high", "low", "high", "low"], max_turns=4)
    assert (outcomes[-1].terminated, outcomes[-1].truncated, referee.status) == (True, False, "ok")


def test_a_limit_of_the_game_itself_is_a_truncation(guess: TextGame) -> None:
    referee = Referee(guess)
    referee.start(0)
    wrong = next(digit for digit in "01" if digit != guess.answer)  # type: ignore[attr-defined]
    outcomes = [referee.submit(wrong) for _ in range(5)]
    assert outcomes[-1].truncated and referee.status == "truncated"
    referee.start(1)
    assert (referee.status, referee.turns, referee.returns) == ("ok", 0, {"player_0": 0.0})


def test_reasons_are_short(duel: TextGame) -> None:
    _, (outcome,) = play(duel, [f"[{'x' * 100_000}]"])
    assert len(outcome.info["reason"]) < 1100


def test_misuse_is_told(duel: TextGame) -> None:
    with pytest.raises(ValueError, match="max_turns is at least 1, or None for no limit: got 0"):
        Referee(duel, max_turns=0)
    referee = Referee(duel)
    with pytest.raises(RuntimeError, match="start"):
        referee.submit("high")
    with pytest.raises(ValueError, match="whose observation"):
        referee.observe()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_returns_are_the_sum_of_the_rewards(duel: TextGame, data: st.DataObject) -> None:
    invalid = data.draw(st.sampled_from(["forfeit", "retry(2)", "random_legal", "penalty(0.1)", "noop"]))
    referee = Referee(duel, invalid=invalid, max_turns=20)
    referee.start(data.draw(st.integers(0, 2**63)))
    totals = {"player_0": 0.0, "player_1": 0.0}
    while referee.seat is not None:
        outcome = referee.submit(data.draw(st.sampled_from(["high", "[low]", "?", "[x]"])))
        for seat, reward in outcome.rewards.items():
            totals[seat] += reward
        assert not (outcome.terminated and outcome.truncated)
    assert referee.returns == pytest.approx(totals)
    if invalid in ("forfeit", "retry(2)", "random_legal"):
        assert sum(referee.returns.values()) == 0.0
