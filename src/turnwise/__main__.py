"""The `turnwise` command, also `python -m turnwise`. The commands themselves are in `cli.py`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = ("typer", "rich", "hydra", "torch", "transformers", "safetensors")
"""Modules that every command needs and that a plain `pip install turnwise` does not bring."""


def main() -> None:
    """Run the command line. Exits with 2 where the `train` extra is not installed, and says how to install it."""
    missing = [name for name in NEEDED if not _installed(name)]
    if missing:
        print(f"turnwise: {', '.join(missing)} not found; the commands need the train extra:", file=sys.stderr)
        print('    pip install "turnwise[train]"', file=sys.stderr)
        raise SystemExit(2)
    from turnwise.cli import app

    app()


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    main()
