"""turnwise: a gym and a trainer for language-model agents that act over many turns.

Importing it makes the environment ids known to `gymnasium.make` and loads nothing heavy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if (Path(__file__).parent / "envs").is_file():
    raise ImportError(
        "this checkout of turnwise holds text files where symbolic links belong (src/turnwise/envs is a plain file): "
        "clone it anew with `git clone -c core.symlinks=true`, or `pip install turnwise`"
    )

from turnwise.envs.registry import MissingDependency, UnknownEnv, make_game, register_gymnasium
from turnwise.records import Episode, Message, RecordError, Reply, Request, Turn

if TYPE_CHECKING:
    from turnwise.envs.aec_view import TextGameAEC

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
]


def aec_env(env_id: str, **kwargs: Any) -> TextGameAEC:
    """The game as a `pettingzoo.AECEnv`. Arguments: see `turnwise.envs.aec_view.TextGameAEC`."""
    try:
        from turnwise.envs.aec_view import TextGameAEC
    except ModuleNotFoundError as error:
        package = (error.name or "pettingzoo").partition(".")[0]
        if package not in ("gymnasium", "pettingzoo"):
            raise
        raise MissingDependency(f"aec_env needs the package {package!r}: pip install {package}") from error
    return TextGameAEC(env_id, **kwargs)


try:
    register_gymnasium()
except ModuleNotFoundError as missing:  # a machine that only trains may do without Gymnasium
    if (missing.name or "gymnasium").partition(".")[0] != "gymnasium":
        raise
