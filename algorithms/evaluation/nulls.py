"""Null agents: replies that need no skill. A benchmark that one of them does well at measures something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from turnwise.agents.rollout import Agent
from turnwise.agents.scripted import scripted_agent
from turnwise.envs.parsing import write_action
from turnwise.envs.registry import make_game
from turnwise.records import Reply, Request

NULLS = ("constant", "empty", "copy", "random")
"""`constant` always says the same legal action, `empty` nothing, `copy` what it has just read; `random` plays legal
actions at random."""


class NullAgent:
    """Replies with `speak(request)`."""

    def __init__(self, name: str, speak: Callable[[Request], str]) -> None:
        self.name, self._speak = name, speak

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order."""
        return [Reply(text=self._speak(request)) for request in requests]


def null_agent(name: str, env_id: str, env_kwargs: Mapping[str, Any]) -> Agent:
    """The null agent of that name for a game; `constant` says a legal action of the first position of seed 0."""
    if name == "random":
        return scripted_agent("random")
    if name == "empty":
        return NullAgent(name, lambda request: "")
    if name == "copy":
        return NullAgent(name, lambda request: request.messages[-1].content)
    if name == "constant":
        text = _first_action(env_id, env_kwargs)
        return NullAgent(name, lambda request: text)
    raise ValueError(f"null agents are {', '.join(NULLS)}: got {name!r}")


def _first_action(env_id: str, env_kwargs: Mapping[str, Any]) -> str:
    game, rng = make_game(env_id, **env_kwargs), np.random.default_rng(0)
    try:
        game.start(rng)
        return write_action(game.sample_action(rng), game.legal())
    finally:
        game.close()
