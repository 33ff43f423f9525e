"""What a batch of episodes says about the policy, counted by hand."""

from __future__ import annotations

from dataclasses import replace

from turnwise.algorithms.metrics import episode_metrics, even_groups
from turnwise.records import Episode, Turn


def turn(seat: str, tokens: int, status: str = "ok") -> Turn:
    return Turn(
        seat=seat,
        observation=(),
        text="",
        status=status,
        completion_ids=tuple(range(tokens)),
        logprobs=(-1.0,) * tokens,
    )


def episode(turns: tuple[Turn, ...], returns: tuple[float, float], seats: str, status: str = "ok") -> Episode:
    names = {"p": "policy", "o": "opponent"}
    return Episode(
        id="e",
        env_id="G",
        seats={"a": names[seats[0]], "b": names[seats[1]]},
        turns=turns,
        returns=dict(zip("ab", returns, strict=True)),
        status=status,
    )


def test_counts_by_hand() -> None:
    episodes = [
        episode((turn("a", 3), turn("b", 5), turn("a", 1, "illegal")), (-1.0, 1.0), "pp"),
        episode((turn("a", 2), turn("b", 2, "truncated")), (2.0, -2.0), "pp", "truncated"),
        episode((turn("a", 9, "unparsable"), turn("b", 4)), (0.0, 0.0), "op"),
        episode((turn("a", 6), turn("b", 7)), (0.0, 0.0), "po"),
    ]
    assert episode_metrics(episodes, "policy") == {
        "return/a": (-1.0 + 2.0 + 0.0) / 3,
        "return/b": (1.0 - 2.0 + 0.0) / 3,
        "win_rate/a": 1 / 3,
        "win_rate/b": 1 / 3,
        "invalid_rate": 2 / 7,  # 3 + 2 + 1 + 1 turns of the policy; the opponent's do not count
        "unparsable_rate": 0.0,
        "illegal_rate": 1 / 7,
        "truncated_rate": 1 / 7,
        "episode_truncated_rate": 1 / 4,
        "reply_tokens": (3 + 5 + 1 + 2 + 2 + 4 + 6) / 7,
    }


def test_a_policy_that_was_never_asked() -> None:
    found = episode_metrics([episode((turn("a", 1),), (1.0, -1.0), "oo")], "policy")
    assert (found["invalid_rate"], found["reply_tokens"]) == (0.0, 0.0)
    assert not [name for name in found if name.startswith("return")]


def test_groups_whose_returns_are_all_equal() -> None:
    """Four groups: two returns that differ; equal ones; equal ones of the policy alone; a group of one."""
    games = [
        *(
            replace(episode((), (1.0, 0.0), "pp"), group="differs"),
            replace(episode((), (2.0, 0.0), "pp"), group="differs"),
        ),
        *(replace(episode((), (1.0, 0.0), "pp"), group="equal") for _ in range(3)),
        replace(episode((), (1.0, 5.0), "po"), group="opponent"),
        replace(episode((), (1.0, 6.0), "po"), group="opponent"),
        replace(episode((), (1.0, 6.0), "pp"), group="alone"),
        episode((), (9.0, 9.0), "pp"),
    ]
    assert even_groups(games, "policy") == {"even_groups": 2 / 3}
    assert even_groups(games[-2:], "policy") == {}
