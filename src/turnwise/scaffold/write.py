"""Writing a package from its templates: `KINDS`, `write_package`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from turnwise.scaffold.names import Names

KINDS: dict[str, dict[str, str]] = {
    "env": {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        "src/{module}/__init__.py": "init.py",
        "src/{module}/game.py": "game.py",
        "src/{module}/configs/env/{module}.yaml": "config.yaml",
        "tests/test_{module}.py": "test_game.py",
    },
    "algorithm": {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        "src/{module}/__init__.py": "init.py",
        "src/{module}/credit.py": "credit.py",
        "src/{module}/configs/algorithm/{module}.yaml": "config.yaml",
        "tests/test_{module}.py": "test_credit.py",
    },
}
"""What can be made -> path in the package -> template."""
EMPTY = "src/{module}/py.typed"


def write_package(kind: str, names: Names, folder: Path, author: str = "") -> list[Path]:
    """The files written, all in `folder`. Raises ValueError where something stands there, and OSError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty: choose another with --folder")
    if any(mark in author for mark in '"\\\n'):
        raise ValueError(f"an author is a name without quotes, backslashes and line breaks: got {author!r}")
    values = {
        "package": names.package,
        "module": names.module,
        "name": names.camel,
        "id": names.id,
        "authors": f'authors = [{{ name = "{author}" }}]\n' if author else "",
    }
    written = []
    for target, text in _texts(kind, values).items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _texts(kind: str, values: Mapping[str, str]) -> dict[str, str]:
    """Path in the package -> content."""
    folder = files("turnwise.scaffold") / "templates" / kind
    texts = {
        place: Template((folder / f"{name}.tmpl").read_text(encoding="utf-8")).substitute(values)
        for place, name in KINDS[kind].items()
    }
    return {place.format(**values): text for place, text in {**texts, EMPTY: ""}.items()}
