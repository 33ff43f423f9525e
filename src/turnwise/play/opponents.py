"""Who sits at the other seats. Weights are loaded once, and the games of several threads take turns with them."""

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
MOST_MODELS = 4
"""Weights that stay loaded for the next game; those that were asked for longest ago go first."""
_shared: dict[str, Weights] = {}
_loading = threading.Lock()


class Weights:
    """An agent with weights of its own that several games ask one after the other."""

    def __init__(self, name: str, voice: Any) -> None:
        self.name, self.context, self.sampling = name, voice.context, voice.sampling
        self._voice, self._turn = voice, threading.Lock()

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request."""
        with self._turn:
            replies: list[Reply] = self._voice.act(requests)
        return replies


def load_opponent(word: str, game: TextGame, env_id: str, env_kwargs: Mapping[str, Any]) -> Agent:
    """The agent of a word, as `turnwise eval` reads it. Raises ValueError, saying what would do, where there is none.

    game: any object of the game that is to be played; a scripted agent is tried on it.
    """
    from turnwise.agents.scripted import scripted_agent
    from turnwise.algorithms.settings import require_player

    if _is_scripted(word):
        require_player(word, game, "opponent")
        return scripted_agent(word)
    from turnwise.algorithms.evaluation.players import HUMAN, load, player  # loads torch, which takes seconds
    from turnwise.algorithms.files import RunFolderError

    try:
        who = player(word)
        if who.kind == HUMAN:
            raise ValueError("opponent: you are the only person at this table; name an agent")
        if who.kind != "weights":
            return load(who, env_id, env_kwargs)
        with _loading:
            found = _shared.pop(who.fingerprint, None) or Weights(word, load(who, env_id, env_kwargs))
            _shared[who.fingerprint] = found
            for oldest in [*_shared][:-MOST_MODELS]:
                del _shared[oldest]
            return found
    except RunFolderError as error:
        raise ValueError(f"opponent: {error}") from None


def _is_scripted(word: str) -> bool:
    from turnwise.agents.scripted import SCRIPTED

    return (word in SCRIPTED or word.startswith("mcts(")) and not Path(word).exists()


def arguments_of(word: str, env_id: str) -> Mapping[str, Any]:
    """The arguments that a run was trained at this game with, so that its agent reads what it knows; else none."""
    if _is_scripted(word):
        return {}
    from turnwise.algorithms.checkpoint import FOLDER
    from turnwise.algorithms.compose import CONFIG, load_config, run_settings

    path = Path(word).expanduser()
    run = Path(word.rpartition(":")[0]).expanduser()
    for folder in (path, path.parent.parent, run):
        if (folder / CONFIG).exists() and (folder / FOLDER).is_dir():
            games = run_settings(load_config(folder)).env.games
            return next((dict(game.kwargs) for game in games if game.id == env_id), {})
    return {}


def known_agents(roots: Sequence[Path]) -> list[str]:
    """Scripted and null agents by name, then the runs below these folders that have a checkpoint."""
    from turnwise.agents.scripted import SCRIPTED
    from turnwise.algorithms.evaluation.nulls import NULLS

    runs = dict.fromkeys(str(run) for root in roots for run in _runs(root, RUN_DEPTH))
    return [*dict.fromkeys([*SCRIPTED, *NULLS]), *runs]


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
