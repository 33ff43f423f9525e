"""What the pages say of a run: its settings, how far it is, how well it does, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Any

from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.reporting.alerts import read_alerts
from turnwise.algorithms.reporting.runlog import LOCK, METRICS
from turnwise.view.metrics import Metrics
from turnwise.view.sources import Source, discover
from turnwise.view.store import Store

HEADLINES = {"nash_conv": True, "not_lost": False, "mean_return": False}
"""What a run is judged by -> whether lower is better."""
LARGEST = 4_000_000
"""Bytes of a JSON or YAML file that is read."""


class NoRun(KeyError):
    """There is no run of this id."""


class Runs:
    """Everything below some paths. Any thread may ask."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = [Path(path) for path in paths]
        self._lock = RLock()
        self._sources: dict[str, Source] = {}
        self._metrics: dict[str, Metrics] = {}
        self._stores: dict[str, Store] = {}

    def close(self) -> None:
        """Let go of all indexes."""
        with self._lock:
            for store in self._stores.values():
                store.close()
            self._stores.clear()

    def sources(self) -> list[Source]:
        """What there is now."""
        with self._lock:
            self._sources = discover(self._paths)
            return list(self._sources.values())

    def source(self, run: str) -> Source:
        """Raises NoRun."""
        with self._lock:
            if run not in self._sources:
                self.sources()
            if run not in self._sources:
                raise NoRun(f"there is no run {run!r} here")
            return self._sources[run]

    def metrics(self, run: str) -> Metrics:
        """Raises NoRun."""
        source = self.source(run)
        with self._lock:
            return self._metrics.setdefault(run, Metrics(source.path / METRICS))

    def store(self, run: str) -> Store:
        """Raises NoRun."""
        source = self.source(run)
        with self._lock:
            if run not in self._stores:
                self._stores[run] = Store(source)
            return self._stores[run]

    def locate(self, path: Path) -> tuple[str, str] | None:
        """(run, key) of an episode that stands alone in a file, where some page shows it."""
        whole = path.resolve()
        for source in self.sources():
            for name, file in source.files() if source.path in (whole, *whole.parents) else ():
                if file == whole:
                    store = self.store(source.id)
                    store.look_again()
                    return source.id, store.key(name, 0)
        return None

    def summary(self, source: Source) -> dict[str, Any]:
        """A row of the table of runs."""
        metrics = self.metrics(source.id)
        metrics.refresh()
        config, done = read_config(source), read_json(source.path / "summary.json") if source.is_run else None
        last, seed, steps = metrics.last, config.get("seed"), config.get("steps")
        return {
            "id": source.id,
            "path": str(source.path),
            "name": str(config.get("name") or source.path.name),
            "env": _text(_inner(config, "env", "id") or (done or {}).get("env")),
            "algorithm": _text(_inner(config, "algorithm", "name") or (done or {}).get("algorithm")),
            "model": _text(_inner(config, "model", "path") or ("tiny" if config else None)),
            "seed": seed if isinstance(seed, int) else None,
            "step": last.get("step"),
            "steps": steps if isinstance(steps, int) and config.get("token_budget") is None else None,
            "status": _status(source, done),
            "headline": _headline(metrics.evaluated),
            "games": last.get("games") if source.is_run else None,
            "updated": _updated(source),
            "has_episodes": next(source.files(), None) is not None,
            "alerts": len(_alerts(source)[0]),
        }

    def details(self, run: str) -> dict[str, Any]:
        """The page of a run. Raises NoRun."""
        source = self.source(run)
        store, config = self.store(run), source.path / "config.yaml"
        alerts, trouble = _alerts(source)
        steps = store.steps()
        broken = self.metrics(run).broken
        return self.summary(source) | {
            "config": read_text(config) if source.path.is_dir() else None,
            "summary": read_json(source.path / "summary.json"),
            "evaluation": _numbers(read_json(source.path / "evaluation.json")),
            "checkpoints": checkpoints(source),
            "alerts": alerts,
            "recorded_steps": steps,
            "problems": [*trouble, *store.problems.values()]
            + ([f"{source.path / METRICS} has {broken} lines that are no records"] if broken else []),
        }


def checkpoints(source: Source) -> list[int]:
    """Steps of the checkpoints whose weights are there, ascending."""
    found = (path.parent.name.removeprefix("step-") for path in source.path.glob("checkpoints/step-*/manifest.json"))
    return sorted(int(step) for step in found if step.isascii() and step.isdigit())


def read_text(path: Path) -> str | None:
    """A file's text, bytes that are none replaced; None where it is missing or far too long."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return None


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is none."""
    try:
        found = json.loads(read_text(path) or "null")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_config(source: Source) -> Mapping[str, Any]:
    """The settings of a run, unchecked; empty where there are none that can be read."""
    path = source.path / "config.yaml"
    try:
        return _config(path, path.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=512)
def _config(path: Path, changed: int) -> Mapping[str, Any]:
    """changed: time of the last change, in ns: another file gets another answer."""
    import yaml

    try:
        found = yaml.load(read_text(path) or "", Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _inner(config: Mapping[str, Any], group: str, name: str) -> Any:
    inner = config.get(group)
    return inner.get(name) if isinstance(inner, Mapping) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _headline(evaluated: Mapping[str, Any]) -> dict[str, Any] | None:
    for name, lower in HEADLINES.items():
        if isinstance(evaluated.get(name), int | float):
            return {"name": name, "value": evaluated[name], "lower_is_better": lower}
    return None


def _status(source: Source, done: Any) -> str:
    if not source.is_run:
        return "episodes"
    return "running" if is_held(source.path / LOCK) else "stopped" if done is None else "done"


def is_held(lock: Path) -> bool:
    """Whether some process holds a run's lock. Looks at the kernel's list: trying the lock could stop a run that is
    about to begin."""
    try:
        inode, holders = lock.stat().st_ino, Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    return any(f":{inode} " in line and "FLOCK" in line for line in holders)


def _updated(source: Source) -> float | None:
    """When something was written here last, in seconds of the epoch."""
    times = []
    for path in (source.path / METRICS, *(path for _, path in source.files())):
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue  # it went away just now, or there is none
    return max(times, default=None)


def _alerts(source: Source) -> tuple[list[dict[str, Any]], list[str]]:
    """The alerts of a run, and what is wrong with their file."""
    try:
        found = read_alerts(source.path) if source.path.is_dir() else []
    except (RunFolderError, UnicodeDecodeError, RecursionError, OSError) as error:
        return [], [str(error)]
    return [{"step": alert.step, "kind": alert.kind, "text": alert.text} for alert in found], []


def _numbers(evaluation: dict[str, Any] | None) -> dict[str, Any] | None:
    """An evaluation without its tables of the whole policy, which are for the report."""
    return None if evaluation is None else {name: value for name, value in evaluation.items() if name != "policy"}
