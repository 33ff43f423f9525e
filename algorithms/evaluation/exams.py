"""What a run is judged at: each of its games and levels, by the measure that fits it. The first gives the headline."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from turnwise.algorithms.evaluation.measure import method_for
from turnwise.algorithms.games import arms_of
from turnwise.algorithms.settings import RunSettings
from turnwise.envs.core import TextGame
from turnwise.envs.registry import make_game


class Exam(NamedTuple):
    """One game that a run is judged at."""

    name: str
    """Stands in the names of its figures; "" for the first one."""
    settings: RunSettings
    """Those of the run, as if this game were its only one."""
    game: TextGame
    method: str
    """exact, win_rate or return."""


def exams_of(settings: RunSettings) -> list[Exam]:
    """One for every game and level of the run, in their order. Raises ValueError where the measure does not fit one."""
    exams: list[Exam] = []
    for arm in arms_of(settings.env.games, every_level=settings.curriculum is not None):
        env = replace(settings.env, id=arm.id, kwargs=arm.kwargs, levels=(), others=())
        alone = replace(settings, env=env, curriculum=None)
        game = make_game(arm.id, **arm.kwargs)
        exams.append(Exam(arm.name if exams else "", alone, game, method_for(alone, game)))
    return exams
