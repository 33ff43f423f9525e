"""PAV as an advantage, with a pencil: the prover's chances are 1/4 before the first turn and 3/4 before the second."""

from __future__ import annotations

import dataclasses

import pytest

from turnwise.algorithms.rewards.pav import PAVSettings
from turnwise.algorithms.shaping.pav import shape


@pytest.fixture
def game(episode):
    """Two turns of two tokens; the second one wins."""
    found = episode("00", {"0": 1.0}, rewards=(0.0, 1.0))
    turns = [dataclasses.replace(turn, value=value) for turn, value in zip(found.turns, (0.25, 0.75), strict=True)]
    return dataclasses.replace(found, turns=tuple(turns))


def test_progress_comes_on_top_of_the_outcome(game) -> None:
    # A = [3/4 - 1/4, 1 + 0 - 3/4] = [1/2, 1/4]
    table, figures = shape([game], [[1.0, 1.0]], PAVSettings())
    assert table == [[1.5, 1.25]]
    assert figures == {"progress": 0.375}


def test_alpha_weighs_it_and_tokens_share_it(game) -> None:
    table, _ = shape([game], [[(0.0, 1.0), -1.0]], PAVSettings(alpha=2.0))
    assert table == [[(1.0, 2.0), -0.5]]
    assert shape([game], [[1.0, -1.0]], PAVSettings(alpha=0.0))[0] == [[1.0, -1.0]]


def test_the_best_of_two_tries(game) -> None:
    # 1 - (3/4)^2 = 7/16 and 1 - (1/4)^2 = 15/16
    table, _ = shape([game], [[0.0, 0.0]], PAVSettings(best_of=2))
    assert table == [[0.5, 0.0625]]


def test_what_is_not_trained_stays_so(game) -> None:
    crashed = dataclasses.replace(game, status="env_error", turns=game.turns[:1])
    table, figures = shape([game, crashed], [[None, 1.0], [None]], PAVSettings())
    assert table == [[None, 1.25], [None]]
    assert figures == {"progress": 0.25}
    assert shape([crashed], [[None]], PAVSettings()) == ([[None]], {})


def test_a_value_that_is_missing_is_named(episode) -> None:
    with pytest.raises(ValueError, match="needs the value of turn 0"):
        shape([episode("0", {"0": 1.0})], [[1.0]], PAVSettings())
