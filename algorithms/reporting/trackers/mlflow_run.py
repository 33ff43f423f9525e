"""MLflow: the server (or store) in MLFLOW_TRACKING_URI, else files below RUN/mlruns."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from turnwise.algorithms.reporting.trackers import About, Rows

MOST_METRICS, MOST_PARAMS, LONGEST = 1000, 100, 500
"""Per request, and characters of a value: what every version of the server takes."""
Item = TypeVar("Item")


class MlflowRun:
    """A run in MLflow."""

    def __init__(self, about: About) -> None:
        uri = about.known.get("uri") or os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            uri = (about.run_dir / "mlruns").resolve().as_uri()
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        run_id = about.known.get("run_id")
        if run_id:
            self._run_id = run_id
            self._client.update_run(run_id, status="RUNNING")
        else:
            self._run_id = self._new(about)
        self.identity = {"run_id": self._run_id, "uri": uri}

    def _new(self, about: About) -> str:
        from mlflow.entities import Param

        found = self._client.get_experiment_by_name(about.project)
        experiment = found.experiment_id if found else self._client.create_experiment(about.project)
        run_id = str(self._client.create_run(experiment, run_name=about.name).info.run_id)
        params = [Param(spelt(name), str(value)[:LONGEST]) for name, value in about.config.items()]
        for some in _parts(params, MOST_PARAMS):
            self._client.log_batch(run_id, params=some)
        return run_id

    def write(self, rows: Rows) -> None:
        """See `Tracker`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        every = [Metric(spelt(name), value, now, step) for step, numbers in rows for name, value in numbers.items()]
        for some in _parts(every, MOST_METRICS):
            self._client.log_batch(self._run_id, metrics=some)

    def end(self, summary: Mapping[str, Any]) -> None:
        """See `Tracker`. Numbers become metrics, the rest tags."""
        for name, value in summary.items():
            if isinstance(value, int | float):
                self._client.log_metric(self._run_id, spelt(f"summary/{name}"), value)
            elif value is not None:
                self._client.set_tag(self._run_id, spelt(f"summary/{name}"), str(value)[:LONGEST])

    def close(self, whole: bool) -> None:
        """See `Tracker`."""
        self._client.set_terminated(self._run_id, status="FINISHED" if whole else "KILLED")


def spelt(name: str) -> str:
    """The name in the characters that MLflow allows, `_` in place of others; `.` in place of `/`, since its stores of
    files cannot hold both a/b and a/b/c."""
    return re.sub(r"[^A-Za-z0-9_\-. ]", "_", name.replace("/", "."))


def _parts(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    yield from (list(items[start : start + size]) for start in range(0, len(items), size))


open_run = MlflowRun
