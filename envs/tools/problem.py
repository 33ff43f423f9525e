"""`Problem`: one task of a tool environment, with the one who judges its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from turnwise.envs.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is worth."""

    reward: float
    """In task units."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """Figures for the log, for example `{"exact_match": 1.0}`."""


Judge = Callable[[str, Any], Verdict]
"""(answer, workspace) -> verdict. A function of a module, or a `functools.partial` of one: problems are pickled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One task: what is asked, what the tools work on, and how the answer is judged."""

    question: str
    judge: Judge
    truth: str | None = None
    """The right answer, where there is one text for it."""
    kind: str | None = None
    level: str | None = None
    tools: tuple[Tool, ...] = ()
    """Tools of this problem only, beside those of the environment."""
    workspace: Any = None
    """What the tools change, for example a tree of files; a copy of a game gets a deep copy of it."""
    plan: tuple[str, ...] = ()
    """Replies of an expert, the answer last. Without it the expert answers at once."""


Draw = Callable[[np.random.Generator], Problem]
"""Draws the problem of an episode."""
