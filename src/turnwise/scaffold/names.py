"""How the name of a new package is spelt in its places, and which names cannot be."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.resources import files

from turnwise.envs.registry import GAMES

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Names:
    """How one name is spelt in its places."""

    package: str
    """As pip knows it: my-game."""

    @property
    def module(self) -> str:
        """As Python imports it, and as the option of `env=` or `algorithm=`: my_game."""
        return self.package.replace("-", "_")

    @property
    def camel(self) -> str:
        """The class: MyGame."""
        return "".join(part.capitalize() for part in self.module.split("_"))

    @property
    def id(self) -> str:
        """Of an environment: my-game/MyGame-LLM."""
        return f"{self.package}/{self.camel}-LLM"


def names_of(name: str, group: str = "env") -> Names:
    """The spellings of a name. Raises ValueError where it cannot name a package, or its option of `group` is taken."""
    names = Names(name.replace("_", "-"))
    if not _NAME.fullmatch(name):
        raise ValueError(f"a name is small letters, digits and - between them, such as my-game: got {name!r}")
    if keyword.iskeyword(names.module) or names.module in sys.stdlib_module_names or names.module == "turnwise":
        raise ValueError(f"{name!r} is a word or a module of Python's own, or turnwise: choose another name")
    if (files("turnwise.configs") / group / f"{names.module}.yaml").is_file():
        raise ValueError(f"{group}={names.module} is turnwise's own: choose another name")
    if group == "env" and any(
        env_id.partition("/")[0].casefold() == names.package for env_id in GAMES if "/" in env_id
    ):
        raise ValueError(f"the namespace {names.package!r} is taken: choose another name")
    return names
