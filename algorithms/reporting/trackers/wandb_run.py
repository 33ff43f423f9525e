"""Weights & Biases. Without a network: WANDB_MODE=offline, and later `wandb sync RUN/wandb/offline-run-*`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from turnwise.algorithms.reporting.trackers import About, Rows

WAIT_S = 60


class WandbRun:
    """A run at Weights & Biases, or on disk where WANDB_MODE=offline."""

    def __init__(self, about: About) -> None:
        import wandb

        known = about.known.get("id")
        self._run = wandb.init(
            project=about.known.get("project", about.project),
            id=known or uuid.uuid4().hex[:12],
            name=about.name,
            resume="allow" if known else "never",
            config=dict(about.config),
            dir=str(about.run_dir),
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", init_timeout=WAIT_S, save_code=False),
        )
        self.identity = {"id": str(self._run.id), "project": str(self._run.project)}

    def write(self, rows: Rows) -> None:
        """See `Tracker`. Steps that it holds already it leaves as they are."""
        for step, numbers in rows:
            self._run.log(dict(numbers), step=step)

    def end(self, summary: Mapping[str, Any]) -> None:
        """See `Tracker`."""
        self._run.summary.update({f"summary/{name}": value for name, value in summary.items()})

    def close(self, whole: bool) -> None:
        """See `Tracker`."""
        self._run.finish(exit_code=0 if whole else 1)


open_run = WandbRun
