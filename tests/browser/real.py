"""A short run that is really trained, and the real command that shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUIET = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
RUN = (
    *("env=tic_tac_toe", "algorithm=spo_tree", "steps=2", "games_per_step=16", "checkpoint_every=1"),
    *("recording.every=1", "model.sft.steps=60", "evaluation.games=20", "tensorboard=false", "name=forks"),
)
"""Tic-tac-toe, so that there are boards; trees, so that there are forks; two checkpoints to compare."""


def train(folder: Path, settings: Sequence[str] = RUN) -> None:
    """Train in a folder, with the real command."""
    command = [sys.executable, "-m", "turnwise", "train", *settings, f"run_dir={folder}"]
    done = subprocess.run(command, env=QUIET, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Viewer:
    """A server that runs."""

    url: str
    """With the token."""

    @property
    def base(self) -> str:
        """Without it."""
        return self.url.partition("?")[0]

    def get(self, path: str) -> Any:
        """What /api/PATH answers."""
        token = self.url.partition("token=")[2]
        request = urllib.request.Request(f"{self.base}api/{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def viewer(*paths: Path, folder: Path) -> Iterator[Viewer]:
    """`turnwise view PATHS`, started in a folder, until the block is left."""
    command = [sys.executable, "-m", "turnwise", "view", *map(str, paths), "--port", "0", "--no-browser", "--json"]
    with subprocess.Popen(command, env=QUIET, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"turnwise view ended with {process.wait()} before it printed an address"
            yield Viewer(json.loads(line)["url"])
        finally:
            process.terminate()
            process.wait(20)
