"""A tool environment for tests that a tiny model can learn: who has which colour?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from turnwise.envs.tools.calls import write_answer
from turnwise.envs.tools.game import ToolGame, ToolRules
from turnwise.envs.tools.problem import Problem, Verdict
from turnwise.envs.tools.tool import tool

NAMES = ("ada", "ben", "cleo")
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class IsIt:
    """1 for the right colour."""

    truth: str

    def __call__(self, answer: str, workspace: object) -> Verdict:
        return Verdict(float(answer == self.truth))


def colour(people: dict[str, str], name: str) -> str:
    """The colour of a person, by name."""
    return people.get(name, "nobody")


def draw(rng: np.random.Generator) -> Problem:
    people = {name: COLOURS[int(rng.integers(len(COLOURS)))] for name in NAMES}
    asked = NAMES[int(rng.integers(len(NAMES)))]
    plan = (f"<colour>{asked}</colour>", write_answer(people[asked]))
    return Problem(question=asked, judge=IsIt(people[asked]), truth=people[asked], workspace=people, plan=plan)


def colours(*, prompt: str = "full") -> ToolGame:
    """One call tells the colour; a guess is right once in three times."""
    return ToolGame(draw, [tool(colour, needs_workspace=True)], rules=ToolRules(turns=3, show_schemas=prompt == "full"))
