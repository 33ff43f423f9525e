"""The family as a whole: the kit at every level and with dense rewards, refused arguments, luck."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from turnwise.envs.checker.result import FAILED
from turnwise.envs.checker.run import check_game
from turnwise.envs.checker.subject import Subject
from turnwise.envs.registry import GAMES, make_game

IDS = [name for name, spec in GAMES.items() if spec.family == "credit"]
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((env_id, {"level": level, "dense": level == "hard"}) for env_id in IDS for level in ("medium", "hard")),
    ("Bifurcation-LLM", {"turns": 1}),
    ("ToolChain-LLM", {"people": 3, "turns": 3}),
    ("KeyDoor-LLM", {"height": 1, "width": 3, "turns": 6}),
]


def test_the_family() -> None:
    assert IDS == ["Bifurcation-LLM", "ToolChain-LLM", "KeyDoor-LLM"]


@pytest.mark.parametrize(("env_id", "kwargs"), VARIANTS)
def test_the_kit_passes(env_id: str, kwargs: dict[str, Any]) -> None:
    report = check_game(Subject(env_id, **kwargs))
    failed = [f"{result.name}: {result.detail}" for result in report.results if result.verdict == FAILED]
    sized = "level" not in kwargs  # a size of one's own has no level
    assert [text for text in failed if not (sized and text.startswith("levels: "))] == []


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
@pytest.mark.parametrize("env_id", IDS)
def test_random_play_sometimes_wins_and_the_solution_always(env_id: str, level: str) -> None:
    game, rng = make_game(env_id, level=level), np.random.default_rng(0)
    won = 0.0
    for seed in range(100):
        for solved in (False, True):
            game.start(np.random.default_rng(seed))
            total = 0.0
            while game.seat is not None:
                action = game.solution()[0] if solved else game.sample_action(rng)
                total += game.play(action).rewards["player_0"]
            assert total == 1.0 or not solved
            won += total * (not solved)
    assert 2 <= won <= 75


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        *((env_id, {"prompt": "short"}, "prompt is one of full, compact: got 'short'") for env_id in IDS),
        *((env_id, {"level": "x"}, "level is one of easy, medium, hard: got 'x'") for env_id in IDS),
        ("Bifurcation-LLM", {"turns": 0}, "turns is a whole number from 1 to 50: got 0"),
        ("Bifurcation-LLM", {"ways": 5}, "ways is a whole number from 2 to 4: got 5"),
        ("ToolChain-LLM", {"people": 6}, "people is a whole number from 2 to 5: got 6"),
        ("ToolChain-LLM", {"turns": 2}, "turns is a whole number from 3 to 20: got 2"),
        ("KeyDoor-LLM", {"width": 2}, "width is a whole number from 3 to 8: got 2"),
        ("KeyDoor-LLM", {"height": 3, "turns": 7}, "turns is a whole number from 8 to 500: got 7"),
    ],
)
def test_impossible_arguments_are_refused(env_id: str, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_game(env_id, **kwargs)


@pytest.mark.parametrize("env_id", IDS)
def test_a_level_is_told_where_nothing_else_was_asked_for(env_id: str) -> None:
    assert make_game(env_id, level="medium").level == "medium"
    assert make_game(env_id, turns=19).level is None
