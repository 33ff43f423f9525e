"""From the id of a level to MiniGrid's environment, without a word on the standard output."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
from collections.abc import Iterator
from typing import Any

from turnwise.envs.minigrid.names import LEFT_OUT, LEVELS


def check_level(level: object) -> str:
    """The level, if there is one of that id. Raises ValueError, with the nearest id or why it is left out."""
    if isinstance(level, str) and level in LEVELS:
        return level
    if isinstance(level, str) and level in LEFT_OUT:
        raise ValueError(f"level {level} is left out: {LEFT_OUT[level]}")
    near = difflib.get_close_matches(str(level)[:60], LEVELS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"for example {LEVELS[0]!r}; all are in envs/minigrid/names.py"
    raise ValueError(f"level is an id of MiniGrid's: got {level!r}; {hint}")


def load(level: str) -> Any:
    """A new `MiniGridEnv`, bare of Gymnasium's wrappers."""
    with silence():
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import minigrid  # noqa: F401  # registers its levels
        from gymnasium.envs.registration import load_env_creator, registry

        spec = registry[level]
        assert spec.entry_point is not None  # for type checkers: every level has one
        make = spec.entry_point if callable(spec.entry_point) else load_env_creator(spec.entry_point)
        return make(**spec.kwargs)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """BabyAI prints a line for every layout that it throws away; nobody reads it here."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
