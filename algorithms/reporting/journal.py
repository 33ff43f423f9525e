"""All that a run writes down of its steps: metrics.jsonl and TensorBoard, trackers, figures of the machine, alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnwise.algorithms.reporting.alerts import Watch
from turnwise.algorithms.reporting.runlog import RunLog, flat, plain_json
from turnwise.algorithms.reporting.system import System
from turnwise.algorithms.reporting.trackers import TENSORBOARD, About
from turnwise.algorithms.reporting.trackers.relay import Trackers

if TYPE_CHECKING:
    from turnwise.algorithms.settings import RunSettings

STOPPED_PATIENCE_S = 5.0
"""What trackers may take to send the rest of a run that was stopped."""


class Journal:
    """Takes the records of a run's steps, in order."""

    def __init__(self, settings: RunSettings, run_dir: Path, say: Callable[[str], None]) -> None:
        """`say`: told what a person should know, such as a tracker that failed."""
        tensorboard = settings.tensorboard or TENSORBOARD in settings.trackers
        self._log = RunLog(run_dir, tensorboard=tensorboard)
        self._watch, self._system, self._say = Watch(run_dir), System(run_dir), say
        names = [name for name in settings.trackers if name != TENSORBOARD]
        self._trackers = Trackers(names, partial(about, settings, Path(run_dir)), Path(run_dir))
        self._tracked, self._ended = bool(names), False

    def write(self, record: dict[str, Any]) -> dict[str, Any]:
        """Take one step; returns what to show of it: the record, and under `alerts` what is wrong at this step.

        Where the record has a part `time`, figures of the machine are put there, now and then.
        """
        if "time" in record and (found := self._system.read()):
            record["time"]["system"] = found
        self._log.write(record)
        if self._tracked:
            numbers = {name: value for name, value in flat(plain_json(record)).items() if _is_number(value)}
            self._trackers.write(numbers.pop("step"), numbers)
            self._tell()
        alerts = [asdict(alert) for alert in self._watch.look(record)]
        return record | {"alerts": alerts} if alerts else record

    def _tell(self) -> None:
        for line in self._trackers.news():
            self._say(line)

    def cut_back(self, step: int) -> None:
        """Drop what came after that step."""
        self._log.cut_back(step)
        self._watch.go_on_from(step)

    def sync(self) -> None:
        """See `RunLog.sync`."""
        self._log.sync()

    def end(self, summary: Mapping[str, Any]) -> None:
        """The run has come to its end."""
        self._trackers.end({name: value for name, value in flat(summary).items() if value is not None})
        self._ended = True

    def close(self) -> None:
        """Let go of everything."""
        self._log.close()
        if self._ended:
            self._trackers.close()
        else:
            self._trackers.close(STOPPED_PATIENCE_S)
        self._tell()


def about(settings: RunSettings, run_dir: Path, known: Mapping[str, str]) -> About:
    """What trackers are told of a run."""
    config = {name: value if _plain(value) else str(value) for name, value in flat(asdict(settings)).items()}
    name = run_dir.resolve().name
    return About(name=name, project=settings.tracker_project, run_dir=run_dir, config=config, known=known)


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
