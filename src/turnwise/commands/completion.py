"""What the TAB key offers beside commands and options: groups of settings with their options, names of environments."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

SETTINGS = ("train", "sft", "eval")
"""Commands that take settings."""


def settings(incomplete: str) -> list[str]:
    """`env=kuhn_poker` and its like for a beginning of it; where several groups begin so, their names."""
    from turnwise.algorithms.compose import groups, options

    group, equals, _ = incomplete.partition("=")
    names = [name for name in groups() if (name == group if equals else name.startswith(group))]
    if len(names) != 1:
        return [f"{name}=" for name in names]
    return _beginning(incomplete, (f"{names[0]}={option}" for option in options(names[0])))


def environments(incomplete: str) -> list[str]:
    """Ids of environments."""
    from turnwise.envs.registry import GAMES

    return _beginning(incomplete, GAMES)


def kinds(incomplete: str) -> list[str]:
    """What can be listed."""
    from turnwise.algorithms.catalogue import KINDS

    return _beginning(incomplete, KINDS)


def packages(incomplete: str) -> list[str]:
    """What `turnwise new` can write."""
    from turnwise.scaffold.write import KINDS

    return _beginning(incomplete, KINDS)


def bash_values() -> list[str] | None:
    """What bash may put behind the = of a setting; None where bash asks for something else.

    To bash GROUP, = and VALUE are three words, and only the last of them is replaced.
    """
    if os.environ.get("_TURNWISE_COMPLETE") != "complete_bash":
        return None
    try:
        words = shlex.split(os.environ["COMP_WORDS"])[: int(os.environ["COMP_CWORD"]) + 1]
    except (KeyError, ValueError):
        return None
    if len(words) < 4 or words[1] not in SETTINGS or "=" not in words[-2:]:
        return None
    group, value = (words[-2], "") if words[-1] == "=" else (words[-3], words[-1])
    return [word.partition("=")[2] for word in settings(f"{group}={value}") if word.partition("=")[2]]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
