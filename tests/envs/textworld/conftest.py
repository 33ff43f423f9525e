"""One cache of games for all tests of the session, and none outside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnwise.envs import textworld as kinds
from turnwise.envs.textworld import TextWorldGame

SMALL: dict[str, dict[str, Any]] = {
    "coin_collector": {"difficulty": 3, "goal": "brief"},
    "treasure_hunter": {"difficulty": 1},
    "cooking": {"cook": False},
    "simple": {},
    "custom": {"rooms": 2, "objects": 2, "quest_length": 3},
}
"""Settings of a small game of every kind."""


@pytest.fixture(scope="session")
def games_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("games")


@pytest.fixture(autouse=True)
def cached(games_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(games_folder))


@pytest.fixture
def small() -> dict[str, dict[str, Any]]:
    return {kind: kwargs | {"games": 1, "first_game": 7} for kind, kwargs in SMALL.items()}


Make = Callable[..., TextWorldGame]


@pytest.fixture
def make() -> Iterator[Make]:
    """`make("custom", reward="score")`: a small game, the one with seed 7, started; closed at the end."""
    made = []

    def started(kind: str, **kwargs: Any) -> TextWorldGame:
        game: TextWorldGame = getattr(kinds, kind)(**{**SMALL[kind], "games": 1, "first_game": 7} | kwargs)
        made.append(game)
        game.start(np.random.default_rng(0))
        return game

    yield started
    for game in made:
        game.close()
