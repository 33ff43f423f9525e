"""Plain return: reward-to-go per seat."""

import pytest

from turnwise.algorithms.credit.returns import ReturnSettings, credit, rewards_to_go


def test_rewards_to_go_by_hand() -> None:
    assert rewards_to_go([1.0, 0.0, 4.0], 0.5) == [2.0, 2.0, 4.0]
    assert rewards_to_go([1.0, 0.0, 4.0], 0.0) == [1.0, 0.0, 4.0]
    assert rewards_to_go([], 0.5) == []


def test_each_seat_sees_its_own_rewards_only(episode) -> None:
    game = episode("0101", {"0": 3.0, "1": -2.0}, rewards=(1.0, 0.0, 2.0, -2.0))
    assert credit([game], {}, ReturnSettings(discount=0.5))[:2] == ([[2.0, -1.0, 2.0, -2.0]], {})


def test_what_came_after_the_last_own_turn_counts_there(episode) -> None:
    # seat 1 loses when seat 0 makes its last move
    game = episode("010", {"0": 1.0, "1": -1.0}, rewards=(0.0, 0.0, 1.0))
    assert credit([game], {}, ReturnSettings())[0] == [[1.0, -1.0, 1.0]]


def test_others_silent_turns_and_crashes_are_not_trained(episode) -> None:
    game = episode("0101", {"0": 1.0, "1": -1.0}, agents={"1": "random"}, silent=(0,))
    broken = episode("01", {"0": 0.0, "1": 0.0}, status="env_error")
    assert credit([game, broken], {}, ReturnSettings())[0] == [[None, None, 1.0, None], [None, None]]


def test_discount_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"discount is a finite number in \[0, 1\]: got 2"):
        ReturnSettings(discount=2)
