"""Learners in actors: killed, told to stop and going on, they end with the numbers of one process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.checkpoint import steps_saved
from turnwise.algorithms.checks import Lost
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.launch.start import launch
from turnwise.algorithms.ledger import check_ledger
from turnwise.algorithms.reporting.runlog import flat, read_metrics
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.trainer import train
from turnwise.algorithms.world import ALONE

Fingerprint = Callable[[Path], dict[str, Any]]


def settings_of(*words: str) -> RunSettings:
    return run_settings(compose([*words]))


@pytest.fixture(scope="module")
def alone(small: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small run, done by one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    train(settings_of(*small), folder)
    return folder


def test_a_learner_that_is_killed_goes_on_from_its_checkpoint_to_the_same_end(
    ray_cluster: Any, small: tuple[str, ...], alone: Path, tmp_path: Path, fingerprint: Fingerprint
) -> None:
    seen: list[int] = []
    said: list[str] = []

    def observe(record: dict[str, Any]) -> None:
        if record["step"] >= 3 and not any(step >= 3 for step in seen):
            ray_cluster.actors("Learning")[0].kill()
        seen.append(record["step"])

    settings = settings_of(*small, "launcher=ray", "launcher.engines=0")
    summary = launch(settings, tmp_path / "run", observe, said.append, ALONE)
    assert summary["steps"] == 6
    assert fingerprint(tmp_path / "run") == fingerprint(alone)
    assert [line for line in said if "learner" in line] == [
        "learner 0 died (ActorDiedError); starting again from the newest checkpoint (1 of 3 times)"
    ]
    assert any(line.startswith("going on after step ") for line in said)
    assert set(seen) == set(range(7))


def test_one_that_is_killed_too_often_ends_the_run_and_says_how_to_go_on(
    ray_cluster: Any, small: tuple[str, ...], tmp_path: Path, wait_for: Any
) -> None:
    def kill_newest(record: dict[str, Any]) -> None:
        """The learner, where one is alive: what it has told may come after its end, and an older one may be ending."""
        for learner in ray_cluster.actors("Learning")[-1:]:
            learner.kill()

    settings = settings_of(*small, "launcher=ray", "launcher.engines=0", "launcher.restarts=0")
    with pytest.raises(Lost, match=r"learner 0 died .*, more than launcher.restarts=0 times within 3600 s; .*--resume"):
        launch(settings, tmp_path, kill_newest, lambda line: None, ALONE)
    wait_for("the end of all learners", lambda: not ray_cluster.actors("Learning"))


def test_told_to_stop_it_saves_and_a_resumed_run_ends_as_one_left_alone(
    ray_cluster: Any, command: Any, small: tuple[str, ...], tmp_path: Path, wait_for: Any
) -> None:
    words = (*small, "steps=40", "evaluation.every=20")  # long enough to be stopped on the way
    alone, folder = tmp_path / "alone", tmp_path / "run"
    train(settings_of(*words), alone)

    def tell() -> None:
        wait_for("the second step", lambda: folder.exists() and len(read_metrics(folder)) > 2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=tell, daemon=True).start()
    stopped = command("train", *words, "launcher=ray", "launcher.engines=1", f"run_dir={folder}")
    assert stopped.exit_code == 128 + signal.SIGTERM, stopped.output
    (step,) = [step for step in steps_saved(folder) if f"stopped after step {step}, which is saved" in stopped.stderr]
    assert 2 <= step < 40
    resumed = command("train", "--resume", folder)
    assert resumed.exit_code == 0, resumed.output
    assert f"going on after step {step}" in resumed.stdout
    require_same_figures(alone, folder)
    assert check_ledger(folder, 16) == {"steps": 40, "planned": 640, "trained": 640, "dropped": 0}


def require_same_figures(run: Path, other: Path) -> None:
    """But for rounding, step by step."""
    for mine, theirs in zip(read_metrics(run), read_metrics(other), strict=True):
        theirs = {name: value for name, value in theirs.items() if not name.startswith("staleness/")}
        assert flat(theirs | {"time": 0}) == pytest.approx(flat(mine | {"time": 0}), rel=1e-5, abs=1e-5)


def test_two_learners_train_as_one_process_does(
    ray_cluster: Any, small: tuple[str, ...], alone: Path, tmp_path: Path
) -> None:
    words = (*small, "launcher=ray", "launcher.engines=1", "launcher.learners=2")
    launch(settings_of(*words), tmp_path / "run", lambda record: None, lambda line: None, ALONE)
    require_same_figures(alone, tmp_path / "run")


def test_what_a_learner_raises_reaches_the_one_who_started_it(
    ray_cluster: Any, refused: Any, small: tuple[str, ...], tmp_path: Path
) -> None:
    words = [*small, "launcher=ray", f"model={tmp_path}", f"run_dir={tmp_path / 'run'}"]
    assert str(tmp_path) in refused("train", *words)
    assert not (tmp_path / "run").exists()
