"""Who sits at the other seats: scripted agents, weights of a run or a model folder, models behind an API."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnwise.agents.rollout import Agent
from turnwise.envs.core import TextGame
from turnwise.records import Reply, Request

RUN_DEPTH = 3
"""Folders below a root in which runs are looked for."""
_shared: dict[str, Weights] = {}
_loading = threading.Lock()


class Weights:
    """An agent with weights of its own, loaded once, which the games of several threads ask one after the other."""

    def __init__(self, name: str, agent: Any, settings: Any) -> None:
        self.name, self.context, self.sampling = name, agent.context, agent.sampling
        self._agent, self._settings, self._turn = agent, settings, threading.Lock()

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, computed as the settings of the run say."""
        from turnwise.algorithms.startup import precision

        with self._turn, precision(self._settings):
            replies: list[Reply] = self._agent.act(requests)
        return replies


def load_opponent(name: str, game: TextGame) -> Agent:
    """The agent of a name, a path or `openai:MODEL`. Raises ValueError, saying what would do, where there is none.

    game: any object of the game that is to be played; a scripted agent is tried on it.
    """
    from turnwise.agents.api.settings import ApiSettings
    from turnwise.agents.api.start import api_agent
    from turnwise.agents.scripted import scripted_agent
    from turnwise.algorithms.files import RunFolderError
    from turnwise.algorithms.settings import require_player

    if Path(name).expanduser().is_dir():
        try:
            return _load(name)
        except RunFolderError as error:
            raise ValueError(f"opponent: {error}") from None
    asked = api_agent(name, ApiSettings())
    if asked is not None:
        return asked
    require_player(name, game, "opponent")
    return scripted_agent(name)


def _load(name: str) -> Weights:
    """The weights of a folder, which stay loaded until another version of them is there."""
    from turnwise.algorithms.checkpoint import weights_of
    from turnwise.algorithms.evaluation.folder import settings_of
    from turnwise.algorithms.startup import saved_policy

    folder = Path(name).expanduser()
    place = str(weights_of(folder).resolve())
    with _loading:
        if place not in _shared:
            settings = settings_of(folder, [])
            agent = saved_policy(settings, Path(place), training=False).agent
            _shared[place] = Weights(name, agent, settings)
        return _shared[place]


def arguments_of(name: str, env_id: str) -> Mapping[str, Any]:
    """The arguments that a run was trained at this game with, so that its agent reads what it knows; else none."""
    from turnwise.algorithms.checkpoint import FOLDER
    from turnwise.algorithms.compose import CONFIG, load_config, run_settings

    path = Path(name).expanduser()
    for folder in (path, path.parent.parent):
        if (folder / CONFIG).exists() and (folder / FOLDER).is_dir():
            games = run_settings(load_config(folder)).env.games
            return next((dict(game.kwargs) for game in games if game.id == env_id), {})
    return {}


def known_agents(roots: Sequence[Path]) -> list[str]:
    """Scripted agents by name, then the runs below these folders that have a checkpoint."""
    from turnwise.agents.scripted import SCRIPTED

    return [*SCRIPTED, *(str(run) for root in roots for run in _runs(root, RUN_DEPTH))]


def _runs(folder: Path, depth: int) -> Iterator[Path]:
    from turnwise.algorithms.checkpoint import FOLDER, steps_saved

    with contextlib.suppress(OSError):
        if (folder / FOLDER).is_dir():
            if steps_saved(folder):
                yield folder
        elif depth and folder.is_dir():
            for below in sorted(folder.iterdir()):
                if below.is_dir() and not below.name.startswith("."):
                    yield from _runs(below, depth - 1)
