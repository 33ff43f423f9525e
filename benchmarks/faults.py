"""What can befall a training, one fault at a time, with real processes that are killed by their numbers."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from training import PATIENCE_S, Training

from turnwise.algorithms.checkpoint import checkpoint_path, steps_saved

STEPS, GAMES = 10, 16
WORDS = (
    *(f"steps={STEPS}", f"games_per_step={GAMES}", "checkpoint_every=3", "ledger=true", "tensorboard=false"),
    *("evaluation.every=5", "evaluation.games=8", "evaluation.final_games=8"),
    *("model.sft.steps=20", "model.sft.games=100", "engine.device=cpu"),
)
ALL_STATE = (
    *(*WORDS, "agent=league", "agent.league.every=2", "agent.league.keep=2", "agent.league.scripted=[random]"),
    *("curriculum=sec", "env.others=[nim]", "evaluation.method=win_rate"),
)
"""A run with all the state there is: baselines by game and role, a league with snapshots, a curriculum."""
WORKERS = (*WORDS, "env=tic_tac_toe", "+env.kwargs.worker=true", "evaluation.method=win_rate", "env.retries=5")
RAY = (*WORDS, "launcher=ray", "launcher.engines=2", "engine.threads=1")
VLLM = (*WORDS, "engine=vllm", "engine.vllm.own_process=true", "model.tiny.head_dim=64")
LEARNERS = (*WORDS, "engine.threads=1")
CLOSE = 2e-2
"""Other batches round otherwise: replies are the same, the last digits of what is computed from them are not."""


class Lab:
    """Where a fault is tried out: the folder of its run, and what has happened."""

    def __init__(self, folder: Path, words: Sequence[str], launcher: Sequence[str]) -> None:
        self.run, self.words, self.launcher = folder / "run", words, launcher
        self.codes: list[int] = []
        """Exit codes, in order."""
        self.said: list[str] = []
        self.seconds_to_exit: float | None = None

    def start(self) -> Training:
        """Begin the run, or go on with it."""
        return Training(self.run, self.words, launcher=self.launcher)

    def end(self, training: Training) -> int:
        """Wait for it."""
        self.codes.append(training.end())
        self.said.append(training.said())
        return self.codes[-1]

    def go_on(self) -> None:
        """Start it again as often as it stops."""
        self.end(self.start())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault."""

    name: str
    then: str
    """What turnwise does."""
    inflict: Callable[[Lab], None]
    """Runs to the end, with the fault on the way."""
    words: Sequence[str] = ALL_STATE
    launcher: Sequence[str] = ()
    tolerance: float = 0.0
    """Of the comparison with the undisturbed run; 0: to the last bit."""
    expected: tuple[int, ...] = (0,)
    """Exit codes in order."""
    quick: bool = False
    """Whether the default tests try it."""
    able: Callable[[], str | None] = field(default=lambda: None)
    """Why it cannot be tried here, or None."""


# --- one process -----------------------------------------------------------------------------------------------------


def kill_workers(lab: Lab) -> None:
    """Three of them, one after the other."""
    training = lab.start()
    for step in (1, 3, 5):
        training.reach(step)
        training.kill_one("turnwise.envs.workers.serve")
    lab.end(training)


def kill_driver(lab: Lab) -> None:
    """At a step without a checkpoint, twice."""
    for step in (4, 8):
        training = lab.start()
        training.reach(step)
        training.process.kill()
        lab.end(training)
    lab.go_on()


def terminate(lab: Lab) -> None:
    """At a step without a checkpoint."""
    training = lab.start()
    training.reach(4)
    before = time.monotonic()
    training.process.send_signal(signal.SIGTERM)
    lab.end(training)
    lab.seconds_to_exit = time.monotonic() - before
    lab.go_on()


def damage_the_newest_checkpoint(lab: Lab) -> None:
    """One byte of it, after the run was killed."""
    training = lab.start()
    training.reach(7)
    training.process.kill()
    lab.end(training)
    damage(lab.run)
    lab.go_on()


def damage(run: Path) -> None:
    """Change a bit of the newest checkpoint."""
    state = checkpoint_path(run, steps_saved(run)[-1]) / "state.pt"
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)


def fill_the_disk(lab: Lab) -> None:
    """A file system with room for about two checkpoints, and more of it later."""
    disk = lab.run.parent / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", disk], check=True, timeout=PATIENCE_S)
    try:
        home, lab.run = lab.run, disk / "run"
        lab.go_on()
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True, timeout=PATIENCE_S)
        lab.go_on()
        shutil.copytree(lab.run, home)
        lab.run = home
    finally:
        subprocess.run(["umount", disk], check=True, timeout=PATIENCE_S)


def start_a_second_run(lab: Lab) -> None:
    """In the folder of one that is at work, and that stands still meanwhile: who is first does not depend on speed."""
    first = lab.start()
    first.reach(1)
    first.process.send_signal(signal.SIGSTOP)
    lab.end(lab.start())
    first.process.send_signal(signal.SIGCONT)
    lab.end(first)


