"""The Python tool: mathematics and code repair."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS: tuple[GameSpec, ...] = (
    GameSpec(
        id="PythonMath-LLM",
        entry_point="turnwise.envs.python_tool.math_game:python_math",
        family="python",
        summary="Questions with exact answers, 38 families of them, and Python in a sandbox to work them out.",
    ),
)
