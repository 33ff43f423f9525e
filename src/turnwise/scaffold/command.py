"""`turnwise new`: a whole package with an environment or an algorithm of one's own, its tests and its entry point."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from turnwise.envs.parser import Words
from turnwise.scaffold.names import Names, names_of
from turnwise.scaffold.write import KINDS, write_package

_ABOUT = (
    "Write a package of your own. env: an environment, which passes `turnwise check` and trains as it is. algorithm: a "
    "credit method with its recipe, which trains as it is."
)
_EXAMPLES = ("turnwise new env my-game", "turnwise new algorithm my-method --folder ~/my-method --author 'A. Author'")


def main(words: Sequence[str] | None = None, *, program: str = "turnwise new") -> int:
    """Write the package and say what to do next. Returns 0, or 2 where it cannot be written."""
    asked = _parser(program).parse_args(words)
    try:
        names = names_of(asked.name, asked.kind)
        folder = Path(asked.folder or names.package)
        written = write_package(asked.kind, names, folder, asked.author)
    except (ValueError, OSError) as error:
        print(f"turnwise: {error}", file=sys.stderr)
        return 2
    following = _next(asked.kind, names, folder)
    if asked.json:
        print(
            json.dumps({"folder": str(folder), "files": [str(path) for path in written], "next": following}, indent=1)
        )
    else:
        print("\n".join([*map(str, written), "", "Next:", *(f"    {line}" for line in following)]))
    return 0


def _parser(program: str) -> Words:
    parser = Words(program, _ABOUT, _EXAMPLES)
    parser.add_argument("kind", metavar="KIND", choices=KINDS, help=" or ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="of the package, such as my-game")
    parser.add_argument("--folder", help="where it goes (default: ./NAME); new or empty")
    parser.add_argument("--author", default="", help="whom pyproject.toml names")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _next(kind: str, names: Names, folder: Path) -> list[str]:
    """The commands with which one goes on."""
    install = f"pip install -e {folder}"
    if kind == "env":
        return [install, f"turnwise check {names.id}", f"turnwise train env={names.module}"]
    return [install, f"python -m pytest {folder}", f"turnwise train algorithm={names.module}"]