def no_mounts() -> str | None:
    """Why a small file system cannot be made here."""
    words = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    with suppress(OSError):
        if subprocess.run(words, capture_output=True, check=False, timeout=PATIENCE_S).returncode == 0:
            return None
    return "this user may not mount a file system"


# --- several ranks, and Ray ------------------------------------------------------------------------------------------


def kill_a_rank(lab: Lab) -> None:
    """One of two learners that torchrun started."""
    training = lab.start()
    training.reach(4)
    training.others("turnwise train")[-1].kill()
    lab.end(training)
    lab.go_on()


def kill_actor(name: str) -> Callable[[Lab], None]:
    """An actor of this class, in the middle of the run."""

    def inflict(lab: Lab) -> None:
        training = lab.start()
        training.reach(4)
        training.kill_one(f"ray::{name}")
        lab.end(training)

    return inflict


def kill_the_node(lab: Lab) -> None:
    """Ray's own process of this machine, on which everything runs."""
    training = lab.start()
    training.reach(4)
    training.kill_one("raylet/raylet")
    lab.end(training)
    lab.go_on()


def kill_the_engine(lab: Lab) -> None:
    """vLLM's own process."""
    training = lab.start()
    training.reach(4)
    training.kill_one("VLLM::EngineCore")
    lab.end(training)
    lab.go_on()


def missing(package: str) -> Callable[[], str | None]:
    """Why a package cannot be used here."""
    return lambda: None if importlib.util.find_spec(package) else f"{package} is not installed"


no_ray = missing("ray")


TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")

FAULTS = (
    Fault(
        name="an environment's worker process is killed, three times",
        then="its games are played again from their moves in another worker; an episode it was answering begins again",
        inflict=kill_workers,
        words=WORKERS,
        tolerance=CLOSE,
        quick=True,
    ),
    Fault(
        name="the training process is killed, twice",
        then="--resume goes on from the newest checkpoint",
        inflict=kill_driver,
        expected=(-9, -9, 0),
    ),
    Fault(
        name="SIGTERM",
        then="the last finished step is saved, exit code 143; --resume goes on from there",
        inflict=terminate,
        expected=(143, 0),
        quick=True,
    ),
    Fault(
        name="the newest checkpoint is damaged",
        then="--resume says so, puts it aside and goes on from the one before it",
        inflict=damage_the_newest_checkpoint,
        expected=(-9, 0),
    ),
    Fault(
        name="the disk is full",
        then="the run ends with one line; what is on the disk is whole; --resume goes on when there is room",
        inflict=fill_the_disk,
        expected=(2, 0),
        able=no_mounts,
    ),
    Fault(
        name="a second run is started in the folder",
        then="it is refused, and names the process that holds the folder; the first one does not notice",
        inflict=start_a_second_run,
        expected=(2, 0),
    ),
    Fault(
        name="one of two learners (torchrun) is killed",
        then="the others end with it; started again, they go on from the newest checkpoint",
        inflict=kill_a_rank,
        words=LEARNERS,
        launcher=TORCHRUN,
        expected=(1, 0),
    ),
    Fault(
        name="SIGTERM to torchrun with two learners",
        then="they agree on the step to end with, and save it together; started again, they go on from there",
        inflict=terminate,
        words=LEARNERS,
        launcher=TORCHRUN,
        expected=(1, 0),
    ),
    Fault(
        name="vLLM's process is killed",
        then="the run ends with one line; --resume goes on with a new one",
        inflict=kill_the_engine,
        words=VLLM,
        tolerance=CLOSE,
        expected=(2, 0),
        able=missing("vllm"),
    ),
    Fault(
        name="a rollout actor is killed, with its engine",
        then="another one is started, and what it had in hands is played again",
        inflict=kill_actor("Performer"),
        words=RAY,
        able=no_ray,
    ),
    Fault(
        name="the learner's actor is killed",
        then="it is started again and goes on from the newest checkpoint",
        inflict=kill_actor("Learning"),
        words=RAY,
        able=no_ray,
    ),
    Fault(
        name="Ray's node is killed",
        then="the run ends with one line; --resume goes on with a new one",
        inflict=kill_the_node,
        words=RAY,
        expected=(2, 0),
        able=no_ray,
    ),
    Fault(
        name="the driver of a Ray run is killed, twice",
        then="its actors end with it; --resume goes on from the newest checkpoint",
        inflict=kill_driver,
        words=RAY,
        expected=(-9, -9, 0),
        able=no_ray,
    ),
    Fault(
        name="SIGTERM to the driver of a Ray run",
        then="the learner saves the last finished step, exit code 143; --resume goes on from there",
        inflict=terminate,
        words=RAY,
        expected=(143, 0),
        able=no_ray,
    ),
)
