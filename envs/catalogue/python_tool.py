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
    GameSpec(
        id="CodeRepair-LLM",
        entry_point="turnwise.envs.python_tool.repair.game:code_repair",
        family="python",
        summary="Small repositories with a bug in them: read, edit, run the tests; hidden tests judge the repair.",
    ),
)
