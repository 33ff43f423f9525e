"""trackio: SQLite files below TRACKIO_DIR (else in Hugging Face's cache), or the Space that TRACKIO_SPACE_ID names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnwise.algorithms.reporting.trackers import About, Rows


class TrackioRun:
    """A run in trackio."""

    def __init__(self, about: About) -> None:
        import trackio

        self.identity = {"name": about.name, "project": about.project, **about.known}
        self._run: Any = trackio.init(
            project=self.identity["project"],
            name=self.identity["name"],
            resume="allow",
            config=dict(about.config),
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        self._last = 0

    def write(self, rows: Rows) -> None:
        """See `Tracker`."""
        for step, numbers in rows:
            self._run.log(dict(numbers), step=step)
            self._last = step

    def end(self, summary: Mapping[str, Any]) -> None:
        """See `Tracker`. It keeps no summary, so that the last step holds its numbers."""
        numbers = {name: value for name, value in summary.items() if isinstance(value, int | float)}
        self._run.log({f"summary/{name}": value for name, value in numbers.items()}, step=self._last)

    def close(self, whole: bool) -> None:
        """See `Tracker`."""
        self._run.finish()


open_run = TrackioRun
