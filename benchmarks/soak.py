"""Trains for a long time while something dies again and again: python benchmarks/soak.py --minutes 30

Then no episode may be lost or count twice, and memory has to be flat. Prints what befell the run, and with 30 minutes
or more writes benchmarks/results/soak-LAUNCHER.json and the table of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import print_table, save_result
from faults import damage
from pages import filled, head, row
from training import Training

from turnwise.algorithms.checkpoint import steps_saved
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.ledger import check_ledger

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results", ROOT / "docs/reliability.md"
GAMES = 32
WORDS = (
    *("steps=1000000", f"games_per_step={GAMES}", "checkpoint_every=10", "ledger=true", "tensorboard=false"),
    *("evaluation.every=100", "evaluation.games=8", "evaluation.final_games=8", "evaluation.method=win_rate"),
    *("model.sft.steps=20", "model.sft.games=100", "engine.device=cpu", "engine.threads=1"),
    *("env=tic_tac_toe", "+env.kwargs.worker=true", "env.retries=10"),
)
LAUNCHERS = {
    "local": (*WORDS, "agent=league", "agent.league.every=20", "agent.league.keep=2"),
    "ray": (*WORDS, "launcher=ray", "launcher.engines=2", "launcher.restarts=1000"),
}
GROWTH = 1.05
"""Most that memory may grow by, from the second third of the longest stretch without a restart to its last third."""
WORKER, ACTOR, LEARNER = "turnwise.envs.workers.serve", "ray::Performer", "ray::Learning"


class Soak:
    """One run, brought to grief again and again."""

    def __init__(self, folder: Path, launcher: str, seed: int) -> None:
        self.run, self._words, self._launcher = folder / "run", LAUNCHERS[launcher], launcher
        self._random = random.Random(seed)
        self.faults: Counter[str] = Counter()
        self.memory: list[list[float]] = []
        """Megabytes of all its processes, second by second; a list per start."""
        self._training = self._start()

    def _start(self) -> Training:
        self.memory.append([])
        return Training(self.run, self._words)

    def last(self, minutes: float, every_s: float) -> None:
        """Go on for so long, with a fault every so many seconds; then stop the run."""
        until = time.monotonic() + 60 * minutes
        with self._watched():
            self._training.reach(1)
            while time.monotonic() + every_s < until:
                time.sleep(every_s * self._random.uniform(0.5, 1.0))
                self._require_alive()
                fault = self._random.choice(self._possible())
                self.faults[fault.__name__.strip("_")] += 1
                fault()
            time.sleep(max(0.0, until - time.monotonic()))
            self._require_alive()
            self._stopped(signal.SIGTERM)

    def _possible(self) -> list[Callable[[], None]]:
        """What is small happens more often: memory shows in long stretches without a restart."""
        small = [self.worker_killed] * 4
        if self._launcher == "ray":
            small += [self.actor_killed] * 3 + [self.learner_killed]
        return [*small, self.training_killed, self.training_stopped, self.checkpoint_damaged]

    def worker_killed(self) -> None:
        """An environment's worker process."""
        self._training.kill_one(WORKER)

    def actor_killed(self) -> None:
        """A rollout actor, with its engine."""
        self._training.kill_one(ACTOR)

    def learner_killed(self) -> None:
        """The learner's actor."""
        self._training.kill_one(LEARNER)

    def training_killed(self) -> None:
        """The whole of it."""
        self._stopped(signal.SIGKILL)
        self._again()

    def training_stopped(self) -> None:
        """It saves, and goes on."""
        self._stopped(signal.SIGTERM)
        self._again()

    def checkpoint_damaged(self) -> None:
        """The newest one, of a training that was killed."""
        self._stopped(signal.SIGKILL)
        if len(steps_saved(self.run)) > 1:
            damage(self.run)
        self._again()

    def _stopped(self, signum: signal.Signals) -> None:
        self._training.process.send_signal(signum)
        code = self._training.end()
        if code != {signal.SIGKILL: -9, signal.SIGTERM: 143}[signum]:
            raise RuntimeError(f"{signum.name} ended the run with exit code {code}: {self._training.said()[-3000:]}")

    def _again(self) -> None:
        step = self._training.step
        self._training = self._start()
        self._training.reach(step + 1)

    def _require_alive(self) -> None:
        code = self._training.process.poll()
        if code is not None:
            raise RuntimeError(f"the run ended by itself with exit code {code}: {self._training.said()[-3000:]}")

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Its memory is measured meanwhile."""
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(over,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join(60)
            self._training.process.kill()
            self._training.end()

    def _watch(self, over: threading.Event) -> None:
        import psutil

        while not over.wait(1.0):
            training, stretch = self._training, self.memory[-1]
            try:
                stretch.append(psutil.Process(training.process.pid).memory_info().rss / 1e6)
            except psutil.Error:  # it has ended
                continue

    def found(self) -> dict[str, Any]:
        """What came of it; raises Unaccounted where an episode is lost or counts twice."""
        totals = check_ledger(self.run, games_per_step=GAMES)
        stretch = max(self.memory, key=len)
        third = max(len(stretch) // 3, 1)
        before, after = statistics.median(stretch[third : 2 * third] or stretch), statistics.median(stretch[-third:])
        return {
            "launcher": self._launcher,
            "faults": dict(self.faults),
            **totals,
            "stretch_s": len(stretch),
            "memory_mb": round(after, 1),
            "growth": round(after / before, 4),
        }


def soak(folder: Path, launcher: str, minutes: float, every_s: float = 60.0, seed: int = 0) -> dict[str, Any]:
    """Trains in a folder for so many minutes; returns what came of it."""
    run = Soak(folder, launcher, seed)
    run.last(minutes, every_s)
    return run.found() | {"minutes": minutes, "every_s": every_s}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The table of docs/reliability.md."""
    lines = head(
        "launcher", "minutes", "faults", "steps", "episodes planned", "trained", "left out", "memory", "growth"
    )
    for one in rows:
        figures = [f"{one[name]:,}" for name in ("steps", "planned", "trained", "dropped")]
        memory = (f"{one['memory_mb']:,.0f} MB", f"{100 * (one['growth'] - 1):+.1f}%")
        lines.append(row(one["launcher"], f"{one['minutes']:g}", str(sum(one["faults"].values())), *figures, *memory))
    return "\n".join(lines)


def results() -> list[dict[str, Any]]:
    """The rows that were measured."""
    return [one for path in sorted(RESULTS.glob("soak-*.json")) for one in json.loads(path.read_text())["rows"]]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two faults, at most")
    parser.add_argument("--launcher", choices=sorted(LAUNCHERS), default="local")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        found = soak(Path(folder), asked.launcher, asked.minutes, asked.every, asked.seed)
    print(found["faults"])
    print_table([found], [name for name in found if name != "faults"])
    if asked.minutes >= 30:
        save_result(RESULTS / f"soak-{asked.launcher}.json", [found], packages=("torch", "ray"))
        write_atomically(PAGE, filled(PAGE.read_text(), "soak", lambda name: table(results())))
    return int(found["growth"] > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
