"""Requests that wait: which of them are alike, and who goes on first."""

from turnwise.agents.engine import Ask
from turnwise.agents.groups import Group, Waiting, grouped, merged
from turnwise.agents.sampling import Sampling

WARM, COLD = Sampling(max_tokens=4), Sampling(max_tokens=4, temperature=0.5)


def numbers(groups: list[Group]) -> list[list[int]]:
    return [group.numbers.tolist() for group in groups]


def test_requests_are_alike_where_prompt_settings_and_what_was_begun_are() -> None:
    asks = [
        *(Ask((1, 2), 5, WARM, session="a"), Ask((1, 3), 6, WARM), Ask((1, 2), 7, Sampling(max_tokens=4))),
        *(Ask((1, 2), 8, COLD), Ask((1, 2), 9, WARM, begun=(2,)), Ask((*range(1, 3),), 10, WARM, session="b")),
    ]
    groups = grouped(asks, 10)
    assert numbers(groups) == [[10, 12, 15], [11], [13], [14]]
    assert groups[0].sessions.tolist() == ["a", None, "b"]
    assert [group.streams.tolist() for group in groups[:3]] == [[5, 7, 10], [6], [8]]
    assert groups[3].streams.tolist() != [9]  # a draw was made for the token that was begun


def test_what_comes_at_different_times_is_merged() -> None:
    early, late = grouped([Ask((1, 2), 0, WARM), Ask((3,), 1, WARM)], 0), grouped([Ask((1, 2), 2, WARM)], 2)
    (both, other) = merged([*early, *late])
    assert numbers([both, other]) == [[0, 2], [1]]
    assert both.streams.tolist() == [0, 2]


def test_as_many_are_taken_as_there_is_room_for() -> None:
    """Room for 12 tokens; every request takes as many as the longest context."""
    waiting = Waiting()
    waiting.put(grouped([Ask((1, 2, 3), seed, WARM) for seed in range(5)], 0))
    waiting.put(grouped([Ask((1, 2, 3, 4, 5, 6, 7), 5, WARM)], 5))
    taken, longest = waiting.take(1, 2, 12)
    assert numbers(taken) == [[0, 1, 2]] and longest == 3 and len(waiting) == 3
    assert waiting.take(4, 3, 12) == ([], 3)
    taken, longest = waiting.take(0, 0, 12)
    assert numbers(taken) == [[3, 4]] and longest == 3
    waiting.put(taken, in_front=True)
    waiting.withdraw([3, 99])
    assert numbers(waiting.take(0, 0, 1)[0]) == [[4]]  # one at least, where nothing is going on
    taken, longest = waiting.take(0, 0, 1)
    assert numbers(taken) == [[5]] and longest == 7 and not len(waiting)
