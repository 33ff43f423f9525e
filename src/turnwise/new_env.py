"""`turnwise new env NAME`: a complete package with an environment, its config, its tests and its entry point."""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from turnwise.envs.registry import GAMES

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_ABOUT = "Write a package with an environment of your own, which passes `turnwise check` and trains as it is."


@dataclass(frozen=True, slots=True)
class Names:
    """How one name is spelt in its places."""

    package: str
    """As pip knows it: my-game."""

    @property
    def module(self) -> str:
        """As Python imports it, and as the option of `env=`: my_game."""
        return self.package.replace("-", "_")

    @property
    def game(self) -> str:
        """The class: MyGame."""
        return "".join(part.capitalize() for part in self.module.split("_"))

    @property
    def id(self) -> str:
        """my-game/MyGame-LLM."""
        return f"{self.package}/{self.game}-LLM"


def main(words: Sequence[str] | None = None, *, program: str = "turnwise new") -> int:
    """Write the package and say what to do next. Returns 0, or 2 where it cannot be written."""
    asked = _parser(program).parse_args(words)
    try:
        names = names_of(asked.name)
        folder = Path(asked.folder or names.package)
        written = write_package(names, folder, asked.author)
    except (ValueError, OSError) as error:
        print(f"turnwise: {error}", file=sys.stderr)
        return 2
    for path in written:
        print(path)
    print(f"\nNext:\n    pip install -e {folder}\n    turnwise check {names.id}\n    turnwise train env={names.module}")
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=_ABOUT, allow_abbrev=False)
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    env = kinds.add_parser("env", help=_ABOUT, description=_ABOUT, allow_abbrev=False)
    env.add_argument("name", metavar="NAME", help="of the package, such as my-game")
    env.add_argument("--folder", help="where it goes (default: ./NAME); new or empty")
    env.add_argument("--author", default="", help="whom pyproject.toml names")
    return parser


def names_of(name: str) -> Names:
    """The spellings of a name. Raises ValueError where it cannot name a package, or is taken."""
    names = Names(name.replace("_", "-"))
    if not _NAME.fullmatch(name):
        raise ValueError(f"a name is small letters, digits and - between them, such as my-game: got {name!r}")
    if keyword.iskeyword(names.module) or names.module in sys.stdlib_module_names or names.module == "turnwise":
        raise ValueError(f"{name!r} is a word or a module of Python's own, or turnwise: choose another name")
    if (files("turnwise.configs") / "env" / f"{names.module}.yaml").is_file():
        raise ValueError(f"env={names.module} is an environment of turnwise's own: choose another name")
    if any(env_id.partition("/")[0].casefold() == names.package for env_id in GAMES if "/" in env_id):
        raise ValueError(f"the namespace {names.package!r} is taken: choose another name")
    return names


def write_package(names: Names, folder: Path, author: str = "") -> list[Path]:
    """The files written, all in `folder`. Raises ValueError where something stands there, and OSError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty: choose another with --folder")
    if any(mark in author for mark in '"\\\n'):
        raise ValueError(f"an author is a name without quotes, backslashes and line breaks: got {author!r}")
    values = {
        "package": names.package,
        "module": names.module,
        "option": names.module,
        "name": names.game,
        "id": names.id,
        "authors": f'authors = [{{ name = "{author}" }}]\n' if author else "",
    }
    written = []
    for target, text in _texts(names, values).items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _texts(names: Names, values: Mapping[str, str]) -> dict[str, str]:
    """Path in the package -> content."""
    source = f"src/{names.module}"
    places = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{source}/__init__.py": "init.py",
        f"{source}/game.py": "game.py",
        f"{source}/configs/env/{names.module}.yaml": "config.yaml",
        f"tests/test_{names.module}.py": "test_game.py",
    }
    folder = files("turnwise.envs") / "templates" / "plugin"
    texts = {
        path: Template((folder / f"{name}.tmpl").read_text(encoding="utf-8")).substitute(values)
        for path, name in places.items()
    }
    return {**texts, f"{source}/py.typed": ""}
