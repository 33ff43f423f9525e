"""How much of what has happened an observation tells again: `WithHistory`, `zero_context_diff`."""

from __future__ import annotations

from turnwise.envs.history.diff import zero_context_diff
from turnwise.envs.history.policies import HISTORIES, History, history_policy
from turnwise.envs.history.wrapper import WithHistory, played_game

__all__ = ["HISTORIES", "History", "WithHistory", "history_policy", "played_game", "zero_context_diff"]
