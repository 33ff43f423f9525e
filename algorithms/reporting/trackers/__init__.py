"""Where a run's metrics go besides metrics.jsonl: one small interface, and what speaks it.

metrics.jsonl is the truth; a tracker is a copy of it that may be incomplete. One that fails never stops a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

Rows = Sequence[tuple[int, Mapping[str, float]]]
"""(step, numbers by their names) by ascending step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a tracker is told of a run when it opens it."""

    name: str
    """Of the run."""
    project: str
    run_dir: Path
    config: Mapping[str, Any]
    """Every setting, keys joined with `/`."""
    known: Mapping[str, str]
    """What identified the remote run of this folder when it was opened before; {} for a new one."""


class Tracker(Protocol):
    """A run as another program keeps it. Any method may raise; the run goes on without the tracker then."""

    identity: Mapping[str, str]
    """What `About.known` is to be when the run is resumed."""

    def write(self, rows: Rows) -> None:
        """Take the numbers of one or more steps. A resumed run may write steps again, with the same numbers."""
        ...

    def end(self, summary: Mapping[str, Any]) -> None:
        """The run has come to its end, with these figures and names."""
        ...

    def close(self, whole: bool) -> None:
        """Hand over what is not sent yet. whole: the run has come to its end."""
        ...


TRACKERS = {name: f"turnwise.algorithms.reporting.trackers.{name}_run" for name in ("wandb", "mlflow", "trackio")}
"""Name -> its module, which needs the package of that name."""
TENSORBOARD = "tensorboard"
"""The one that is written by the run itself, into its own folder: see `reporting.scalars`."""
NAMES = (TENSORBOARD, *TRACKERS)


def opener(name: str) -> Callable[[About], Tracker]:
    """What opens a run in the tracker of that name, whose package is imported now."""
    import_module(name)
    found: Callable[[About], Tracker] = import_module(TRACKERS[name]).open_run
    return found


def require_package(name: str) -> None:
    """Raises ModuleNotFoundError, saying what to install, where the tracker's package is missing."""
    from importlib.util import find_spec

    if name in TRACKERS and find_spec(name) is None:
        raise ModuleNotFoundError(
            f'trackers=[{name}] needs the package {name}: pip install "turnwise[{name}]", or leave it out of trackers'
        )
