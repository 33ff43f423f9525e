"""The `turnwise` command, also `python -m turnwise`. The commands themselves are in `cli.py`."""

from __future__ import annotations

import logging
import os
import sys
from importlib.util import find_spec

from turnwise.plain import PLAIN, run_plain

NEEDED = ("typer", "rich", "hydra", "torch", "transformers", "safetensors")
"""Modules that most commands need and that a plain `pip install turnwise` does not bring."""

CHATTY = ("torchao", "torch.utils._pytree")
"""What transformers imports where torchao is installed warns of kernels for other GPUs than this machine has."""


STOPPED = (130, 143)
"""Exit codes of a run that Ctrl-C or SIGTERM stopped. All that there is to save is saved: no thread that still waits
for a game may hold the process up."""


def main() -> None:
    """Run the command line. Exits with 2 where the `train` extra is missing and needed, and says how to install it."""
    missing = [name for name in NEEDED if not _installed(name)]
    if missing and sys.argv[1:2] and sys.argv[1] in PLAIN:
        raise SystemExit(run_plain(sys.argv[1], sys.argv[2:]))
    if missing:
        print(f"turnwise: {', '.join(missing)} not found; the commands need the train extra:", file=sys.stderr)
        print('    pip install "turnwise[train]"', file=sys.stderr)
        raise SystemExit(2)
    from turnwise.commands.completion import bash_values

    offered = bash_values()
    if offered is not None:
        print("\n".join(offered))
        return
    from turnwise.cli import app

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        app()
    except SystemExit as ended:
        if ended.code in STOPPED:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(ended.code))
        raise


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):  # ValueError: in sys.modules, without a spec
        return False


if __name__ == "__main__":
    main()
