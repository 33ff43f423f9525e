"""The `turnwise` command, also `python -m turnwise`. The commands themselves are in `cli.py`."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec

from turnwise.plain import PLAIN, run_plain

NEEDED = ("typer", "rich", "hydra", "torch", "transformers", "safetensors")
"""Modules that most commands need and that a plain `pip install turnwise` does not bring."""

CHATTY = ("torchao", "torch.utils._pytree")
"""What transformers imports where torchao is installed warns of kernels for other GPUs than this machine has."""


def main() -> None:
    """Run the command line. Exits with 2 where the `train` extra is missing and needed, and says how to install it."""
    missing = [name for name in NEEDED if not _installed(name)]
    if missing and sys.argv[1:2] and sys.argv[1] in PLAIN:
        raise SystemExit(run_plain(sys.argv[1], sys.argv[2:]))
    if missing:
        print(f"turnwise: {', '.join(missing)} not found; the commands need the train extra:", file=sys.stderr)
        print('    pip install "turnwise[train]"', file=sys.stderr)
        raise SystemExit(2)
    from turnwise.cli import app

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    app()


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):  # ValueError: in sys.modules, without a spec
        return False


if __name__ == "__main__":
    main()
