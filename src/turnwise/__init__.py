"""turnwise: a gym and a trainer for language-model agents that act over many turns.

Importing it makes the environment ids known to `gymnasium.make` and loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if (Path(__file__).parent / "envs").is_file():
    raise ImportError(
        "this checkout of turnwise holds text files where symbolic links belong (src/turnwise/envs is a plain file): "
        "clone it anew with `git clone -c core.symlinks=true`, or `pip install turnwise`"
    )

from turnwise.envs.registry import UnknownEnv, make_game, register_gymnasium
from turnwise.envs.requirements import MissingDependency
from turnwise.records import Episode, Message, RecordError, Reply, Request, Turn

if TYPE_CHECKING:
    from turnwise.envs.aec_view import TextGameAEC
    from turnwise.envs.parallel_view import TextGameParallel
    from turnwise.envs.vector import TextVectorEnv

__version__ = "0.1.0"

__all__ = [
    "Episode",
    "Message",
    "MissingDependency",
    "RecordError",
    "Reply",
    "Request",
    "Turn",
    "UnknownEnv",
    "__version__",
    "aec_env",
    "make_game",
    "parallel_env",
    "vector_env",
]


def aec_env(env_id: str, **kwargs: Any) -> TextGameAEC:
    """The game as a `pettingzoo.AECEnv`. Arguments: see `turnwise.envs.aec_view.TextGameAEC`."""
    with _needing("aec_env", "pettingzoo"):
        from turnwise.envs.aec_view import TextGameAEC
    return TextGameAEC(env_id, **kwargs)


def parallel_env(env_id: str, **kwargs: Any) -> TextGameParallel:
    """A game whose seats move at once as a `pettingzoo.ParallelEnv`. Arguments: see `TextGameParallel`."""
    with _needing("parallel_env", "pettingzoo"):
        from turnwise.envs.parallel_view import TextGameParallel
    return TextGameParallel(env_id, **kwargs)


def vector_env(env_id: str, num_envs: int = 1, **kwargs: Any) -> TextVectorEnv:
    """Many games side by side as a `gymnasium.vector.VectorEnv`. Arguments: see `TextVectorEnv`."""
    with _needing("vector_env", "gymnasium"):
        from turnwise.envs.vector import TextVectorEnv
    return TextVectorEnv(num_envs, env_id, **kwargs)


@contextmanager
def _needing(what: str, usual: str) -> Iterator[None]:
    """Turn the absence of Gymnasium or PettingZoo into a MissingDependency that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or usual).partition(".")[0]
        if package not in ("gymnasium", "pettingzoo"):
            raise
        raise MissingDependency(f"{what} needs the package {package!r}: pip install {package}") from error


try:
    register_gymnasium()
except ModuleNotFoundError as missing:  # a machine that only trains may do without Gymnasium
    if (missing.name or "gymnasium").partition(".")[0] != "gymnasium":
        raise
